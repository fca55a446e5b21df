"""`make conformance`: reference == engine == Lava on thousands of random networks.

CONFORMANCE_NETWORKS says how many (5000), CONFORMANCE_SEED the seed of the first one (0); the
next ones follow it. Prints what was covered; exits with 1 where anything differed, after the
seed and the first differing value of each such network.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from .agree import Result, attempt

BATCH = 20
# Lava's processes wait for each other much of the time.
PER_CORE = 2
SHOWN = 20


def main() -> int:
    """Run all networks; returns the exit code."""
    networks = int(os.environ.get("CONFORMANCE_NETWORKS", "5000"))
    first = int(os.environ.get("CONFORMANCE_SEED", "0"))
    last = first + networks
    batches = [range(s, min(s + BATCH, last)) for s in range(first, last, BATCH)]
    cores = len(os.sched_getaffinity(0))
    total, done, started = Result(), 0, time.monotonic()
    print(f"{networks} random networks, seeds {first} to {last - 1}", flush=True)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(PER_CORE * cores, len(batches)), spawn) as pool:
        for future in as_completed([pool.submit(attempt, seeds) for seeds in batches]):
            seeds, result = future.result()
            done += len(seeds)
            total.coverage.merge(result.coverage)
            for seed, what in result.differences[: max(0, SHOWN - len(total.differences))]:
                print(f"DIFFERENT: seed {seed}, {what}", flush=True)
            total.differences += result.differences
            seconds = time.monotonic() - started
            left = seconds / done * (networks - done)
            print(f"{done}/{networks}, {seconds:.0f} s, about {left:.0f} s left", flush=True)
    print(f"\n{total.coverage.table()}\n")
    if total.differences:
        again = f"CONFORMANCE_NETWORKS=1 CONFORMANCE_SEED={total.differences[0][0]}"
        print(f"{len(total.differences)} mismatches; again: {again} make conformance")
        return 1
    print(f"0 mismatches in {networks} networks: reference == engine == Lava")
    return 0


if __name__ == "__main__":
    sys.exit(main())
