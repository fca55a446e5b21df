"""The engine in a process of its own: `python -m slipway.benchmarks.peak PROGRAM DATA STEPS`.

Its peak memory, because a peak never goes down again (not from getrusage: there a child starts
with the peak of the parent that forked it); and what the very first run ever takes, because
compiled code stays in a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from slipway.deploy.counts import fan_outs
from slipway.deploy.engine import Engine
from slipway.deploy.program import Program
from slipway.deploy.storage import load_program, save_program
from slipway.deploy.trace import Stimulus


def peak_bytes(program: Program, stimulus: Stimulus) -> int:
    """Peak resident memory of a process that runs a Program of one input, with all it loads."""
    return int(_child(program, stimulus, os.environ)[0])


def cold_seconds(program: Program, stimulus: Stimulus) -> float:
    """`Engine(program)` and a run where nothing has ever been compiled."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        found = _child(program, stimulus, {**os.environ, "NUMBA_CACHE_DIR": folder})
    return float(found[1])


def _child(program: Program, stimulus: Stimulus, environment: Mapping[str, str]) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        at, values = Path(folder) / "program.slip", Path(folder) / "stimulus.npy"
        save_program(program, at)
        np.save(values, stimulus.values[program.inputs[0].name])
        command = [sys.executable, "-m", __name__, str(at), str(values), str(stimulus.steps)]
        child = subprocess.run(
            command, stdout=subprocess.PIPE, check=True, env=environment, text=True
        )
        return child.stdout.split()


def _high_water_mark() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmHWM")


def main(arguments: list[str]) -> int:
    """The child."""
    program = load_program(Path(arguments[0]))
    stimulus = Stimulus({program.inputs[0].name: np.load(arguments[1])}, int(arguments[2]))
    fans, started = fan_outs(program), time.perf_counter()
    Engine(program).run(stimulus, fans=fans)
    seconds = time.perf_counter() - started
    print(_high_water_mark(), seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
