"""A program that runs a network on Lava, as the command line does, with a model that hangs."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import numpy as np
from slipway.deploy.formats import WeightFormat
from slipway.deploy.lava import execute, supervisor
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.trace import Stimulus

# A job in the background of a shell starts with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

here = Path(__file__).parent
supervisor.WORKER = (sys.executable, str(here / "broken_worker.py"), "hang")
one = np.ones(1, np.int64)
program = Program(
    "fixed",
    1e-3,
    9,
    (Input("input", (2,), False, 1.0, 0.0, 1.0),),
    (Population("a", "LIF", (3,), CubaLif(one, one, one, one, one), 1),),
    (
        Projection(
            "input->a", "input", "a", Dense(np.full((3, 2), 4, np.int16), WeightFormat())
        ),
    ),
    (Output("output", "a", "count"),),
)
try:
    execute(program, Stimulus({"input": np.ones((2, 2), np.int32)}, 9))
except KeyboardInterrupt:
    sys.exit(130)
