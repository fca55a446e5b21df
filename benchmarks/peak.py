"""The engine's peak memory: `python -m slipway.benchmarks.peak PROGRAM STIMULUS STEPS`.

In an interpreter of its own, because a peak never goes down again. Not from getrusage: there a
child starts with the peak of the parent that forked it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from slipway.deploy.engine import Engine
from slipway.deploy.program import Program
from slipway.deploy.storage import load_program, save_program
from slipway.deploy.trace import Stimulus


def peak_bytes(program: Program, stimulus: Stimulus) -> int:
    """Peak resident memory of a process that runs a Program of one input, with all it loads."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        at, values = Path(folder) / "program.slip", Path(folder) / "stimulus.npy"
        save_program(program, at)
        np.save(values, stimulus.values[program.inputs[0].name])
        command = [sys.executable, "-m", __name__, str(at), str(values), str(stimulus.steps)]
        child = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        return int(child.stdout)


def _high_water_mark() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmHWM")


def main(arguments: list[str]) -> int:
    """The child."""
    program = load_program(Path(arguments[0]))
    values = np.load(arguments[1])
    Engine(program).run(Stimulus({program.inputs[0].name: values}, int(arguments[2])))
    print(_high_water_mark())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
