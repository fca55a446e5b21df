"""Concatenation along the channel axis, which NIR has no node for.

Each branch passes a linear node that puts its channels at their place in the result and zeros
elsewhere; the in-edges of whatever follows sum, so any reader of NIR computes the same. The
weights are 0 and 1, so nothing is rounded, and a compiler may fold them.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

from .network import Network, Signal


def place(
    net: Network,
    name: str,
    branches: list[tuple[Signal, tuple[int, ...]]],
    shape: tuple[int, ...],
) -> Signal:
    """Branches (signal, shape) side by side along axis 0 of `shape`: 1 to 3 axes."""
    result, first = None, 0
    side_by_side = all(net.is_spikes(signal) for signal, _ in branches)
    for number, (signal, given) in enumerate(branches):
        matrix = np.zeros((shape[0], given[0]), np.float32)
        matrix[first + np.arange(given[0]), np.arange(given[0])] = 1
        first += given[0]
        placed = net.add(f"{name}_{number}", _node(matrix, given), signal, shape)
        result = placed if result is None else result + placed
    assert result is not None
    return net.mark_spikes(result) if side_by_side else result


def _node(matrix: Any, given: tuple[int, ...]) -> nir.NIRNode:
    bias = np.zeros(len(matrix), np.float32)
    if len(given) == 1:
        return nir.Linear(matrix)
    if len(given) == 2:
        return nir.Conv1d(given[1], matrix[:, :, None], 1, 0, 1, 1, bias)
    one, none = (1, 1), (0, 0)
    return nir.Conv2d(given[1:], matrix[:, :, None, None], one, none, one, 1, bias)
