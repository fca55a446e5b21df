"""The loops over all synapses, compiled by numba: nothing is unrolled in memory.

The synapses of one source element are listed in the order of their targets (see order.py), and
what is wanted is added up for each core that they lead to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

from ..engine.compiled import kernel

DENSE, SPARSE, CONVOLUTION = range(3)
"""Kinds of tables."""


class Table(NamedTuple):
    """Synapses of one projection, or of a block of its source elements.

    Attributes:
        kind: DENSE: row i of the weights holds the synapses of element i, by position of the
            target. SPARSE: those of element i lie from start[i] to start[i + 1] - 1 of
            weight[0], target and delay. CONVOLUTION: row (c taps + tap) holds the weights of
            channel c through that tap to the output channels of its group.
        first: the element that row 0 belongs to (DENSE).
        weight: int32, two axes; equal numbers are equal weights, 0 is 0.
        geometry: int64 (16,) of a convolution, see tables.py.
        start, target, delay: of SPARSE, int64, int32, int32.
    """

    kind: int
    first: int
    weight: Any
    geometry: Any
    start: Any
    target: Any
    delay: Any


@register_jitable
def list_synapses(table: Table, i: int, target: Any, weight: Any, delay: Any) -> int:
    """Write the synapses of element i, targets ascending; how many there are."""
    n = 0
    if table.kind == DENSE:
        row = table.weight[i - table.first]
        for k in range(row.size):
            target[k] = k
            weight[k] = row[k]
            delay[k] = 0
        return len(row)
    if table.kind == SPARSE:
        for k in range(table.start[i], table.start[i + 1]):
            target[n] = table.target[k]
            weight[n] = table.weight[0, k]
            delay[n] = table.delay[k]
            n += 1
        return n
    g = table.geometry
    height, width, out_h, out_w = g[1], g[2], g[4], g[5]
    kernel_h, kernel_w = g[6], g[7]
    channel = i // (height * width)
    y, x = i // width % height, i % width
    base = channel // g[14] * g[15]
    for tap_y in range(kernel_h - 1, -1, -1):
        at_y = y + g[10] - tap_y * g[12]
        if at_y < 0 or at_y % g[8] or at_y // g[8] >= out_h:
            continue
        for tap_x in range(kernel_w - 1, -1, -1):
            at_x = x + g[11] - tap_x * g[13]
            if at_x < 0 or at_x % g[9] or at_x // g[9] >= out_w:
                continue
            position = (at_y // g[8] * out_w + at_x // g[9]) * g[3] + base
            row = table.weight[(channel * kernel_h + tap_y) * kernel_w + tap_x]
            for o in range(g[15]):
                target[n] = position + o
                weight[n] = row[o]
                delay[n] = 0
                n += 1
    return n


@register_jitable
def sort_by_core(core: Any, values: Any, first: int, last: int) -> None:
    """Insertion sort of core[first:last], and of the columns of `values` with it."""
    for a in range(first + 1, last):
        b = a
        while b > first and core[b - 1] > core[b]:
            core[b - 1], core[b] = core[b], core[b - 1]
            for v in range(values.shape[0]):
                values[v, b - 1], values[v, b] = values[v, b], values[v, b - 1]
            b -= 1


@kernel
def count_fans(
    table: Table,
    elements: Any,
    begin: int,
    core_at: Any,
    target: Any,
    weight: Any,
    delay: Any,
    slot: Any,
    ends: Any,
    core: Any,
    counts: Any,
) -> int:
    """Synapses of each element by destination core, until the room is used up.

    Args:
        table: the synapses.
        elements: int64, the source elements to visit.
        begin: the first one of them.
        core_at: int32, the core of the neuron at each position; -1: not counted.
        target: room for the targets of one element.
        weight: the same for the weights.
        delay: the same for the delays.
        slot: int64 by core, all -1.
        ends: int64 by element: where its entries end.
        core: int32, room for the entries.
        counts: int64 (2, room): those with non-zero weights, all.

    Returns:
        the first element that is not done.
    """
    filled = 0
    for e in range(begin, elements.size):
        if filled + slot.size > core.size:
            return e
        start = filled
        for k in range(list_synapses(table, elements[e], target, weight, delay)):
            c = core_at[target[k]]
            if c < 0:
                continue
            at = slot[c]
            if at < 0:
                at = filled
                filled += 1
                slot[c] = at
                core[at] = c
                counts[0, at] = 0
                counts[1, at] = 0
            counts[1, at] += 1
            if weight[k] != 0:
                counts[0, at] += 1
        for at in range(start, filled):
            slot[core[at]] = -1
        sort_by_core(core, counts, start, filled)
        ends[e] = filled
    return len(elements)


@kernel
def merge_destinations(
    indptr_a: Any, core_a: Any, indptr_b: Any, core_b: Any, ends: Any, core: Any
) -> None:
    """Union of two ascending lists of cores, element by element."""
    filled = 0
    for i in range(ends.size):
        a, b = indptr_a[i], indptr_b[i]
        while a < indptr_a[i + 1] or b < indptr_b[i + 1]:
            from_a = b >= indptr_b[i + 1] or (a < indptr_a[i + 1] and core_a[a] <= core_b[b])
            chosen = core_a[a] if from_a else core_b[b]
            if a < indptr_a[i + 1] and core_a[a] == chosen:
                a += 1
            if b < indptr_b[i + 1] and core_b[b] == chosen:
                b += 1
            core[filled] = chosen
            filled += 1
        ends[i] = filled


@kernel
def sort_by_key(key: Any, order: Any, start: Any, sorted_order: Any) -> None:
    """Stable counting sort; start: int64 (keys + 1,), where each key begins, is used up."""
    for k in range(order.size):
        item = order[k]
        sorted_order[start[key[item]]] = item
        start[key[item]] += 1


SYNAPSES, SPAN, ENTRIES, STORED, RUNS, SKIP = range(6)
"""Rows of the measures of a list, see memory.Lists."""
LAST, FIRST, LENGTH, RUN = range(4)
"""Rows of what is known of a list while it is read."""


@kernel
def measure_lists(
    table: Table,
    elements: Any,
    begin: int,
    core_at: Any,
    rank_at: Any,
    fill: Any,
    per_entry: int,
    longest_skip: int,
    target: Any,
    weight: Any,
    delay: Any,
    slot: Any,
    state: Any,
    ends: Any,
    core: Any,
    digest: Any,
    measures: Any,
) -> int:
    """Measures of each element's list on each core, and a digest that equal lists share.

    Lists are equal if their weights, delays and distances of targets are.

    Args:
        table: the synapses.
        elements: as for `count_fans`, like all that is not said here.
        begin: the first one of them.
        core_at: the core at each position.
        rank_at: int32, number of the neuron at each position on its core.
        fill: int64 by core, the longest gap of zeros that a dense entry is filled with.
        per_entry: most synapses of an entry.
        longest_skip: of the run-length format.
        target: room for one element's targets.
        weight: room for its weights.
        delay: room for its delays.
        slot: by core, all -1.
        state: int64 (4, cores).
        ends: where the lists of each element end.
        core: room for the cores.
        digest: uint64, room for the entries.
        measures: int64 (6, room).

    Returns:
        the first element that is not done.
    """
    filled = 0
    for e in range(begin, elements.size):
        if filled + slot.size > core.size:
            return e
        start = filled
        for k in range(list_synapses(table, elements[e], target, weight, delay)):
            c = core_at[target[k]]
            if c < 0 or weight[k] == 0:
                continue
            rank = np.int64(rank_at[target[k]])
            at = slot[c]
            if at < 0:
                at = filled
                filled += 1
                slot[c] = at
                core[at] = c
                digest[at] = np.uint64(14695981039346656037)
                measures[:, at] = 0
                measures[ENTRIES, at] = 1
                measures[STORED, at] = 1
                measures[RUNS, at] = 1
                state[FIRST, c] = rank
                state[LENGTH, c] = 1
                state[RUN, c] = 1
            else:
                step = rank - state[LAST, c]
                gap = step - 1
                if 0 <= gap <= fill[c] and state[LENGTH, c] + step <= per_entry:
                    state[LENGTH, c] += step
                    measures[STORED, at] += step
                else:
                    state[LENGTH, c] = 1
                    measures[STORED, at] += 1
                    measures[ENTRIES, at] += 1
                if 0 < step <= longest_skip and state[RUN, c] < per_entry:
                    state[RUN, c] += 1
                    measures[SKIP, at] = max(measures[SKIP, at], step)
                else:
                    state[RUN, c] = 1
                    measures[RUNS, at] += 1
            state[LAST, c] = rank
            measures[SYNAPSES, at] += 1
            measures[SPAN, at] = rank - state[FIRST, c] + 1
            mixed = digest[at] ^ np.uint64(rank - state[FIRST, c])
            mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed ^= np.uint64(np.int64(weight[k]) * 64 + delay[k])
            digest[at] = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
        for at in range(start, filled):
            slot[core[at]] = -1
        ends[e] = filled
    return len(elements)
