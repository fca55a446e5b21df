"""A Program's sources and synapses as the kernels take them: channels last, sums by delay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Projection
from ..synapses.conv2d import Conv2d
from ..synapses.dense import Dense
from ..synapses.sparse import Sparse
from ..trace import Stimulus
from . import kernels

Array = npt.NDArray[Any]
Accumulate = Callable[[Array, Array, int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """Channels first (C, H, W, as everywhere else) and channels last (H, W, C) of one source.

    So too (C, L) and (L, C), which a convolution sees as (C, 1, L) and (1, L, C).

    Both indices are the empty slice where the two are the same, which costs nothing.

    Attributes:
        last: flat[..., last] is channels last.
        first: flat[..., first] is channels first again.
    """

    last: Any
    first: Any

    def places(self, index: Array) -> Array:
        """Where those elements stand once they are channels last."""
        return index if isinstance(self.first, slice) else self.first[index]


def order_of(shape: tuple[int, ...]) -> Order:
    """Of a source of that shape."""
    index = np.arange(int(np.prod(shape)))
    last = np.moveaxis(index.reshape(shape), 0, -1).reshape(-1)
    if np.array_equal(last, index):
        return Order(slice(None), slice(None))
    return Order(last, np.argsort(last))


def _seen_as(order: Order, image: tuple[int, ...]) -> Array | None:
    """Where the elements of an image, channels last, stand in that order; None: as they are.

    Behind a Flatten, or with a factor for each element, a convolution sees a source, or a
    target, in another shape than its own.
    """
    index = np.arange(int(np.prod(image)))
    places = order.places(index[order_of(image).last])
    return None if np.array_equal(places, index) else places


@dataclass(frozen=True, slots=True)
class Synapses:
    """A projection prepared for the kernels.

    Attributes:
        projection: the projection; a positive exponent is part of the weights already.
        accumulate: messages (B, n_in), sums (slots, B, n_out), first: adds what arrives d steps
            after the earliest to the sums in slot (first + d) modulo slots.
        shift: right shift still to be applied to each of these sums; 0 if none.
        delays: every d that occurs.
    """

    projection: Projection
    accumulate: Accumulate
    shift: int
    delays: tuple[int, ...]

    @property
    def slots(self) -> int:
        """How many sums there must be room for."""
        return max(self.delays, default=0) + 1

    @property
    def sums(self) -> int:
        """Numbers in all slots for one sample."""
        return self.slots * self.projection.synapse.out_size


def prepare(projection: Projection, orders: Mapping[str, Order], number: Any) -> Synapses:
    """Weights as `number` (int32 or float64), in the kernels' layout."""
    synapse, exponent = projection.synapse, projection.exponent
    weight: Array = synapse.weight.astype(number)
    if exponent > 0:
        weight = weight << exponent
    source, target = orders[projection.source], orders[projection.target]
    accumulate, delays = _PREPARE[type(synapse)](synapse, weight, source, target)
    return Synapses(projection, accumulate, max(-exponent, 0), delays)


def _dense(
    synapse: Dense, weight: Array, source: Order, target: Order
) -> tuple[Accumulate, tuple[int, ...]]:
    table = np.ascontiguousarray(weight[target.last][:, source.last].T)
    return lambda x, sums, first: kernels.dense(x, table, sums[first]), (0,)


def _sparse(
    synapse: Sparse, weight: Array, source: Order, target: Order
) -> tuple[Accumulate, tuple[int, ...]]:
    """Compressed by column: the synapses of one source element lie side by side."""
    row, column = target.places(synapse.row), source.places(synapse.column)
    order = np.lexsort((row, column))
    row, weight = row[order].astype(np.int32), weight[order]
    start = np.zeros(synapse.in_size + 1, np.int64)
    np.cumsum(np.bincount(column, minlength=synapse.in_size), out=start[1:])
    if not synapse.longest_delay:
        return lambda x, sums, first: kernels.sparse(x, start, row, weight, sums[first]), (0,)
    assert synapse.delay is not None
    delay = synapse.delay[order].astype(np.int64)

    def accumulate(x: Array, sums: Array, first: int) -> None:
        kernels.sparse_delayed(x, start, row, weight, delay, sums, first)

    return accumulate, tuple(int(d) for d in np.unique(delay))


def _conv2d(
    synapse: Conv2d, weight: Array, source: Order, target: Order
) -> tuple[Accumulate, tuple[int, ...]]:
    groups = synapse.groups
    out, per_group = weight.shape[:2]
    _, height, width = synapse.input_shape
    _, out_h, out_w = synapse.output_shape
    taps = weight.reshape(groups, out // groups, per_group, *weight.shape[2:])
    taps = np.ascontiguousarray(taps.transpose(3, 4, 0, 2, 1))
    rows, columns = (_reached(synapse, axis) for axis in (0, 1))
    taken = _seen_as(source, synapse.input_shape)
    given = _seen_as(target, synapse.output_shape)

    def accumulate(x: Array, sums: Array, first: int) -> None:
        seen = x if taken is None else x[:, taken]
        total = sums[first] if given is None else np.zeros_like(sums[first])
        kernels.conv2d(
            seen.reshape(-1, height, width, groups, per_group),
            taps,
            total.reshape(-1, out_h, out_w, groups, out // groups),
            rows,
            columns,
        )
        if given is not None:
            sums[first][:, given] += total

    return accumulate, (0,)


def _reached(synapse: Conv2d, axis: int) -> Array:
    """(source places, taps) along an axis: the target's place, -1 where there is none."""
    source, tap = np.ogrid[: synapse.input_shape[1 + axis], : synapse.weight.shape[2 + axis]]
    shifted = source + synapse.padding[axis] - tap * synapse.dilation[axis]
    place, left = np.divmod(shifted, synapse.stride[axis])
    legal = (left == 0) & (place >= 0) & (place < synapse.output_shape[1 + axis])
    return np.where(legal, place, -1)


_PREPARE: dict[type, Callable[[Any, Array, Order, Order], Any]] = {
    Dense: _dense,
    Sparse: _sparse,
    Conv2d: _conv2d,
}
"""Synapse, its weights as numbers, orders of source and target -> accumulate, delays."""


class Source:
    """An input's messages in the kernels' layout."""

    def __init__(self, stimulus: Stimulus, name: str, order: Order, number: Any) -> None:
        self.values, self.steps = stimulus.values[name], stimulus.steps
        self.order, self.number = order, number
        self.frame = self._arrange(self.values) if self.values.ndim == 2 else None

    def _arrange(self, values: Array) -> Array:
        return np.ascontiguousarray(values[:, self.order.last], self.number)

    def at(self, t: int) -> Array | None:
        """Messages (B, n) of step t; None: silence, as after the presentation."""
        if t > self.steps:
            return None
        return self.frame if self.frame is not None else self._arrange(self.values[:, t - 1])

    def count(self) -> Array:
        """Messages other than 0 that each element sends, int64 (B, n), channels first."""
        if self.frame is not None:
            return np.asarray(self.values != 0, np.int64) * self.steps
        return np.asarray(np.count_nonzero(self.values, axis=1), np.int64)
