"""The synapses' loops: the listed messages of one step, summed into the neurons of a tile.

Routines of Arguments ``(table, listing, values, total)``:

    dense, sparse, gather, scatter (place, slot, first, last)

They add to total[0: last - first] what the messages of a slot bring to the neurons first to
last - 1, before any shift. Messages that are zero cost nothing: the work follows the spikes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload, register_jitable

from .compiled import INLINE
from .messages import append, end_list
from .native import Routine, restored
from .vectors import ROWS_AT_ONCE, add_row, add_rows_16, add_rows_32, add_rows_64

DENSE, SPARSE, GATHER, SCATTER = range(4)
"""Kinds of tables."""


class Table(NamedTuple):
    """Synapses of one projection; what a kind does not need is empty.

    Attributes:
        kind: DENSE: row i of the weights is what a message of element i adds.

            SPARSE: the synapses of element i lie from start[i] to start[i + 1] - 1.

            GATHER: a convolution from the side of an output; row (i K_w + j) C_in + c is what
            channel c adds through tap (i, j) to the outputs of its group.

            SCATTER: a convolution from the side of a message, with one group and no horizontal
            dilation. The outputs of one line that see a message lie side by side, and so do the
            weights that they add: row (i C_in + c) classes + k holds what channel c adds
            through kernel row i, from the leftmost output on, at the x that are of class k. All
            messages add equally many, with zeros where fewer outputs see them: that costs less
            than a loop of unforeseen length.
        weight: DENSE (n_in rounded up to 64, and a row of zeros; n_out rounded up to 16);
            SPARSE (1, synapses); GATHER (K_h K_w C_in, and a row of zeros; C_out / groups
            rounded up to 16); SCATTER (K_h C_in classes, taps C_out).
        geometry: int64 (14,) of a convolution, see `GEOMETRY`.
        reach: SCATTER: int32 (H, K_h), the output line that a message reaches through a kernel
            row; -1: none.
        run: SCATTER: int32 (W, 2), the class of x and the leftmost output that sees it.
        start: SPARSE: int64 (n_in + 1,).
        row: SPARSE: int32 (synapses,), the neuron that a synapse leads to.
    """

    kind: int
    weight: Any
    geometry: Any = np.zeros(14, np.int64)
    reach: Any = np.zeros((0, 0), np.int32)
    run: Any = np.zeros((0, 2), np.int32)
    start: Any = np.zeros(0, np.int64)
    row: Any = np.zeros(0, np.int32)


GEOMETRY = (
    *("channels", "height", "width", "groups"),
    *("out_channels", "out_width", "kernel_height", "kernel_width"),
    *("stride_height", "stride_width", "padding_height", "padding_width"),
    *("dilation_height", "dilation_width"),
)


class Values(NamedTuple):
    """Values of listed messages, and what a convolution puts together from the lists.

    Attributes:
        listed: (group, n + 64); uint8 (group, 0) for spikes.
        where: int32 (window + 64,), the messages that one output position sees.
        merged: (window + 64,), their values; uint8 (0,) for spikes.
    """

    listed: Any
    where: Any
    merged: Any


@register_jitable(**INLINE)
def sum_rows(
    weight: Any,
    where: Any,
    values: Any,
    count: int,
    column: int,
    columns: int,
    total: Any,
    to: int,
) -> None:
    """total[to + o] += sum_k values[k] * weight[where[k], column + o] for o < columns.

    `columns` is rounded up to 16 where it ends inside a block.
    """
    for first in range(0, count, ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE, count)
        o = 0
        while o + 64 <= columns:
            add_rows_64(weight, where, values, first, last, column + o, total, to + o)
            o += 64
        if o + 32 <= columns:
            add_rows_32(weight, where, values, first, last, column + o, total, to + o)
            o += 32
        while o < columns:
            add_rows_16(weight, where, values, first, last, column + o, total, to + o)
            o += 16


@Routine
def dense(place: Any, slot: int, first: int, last: int) -> None:
    """Rows of the table, one for each message."""
    table, listing, values, total = restored(place)
    columns = min(last, table.weight.shape[1]) - first
    where, sent = listing.where[slot], values.listed[slot]
    sum_rows(table.weight, where, sent, listing.count[slot], first, columns, total, 0)


@Routine
def sparse(place: Any, slot: int, first: int, last: int) -> None:
    """The synapses of each message, one after the other."""
    table, listing, values, total = restored(place)
    where, sent = listing.where[slot], values.listed[slot]
    start, row, weight = table.start, table.row, table.weight[0]
    for k in range(listing.count[slot]):
        element = where[k]
        message = message_of(sent, k, total)
        for synapse in range(start[element], start[element + 1]):
            total[row[synapse] - first] += weight[synapse] * message


@Routine
def gather(place: Any, slot: int, first: int, last: int) -> None:
    """For each output position, the messages in its window in one list; then their rows."""
    table, listing, values, total = restored(place)
    if listing.count[slot] == 0:
        return
    g = table.geometry
    channels, height, width, groups, outs, out_width = g[0], g[1], g[2], g[3], g[4], g[5]
    rows, columns, down, right, above, left = g[6], g[7], g[8], g[9], g[10], g[11]
    apart, aside = g[12], g[13]
    where, sent, start = listing.where[slot], values.listed[slot], listing.start[slot]
    seen, merged = values.where, values.merged
    group_outs, line = outs // groups, out_width * outs
    nowhere, padded = table.weight.shape[0] - 1, table.weight.shape[1]
    for out_y in range(first // line, last // line):
        top = out_y * down - above
        for out_x in range(out_width):
            x0 = out_x * right - left
            to = out_y * line + out_x * outs - first
            for group in range(groups):
                m = 0
                for i in range(rows):
                    y = top + i * apart
                    if y < 0 or y >= height:
                        continue
                    if groups == 1 and aside == 1:  # the taps of a row lie side by side
                        low, high = max(x0, 0), min(x0 + columns, width)
                        if low < high:
                            begin, end = start[y * width + low], start[y * width + high]
                            plus = (i * columns - y * width - x0) * channels
                            m = append(where, sent, begin, end, plus, seen, merged, m)
                        continue
                    for j in range(columns):
                        x = x0 + j * aside
                        if 0 <= x < width:
                            cell = (y * width + x) * groups + group
                            plus = (i * columns + j - y * width - x) * channels
                            begin, end = start[cell], start[cell + 1]
                            m = append(where, sent, begin, end, plus, seen, merged, m)
                end_list(seen, merged, m, nowhere)
                at = to + group * group_outs
                sum_rows(table.weight, seen, merged, m, 0, padded, total, at)


@Routine
def scatter(place: Any, slot: int, first: int, last: int) -> None:
    """Each message to the outputs of all lines that see it."""
    table, listing, values, total = restored(place)
    if listing.count[slot] == 0:
        return
    g = table.geometry
    channels, height, width, outs, out_width, rows = g[0], g[1], g[2], g[4], g[5], g[6]
    down, above, apart, length = g[8], g[10], g[12], table.weight.shape[1]
    classes = table.weight.shape[0] // (rows * channels)
    where, sent, start = listing.where[slot], values.listed[slot], listing.start[slot]
    line = out_width * outs
    top, bottom = first // line, last // line
    low = max(top * down - above, 0)
    high = min((bottom - 1) * down - above + (rows - 1) * apart + 1, height)
    for y in range(low, high):
        for k in range(start[y], start[y + 1]):
            inside = np.uint32(where[k] - y * width * channels)
            x = np.int64(inside // np.uint32(channels)) if channels > 1 else np.int64(inside)
            channel = np.int64(inside) - x * channels
            row = channel * classes + table.run[x, 0]
            to = table.run[x, 1] * outs - first
            message = message_of(sent, k, total)
            for i in range(rows):
                out_y = table.reach[y, i]
                if top <= out_y < bottom:
                    add_row(table.weight, row, length, message, total, to + out_y * line)
                row += channels * classes


def message_of(values: Any, k: int, total: Any) -> Any:
    """The message in the type of the sums; 1 for a spike."""
    raise NotImplementedError


@overload(message_of, strict=False, jit_options=INLINE)
def _message_of(values: Any, k: Any, total: Any) -> Any:
    if values.dtype.name == "uint8":
        one = total.dtype(1)
        return lambda values, k, total: one
    return lambda values, k, total: values[k]


ACCUMULATE = {DENSE: dense, SPARSE: sparse, GATHER: gather, SCATTER: scatter}
"""Kind of table -> what sums it."""
