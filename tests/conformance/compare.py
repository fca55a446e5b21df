"""Two traces of one network, value by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from slipway.deploy.trace import Trace

Array = np.ndarray[Any, Any]


def _pairs(norm: Trace, other: Trace) -> Iterator[tuple[str, Any, Any]]:
    """Everything that two traces hold, by name; None where one has nothing of that name."""
    yield "executed steps", np.array(norm.executed_steps), np.array(other.executed_steps)
    for name, raster in norm.rasters.items():
        found = other.rasters.get(name)
        yield f"messages of {name} in each step", raster.s, found and found.s
        for state, values in raster.states.items():
            yield f"state {state} of {name}", values, found and found.states.get(state)
    parts = ("outputs", "messages", "saturated")
    for part in parts:
        for name, values in getattr(norm, part).items():
            yield f"{part} of {name}", values, getattr(other, part).get(name)


def first_difference(norm: Trace, other: Trace, tolerance: float = 0.0) -> str:
    """The first value in which they differ, in words; "" if there is none.

    Real numbers may differ by `tolerance`, absolute and relative; whole ones never.
    """
    for what, expected, found in _pairs(norm, other):
        if found is None:
            return f"{what}: missing"
        if expected.shape != found.shape:
            return f"{what}: shape {expected.shape} in the norm, {found.shape} found"
        if tolerance and expected.dtype.kind == "f":
            differs = ~np.isclose(found, expected, rtol=tolerance, atol=tolerance)
        else:
            differs = expected != found
        if differs.any():
            place = tuple(int(i) for i in np.argwhere(differs)[0])
            return (
                f"{what} at {place}: {expected[place]} in the norm, {found[place]} found "
                f"({int(differs.sum())} of {differs.size} differ)"
            )
    return ""
