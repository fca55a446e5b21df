"""NIR linear nodes as steps of a chain (see deploy/linear.py), and their biases."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import nir
import numpy as np
import numpy.typing as npt

from ...errors import GraphError
from ..linear import Chain, image, then_conv, then_dense, then_flatten, then_scale
from .conv2d import Conv2d

Array = npt.NDArray[Any]


def _dense(chain: Chain, node: Any, name: str) -> Chain:
    weight = np.asarray(node.weight, np.float64)
    if len(chain.shape) != 1 or weight.ndim != 2 or weight.shape[1] != chain.shape[0]:
        raise GraphError(
            f"a weight of shape {weight.shape} cannot take an input of shape {chain.shape}",
            where=f"node {name} ({type(node).__name__})",
            remedy="flatten before the layer and check its number of inputs",
        )
    return then_dense(chain, weight, (weight.shape[0],))


def _pair(value: Any, axes: int) -> tuple[int, ...]:
    values = [int(v) for v in np.ravel(value)]
    return tuple(values * axes if len(values) == 1 else values)


def _convolve(chain: Chain, conv: Conv2d, name: str, kind: str, rank: int) -> Chain:
    channels, out_h, out_w = conv.output_shape
    legal = conv.input_shape[0] == conv.weight.shape[1] * conv.groups
    if len(chain.shape) != rank or not legal or out_h < 1 or out_w < 1:
        raise GraphError(
            f"a kernel of shape {conv.weight.shape} with {conv.groups} groups cannot take an "
            f"input of shape {chain.shape}",
            where=f"node {name} ({kind})",
            remedy="check channels and kernel size against the layer before",
        )
    return then_conv(chain, conv, (channels, out_h, out_w) if rank == 3 else (channels, out_w))


def _padded(
    weight: Array, padding: Any, dilation: tuple[int, ...], name: str
) -> tuple[Array, tuple[int, ...]]:
    """Padding as numbers; an odd 'same' padding becomes a leading zero tap of the kernel."""
    if not isinstance(padding, (str, bytes)):
        return weight, _pair(padding, weight.ndim - 2)
    if str(padding) == "valid":
        return weight, (0,) * (weight.ndim - 2)
    result = []
    for axis, step in enumerate(dilation):
        total = step * (weight.shape[2 + axis] - 1)
        if total % 2 and step > 1:
            raise GraphError(
                f"padding 'same' of an even kernel with dilation {step} is lopsided",
                where=f"node {name}",
                remedy="use an odd kernel, or pad explicitly",
            )
        if total % 2:
            widths = [(0, 0)] * weight.ndim
            widths[2 + axis] = (1, 0)
            weight = np.pad(weight, widths)
        result.append((total + 1) // 2)
    return weight, tuple(result)


def _conv2d(chain: Chain, node: Any, name: str) -> Chain:
    dilation = _pair(node.dilation, 2)
    weight, padding = _padded(np.asarray(node.weight, np.float64), node.padding, dilation, name)
    conv = Conv2d(
        weight,
        image(chain.shape),
        stride=_pair(node.stride, 2),  # type: ignore[arg-type]
        padding=padding,  # type: ignore[arg-type]
        dilation=dilation,  # type: ignore[arg-type]
        groups=int(node.groups),
    )
    return _convolve(chain, conv, name, "Conv2d", 3)


def _conv1d(chain: Chain, node: Any, name: str) -> Chain:
    dilation = _pair(node.dilation, 1)
    weight, padding = _padded(np.asarray(node.weight, np.float64), node.padding, dilation, name)
    conv = Conv2d(
        weight[:, :, None, :],
        image(chain.shape),
        stride=(1, *_pair(node.stride, 1)),  # type: ignore[arg-type]
        padding=(0, *padding),  # type: ignore[arg-type]
        dilation=(1, *dilation),  # type: ignore[arg-type]
        groups=int(node.groups),
    )
    return _convolve(chain, conv, name, "Conv1d", 2)


def _pool(chain: Chain, node: Any, name: str) -> Chain:
    kernel = _pair(node.kernel_size, 2)
    weight = 1.0 / prod(kernel) if isinstance(node, nir.AvgPool2d) else 1.0
    shape = image(chain.shape)
    conv = Conv2d(
        np.full((shape[0], 1, *kernel), weight),
        shape,
        stride=_pair(node.stride, 2),  # type: ignore[arg-type]
        padding=_pair(node.padding, 2),  # type: ignore[arg-type]
        groups=shape[0],
    )
    return _convolve(chain, conv, name, type(node).__name__, 3)


def _flatten(chain: Chain, node: Any, name: str) -> Chain:
    rank = len(chain.shape)
    start, end = int(node.start_dim) % rank, int(node.end_dim) % rank
    merged = prod(chain.shape[start : end + 1])
    return then_flatten(chain, (*chain.shape[:start], merged, *chain.shape[end + 1 :]))


def _scale(chain: Chain, node: Any, name: str) -> Chain:
    factor = np.broadcast_to(np.asarray(node.scale, np.float64), chain.shape)
    return then_scale(chain, factor.reshape(-1))


def delay_steps(node: Any, dt: float) -> Array:
    """Steps by which a Delay node holds back each element, flat; the nearest whole numbers."""
    return np.rint(np.asarray(node.delay, np.float64).reshape(-1) / dt).astype(np.int64)


LINEAR: dict[type, Callable[[Chain, Any, str], Chain]] = {
    nir.Affine: _dense,
    nir.Linear: _dense,
    nir.Conv1d: _conv1d,
    nir.Conv2d: _conv2d,
    nir.SumPool2d: _pool,
    nir.AvgPool2d: _pool,
    nir.Flatten: _flatten,
    nir.Scale: _scale,
}


def bias_of(node: Any, shape: tuple[int, ...]) -> Array | None:
    """The node's bias at each element of its output of that shape, flat; None if all zero."""
    bias = getattr(node, "bias", None)
    if bias is None or not np.any(bias):
        return None
    values = np.asarray(bias, np.float64)
    per_position = prod(shape) // values.size
    return np.repeat(values.reshape(-1), per_position)
