"""A Program's sources and synapses as the kernels take them: channels last, small numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.models import model_of
from ..program import Input, Population, Program, Projection
from ..synapses.conv2d import Conv2d
from ..synapses.dense import Dense
from ..synapses.sparse import Sparse
from .synapse_kernels import DENSE, GATHER, SCATTER, SPARSE, Table

Array = npt.NDArray[Any]
NOWHERE = np.zeros(0, np.int32)
"""Places that say: every element stands where it is."""
BLOCK = 16
"""The kernels add rows of a table in blocks of this many elements."""


@dataclass(frozen=True, slots=True)
class Order:
    """Channels first (C, H, W, as everywhere else) and channels last (H, W, C) of one source.

    So too (C, L) and (L, C), which a convolution sees as (C, 1, L) and (1, L, C).

    Both indices are the empty slice where the two are the same, which costs nothing.

    Attributes:
        last: flat[..., last] is channels last.
        first: flat[..., first] is channels first again.
        moves: int32 (n,): where each element stands channels last; NOWHERE: where it is.
        origin: int32 (n,): where each of those stood; NOWHERE: where it is.
    """

    last: Any
    first: Any
    moves: Array
    origin: Array

    def places(self, index: Array) -> Array:
        """Where those elements stand once they are channels last."""
        return index if isinstance(self.first, slice) else self.first[index]


def order_of(shape: tuple[int, ...]) -> Order:
    """Of a source of that shape."""
    index = np.arange(int(np.prod(shape)))
    last = np.moveaxis(index.reshape(shape), 0, -1).reshape(-1)
    if np.array_equal(last, index):
        return Order(slice(None), slice(None), NOWHERE, NOWHERE)
    first = np.argsort(last)
    return Order(last, first, first.astype(np.int32), last.astype(np.int32))


def _seen_as(order: Order, image: tuple[int, ...]) -> Array:
    """Where the elements of an image, channels last, stand in that order; NOWHERE: as they are.

    Behind a Flatten, or with a factor for each element, a convolution sees a source, or a
    target, in another shape than its own.
    """
    index = np.arange(int(np.prod(image)))
    places = order.places(index[order_of(image).last])
    return NOWHERE if np.array_equal(places, index) else places.astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Synapses:
    """The synapses of one projection and one delay, prepared for the kernels.

    Attributes:
        projection: where they come from.
        table: what synapse_kernels.py takes.
        delay: steps beyond the one that every projection takes.
        lift, shift: bits that a sum of the table is shifted to the left, then to the right.
        taken: int32 (n_in,), where an element of the source stands in the image that a
            convolution sees; NOWHERE: where it is.
        given: int32 (n_out,), where an output of the table stands in the target; NOWHERE.
        cells: cells that a convolution looks up its messages by; 0 for others.
        window: messages that one output position can see; 0 for others.
        line: outputs that cannot be divided among tiles; 0: none can.
        scatter: the same table for few messages in a window; None where there is none.
        matrix: float32 (n_in, n_out) or float64, for dense messages; None where there is none.
    """

    projection: Projection
    table: Table
    delay: int
    lift: int
    shift: int
    taken: Array = field(default_factory=lambda: NOWHERE)
    given: Array = field(default_factory=lambda: NOWHERE)
    cells: int = 0
    window: int = 0
    line: int = 0
    matrix: Array | None = None
    scatter: Table | None = None


def prepare(
    program: Program, projection: Projection, orders: Mapping[str, Order], number: Any
) -> Iterator[Synapses]:
    """The synapses of each delay that occurs."""
    synapse, fixed = projection.synapse, program.precision == "fixed"
    source, target = orders[projection.source], orders[projection.target]
    parts = synapse.bins() if isinstance(synapse, Sparse) else [(0, synapse)]
    for own, part in parts:
        weight, lift = halved(part.weight) if fixed else (part.weight.astype(number), 0)
        exponent = projection.exponent
        found = _PREPARE[type(part)](part, weight, source, target)
        matrix = None
        if isinstance(part, Dense):
            matrix = _matrix(weight, message_bound(program, projection.source), found["table"])
        yield Synapses(
            projection,
            delay=projection.delay + own,
            lift=lift + max(exponent, 0),
            shift=max(-exponent, 0),
            matrix=matrix,
            **found,
        )


def halved(weight: Array) -> tuple[Array, int]:
    """Weights without their common factor of 2**bits, in the smallest type, and the bits.

    Loihi's mixed-sign mantissas are even: half of each fits in 8 bits.
    """
    whole = weight.astype(np.int64)
    bits = 0
    while whole.any() and not (whole & 1).any():
        whole >>= 1
        bits += 1
    for kind in (np.int8, np.int16, np.int32):
        limit = np.iinfo(kind)
        if limit.min <= whole.min(initial=0) and whole.max(initial=0) <= limit.max:
            return whole.astype(kind), bits
    raise OverflowError(f"weights up to {np.abs(whole).max()} leave 32 bits")


def message_bound(program: Program, source: str) -> float:
    """Largest magnitude of a message; inf where only the run tells."""
    found = program.source(source)
    if isinstance(found, Input):
        return max(abs(found.minimum), abs(found.maximum)) * (2 if found.delta else 1)
    return np.inf if model_of(found.neuron).message == "graded" else 1.0


def arriving_bound(program: Program, population: Population) -> float:
    """Largest magnitude of what arrives at a neuron in one step."""
    total = 0.0
    for projection in program.into(population.name):
        weight = np.abs(projection.synapse.weight.astype(np.float64))
        if isinstance(projection.synapse, Sparse):
            row = projection.synapse.row
            most = np.bincount(row, weight, minlength=1).max(initial=0)
        else:
            most = weight.reshape(len(weight), -1).sum(axis=1).max(initial=0)
        bound = message_bound(program, projection.source)
        # A right shift rounds down: one more in magnitude.
        total += (most * bound if most else 0.0) * 2.0**projection.exponent + 1
    return float(total)


def _matrix(weight: Array, bound: float, table: Table) -> Array | None:
    """The weights as a matrix whose products are exact, channels last; None where none is."""
    largest = np.abs(weight.astype(np.float64)).sum(axis=1).max(initial=0)
    most = largest * bound if largest else 0.0  # the bound may be infinite
    if weight.dtype.kind == "f":
        kind: Any = np.float64
    elif most < 2**24:
        kind = np.float32
    elif most < 2**53:
        kind = np.float64
    else:
        return None
    return np.ascontiguousarray(table.weight[: weight.shape[1], : len(weight)], kind)


def _padded(weight: Array, rows: int) -> Array:
    """With zeros up to that many rows and one more, and a multiple of BLOCK columns."""
    columns = -(-weight.shape[1] // BLOCK) * BLOCK
    padded = np.zeros((rows + 1, columns), weight.dtype)
    padded[: weight.shape[0], : weight.shape[1]] = weight
    return padded


def _dense(synapse: Dense, weight: Array, source: Order, target: Order) -> dict[str, Any]:
    rows = -(-synapse.in_size // 64) * 64  # the kernels count in words of bits
    return {
        "table": Table(DENSE, _padded(weight[target.last][:, source.last].T, rows)),
        "line": 1,
    }


def _sparse(synapse: Sparse, weight: Array, source: Order, target: Order) -> dict[str, Any]:
    """Compressed by column: the synapses of one source element lie side by side."""
    row, column = target.places(synapse.row), source.places(synapse.column)
    order = np.lexsort((row, column))
    start = np.zeros(synapse.in_size + 1, np.int64)
    np.cumsum(np.bincount(column, minlength=synapse.in_size), out=start[1:])
    return {
        "table": Table(
            SPARSE, weight[order][None], start=start, row=row[order].astype(np.int32)
        )
    }


def _conv2d(synapse: Conv2d, weight: Array, source: Order, target: Order) -> dict[str, Any]:
    groups = synapse.groups
    outs, per_group, *size = weight.shape
    _, height, width = synapse.input_shape
    out_width = synapse.output_shape[2]
    # (K_h, K_w, groups, C_in / groups, C_out / groups)
    taps = weight.reshape(groups, outs // groups, per_group, *size).transpose(3, 4, 0, 2, 1)
    geometry = (
        *(synapse.input_shape[0], height, width, groups, outs, out_width, *size),
        *(*synapse.stride, *synapse.padding, *synapse.dilation),
    )
    rows = np.ascontiguousarray(taps).reshape(-1, outs // groups)
    table = Table(GATHER, _padded(rows, len(rows)), np.array(geometry, np.int64))
    return {
        "table": table,
        "scatter": _scatter(synapse, weight, table.geometry),
        "taken": _inverse(_seen_as(source, synapse.input_shape)),
        "given": _seen_as(target, synapse.output_shape),
        "cells": height * width * groups,
        "window": per_group * size[0] * size[1],
        "line": out_width * outs,
    }


def _scatter(synapse: Conv2d, weight: Array, geometry: Array) -> Table | None:
    """The convolution from the side of a message, where whole blocks lie side by side."""
    outs, channels, rows, columns = weight.shape
    if synapse.groups > 1 or synapse.dilation[1] > 1 or outs % BLOCK:
        return None
    _, height, width = synapse.input_shape
    _, out_height, out_width = synapse.output_shape
    stride, padding = synapse.stride[1], synapse.padding[1]
    taps = -(-columns // stride)
    classes: dict[tuple[int, ...], int] = {}
    run = np.zeros((width, 2), np.int32)
    for x in range(width):
        # The taps through which a message at x reaches an output, the leftmost output first.
        reached = [
            j
            for j in reversed(range(columns))
            if (x + padding - j) % stride == 0 and 0 <= x + padding - j < out_width * stride
        ]
        leftmost = (x + padding - reached[0]) // stride if reached else 0
        run[x] = classes.setdefault(tuple(reached), len(classes)), leftmost
    table = np.zeros((rows, channels, len(classes), taps, outs), weight.dtype)
    for chosen, place in classes.items():
        table[:, :, place, : len(chosen)] = weight[..., list(chosen)].transpose(2, 1, 3, 0)
    source, tap = np.ogrid[:height, :rows]
    line, rest = np.divmod(
        source + synapse.padding[0] - tap * synapse.dilation[0], synapse.stride[0]
    )
    legal = (rest == 0) & (line >= 0) & (line < out_height)
    reach = np.where(legal, line, -1).astype(np.int32)
    return Table(SCATTER, table.reshape(-1, taps * outs), geometry, reach, run)


def _inverse(places: Array) -> Array:
    return np.argsort(places).astype(np.int32) if places.size else places


_PREPARE: dict[type, Callable[[Any, Array, Order, Order], dict[str, Any]]] = {
    Dense: _dense,
    Sparse: _sparse,
    Conv2d: _conv2d,
}
"""Synapse, its weights as numbers, orders of source and target -> fields of Synapses."""
