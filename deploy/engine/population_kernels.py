"""The two kernels that a run consists of: collect what arrives, and advance a population.

Both go through a batch of samples and a range of steps without the interpreter. A tile of
neurons stays in the cache while it goes through a group of steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import types
from numba.extending import overload, register_jitable

from .compiled import INLINE, kernel
from .messages import write
from .neuron_kernels import update
from .synapse_kernels import accumulate, prepare
from .vectors import nonzero_bits


class Span(NamedTuple):
    """Which steps, and how messages get to them.

    Attributes:
        first, stop: the steps from first to stop - 1.
        delay: steps beyond the one that every projection takes.
        lift, shift: bits that a sum is shifted to the left, then to the right.
        group: steps that a tile goes through before the next tile.
        tile: neurons of a tile; a multiple of 64 unless it holds all.
        constant_first, constant_stop: the steps in which the constant current arrives.
        window_first, window_stop: the steps in which outputs are read.
        readouts: sum of 1 (count messages), 2 (last membrane), 4 (sum of the membrane).
        membrane: which state an output reads.
        fresh: whether the samples begin with the first of these steps.
    """

    first: int
    stop: int
    delay: int = 0
    lift: int = 0
    shift: int = 0
    group: int = 1
    tile: int = 1
    constant_first: int = 0
    constant_stop: int = 0
    window_first: int = 0
    window_stop: int = 0
    readouts: int = 0
    membrane: int = 0
    fresh: bool = False


class Arriving(NamedTuple):
    """Currents that were summed before.

    Attributes:
        collected: (ports, B, steps, n) or with 0 steps: none.
        constant: (B, n), the same in many steps; (0, 0): none.
    """

    collected: Any
    constant: Any


class Neurons(NamedTuple):
    """A population on its way through the steps.

    Attributes:
        states: each (B, n).
        start: (states, n), the states before step 1.
        rows: (k, n) parameters, see packing.py.
        saturated: int64 (B,), states that stood at the limit of 24 bits.
        windows: (3, B, n), what the outputs read: count, last, mean; (3, 0, 0): no output.
        total: (ports, tile + 64), scratch.
        sent: (tile + 64,), scratch: the messages of a tile.
    """

    states: Any
    start: Any
    rows: Any
    saturated: Any
    windows: Any
    total: Any
    sent: Any


@kernel
def advance(
    span: Span,
    table: Any,
    source: Any,
    arriving: Any,
    options: Any,
    neurons: Any,
    target: Any,
    listing: Any,
) -> None:
    """Take a population through the steps: sum what arrives, update, send.

    Args:
        span: which steps.
        table: the synapses of one projection into port 0, or none.
        source: Messages of its source; those of the population itself for a loop, which
            needs groups of one step and one tile.
        arriving: what other projections bring.
        options: of the model, see neuron_kernels.py.
        neurons: their states.
        target: Messages to be written, rows for all steps.
        listing: scratch.
    """
    samples, size = neurons.states[0].shape
    for b in range(samples):
        clipped = 0
        if span.fresh:
            neurons.saturated[b] = 0
        for first in range(span.first, span.stop, span.group):
            stop = min(first + span.group, span.stop)
            for t in range(first, stop):
                prepare(table, source, b, t - 1 - span.delay, listing, t - first)
            for begin in range(0, size, span.tile):
                end = min(begin + span.tile, size)
                if span.fresh and first == span.first:
                    restart(neurons, b, begin, end)
                for t in range(first, stop):
                    lift = arrive(
                        span, table, arriving, neurons, listing, b, t, first, begin, end
                    )
                    clipped += update(
                        options,
                        t,
                        neurons.total,
                        lift,
                        neurons.states,
                        (b, begin, end),
                        neurons.sent,
                        neurons.rows,
                    )
                    send(span, neurons, target, b, t, begin, end)
        neurons.saturated[b] += clipped


@register_jitable(forceinline=True)
def arrive(
    span: Any,
    table: Any,
    arriving: Any,
    neurons: Any,
    listing: Any,
    b: int,
    t: int,
    first: int,
    begin: int,
    end: int,
) -> Any:
    """Sum up all currents of one step and tile; by how many bits they still must be lifted."""
    total = neurons.total[0]
    total[:] = 0
    accumulate(table, listing, t - first, begin, end, total)
    alone = not arriving.collected.shape[2] and not arriving.constant.size
    if alone and not span.shift:
        return span.lift
    if span.lift or span.shift:
        shifted(total, end - begin, span.lift, span.shift)
    if span.constant_first <= t < span.constant_stop:
        constant = arriving.constant[b, begin:end]
        for i in range(end - begin):
            total[i] += constant[i]
    if arriving.collected.shape[2]:
        for port in range(neurons.total.shape[0]):
            total = neurons.total[port]
            collected = arriving.collected[port, b, t - span.first, begin:end]
            if port:
                total[:] = 0
            for i in range(end - begin):
                total[i] += collected[i]
    return 0


def lifted_and_lowered(total: Any, lift: int, shift: int) -> Any:
    """(total << lift) >> shift of a whole number; a fraction as it is."""
    raise NotImplementedError


@overload(lifted_and_lowered, strict=False, jit_options=INLINE)
def _lifted_and_lowered(total: Any, lift: Any, shift: Any) -> Any:
    if isinstance(total, types.Integer):
        return lambda total, lift, shift: (total << lift) >> shift
    return lambda total, lift, shift: total


@register_jitable(forceinline=True)
def shifted(total: Any, size: int, lift: int, shift: int) -> None:
    """Replace total by (total << lift) >> shift, which floors; whole numbers only."""
    for i in range(size):
        total[i] = lifted_and_lowered(total[i], lift, shift)


@register_jitable(forceinline=True)
def restart(neurons: Any, b: int, begin: int, end: int) -> None:
    """A tile as it is before step 1."""
    for k in range(len(neurons.states)):
        state, start = neurons.states[k][b, begin:end], neurons.start[k, begin:end]
        for i in range(end - begin):
            state[i] = start[i]


@register_jitable(forceinline=True)
def send(span: Any, neurons: Any, target: Any, b: int, t: int, begin: int, end: int) -> None:
    """Write the messages of a tile, and read what outputs read."""
    sent, size, row = neurons.sent, end - begin, t - target.first
    for i in range(size, size + 64):
        sent[i] = 0
    for w in range((size + 63) // 64):
        target.bits[b, row, begin // 64 + w] = nonzero_bits(sent, w * 64)
    write(target.values, b, row, begin, size, sent)
    if span.readouts and span.window_first <= t < span.window_stop:
        if span.readouts & 1:
            for i in range(size):
                neurons.windows[0, b, begin + i] += sent[i]
        membrane = neurons.states[span.membrane]
        if span.readouts & 2:
            for i in range(begin, end):
                neurons.windows[1, b, i] = membrane[b, i]
        if span.readouts & 4:
            for i in range(begin, end):
                neurons.windows[2, b, i] += membrane[b, i]


@kernel
def collect(
    span: Span, table: Any, source: Any, places: Any, into: Any, listing: Any, total: Any
) -> None:
    """Add what one projection brings to into[b, t - first, ...] for all steps of the span.

    Args:
        span: which steps, delay, lift and shift; group must be 1.
        table: the synapses.
        source: Messages of their source.
        listing: scratch.
        places: int32 (n_out,), where the projection's outputs stand in `into`; (0,): as is.
        into: (B, steps, n_out).
        total: (n_out + 64,), scratch.
    """
    samples, _, size = into.shape
    for b in range(samples):
        for t in range(span.first, span.stop):
            step = t - 1 - span.delay
            if prepare(table, source, b, step, listing, 0) == 0:
                continue
            total[:] = 0
            accumulate(table, listing, 0, 0, size, total)
            if span.lift or span.shift:
                shifted(total, size, span.lift, span.shift)
            target = into[b, t - span.first]
            if places.size:
                for i in range(size):
                    target[places[i]] += total[i]
            else:
                for i in range(size):
                    target[i] += total[i]
