"""Linear maps between two populations, with delays, and their composition into one synapse.

Between two neurons a NIR graph may hold any chain of linear nodes (convolution, pooling, scale,
flatten, dense). Each chain is one linear map, so it becomes one synapse: a convolution while
that stays exact, else a dense matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CapacityExceeded
from .synapses.conv2d import Conv2d
from .synapses.dense import Dense
from .synapses.sparse import Sparse, from_matrix

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

DENSE_LIMIT = 2**27
"""Most elements of a matrix that a chain may be unrolled into (1 GiB in float64)."""
SPARSE_SHARE = 0.25
"""A matrix with a smaller share of non-zero weights is stored synapse by synapse."""
SPARSE_SIZE = 4096
"""Smallest matrix for which that is worth while."""


@dataclass(frozen=True, slots=True)
class Gain:
    """Elementwise factor ``y = factor * x``; factor is flat, shape (n,)."""

    factor: Array


@dataclass(frozen=True, slots=True)
class Chain:
    """A linear map from `source_shape` to `shape`, made of the NIR nodes `nodes`.

    A message of source element i reaches output element o
    ``source_delay[i] + target_delay[o]`` steps late; None stands for zeros.
    """

    operator: Gain | Dense | Conv2d
    source_shape: Shape
    shape: Shape
    nodes: tuple[str, ...] = ()
    source_delay: Array | None = None
    target_delay: Array | None = None

    def apply(self, x: Array) -> Array:
        """The map itself on flat arrays (..., n_in) -> (..., n_out), float64."""
        if isinstance(self.operator, Gain):
            return np.asarray(x * self.operator.factor)
        return self.operator.accumulate(x)


def identity(shape: Shape) -> Chain:
    """The map that changes nothing."""
    return Chain(Gain(np.ones(prod(shape))), shape, shape)


def image(shape: Shape) -> tuple[int, int, int]:
    """(C, H, W) of a shape; (n,) and (C, L) get axes of length 1."""
    if len(shape) == 3:
        return (shape[0], shape[1], shape[2])
    if len(shape) == 2:
        return (shape[0], 1, shape[1])
    return (prod(shape), 1, 1)


def per_channel(factor: Array, shape: Shape) -> Array | None:
    """The factor of each channel, or None where it varies within one."""
    rows = factor.reshape(image(shape)[0], -1)
    return rows[:, 0] if bool(np.all(rows == rows[:, :1])) else None


def then_flatten(chain: Chain, shape: Shape) -> Chain:
    """Reshape: flat order C, H, W does not change."""
    return replace(chain, shape=shape)


def then_scale(chain: Chain, factor: Array) -> Chain:
    """Multiply each output element by its factor (flat)."""
    operator = chain.operator
    if isinstance(operator, Gain):
        return replace(chain, operator=Gain(operator.factor * factor))
    if isinstance(operator, Dense):
        return replace(
            chain, operator=replace(operator, weight=operator.weight * factor[:, None])
        )
    channels = per_channel(factor, operator.output_shape)
    if channels is None:
        return then_scale(replace(chain, operator=unroll(chain)), factor)
    scaled = operator.weight * channels[:, None, None, None]
    return replace(chain, operator=replace(operator, weight=scaled))


def then_delay(chain: Chain, steps: Array) -> Chain:
    """Hold each output element back by its number of steps (flat)."""
    one_to_one = isinstance(chain.operator, Gain)
    known = chain.source_delay if one_to_one else chain.target_delay
    total = steps if known is None else known + steps
    if one_to_one:
        return replace(chain, source_delay=total)
    return replace(chain, target_delay=total)


def split_by_delay(chain: Chain) -> list[Chain]:
    """The chain as several that add up, each with one delay for all its outputs.

    What follows sums elements that come at different times, which no single synapse can.
    """
    delays = chain.target_delay
    if delays is None:
        return [chain]
    known = np.zeros(prod(chain.source_shape), np.int64)
    known = known if chain.source_delay is None else chain.source_delay
    plain = replace(chain, target_delay=None)
    return [
        replace(
            plain if np.all(delays == d) else then_scale(plain, (delays == d).astype(float)),
            source_delay=known + d,
        )
        for d in np.unique(delays)
    ]


def then_dense(chain: Chain, weight: Array, shape: Shape) -> Chain:
    """Follow with a matrix (n_out, n_in)."""
    if isinstance(chain.operator, Gain):
        return replace(chain, operator=Dense(weight * chain.operator.factor), shape=shape)
    return replace(chain, operator=_matrix(chain, Dense(weight)), shape=shape)


def then_conv(chain: Chain, conv: Conv2d, shape: Shape) -> Chain:
    """Follow with a convolution over the chain's shape."""
    operator = chain.operator
    if isinstance(operator, Gain):
        channels = per_channel(operator.factor, conv.input_shape)
        if channels is not None:
            per_group = channels.reshape(conv.groups, 1, -1)
            by_output = np.repeat(per_group, conv.weight.shape[0] // conv.groups, axis=1)
            factor = by_output.reshape(conv.weight.shape[:2])[:, :, None, None]
            return replace(
                chain, operator=replace(conv, weight=conv.weight * factor), shape=shape
            )
    elif isinstance(operator, Conv2d):
        composed = compose(operator, conv)
        if composed is not None:
            return replace(chain, operator=composed, shape=shape)
    return replace(chain, operator=_matrix(chain, conv), shape=shape)


def unroll(chain: Chain) -> Dense:
    """The chain as a matrix."""
    return _matrix(chain, None)


def _matrix(chain: Chain, follower: Dense | Conv2d | None) -> Dense:
    """The chain, and what follows it, as a matrix: its answer to each source element alone."""
    size = follower.out_size if follower else prod(chain.shape)
    matrix = np.empty((size, prod(chain.source_shape)))
    _check_size(chain, matrix.size)
    for rows, part in _responses(chain):
        matrix[:, rows] = (follower.accumulate(part) if follower else part).T
    return Dense(matrix)


def as_synapse(chain: Chain) -> tuple[Dense | Sparse | Conv2d, int]:
    """The synapse of a finished chain, and the delay that all its synapses share.

    One-to-one maps become a 1x1 depthwise convolution, matrices with few weights Sparse.
    """
    source, target = (
        np.zeros(prod(shape), np.int64) if delay is None else delay
        for shape, delay in (
            (chain.source_shape, chain.source_delay),
            (chain.shape, chain.target_delay),
        )
    )
    common = int(source.min()) + int(target.min())
    if np.any(source != source.min()) or np.any(target != target.min()):
        weight = unroll(chain).weight
        return from_matrix(weight, delay=target[:, None] + source[None, :] - common), common
    operator = chain.operator
    if isinstance(operator, Dense):
        few = np.count_nonzero(operator.weight) < SPARSE_SHARE * operator.weight.size
        sparse = few and operator.weight.size >= SPARSE_SIZE
        return from_matrix(operator.weight) if sparse else operator, common
    if isinstance(operator, Conv2d):
        return operator, common
    channels = per_channel(operator.factor, chain.shape)
    shape = image(chain.shape)
    if channels is None:
        channels, shape = operator.factor, (operator.factor.size, 1, 1)
    return Conv2d(channels.reshape(-1, 1, 1, 1), shape, groups=shape[0]), common


def longest_delay(chain: Chain) -> int:
    """Most steps by which the chain itself holds a message back."""
    both = (chain.source_delay, chain.target_delay)
    return sum(int(delay.max()) for delay in both if delay is not None)


def compose(first: Conv2d, second: Conv2d) -> Conv2d | None:
    """Both convolutions as one, or None where zero padding in between forbids it.

    With kernel K = d1 (k1 - 1) + 1 + s1 d2 (k2 - 1), stride s1 s2, padding p1 + s1 p2. Where
    `second` pads, `first` must give zero beyond its own output, that is, see only its own
    padding there: K1 <= p1 + s1 before the map and s1 H1 - p1 >= H behind it.
    """
    for axis in (0, 1):
        reach = first.dilation[axis] * (first.weight.shape[2 + axis] - 1) + 1
        beyond = first.stride[axis] * first.output_shape[1 + axis] - first.padding[axis]
        if second.padding[axis] and (
            reach > first.padding[axis] + first.stride[axis]
            or beyond < first.input_shape[1 + axis]
        ):
            return None
    depthwise = first.groups == first.input_shape[0] == first.weight.shape[0]
    groups = second.groups if depthwise else 1
    outer = second.weight if depthwise else _ungrouped(second)
    inner = first.weight if depthwise else _ungrouped(first)
    step = [first.stride[a] * second.dilation[a] for a in (0, 1)]
    size = [
        first.dilation[a] * (inner.shape[2 + a] - 1) + 1 + step[a] * (outer.shape[2 + a] - 1)
        for a in (0, 1)
    ]
    channels = outer.shape[1] if depthwise else inner.shape[1]
    kernel: Array = np.zeros((outer.shape[0], channels, size[0], size[1]))
    for i, j in np.ndindex(*outer.shape[2:]):
        for y, x in np.ndindex(*inner.shape[2:]):
            if depthwise:
                tap: Array = inner[:, 0, y, x].reshape(groups, 1, -1)
                tap = np.repeat(tap, outer.shape[0] // groups, axis=1).reshape(outer.shape[:2])
                part = outer[:, :, i, j] * tap
            else:
                part = outer[:, :, i, j] @ inner[:, :, y, x]
            row, column = (
                step[0] * i + first.dilation[0] * y,
                step[1] * j + first.dilation[1] * x,
            )
            kernel[:, :, row, column] += part
    composed = Conv2d(
        kernel,
        first.input_shape,
        (first.stride[0] * second.stride[0], first.stride[1] * second.stride[1]),
        (
            first.padding[0] + first.stride[0] * second.padding[0],
            first.padding[1] + first.stride[1] * second.padding[1],
        ),
        groups=groups,
    )
    return composed if composed.output_shape == second.output_shape else None


def _ungrouped(conv: Conv2d) -> Array:
    if conv.groups == 1:
        return conv.weight
    out, per_group = conv.weight.shape[:2]
    full = np.zeros((out, per_group * conv.groups, *conv.weight.shape[2:]))
    rows = out // conv.groups
    for g in range(conv.groups):
        block = slice(g * rows, (g + 1) * rows)
        full[block, g * per_group : (g + 1) * per_group] = conv.weight[block]
    return full


def _responses(chain: Chain) -> Any:
    """Slices of source elements and the chain's answer to each of them alone."""
    size = prod(chain.source_shape)
    for start in range(0, size, 256):
        rows = slice(start, min(start + 256, size))
        yield rows, chain.apply(_unit(size, rows))


def _unit(size: int, rows: slice) -> Array:
    block = np.zeros((rows.stop - rows.start, size))
    block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = 1.0
    return block


def _check_size(chain: Chain, elements: int) -> None:
    if elements > DENSE_LIMIT:
        raise CapacityExceeded(
            f"the linear nodes between two populations can only be merged into a matrix of "
            f"{elements} weights; the limit is {DENSE_LIMIT}",
            where=" -> ".join(chain.nodes),
            remedy="put a spiking layer between them, or pool without padding and remainder",
        )
