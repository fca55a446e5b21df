"""What a run consists of: collect what arrives, advance a population, and drive through steps.

The first two go through a batch of samples and a range of steps without the interpreter, the
last through all populations of a loop. A tile of neurons stays in the cache while it goes
through a group of steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import types
from numba.extending import overload, register_jitable

from .compiled import INLINE, kernel
from .messages import write
from .native import Routine, call, restored
from .neuron_kernels import update
from .vectors import nonzero_bits


class Calls(NamedTuple):
    """The synapses of one projection: addresses of routines and of their arguments.

    Attributes:
        prepare, listed: list the messages of some steps, see messages.py.
        fetch, fetched: get their values; 0 where they have none.
        accumulate, place: sum what they bring, see synapse_kernels.py; 0: there are none.
    """

    prepare: int = 0
    listed: int = 0
    fetch: int = 0
    fetched: int = 0
    accumulate: int = 0
    place: int = 0


class Span(NamedTuple):
    """How messages get to a population, and how it goes through the steps.

    Attributes:
        delay: steps beyond the one that every projection takes.
        lift, shift: bits that a sum is shifted to the left, then to the right.
        group: steps that a tile goes through before the next tile.
        tile: neurons of a tile; a multiple of 64 unless it holds all.
        constant: the step in which the constant current begins to arrive.
        readouts: sum of 1 (count messages), 2 (last membrane), 4 (sum of the membrane).
        membrane: which state an output reads.
    """

    delay: int = 0
    lift: int = 0
    shift: int = 0
    group: int = 1
    tile: int = 1
    constant: int = 0
    readouts: int = 0
    membrane: int = 0


class Arriving(NamedTuple):
    """Currents that were summed before.

    Attributes:
        collected: (ports, B, steps, n) or with 0 steps: none.
        constant: (B, n), the same in all steps of a presentation; (0, 0): none.
        first: int64 (1,), the first of the collected steps.
    """

    collected: Any
    constant: Any
    first: Any


class Neurons(NamedTuple):
    """A population on its way through the steps.

    Attributes:
        states: each (B, n).
        start: (states, n), the states before step 1.
        rows: (k, n) parameters, see packing.py.
        saturated: int64 (B,), states that stood at the limit of 24 bits.
        windows: (3, B, n), what the outputs read: count, last, mean; (3, 0, 0): no output.
        limits: int64 (3,): steps of the presentation; first step in which outputs are read,
            and the step behind the last.
        total: (ports, tile + 64), scratch.
        sent: (tile + 64,), scratch: the messages of a tile.
    """

    states: Any
    start: Any
    rows: Any
    saturated: Any
    windows: Any
    limits: Any
    total: Any
    sent: Any


@kernel
def drive(calls: Any, first: int, stop: int, at_once: int) -> None:
    """Call routines one after the other for some steps at once, then for the next steps.

    Args:
        calls: int64 (k, 2), address and place of each.
        first: first step.
        stop: last step and 1.
        at_once: steps.
    """
    for t in range(first, stop, at_once):
        for k in range(calls.shape[0]):
            call(calls[k, 0], calls[k, 1], t, min(t + at_once, stop), 0)


@Routine
def advance(place: Any, first: int, stop: int, unused: int) -> None:
    """Take a population through the steps: sum what arrives, update, send.

    Of Arguments (span, calls, arriving, options, neurons, target): the synapses summed here
    may come from the population itself, which needs groups of one step and one tile; options
    are those of the model, see neuron_kernels.py; target has rows for all steps.
    """
    span, calls, arriving, options, neurons, target = restored(place)
    samples, size = neurons.states[0].shape
    for b in range(samples):
        clipped = 0
        if first == 1:
            neurons.saturated[b] = 0
        for begins in range(first, stop, span.group):
            ends = min(begins + span.group, stop)
            if calls.place:
                find(calls, b, begins - 1 - span.delay, ends - begins)
            for begin in range(0, size, span.tile):
                end = min(begin + span.tile, size)
                if begins == 1:
                    restart(neurons, b, begin, end)
                for t in range(begins, ends):
                    neurons.total[0, :] = 0
                    if calls.place:
                        call(calls.accumulate, calls.place, t - begins, begin, end)
                    lift = arrive(span, arriving, neurons, b, t, begin, end)
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


@register_jitable(**INLINE)
def find(calls: Any, b: int, first: int, steps: int) -> None:
    """Find the messages of some steps."""
    call(calls.prepare, calls.listed, b, first, steps)
    if calls.fetch:
        call(calls.fetch, calls.fetched, b, first, steps)


@register_jitable(**INLINE)
def arrive(span: Any, arriving: Any, neurons: Any, b: int, t: int, begin: int, end: int) -> Any:
    """Add up all currents of one step and tile; by how many bits they still must be lifted."""
    alone = not arriving.collected.shape[2] and not arriving.constant.size
    if alone and not span.shift:
        return span.lift
    total = neurons.total[0]
    if span.lift or span.shift:
        shifted(total, end - begin, span.lift, span.shift)
    if arriving.constant.size and 0 <= t - span.constant < neurons.limits[0]:
        constant = arriving.constant[b, begin:end]
        for i in range(end - begin):
            total[i] += constant[i]
    if arriving.collected.shape[2]:
        for port in range(neurons.total.shape[0]):
            total = neurons.total[port]
            collected = arriving.collected[port, b, t - arriving.first[0], begin:end]
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


@register_jitable(**INLINE)
def shifted(total: Any, size: int, lift: int, shift: int) -> None:
    """Replace total by (total << lift) >> shift, which floors; whole numbers only."""
    for i in range(size):
        total[i] = lifted_and_lowered(total[i], lift, shift)


@register_jitable(**INLINE)
def restart(neurons: Any, b: int, begin: int, end: int) -> None:
    """A tile as it is before step 1."""
    for k in range(len(neurons.states)):
        state, start = neurons.states[k][b, begin:end], neurons.start[k, begin:end]
        for i in range(end - begin):
            state[i] = start[i]


@register_jitable(**INLINE)
def send(span: Any, neurons: Any, target: Any, b: int, t: int, begin: int, end: int) -> None:
    """Write the messages of a tile, and read what outputs read."""
    sent, size, row = neurons.sent, end - begin, t - target.first[0]
    for i in range(size, size + 64):
        sent[i] = 0
    for w in range((size + 63) // 64):
        target.bits[b, row, begin // 64 + w] = nonzero_bits(sent, w * 64)
    write(target.values, b, row, begin, size, sent)
    if span.readouts and neurons.limits[1] <= t < neurons.limits[2]:
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


@Routine
def collect(place: Any, first: int, stop: int, unused: int) -> None:
    """Add what one projection brings to into[b, t - origin[0], ...] for all steps.

    Of Arguments (span, calls, count, places, into, origin, total): span holds delay, lift and
    shift; count[0] is how many messages were listed; places int32 (n_out,) is where the
    projection's outputs stand in `into`, (0,): as is; into (B, steps, n_out); total is what
    the synapses are summed into.
    """
    span, calls, count, places, into, origin, total = restored(place)
    samples, _, size = into.shape
    for b in range(samples):
        for t in range(first, stop):
            find(calls, b, t - 1 - span.delay, 1)
            if count[0] == 0:
                continue
            total[:] = 0
            call(calls.accumulate, calls.place, 0, 0, size)
            if span.lift or span.shift:
                shifted(total, size, span.lift, span.shift)
            target = into[b, t - origin[0]]
            if places.size:
                for i in range(size):
                    target[places[i]] += total[i]
            else:
                for i in range(size):
                    target[i] += total[i]
