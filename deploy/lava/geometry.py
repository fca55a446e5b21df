"""Convolutions for Lava: as a Conv process, or unrolled into a sparse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Projection
from ..synapses.conv2d import Conv2d

Array = npt.NDArray[Any]

_INT8_MAX = 127
"""Lava stores kernel, stride, padding, dilation and groups as int8."""
_CLAMP = 2**23
"""Lava's Conv wraps its sums to 24 bits; within them the wrap does nothing."""

# Seconds of one step, measured with scipy 1.17 on one core at one to ten per cent activity:
# scipy.signal.convolve2d, which Lava calls C_out x C_in times, takes a fixed time and one per
# multiplication; Lava's Sparse takes a time per non-zero weight.
_CALL_SECONDS = 7e-6
_MULTIPLICATION_SECONDS = 3e-9
_SYNAPSE_SECONDS = 4e-9


def unroll(synapse: Conv2d) -> tuple[Array, Array, Array]:
    """Row (target), column (source) and weight of every non-zero synapse, C, H, W order."""
    channels, height, width = synapse.input_shape
    out, out_h, out_w = synapse.output_shape
    per_in, per_out = channels // synapse.groups, out // synapse.groups
    position_y = np.arange(out_h)[:, None] * synapse.stride[0] - synapse.padding[0]
    position_x = np.arange(out_w)[None, :] * synapse.stride[1] - synapse.padding[1]
    target = np.arange(out_h * out_w).reshape(out_h, out_w)
    rows, columns, weights = [], [], []
    for i, j in np.ndindex(*synapse.weight.shape[2:]):
        y = position_y + i * synapse.dilation[0]
        x = position_x + j * synapse.dilation[1]
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        source = (y * width + x)[inside]
        o, c = np.nonzero(synapse.weight[:, :, i, j])
        channel = (o // per_out) * per_in + c
        rows.append((o[:, None] * out_h * out_w + target[inside]).ravel())
        columns.append((channel[:, None] * height * width + source).ravel())
        weights.append(np.repeat(synapse.weight[o, c, i, j], source.size))
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(weights)


def fits_conv(projection: Projection, largest: float | None, fixed: bool) -> bool:
    """Whether Lava's Conv computes exactly this projection.

    Conv knows no delay and no exponent: a positive one is folded into the weights, which it
    does not limit.

    Args:
        projection: any.
        largest: magnitude of the source's largest message; None if nothing bounds it.
        fixed: whether the Program is in integers.
    """
    synapse = projection.synapse
    if not isinstance(synapse, Conv2d) or projection.delay or projection.exponent < 0:
        return False
    numbers = (*synapse.weight.shape[2:], *synapse.stride, *synapse.padding)
    if max(*numbers, *synapse.dilation, synapse.groups) > _INT8_MAX:
        return False
    if not fixed:
        return True
    if largest is None:
        return False
    most = np.abs(synapse.weight.astype(np.int64)).sum(axis=(1, 2, 3)).max()
    return bool(float(most << projection.exponent) * largest < _CLAMP)


def conv_is_faster(synapse: Conv2d) -> bool:
    """Whether Conv is expected to take less time a step than Sparse."""
    out, per_in, *kernel = synapse.weight.shape
    (_, height, width), (_, out_h, out_w) = synapse.input_shape, synapse.output_shape
    # Lava convolves at stride 1 and throws away what the stride skips.
    area = (height + 2 * synapse.padding[0]) * (width + 2 * synapse.padding[1])
    taps = 1
    for k, d in zip(kernel, synapse.dilation, strict=True):
        taps *= d * (k - 1) + 1
    conv = out * per_in * (_CALL_SECONDS + area * taps * _MULTIPLICATION_SECONDS)
    sparse = np.count_nonzero(synapse.weight) * out_h * out_w * _SYNAPSE_SECONDS
    return bool(conv < sparse)


def conv_weight(synapse: Conv2d) -> Array:
    """The kernel as Lava's Conv takes it: (C_out, K_w, K_h, C_in / groups), flipped.

    The exponent is folded in: the sum of mantissa << exponent is the same integer as the
    sum of the mantissas shifted by exponent.
    """
    flipped = synapse.weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)
    if synapse.format is None:
        return np.ascontiguousarray(flipped)
    return np.ascontiguousarray(flipped.astype(np.int32) << synapse.format.exponent)
