"""The fast engine and Lava's simulator on one network and one data set, in one run.

Takes the demo's Program and test set (`make demo` makes them) unless others are named. Both get
the same samples; every output and message must be equal, or no ratio is printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from slipway.deploy.data import load_data, take
from slipway.deploy.run import run
from slipway.deploy.storage import load_program
from slipway.deploy.trace import Trace

REPETITIONS = 5


def main() -> int:
    """Measure and print; 1 if the engines differ, 2 if there is nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", nargs="?", type=Path, default=Path("out/demo/student.slip"))
    parser.add_argument("data", nargs="?", type=Path, default=Path("out/demo/test.npz"))
    parser.add_argument("--samples", type=int, help="the first samples only")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    if not arguments.program.is_file():
        print(f"there is no {arguments.program}: run `make demo` first", file=sys.stderr)
        return 2
    program = load_program(arguments.program)
    data = load_data(arguments.data).first(arguments.samples)
    run(program, take(data.x, slice(2)))  # loading the compiled code is not part of the work
    fast = [run(program, data.x, data.y) for _ in range(REPETITIONS)]
    alone = [run(program, take(data.x, slice(1))).seconds for _ in range(REPETITIONS)]
    lava = run(program, data.x, data.y, engine="lava")
    counted = [_counted(result.trace) for result in (fast[0], lava)]
    equal = all(np.array_equal(counted[0][name], counted[1][name]) for name in counted[1])
    if not equal:
        print("the engines differ: see slipway verify", file=sys.stderr)
        return 1
    seconds = statistics.median(each.seconds for each in fast)
    synops = sum(int(fast[0].synops(p.name).sum()) for p in program.projections)
    figures = {
        "samples": lava.samples,
        "steps": lava.trace.executed_steps,
        "fast_seconds": seconds,
        "fast_one_sample_seconds": statistics.median(alone),
        "lava_seconds": lava.seconds,
        "lava_throughput_ratio": lava.seconds / seconds,
        "synops_per_second": synops / seconds,
        "equal_bits": equal,
    }
    for name, value in figures.items():
        print(f"{name:26}{value if isinstance(value, (bool, int)) else format(value, '.4g')}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _counted(trace: Trace) -> dict[tuple[str, str], npt.NDArray[Any]]:
    """What both engines must agree on."""
    outputs = {("output", name): values for name, values in trace.outputs.items()}
    return outputs | {("messages", name): values for name, values in trace.messages.items()}


if __name__ == "__main__":
    sys.exit(main())
