"""Synapses listed one by one, each with its own weight and, where wanted, its own delay.

Source of the integer norm: lava-nc 0.10.0, `lava/proc/sparse/models.py`; with delays
`PyDelaySparseModelBitAcc`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import WeightFormat

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Sparse:
    """``a[row] += weight * s[column]`` over all synapses, times ``2**exponent``.

    Synapses with a delay d deliver d steps later; the sum over all synapses of one delay is
    shifted (and floored) by itself, as Lava does it.

    Attributes:
        weight: (synapses,), stored zeros allowed.
        row, column: (synapses,) int32, target and source, sorted by row, then by column.
        shape: (n_out, n_in).
        format: as for Dense.
        delay: (synapses,) uint8 steps, or None where all are 0.
    """

    weight: Array
    row: Array
    column: Array
    shape: tuple[int, int]
    format: WeightFormat | None = None
    delay: Array | None = None

    @property
    def in_size(self) -> int:
        """Number of source elements."""
        return self.shape[1]

    @property
    def out_size(self) -> int:
        """Number of target neurons."""
        return self.shape[0]

    @property
    def longest_delay(self) -> int:
        """Largest delay of a synapse."""
        return 0 if self.delay is None else int(self.delay.max(initial=0))

    def bins(self) -> Iterator[tuple[int, Sparse]]:
        """Each delay that occurs, and the synapses that have it."""
        if self.delay is None:
            yield 0, self
            return
        for steps in np.unique(self.delay):
            chosen = self.delay == steps
            yield (
                int(steps),
                replace(
                    self,
                    weight=self.weight[chosen],
                    row=self.row[chosen],
                    column=self.column[chosen],
                    delay=None,
                ),
            )

    def accumulate(self, x: Array) -> Array:
        """Sum of weighted messages before the exponent; x (..., n_in) -> (..., n_out)."""
        total = np.zeros((*x.shape[:-1], self.shape[0]), x.dtype)
        if not len(self.weight):
            return total
        product = x[..., self.column] * self.weight.astype(x.dtype)
        starts = np.flatnonzero(np.diff(self.row, prepend=-1))
        total[..., self.row[starts]] = np.add.reduceat(product, starts, axis=-1)
        return total

    def fan_out(self, nonzero: bool) -> Array:
        """Synapses that leave each source element, int64 (n_in,)."""
        counted = self.column[self.weight != 0] if nonzero else self.column
        return np.bincount(counted, minlength=self.shape[1]).astype(np.int64)


def from_matrix(
    weight: Array, format: WeightFormat | None = None, delay: Array | None = None
) -> Sparse:
    """The non-zero entries of a matrix (n_out, n_in), with those of a delay matrix."""
    row, column = np.nonzero(weight)
    steps = None if delay is None else delay[row, column].astype(np.uint8)
    return Sparse(
        weight[row, column],
        row.astype(np.int32),
        column.astype(np.int32),
        (int(weight.shape[0]), int(weight.shape[1])),
        format,
        steps if steps is not None and steps.any() else None,
    )
