"""Integer arithmetic that all neuron models share.

Source: lava-nc 0.10.0, `lava/proc/lif/models.py`, `AbstractPyLifModelFixed`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
States = tuple[Array, ...]

STATE_LIMIT = 2**23
"""States are 24-bit signed: membranes are clipped to +-(STATE_LIMIT - 1)."""
STATE_SHIFT = 6
"""Currents and thresholds are shifted left by this before they meet the states."""
DECAY_UNITY = 4096
"""A 12-bit decay d leaves (4096 - d) / 4096 of a state after a step."""


def decay(state: Array, by: Array | int) -> Array:
    """``sign(x) * ((|x| * (4096 - by)) >> 12)``: rounds towards zero."""
    product = state * (DECAY_UNITY - by)
    decayed: Array = np.sign(product) * (np.abs(product) >> 12)
    return decayed


def clip(state: Array) -> Array:
    """To 24 bits, symmetric."""
    clipped: Array = np.clip(state, 1 - STATE_LIMIT, STATE_LIMIT - 1)
    return clipped


def clears(t: int, onset: int, interval: int) -> bool:
    """Whether states are cleared before the update of step t.

    At step `onset` alone, or with an interval at every step that is congruent to `onset`.
    """
    return t % interval == onset % interval if interval else t == onset
