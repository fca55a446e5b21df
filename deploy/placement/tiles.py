"""What a rectangular tile of a convolution takes, in closed form: to choose among many tiles.

All weights are taken to be non-zero and the tile to lie inside the image. What is chosen is
measured exactly afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import WEIGHT_BITS_MAX
from ..program import Projection
from ..synapses.conv2d import Conv2d
from ..targets import Target
from .memory import Lists, Widths, fill_limit, index_bits, legal_width, sizes

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Axis:
    """Source lines that reach a range of target lines, along one axis.

    Attributes:
        lines: how many there are.
        taps: int64 (classes,), target lines that each class of source lines reaches; lines of
            one class reach equal distances through equal taps.
        span: int64 (classes,), from the first to the last of these.
    """

    lines: int
    taps: Array
    span: Array


def axis(conv: Conv2d, number: int, extent: int) -> Axis:
    """The axis of a tile of that many target lines in the middle of the image."""
    kernel = conv.weight.shape[2 + number]
    stride, dilation = conv.stride[number], conv.dilation[number]
    size, out = conv.input_shape[1 + number], conv.output_shape[1 + number]
    first = max(0, (out - extent) // 2)
    reached: dict[int, list[tuple[int, int]]] = {}
    for line in range(first, min(out, first + extent)):
        for tap in range(kernel):
            source = line * stride + tap * dilation - conv.padding[number]
            if 0 <= source < size:
                reached.setdefault(source, []).append((tap, line))
    classes = {
        tuple((tap, line - pairs[0][1]) for tap, line in pairs): len(pairs)
        for pairs in reached.values()
    }
    span = [max(d for _, d in pattern) + 1 for pattern in classes]
    return Axis(len(reached), np.array(list(classes.values())), np.array(span))


def tile_usage(
    projection: Projection, target: Target, channels: int, rows: Axis, columns: Axis, width: int
) -> dict[str, float]:
    """Synaptic memory, words of an axon and input axons of one tile.

    Args:
        projection: a convolution.
        target: whose formula is used.
        channels: target channels of the tile.
        rows: see `axis`.
        columns: see `axis`.
        width: target columns of the tile.
    """
    conv = projection.synapse
    assert isinstance(conv, Conv2d)
    per_in, per_out = conv.weight.shape[1], conv.weight.shape[0] // conv.groups
    sources = per_in * max(1, -(-channels // per_out))
    run = min(channels, per_out)
    a, b = (grid.reshape(-1) for grid in np.meshgrid(rows.taps, columns.taps, indexing="ij"))
    tall, wide = (g.reshape(-1) for g in np.meshgrid(rows.span, columns.span, indexing="ij"))
    side_by_side = (wide == b) & (run == channels)
    n = a * b * run
    pieces = np.where(side_by_side, a, a * b)
    length = n // pieces
    memory = target.memory
    bits = conv.format.bits if conv.format else WEIGHT_BITS_MAX
    neurons = channels * width * max(1, int(rows.taps.sum()) // conv.weight.shape[2])
    widths = Widths(
        int(legal_width(bits, target.weight_bits)),
        int(legal_width(int(projection.longest_delay).bit_length(), memory.delay_bits)),
        index_bits(memory, np.full(n.size, neurons)),
    )
    per_entry = memory.synapses_per_entry or 2**40
    gap = np.where(side_by_side, (width - b) * channels, channels - run)
    filled = np.where(gap <= fill_limit(memory, widths), gap * (pieces - 1), 0)
    span = ((tall - 1) * width + wide - 1) * channels + run
    entries = np.where(
        filled > 0, -(-(n + filled) // per_entry), pieces * -(-length // per_entry)
    )
    skips = 2 ** max(memory.skip_bits, default=1) - 1
    runs = np.where(gap < skips, -(-n // per_entry), pieces * -(-length // per_entry))
    skip = np.where(gap < skips, gap + 1, 1)
    lists = Lists(n, span, np.maximum(entries, 1), n + filled, np.maximum(runs, 1), skip)
    found = sizes(memory, lists, widths)
    best = min(found, key=lambda name: int(found[name].sum()))
    return {
        "synaptic_memory": sources * float(found[best].sum()) / memory.unit_bits,
        "axon_words": float(found[best].max(initial=0)) / 64,
        "input_axons": float(sources * rows.lines * columns.lines),
    }
