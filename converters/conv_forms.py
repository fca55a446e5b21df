"""Equal ways to write one convolution, as NumPy arrays.

nir 1.0.8 infers wrong shapes for grouped convolutions and for kernels that are not square,
and no reader agrees on padding 'same'. These functions rewrite a convolution into the form
that every reader takes the same way; zero taps are added, no value is changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Convolution:
    """``y[o, n] = sum_{c, k} weight[o, c, k] * x[c, n * stride + k * dilation - padding]``.

    Attributes:
        weight: (C_out, C_in / groups, *kernel), one or two kernel axes.
        stride, padding, dilation: one value a kernel axis.
        groups: divides C_in and C_out.
    """

    weight: Array
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1

    def output_size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Spatial output for a spatial input; not positive where the kernel does not fit."""
        axes = zip(
            size, self.padding, self.dilation, self.weight.shape[2:], self.stride, strict=True
        )
        return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, p, d, k, s in axes)


def padded_same(weight: Array, dilation: tuple[int, ...], groups: int) -> Convolution:
    """Padding 'same' at stride 1 with equal padding at both ends.

    torch pads an even total extent evenly and puts an odd element at the end. There the
    kernel, written without dilation, gets one zero tap in front instead.
    """
    kernel = weight.shape[2:]
    extents = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    spread = list(dilation)
    for axis, extent in enumerate(extents):
        if extent % 2:
            place = axis + 2
            dense = np.zeros(
                (*weight.shape[:place], extent + 2, *weight.shape[place + 1 :]), weight.dtype
            )
            taps: list[slice] = [slice(None)] * weight.ndim
            taps[place] = slice(1, None, dilation[axis])
            dense[tuple(taps)] = weight
            weight, spread[axis], extents[axis] = dense, 1, extent + 1
    return Convolution(
        weight,
        (1,) * len(kernel),
        tuple(extent // 2 for extent in extents),
        tuple(spread),
        groups,
    )


def ungrouped(conv: Convolution) -> Convolution:
    """The same convolution with groups = 1: zeros between the groups."""
    if conv.groups == 1:
        return conv
    out, per_in = conv.weight.shape[:2]
    per_out = out // conv.groups
    weight = np.zeros((out, per_in * conv.groups, *conv.weight.shape[2:]), conv.weight.dtype)
    for g in range(conv.groups):
        rows = slice(g * per_out, (g + 1) * per_out)
        weight[rows, g * per_in : (g + 1) * per_in] = conv.weight[rows]
    return replace(conv, weight=weight, groups=1)


def squared(conv: Convolution, size: tuple[int, ...]) -> Convolution | None:
    """The same convolution with a square kernel, for one input size; None if there is none.

    A zero tap at both ends of an axis and `dilation` more padding change nothing. An odd
    number of taps moves the far border: legal only where the stride hides it.
    """
    if len(set(conv.weight.shape[2:])) == 1:
        return conv
    largest = max(conv.weight.shape[2:])
    goal = conv.output_size(size)
    widths, padding = [(0, 0), (0, 0)], []
    for axis, kernel in enumerate(conv.weight.shape[2:]):
        missing = largest - kernel
        p, d, s = conv.padding[axis], conv.dilation[axis], conv.stride[axis]
        for front in (missing // 2, (missing + 1) // 2):
            reach = size[axis] + 2 * (p + front * d) - d * (largest - 1) - 1
            if reach >= 0 and reach // s + 1 == goal[axis]:
                break
        else:
            return None
        widths.append((front, missing - front))
        padding.append(p + front * d)
    return replace(conv, weight=np.pad(conv.weight, widths), padding=tuple(padding))
