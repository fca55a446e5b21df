"""Exact products of whole numbers: int8 by int8, added up in 32 bits.

A number beyond int8 is cut into balanced digits ``x = d0 + 256 d1 + 65536 d2 ...`` with every
digit from -128 to 127, and the products of all digits are added with their shifts. All of it is
arithmetic modulo 2**32, so the sum is right whenever it fits 32 bits, which the compiler has
proven; a single product of digits is proven here.

Libraries have computed such products wrong (pytorch issues 107671: CUDA 12.1; 136746: CPUs
without VNNI). So each matrix is tried with extreme and random messages on the device that will
use it; where a single bit is off, float64 takes over: all its sums are whole and below 2**53.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import pad

from ...errors import UsageError

Array = npt.NDArray[Any]
Tensor = torch.Tensor

ROWS = 2**21
"""Most rows of one product: a library's kernels count tiles in 16 bits."""
LEAST_ROWS = 32
"""The library wants more than 16."""
ALIGNMENT = 16
"""Bytes: columns of both factors are filled up to a multiple."""
DIGIT = 128
TRIED = {"cpu": 33, "cuda": 4097}
"""Random rows with which a matrix is tried: a GPU's library has other kernels for many."""
COMPARED = 2**24
"""Weights that are turned to float64 at a time."""


def digits(values: Tensor) -> list[Tensor]:
    """Balanced digits to the base 256, lowest first; none where all values are 0."""
    if values.dtype == torch.int8:
        return [values]
    low, high = (int(edge) for edge in torch.aminmax(values)) if values.numel() else (0, 0)
    found = []
    while low or high:
        digit = values.to(torch.int8)  # the low eight bits, as two's complement
        found.append(digit)
        values = (values - digit) >> 8
        low, high = (low + DIGIT) >> 8, (high + DIGIT) >> 8
    return found


class Matrix:
    """Weights (n_out, n_in) as digits on a device.

    Attributes:
        rows, columns: n_in and n_out.
        width: n_in filled up: columns that a left factor must have; what stands in those
            beyond n_in does not matter.
        shift: the products must still be shifted left by that: the power of two that all
            weights share.
        kind: "int8", or "float64" where this device computes int8 wrong.
    """

    def __init__(self, weight: Array, device: torch.device, where: str) -> None:
        """Take whole weights. Raises UsageError where 32 bits may not hold their sums."""
        self.columns, self.rows = (int(n) for n in weight.shape)
        whole = weight.astype(np.int64)
        bits = int(np.bitwise_or.reduce(np.abs(whole), axis=None)) if whole.size else 0
        self.shift = (bits & -bits).bit_length() - 1 if bits else 0
        whole >>= self.shift
        most = int(np.abs(whole).sum(axis=1).max(initial=0)) * DIGIT
        if most >= 2**31:
            raise UsageError(
                f"the weights of one neuron add up to {most // DIGIT}; the GPU path can take "
                f"{2**31 // DIGIT - 1}",
                where=where,
                remedy="use --device cpu",
            )
        self.width = -(-max(self.rows, 1) // ALIGNMENT) * ALIGNMENT
        height = max(-(-self.columns // 8) * 8, ALIGNMENT)
        self.parts: list[Tensor] = []
        while whole.any():
            digit = ((whole + DIGIT) & 255) - DIGIT
            filled = np.zeros((height, self.width), np.int8)
            filled[: self.columns, : self.rows] = digit
            self.parts.append(torch.from_numpy(filled).to(device).t())
            whole = (whole - digit) >> 8
        self.kind = "int8" if all(_is_exact(part) for part in self.parts) else "float64"

    def times(self, factors: list[Tensor], total: Tensor) -> None:
        """Set total (rows, n_out) to the sum over all digits of the left factor."""
        product = int8_product if self.kind == "int8" else float64_product
        direct = self.kind == "int8" and len(total) >= LEAST_ROWS and total.is_contiguous()
        first = True
        for i, factor in enumerate(factors):
            for j, part in enumerate(self.parts[: 4 - i]):  # beyond lies 2**32, which is 0
                if first and direct and part.shape[1] == self.columns:
                    torch._int_mm(factor, part, out=total)
                elif first:
                    total.copy_(product(factor, part)[:, : self.columns])
                else:
                    found = product(factor, part)[:, : self.columns]
                    total.add_(found, alpha=1 << 8 * (i + j))
                first = False
        if first:
            total.zero_()


def int8_product(factor: Tensor, part: Tensor) -> Tensor:
    """int8 (rows, width) by int8 (width, height) -> int32 (rows, height)."""
    rows = len(factor)
    if rows < LEAST_ROWS:
        factor = pad(factor, (0, 0, 0, LEAST_ROWS - rows))
    found: Tensor = torch._int_mm(factor, part)
    return found[:rows]


def float64_product(factor: Tensor, part: Tensor) -> Tensor:
    """The same by way of float64: whole sums below 2**31 are far below 2**53."""
    return torch.mm(factor.double(), part.double()).to(torch.int32)


def _is_exact(part: Tensor) -> bool:
    """Whether this device computes the int8 product with that matrix, and exactly."""
    width = len(part)
    generator = torch.Generator().manual_seed(0)
    rows = TRIED[part.device.type]
    random = torch.randint(-DIGIT, DIGIT, (rows, width), generator=generator)
    edges = torch.full((2, width), -DIGIT)
    edges[1] = DIGIT - 1
    signs = torch.where(part.cpu() < 0, -DIGIT, DIGIT - 1).t()[:ALIGNMENT]
    factor = torch.cat([random, edges, signs]).to(part.device, torch.int8)
    try:
        found = int8_product(factor, part)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError:  # the library has no such product for this device
        return False
    step = max(COMPARED // width, 1)
    return all(
        torch.equal(
            found[:, start : start + step],
            float64_product(factor, part[:, start : start + step]),
        )
        for start in range(0, part.shape[1], step)
    )
