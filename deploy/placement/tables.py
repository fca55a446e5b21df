"""Synapses as tables that the kernels take, a bounded block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Program, Projection, Synapse
from ..synapses.conv2d import Conv2d
from ..synapses.dense import Dense
from .kernels import CONVOLUTION, DENSE, SPARSE, Table, sort_by_key
from .order import image_shape, positions, target_order

Array = npt.NDArray[Any]

BLOCK = 2**22
"""Weights of a dense block."""
_NONE = np.zeros(0, np.int64)
_NONE32 = np.zeros(0, np.int32)


def codes(weight: Array) -> Array:
    """Whole numbers that are equal where the weights are, 0 for 0; int32, same shape."""
    if np.issubdtype(weight.dtype, np.integer):
        return weight.astype(np.int32)
    _, found = np.unique(weight, return_inverse=True)
    code = found.reshape(weight.shape) + 1
    return np.where(weight == 0, 0, code).astype(np.int32)


def tables(program: Program, projection: Projection) -> Iterator[tuple[Table, range]]:
    """Tables of a projection, each with the source elements that it holds."""
    synapse = projection.synapse
    if isinstance(synapse, Dense):
        order, n = target_order(program, projection), synapse.in_size
        step = max(1, BLOCK // max(1, synapse.out_size))
        coded = codes(synapse.weight) if synapse.weight.dtype.kind == "f" else synapse.weight
        for first in range(0, n, step):
            block = codes(coded[:, first : first + step].T[:, order])
            rows = range(first, min(n, first + step))
            yield _table(DENSE, np.ascontiguousarray(block), first=first), rows
    elif isinstance(synapse, Conv2d):
        yield _convolution(synapse), range(synapse.in_size)
    else:
        shape = image_shape(program, projection.target)
        yield _sparse(synapse, shape), range(synapse.in_size)


def longest_list(synapse: Synapse) -> int:
    """Most synapses that leave one source element, or a bound of it."""
    if isinstance(synapse, Dense):
        return synapse.out_size
    if isinstance(synapse, Conv2d):
        per_group = synapse.weight.shape[0] // synapse.groups
        return int(np.prod(synapse.weight.shape[2:]) * per_group)
    return int(np.bincount(synapse.column, minlength=1).max(initial=0))


def _table(kind: int, weight: Array, **given: Any) -> Table:
    rest: dict[str, Any] = {
        "first": 0,
        "geometry": _NONE,
        "start": _NONE,
        "target": _NONE32,
        "delay": _NONE32,
    }
    return Table(kind=kind, weight=weight, **(rest | given))


def _convolution(conv: Conv2d) -> Table:
    out, per_in, *taps = conv.weight.shape
    per_out = out // conv.groups
    coded = codes(conv.weight).reshape(conv.groups, per_out, per_in, -1)
    rows = coded.transpose(0, 2, 3, 1).reshape(-1, per_out)
    geometry = (
        *conv.input_shape,
        *conv.output_shape,
        *taps,
        *conv.stride,
        *conv.padding,
        *conv.dilation,
        per_in,
        per_out,
    )
    return _table(
        CONVOLUTION, np.ascontiguousarray(rows), geometry=np.asarray(geometry, np.int64)
    )


def _sparse(synapse: Any, shape: tuple[int, ...]) -> Table:
    """By source element, then by position of the target; rows come sorted."""
    order = np.arange(synapse.row.size, dtype=np.int64)
    where = positions(shape)[synapse.row]
    if len(shape) > 1:
        order = _sorted(where, order, synapse.out_size)
    order = _sorted(synapse.column, order, synapse.in_size)
    start = np.zeros(synapse.in_size + 1, np.int64)
    np.cumsum(np.bincount(synapse.column, minlength=synapse.in_size), out=start[1:])
    delay = np.zeros(order.size, np.int32)
    if synapse.delay is not None:
        delay[:] = synapse.delay[order]
    return _table(
        SPARSE,
        codes(synapse.weight)[order][None],
        start=start,
        target=where[order],
        delay=delay,
    )


def _sorted(key: Array, order: Array, keys: int) -> Array:
    start = np.zeros(keys + 1, np.int64)
    np.cumsum(np.bincount(key, minlength=keys), out=start[1:])
    result = np.empty_like(order)
    sort_by_key(np.ascontiguousarray(key), order, start, result)
    return result
