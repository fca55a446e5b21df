"""Two-dimensional convolution (torch's cross-correlation), weights shared over positions.

Source of the integer norm: lava-nc 0.10.0, `lava/proc/conv/models.py`; Lava stores the
same kernel flipped, channels last.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import WeightFormat

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Conv2d:
    """``a[o, y, x] = 2**exponent * sum_{c,i,j} weight[o, c, i, j] * s[c, ys+id-p, xs+jd-p]``.

    Attributes:
        weight: (C_out, C_in / groups, K_h, K_w); number format as for Dense.
        input_shape: (C_in, H, W).
        stride, padding, dilation: (vertical, horizontal).
        groups: divides C_in and C_out.
        format: as for Dense.
    """

    weight: Array
    input_shape: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    format: WeightFormat | None = None

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(C_out, H_out, W_out)."""
        sizes = [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(
                self.input_shape[1:],
                self.padding,
                self.dilation,
                self.weight.shape[2:],
                self.stride,
                strict=True,
            )
        ]
        return (int(self.weight.shape[0]), sizes[0], sizes[1])

    @property
    def in_size(self) -> int:
        """Number of source elements."""
        return prod(self.input_shape)

    @property
    def out_size(self) -> int:
        """Number of target neurons."""
        return prod(self.output_shape)

    def accumulate(self, x: Array) -> Array:
        """Sum of weighted messages before the exponent; x (..., n_in) -> (..., n_out)."""
        lead = x.shape[:-1]
        (channels, height, width), (out, out_h, out_w) = self.input_shape, self.output_shape
        (s_h, s_w), (p_h, p_w), (d_h, d_w) = self.stride, self.padding, self.dilation
        frames = np.zeros((prod(lead), channels, height + 2 * p_h, width + 2 * p_w), x.dtype)
        frames[:, :, p_h : p_h + height, p_w : p_w + width] = x.reshape(
            -1, channels, height, width
        )
        weight = self.weight.astype(x.dtype)
        total = np.zeros((prod(lead), out, out_h, out_w), x.dtype)
        per_in, per_out = channels // self.groups, out // self.groups
        for g in range(self.groups):
            source = frames[:, g * per_in : (g + 1) * per_in]
            rows = slice(g * per_out, (g + 1) * per_out)
            for i in range(weight.shape[2]):
                for j in range(weight.shape[3]):
                    y, z = i * d_h, j * d_w
                    window = source[
                        :,
                        :,
                        y : y + s_h * (out_h - 1) + 1 : s_h,
                        z : z + s_w * (out_w - 1) + 1 : s_w,
                    ]
                    total[:, rows] += np.einsum(
                        "oc,ncyx->noyx", weight[rows, :, i, j], window, optimize=True
                    )
        return total.reshape(*lead, self.out_size)

    def fan_out(self, nonzero: bool) -> Array:
        """Synapses that leave each source element (borders included), int64 (n_in,)."""
        mask = (self.weight != 0) if nonzero else np.ones(self.weight.shape, bool)
        per_tap = (
            mask.astype(np.int64).reshape(self.groups, -1, *self.weight.shape[1:]).sum(axis=1)
        )  # (groups, C_in / groups, K_h, K_w): targets per kernel tap
        taps = per_tap.reshape(self.input_shape[0], *self.weight.shape[2:])
        (height, width), (_, out_h, out_w) = self.input_shape[1:], self.output_shape
        padded = np.zeros(
            (self.input_shape[0], height + 2 * self.padding[0], width + 2 * self.padding[1]),
            np.int64,
        )
        for i in range(self.weight.shape[2]):
            for j in range(self.weight.shape[3]):
                y, x = i * self.dilation[0], j * self.dilation[1]
                padded[
                    :,
                    y : y + self.stride[0] * (out_h - 1) + 1 : self.stride[0],
                    x : x + self.stride[1] * (out_w - 1) + 1 : self.stride[1],
                ] += taps[:, i, j][:, None, None]
        p_h, p_w = self.padding
        return padded[:, p_h : p_h + height, p_w : p_w + width].reshape(-1)
