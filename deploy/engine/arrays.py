"""Messages between the kernels' arrays and NumPy's, and products of all messages of a chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .layout import Synapses
from .messages import Messages

Array = npt.NDArray[Any]

PRODUCT = 2**18
"""Messages, or sums, that a product takes in one go: what it makes on the way stays small."""
_SPIKES = np.zeros((0, 0, 0), np.uint8)


def room(samples: int, rows: int, size: int, kind: Any, first: int) -> Messages:
    """Room for bits, and for values where messages carry one; row 0 is step `first`."""
    bits = np.zeros((samples, rows, -(-size // 64)), np.uint64)
    values = _SPIKES if kind == np.uint8 else np.zeros((samples, rows, size), kind)
    return Messages(bits, values, np.array([first]))


def overrun(synapses: Synapses | None) -> int:
    """Sums behind the last that the kernels may touch, with blocks of zeros."""
    scatter = synapses.scatter if synapses is not None else None
    return 64 if scatter is None else max(64, scatter.weight.shape[1])


def rows_of(synapses: Synapses, source: Messages, first: int, stop: int) -> tuple[int, int]:
    """The rows of a source whose messages arrive in the steps from first to stop - 1."""
    low = first - 1 - synapses.delay - int(source.first[0])
    return max(low, 0), min(low + stop - first, source.bits.shape[1])


def unpacked(source: Messages, low: int, high: int, size: int) -> Array:
    """The messages of some rows as an array (B, high - low, size)."""
    sent = np.unpackbits(
        np.ascontiguousarray(source.bits[:, low:high]).view(np.uint8),
        axis=-1,
        bitorder="little",
    )[..., :size]
    return np.where(sent, source.values[:, low:high], 0) if source.values.size else sent


def plain(values: Array, kind: Any) -> Array:
    """Messages as the kernels take them: contiguous, writable, of one of three types."""
    wanted = kind if kind != np.uint8 or values.dtype.itemsize == 1 else values.dtype
    if wanted not in (np.uint8, np.int32, np.float64):
        wanted = np.int32
    return np.require(values, wanted, ["C", "W"])


def multiply(
    synapses: Synapses, source: Messages, into: Array, first: int, stop: int, fixed: bool
) -> None:
    """Add all messages of the steps times the matrix; exact, see layout.py.

    Args:
        synapses: with a matrix.
        source: Messages of their source.
        into: (B, stop - first, n_out).
        first: first step in which they arrive.
        stop: last step and 1.
        fixed: whether the sums are whole numbers, to be shifted.
    """
    assert synapses.matrix is not None
    low, high = rows_of(synapses, source, first, stop)
    row = low + int(source.first[0]) + 1 + synapses.delay - first
    at_once = max(PRODUCT // ((high - low) * max(synapses.matrix.shape)), 1)
    for b in range(0, len(into), at_once):
        part = Messages(
            source.bits[b : b + at_once], source.values[b : b + at_once], source.first
        )
        sent = unpacked(part, low, high, synapses.matrix.shape[0])
        sums: Array = sent.astype(synapses.matrix.dtype) @ synapses.matrix
        if fixed:
            sums = (sums.astype(np.int64) << synapses.lift) >> synapses.shift
        into[b : b + at_once, row : row + high - low] += sums.astype(into.dtype)
