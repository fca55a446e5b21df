"""Messages weighted and summed on the device, in whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .neurons import Tensor

Array = npt.NDArray[Any]

EXACT_BITS = 53
"""Whole numbers of so many bits are exact in float64, sums in any order included."""
ROWS = 2**22
"""Messages that are weighted in one go: what that makes on the way stays small."""


class Counting:
    """The messages of one source, weighted with its fans.

    Args:
        fan: (n, k) whole numbers from 0.
        steps: of a sample, each with one message of an element at most.
        samples: most of a batch.
        device: where they are counted.
    """

    def __init__(self, fan: Array, steps: int, samples: int, device: torch.device) -> None:
        self.elements = torch.zeros(len(fan), dtype=torch.int64, device=device)
        shape = steps, fan.shape[1]
        self.steps = torch.zeros(shape, dtype=torch.int64, device=device)
        # Cut into digits whose products with the messages of a sample, and with those of a
        # step, add up exactly.
        self.bits = EXACT_BITS - int(max(steps, samples) * len(fan)).bit_length()
        self.digits: list[Tensor] = []
        rest = fan.astype(np.int64)
        while not self.digits or rest.any():
            digit = (rest & ((1 << self.bits) - 1)).astype(np.float64)
            self.digits.append(torch.from_numpy(digit).to(device))
            rest = rest >> self.bits

    def totals(self, counts: Tensor) -> Tensor:
        """``counts @ fan`` of int32 (samples, n) as int64; and they join `elements`."""
        self.elements += counts.sum(0, dtype=torch.int64)
        return self._weighted(counts)

    def add_steps(self, first: int, counts: Tensor) -> None:
        """Messages (steps, n) of a batch in the steps from `first` on join `steps`."""
        self.steps[first - 1 : first - 1 + len(counts)] += self._weighted(counts)

    def _weighted(self, counts: Tensor) -> Tensor:
        total = counts.new_zeros((len(counts), self.steps.shape[1]), dtype=torch.int64)
        at_once = max(1, ROWS // counts.shape[1])
        for start in range(0, len(counts), at_once):
            some = counts[start : start + at_once].double()
            for place, digit in enumerate(self.digits):
                product = (some @ digit).long()
                total[start : start + at_once] += product << (place * self.bits)
        return total
