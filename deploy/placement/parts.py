"""What parts of one population use, each part on a core of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Program, Projection
from ..synapses.conv2d import Conv2d
from ..targets import Target
from .incidence import Destinations, fans_of, merged, reached
from .lists import stored_of
from .order import image_shape, storage_order
from .usage import compartments, rank_within

Array = npt.NDArray[Any]


def parts_usage(
    program: Program, target: Target, population: str, index: Array, parts: int
) -> dict[str, Array]:
    """Resource -> int64 (parts,), but for what leaves the neurons; input axons always.

    Args:
        program: what is placed.
        target: its `core` table says which resources are counted.
        population: whose neurons are divided.
        index: int32 (n,), part of each neuron, -1: none of them. Where most neurons are in no
            part, only the source elements that can reach a part are looked at.
        parts: how many there are.
    """
    order = storage_order(image_shape(program, population))
    inside = index >= 0
    held = np.bincount(index[inside], minlength=parts)
    rank = np.zeros(index.size, np.int32)
    if inside.all():
        rank = rank_within(index, order, np.zeros(parts, np.int64))
    else:
        chosen = order[inside[order]]
        within = rank_within(index[chosen], np.arange(chosen.size), np.zeros(parts, np.int64))
        rank[chosen] = within
    memory, longest = np.zeros(parts, np.int64), np.zeros(parts, np.int64)
    axons = np.zeros(parts, np.int64)
    into = program.into(population)
    for source in dict.fromkeys(p.source for p in into):
        together = [p for p in into if p.source == source]
        for projection in together:
            elements = None if inside.all() else receptive(projection, inside)
            stored = stored_of(program, projection, target, index, rank, held, elements)
            memory += stored.bits
            longest = np.maximum(longest, stored.longest)
            if len(together) == 1:
                axons += stored.axons
        if len(together) > 1:
            axons += _distinct_axons(program, together, index, parts)
    return {
        "neurons": held * compartments(program.population(population), target),
        "synaptic_memory": memory // target.memory.unit_bits,
        "axon_words": longest // 64,
        "input_axons": axons,
    }


def _distinct_axons(
    program: Program, projections: list[Projection], index: Array, parts: int
) -> Array:
    """Source elements that reach each part by at least one of several projections."""
    union: Destinations | None = None
    outside = np.where(index < 0, parts, index).astype(np.int32)
    for projection in projections:
        found = reached(fans_of(program, projection, outside, parts + 1))
        union = found if union is None else merged(union, found)
    assert union is not None
    return np.bincount(union.core, minlength=parts + 1)[:parts]


def receptive(projection: Projection, inside: Array) -> Array | None:
    """Source elements that can reach the chosen targets; None: any may."""
    conv = projection.synapse
    if not isinstance(conv, Conv2d) or not inside.any():
        return None
    channels, rows, columns = np.nonzero(inside.reshape(conv.output_shape))
    first, last = [], []
    for axis, at in enumerate((rows, columns)):
        reach = conv.dilation[axis] * (conv.weight.shape[2 + axis] - 1)
        low = int(at.min()) * conv.stride[axis] - conv.padding[axis]
        high = int(at.max()) * conv.stride[axis] - conv.padding[axis] + reach
        first.append(max(low, 0))
        last.append(min(high, conv.input_shape[1 + axis] - 1) + 1)
    per_in, per_out = conv.weight.shape[1], conv.weight.shape[0] // conv.groups
    group_first = int(channels.min()) // per_out
    group_last = int(channels.max()) // per_out + 1
    index = np.arange(conv.in_size, dtype=np.int64).reshape(conv.input_shape)
    box = index[
        group_first * per_in : group_last * per_in, first[0] : last[0], first[1] : last[1]
    ]
    return box.reshape(-1)
