"""Whether the engine's bits are the reference's and Lava's, on samples of what was timed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from slipway.deploy import lava, reference
from slipway.deploy.engine import Engine
from slipway.deploy.trace import Stimulus, Trace
from slipway.errors import LavaTimeout

Array = npt.NDArray[Any]

LAVA_TIMEOUT = 240.0
"""Seconds after which Lava's run is given up, and equality with it is not known."""


def compare(trace: Trace, norm: Trace) -> dict[str, int]:
    """How many values the norm has, and how many differ in a trace that may have more samples.

    Outputs, messages, saturations, and every message and state where both were recorded.
    """
    values = mismatches = 0
    for ours, theirs in _pairs(trace, norm):
        samples = len(theirs)
        values += theirs.size
        mismatches += int(np.count_nonzero(ours[:samples] != theirs))
    return {"values": values, "mismatches": mismatches}


def _pairs(trace: Trace, norm: Trace) -> Iterator[tuple[Array, Array]]:
    for field in ("outputs", "messages", "saturated"):
        for name, theirs in getattr(norm, field).items():
            yield getattr(trace, field)[name], theirs
    for name in set(trace.rasters) & set(norm.rasters):
        ours, theirs = trace.rasters[name], norm.rasters[name]
        yield ours.s, theirs.s
        for state, values in theirs.states.items():
            yield ours.states[state], values


def check(engine: Engine, stimulus: Stimulus, timed: Trace, with_lava: bool) -> dict[str, Any]:
    """Compare reference, Lava and engine, and the engine's timed run, with one another.

    Args:
        engine: ready to run.
        stimulus: the first samples of what was timed.
        timed: what the engine made of all samples, without recording.
        with_lava: whether Lava can run here.

    Returns:
        JSON values: `equal_bits`, and for each comparison how many values it had and how many
        differ; of Lava also how long the whole call took, with its start and its end.
    """
    recorded = engine.run(stimulus, record=True)
    norm = reference.execute(engine.program, stimulus, record=True)
    found: dict[str, Any] = {
        "samples": stimulus.samples,
        "steps": stimulus.steps,
        "reference": compare(recorded, norm),
        "timed_run": compare(timed, norm),
        "lava": None,
    }
    if with_lava:
        started = time.perf_counter()
        try:
            trace = lava.execute(engine.program, stimulus, record=True, timeout=LAVA_TIMEOUT)
            seconds = time.perf_counter() - started
            found["lava"] = compare(recorded, trace) | {"seconds": seconds}
        except LavaTimeout:
            pass  # equality with Lava stays unknown, and the table says so
    parts = [found[key] for key in ("reference", "timed_run", "lava") if found[key]]
    return {"equal_bits": not any(part["mismatches"] for part in parts), **found}
