"""All-to-all synapses, one weight each.

Source of the integer norm: lava-nc 0.10.0, `lava/proc/dense/models.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import WeightFormat

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Dense:
    """``a = (weight @ x) * 2**exponent``, floored where the exponent is negative.

    Attributes:
        weight: (n_out, n_in). Precision `fixed`: int16 mantissas, legal in `format`.
            `float`: float64.
        format: of the weights; None at `float`.
    """

    weight: Array
    format: WeightFormat | None = None

    @property
    def in_size(self) -> int:
        """Number of source elements."""
        return int(self.weight.shape[1])

    @property
    def out_size(self) -> int:
        """Number of target neurons."""
        return int(self.weight.shape[0])

    def accumulate(self, x: Array) -> Array:
        """Sum of weighted messages before the exponent; x (..., n_in) -> (..., n_out)."""
        total: Array = np.matmul(x, self.weight.T.astype(x.dtype))
        return total

    def fan_out(self, nonzero: bool) -> Array:
        """Synapses that leave each source element, int64 (n_in,)."""
        if nonzero:
            return np.asarray(np.count_nonzero(self.weight, axis=0), np.int64)
        return np.full(self.in_size, self.out_size, np.int64)
