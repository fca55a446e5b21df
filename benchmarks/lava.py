"""Lava's simulator on a Program: its time for a step, and whether its bits are the engine's.

The time is taken as Lava's users would: Lava's own processes and models, nothing of slipway's
in between, a fresh interpreter, start-up and warm-up left out, one call for all timed steps.
`python -m slipway.benchmarks.lava PROGRAM STIMULUS STEPS CONVOLUTION` prints seconds a step.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from slipway.deploy.lava import probe
from slipway.deploy.lava.compatibility import import_lava
from slipway.deploy.lava.models import to_lava
from slipway.deploy.lava.network import Convolution, build, choose_convs
from slipway.deploy.program import Program
from slipway.deploy.storage import load_program, save_program
from slipway.deploy.trace import Stimulus

Array = npt.NDArray[Any]

TIMEOUT = 180.0
"""Seconds after which a timed run is given up."""


def usable() -> bool:
    """Whether Lava can run here."""
    return probe().lava_usable


def ways(program: Program) -> dict[str, Convolution]:
    """Names of the measurements: with Lava's Conv, and, where there are convolutions, without.

    Lava's Conv is what its users write; unrolled into Lava's Sparse a small convolution is
    faster.
    """
    conv: dict[str, Convolution] = {"lava": "conv"}
    return conv | ({"lava_sparse": "sparse"} if choose_convs(program, "conv") else {})


def seconds_per_step(
    program: Program, stimulus: Stimulus, steps: int, convolution: Convolution = "conv"
) -> float:
    """Seconds of a time step of one sample, in a fresh interpreter.

    Args:
        program: a Program of one input.
        stimulus: one sample; shown again and again.
        steps: steps in all, the first one and a tenth for warming up among them.
        convolution: see `deploy.lava.execute`.

    Raises:
        subprocess.TimeoutExpired: it took longer than TIMEOUT; all its processes were ended.
        subprocess.CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        at, values = Path(folder) / "program.slip", Path(folder) / "stimulus.npy"
        save_program(program, at)
        np.save(values, stimulus.values[program.inputs[0].name][0])
        inputs = [str(at), str(values), str(steps), convolution]
        command = [sys.executable, "-m", __name__, *inputs]
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            start_new_session=True,
            # Lava's parallelism is one process a population and projection.
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        try:
            said, _ = child.communicate(timeout=TIMEOUT)
        finally:
            # Also Lava's own processes, which outlive a failure.
            if child.poll() != 0:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, command)
        return float(said.split()[-1])


def _run(program: Program, values: Array, steps: int, convolution: Convolution) -> float:
    """Build, one step, warm up, then the timed steps."""
    lava = import_lava()
    presented = len(values) if values.ndim == 2 else program.steps
    source = build(
        lava, program, program.run_steps(presented), lambda process, name: None, convolution
    )
    data = np.zeros(source.data.shape, np.int32)
    shape = data.shape[:-1]
    over_time = values if values.ndim == 2 else np.repeat(values[None], presented, axis=0)
    for t, messages in enumerate(over_time):
        data[..., t] = to_lava(messages, shape)
    source.data.init = data
    settings = lava.Loihi2SimCfg(
        select_tag="fixed_pt", exception_proc_model_map=lava.models["fixed"]
    )
    warm_up = max(3, steps // 10)
    timed = steps - 1 - warm_up
    source.create_runtime(run_cfg=settings)
    source.run(lava.RunSteps(num_steps=1))
    source.run(lava.RunSteps(num_steps=warm_up))
    started = time.perf_counter()
    source.run(lava.RunSteps(num_steps=timed))
    seconds = time.perf_counter() - started
    source.stop()
    return seconds / timed


def main(arguments: list[str]) -> int:
    """The child."""
    program, values, steps, convolution = arguments
    known: dict[str, Convolution] = {"conv": "conv", "sparse": "sparse", "auto": "auto"}
    print(_run(load_program(Path(program)), np.load(values), int(steps), known[convolution]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
