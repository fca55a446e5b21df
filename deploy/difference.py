"""How two rasters of one population differ: rates, spikes, timing, membranes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .trace import Raster

Array = npt.NDArray[Any]

LAGS = (0, 1, -1, 2, -2, 3, -3)
"""Steps by which the second raster may lag behind the first; the earlier wins a tie."""


def difference(
    before: Raster, after: Raster, *, membrane: str, unit: Array, message_scale: float = 1.0
) -> dict[str, Any]:
    """Differences of one population while it sees the sample, as JSON values.

    Args:
        before: in floating point, (samples, steps, n).
        after: in integers.
        membrane: the state that is compared.
        unit: integer units of that state per unit of the graph, (1,) or (n,).
        message_scale: integer value of a message of 1.

    Returns:
        rate_cosine: cosine between the summed messages per sample and neuron;
        raster_cosine: between the rasters; both 1 where neither sends anything.
        best_lag: steps by which the integers come later (below 0: earlier), of -3 to 3, where
        the rasters agree best; raster_cosine_at_best_lag. first_difference_step: first step
        (from 1, when the population sees the sample) whose spikes differ, or None;
        samples_that_differ; spikes_float, spikes_fixed: messages that are not 0.
        membrane_rms: root mean square of the membrane difference in the graph's units.
    """
    one, other = before.s.astype(np.float64), after.s / message_scale
    lag = max(LAGS, key=lambda steps: _lagged(one, other, steps))
    # A graded message differs where it is off by more than the rounding to its grid.
    differs = np.abs(one - other) > 0.5 / message_scale
    steps = np.flatnonzero(differs.any(axis=(0, 2)))
    gap = after.states[membrane] / unit - before.states[membrane]
    return {
        "rate_cosine": cosine(one.sum(axis=1), other.sum(axis=1)),
        "raster_cosine": cosine(one, other),
        "best_lag": lag,
        "raster_cosine_at_best_lag": _lagged(one, other, lag),
        "first_difference_step": int(steps[0]) + 1 if len(steps) else None,
        "samples_that_differ": int(differs.any(axis=(1, 2)).sum()),
        "spikes_float": int(np.count_nonzero(one)),
        "spikes_fixed": int(np.count_nonzero(other)),
        "membrane_rms": float(np.sqrt(np.mean(gap**2))),
    }


def _lagged(one: Array, other: Array, lag: int) -> float:
    """Cosine of the steps that both have when `other` is `lag` steps late."""
    steps = one.shape[1]
    if abs(lag) >= steps:
        return 0.0
    early, late = (one, other) if lag >= 0 else (other, one)
    return cosine(early[:, : steps - abs(lag)], late[:, abs(lag) :])


def cosine(one: Array, other: Array) -> float:
    """Cosine of two arrays as vectors; 1 where both are zero, 0 where one is."""
    sizes = float(np.sum(one**2)), float(np.sum(other**2))
    if not any(sizes):
        return 1.0
    return float(np.sum(one * other) / np.sqrt(sizes[0] * sizes[1])) if all(sizes) else 0.0
