"""What the lists of synapses of one projection take of each core's memory."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import WEIGHT_BITS_MAX
from ..program import Program, Projection, Synapse
from ..synapses.conv2d import Conv2d
from ..synapses.dense import Dense
from ..targets import Target
from .kernels import measure_lists
from .memory import Lists, Widths, fill_limit, index_bits, legal_width, sizes
from .order import target_order
from .tables import longest_list, tables

Array = npt.NDArray[Any]

ROOM = 2**18
"""Lists that a call of the kernel has room for, at least."""
UNLIMITED = 2**40
SAMPLED = 4
"""Input channels that stand for those of a convolution's group."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What one projection takes of the memory of cores 0 to c - 1.

    Attributes:
        bits: int64 (c,), of the best compression.
        longest: int64 (c,), bits of the longest list.
        axons: int64 (c,), source elements with a non-zero weight to a neuron of the core.
        compression: name of the compression by core; "" where nothing is stored.
    """

    bits: Array
    longest: Array
    axons: Array
    compression: list[str]


def stored_of(
    program: Program,
    projection: Projection,
    target: Target,
    index: Array,
    rank: Array,
    neurons: Array,
    sample: bool = False,
) -> Stored:
    """Measure the lists of a projection, and take the compression with the fewest bits.

    Args:
        program: at any precision; weights without a format count as 8 bits.
        projection: of that program.
        target: whose formula is used.
        index: int32, core of each target neuron, -1: not counted; C, H, W order.
        rank: int32, number of each target neuron on its core.
        neurons: int64 (c,), all neurons of each core: they decide the width of an index.
        sample: look at a few input channels of a convolution only, and take the others to be
            like them.
    """
    memory, synapse = target.memory, projection.synapse
    bits = synapse.format.bits if synapse.format else WEIGHT_BITS_MAX
    widths = Widths(
        int(legal_width(bits, target.weight_bits)),
        int(legal_width(int(projection.longest_delay).bit_length(), memory.delay_bits)),
        index_bits(memory, neurons),
    )
    if memory.dense_zeros_stored and isinstance(synapse, Dense):
        return _all_weights(synapse, target, index, neurons.size, widths)
    totals = {name: np.zeros(neurons.size, np.int64) for name in memory.compressions}
    longest = {name: np.zeros(neurons.size, np.int64) for name in memory.compressions}
    axons = np.zeros(neurons.size, np.int64)
    elements, share = _sampled(synapse) if sample else (None, 1.0)
    for core, lists in _measured(
        program, projection, target, index, rank, widths, elements, axons
    ):
        own = Widths(widths.weight, widths.delay, widths.index[core])
        for name, amount in sizes(memory, lists, own).items():
            totals[name] += np.bincount(core, amount, neurons.size).astype(np.int64)
            np.maximum.at(longest[name], core, amount)
    if share < 1:
        totals = {name: np.ceil(bits / share).astype(np.int64) for name, bits in totals.items()}
        axons = np.ceil(axons / share).astype(np.int64)
    return _best(totals, longest, axons, target, isinstance(synapse, Conv2d))


def _sampled(synapse: Synapse) -> tuple[Array | None, float]:
    """Source elements of a few channels of each group, and which share of all they are."""
    if not isinstance(synapse, Conv2d):
        return None, 1.0
    per_in = synapse.weight.shape[1]
    if per_in <= SAMPLED:
        return None, 1.0
    inside = np.unique(np.linspace(0, per_in - 1, SAMPLED).astype(np.int64))
    groups = np.arange(synapse.groups)[:, None] * per_in
    plane = int(np.prod(synapse.input_shape[1:]))
    channels = (groups + inside[None, :]).reshape(-1, 1)
    return (channels * plane + np.arange(plane)).reshape(-1), inside.size / per_in


def _all_weights(
    synapse: Dense, target: Target, index: Array, cores: int, widths: Widths
) -> Stored:
    """Every weight of a dense projection, zero or not."""
    held = np.bincount(index[index >= 0], minlength=cores)
    lists = Lists(*(held for _ in fields(Lists)))
    each = np.where(held > 0, sizes(target.memory, lists, widths)["dense"], 0)
    names = ["dense" if n else "" for n in held]
    return Stored(each * synapse.in_size, each, (held > 0) * synapse.in_size, names)


def _best(
    totals: dict[str, Array],
    longest: dict[str, Array],
    axons: Array,
    target: Target,
    shared: bool,
) -> Stored:
    """The compression with the fewest bits of those whose lists are not too long."""
    names = list(totals)
    bits = np.stack([totals[name] for name in names])
    most = np.stack([longest[name] for name in names])
    limit = target.core["axon_words"].value * 64 if "axon_words" in target.core else np.inf
    too_long = most > limit
    rank = bits + np.where(too_long, UNLIMITED + most, 0)
    chosen = np.argmin(rank, axis=0)
    columns = np.arange(bits.shape[1])
    label = [
        "" if not bits[c, i] else "shared" if shared else names[c]
        for i, c in enumerate(chosen.tolist())
    ]
    return Stored(bits[chosen, columns], most[chosen, columns], axons, label)


def _measured(
    program: Program,
    projection: Projection,
    target: Target,
    index: Array,
    rank: Array,
    widths: Widths,
    elements: Array | None,
    axons: Array,
) -> list[tuple[Array, Lists]]:
    """(core of each list, measures), equal lists of a convolution on one core only once.

    Adds the number of lists of each core, equal ones included, to `axons`.
    """
    memory, synapse, cores = target.memory, projection.synapse, widths.index.size
    order = target_order(program, projection)
    core_at, rank_at = index[order].astype(np.int32), rank[order].astype(np.int32)
    fill = np.broadcast_to(fill_limit(memory, widths), cores).astype(np.int64)
    per_entry = memory.synapses_per_entry or UNLIMITED
    skip = 2 ** max(memory.skip_bits, default=1) - 1
    room = max(ROOM, 2 * cores)
    core, digest = np.empty(room, np.int32), np.empty(room, np.uint64)
    measures = np.empty((6, room), np.int64)
    buffers = [np.empty(longest_list(synapse), np.int32) for _ in range(3)]
    slot, state = np.full(cores, -1, np.int64), np.empty((4, cores), np.int64)
    shared = isinstance(synapse, Conv2d)
    found: list[tuple[Array, Lists]] = []
    kept: list[tuple[Array, Array, Array]] = []
    for table, rows in tables(program, projection):
        if elements is None:
            chosen = np.arange(rows.start, rows.stop, dtype=np.int64)
        else:
            chosen = elements[(elements >= rows.start) & (elements < rows.stop)]
        ends, begin = np.zeros(chosen.size, np.int64), 0
        while begin < chosen.size:
            work = (table, chosen, begin, core_at, rank_at, fill, per_entry, skip, *buffers)
            begin = measure_lists(*work, slot, state, ends, core, digest, measures)
            n = int(ends[begin - 1])
            axons += np.bincount(core[:n], minlength=cores)
            if shared:
                kept.append(_distinct(core[:n], digest[:n], measures[:, :n]))
            else:
                found.append((core[:n].copy(), Lists(*measures[:, :n].copy())))
    if kept:
        merged = (np.concatenate([k[i] for k in kept], axis=-1) for i in range(3))
        core, _, measures = _distinct(*merged)
        found.append((core, Lists(*measures)))
    return found


def _distinct(core: Array, digest: Array, measures: Array) -> tuple[Array, Array, Array]:
    key = digest ^ (core.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    _, first = np.unique(key, return_index=True)
    return core[first], digest[first], measures[:, first]
