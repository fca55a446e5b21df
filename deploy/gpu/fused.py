"""CubaLif in one Triton kernel: all steps of a portion, the states in registers.

Imported only where Triton is there.
"""

# Triton's decorators and what stands in its kernels carry no types.
# mypy: disallow-untyped-decorators=False, disallow-untyped-defs=False
# mypy: disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import triton
import triton.language as tl

from ..neurons.arithmetic import DECAY_UNITY, STATE_LIMIT, STATE_SHIFT
from ..neurons.cuba_lif import CubaLif
from ..program import Population
from .neurons import Activity, Tensor, initial

Array = npt.NDArray[Any]

LIMIT = tl.constexpr(STATE_LIMIT - 1)
CURRENT_SHIFT = tl.constexpr(STATE_SHIFT)
BEYOND = tl.constexpr(2**26)
"""u clipped to this clips v to the same as u itself, and their sum fits 32 bits."""
BLOCK = 512
"""Neurons of one sample that a program steps."""
PER_WARP = 128
"""Four of them to a thread: sums of 16 bytes are read, and spikes written, in one layout."""
RESETS = {"zero": 0, "value": 1, "subtract": 2}


@triton.jit
def _decayed(x, kept):
    """sign(x) * ((|x| * kept) >> 12) without 64 bits, for kept up to 4096.

    |x| = 4096 h + l gives |x| kept >> 12 = h kept + (l kept >> 12), as h kept is whole.
    """
    size = tl.abs(x)
    scaled = (size >> 12) * kept + (((size & 4095) * kept) >> 12)
    return tl.where(x < 0, -scaled, scaled)


@triton.jit(do_not_specialize=["first", "steps", "onset", "interval", "refractory"])
def _advance(
    arriving,
    sent,
    u_state,
    v_state,
    rest_state,
    counts,
    saturated,
    rows,
    u_tape,
    v_tape,
    rest_tape,
    samples,
    n,
    first,
    steps,
    onset,
    interval,
    refractory,
    SHIFT: tl.constexpr,
    RESET: tl.constexpr,
    REFRACTORY: tl.constexpr,
    TAPED: tl.constexpr,
    SIZE: tl.constexpr,
):
    """Take all steps of SIZE neurons of one sample.

    arriving, sent and the tapes are (steps, samples, n), states and counts (samples, n), rows
    (5, n): what u keeps, what v keeps, bias, threshold, v after a spike.
    """
    sample = tl.program_id(0)
    neuron = tl.program_id(1) * SIZE + tl.arange(0, SIZE)
    inside = neuron < n
    place = sample * n + neuron
    u_kept = tl.load(rows + neuron, mask=inside, other=0)
    v_kept = tl.load(rows + n + neuron, mask=inside, other=0)
    bias = tl.load(rows + 2 * n + neuron, mask=inside, other=0)
    threshold = tl.load(rows + 3 * n + neuron, mask=inside, other=0)
    after = tl.load(rows + 4 * n + neuron, mask=inside, other=0)
    u = tl.load(u_state + place, mask=inside, other=0)
    v = tl.load(v_state + place, mask=inside, other=0)
    rest = u * 0
    if REFRACTORY:
        rest = tl.load(rest_state + place, mask=inside, other=0)
    count = u * 0
    clipped = u * 0
    moment = place
    for k in range(steps):
        t = first + k
        clear = t == onset
        if interval > 0:
            clear = t % interval == onset % interval
        u = tl.where(clear, 0, u)
        v = tl.where(clear, 0, v)
        a = tl.load(arriving + moment, mask=inside, other=0)
        if SHIFT > 0:
            a = a << SHIFT
        if SHIFT < 0:
            a = a >> -SHIFT
        u = _decayed(u, u_kept) + (a << CURRENT_SHIFT)
        bounded = tl.minimum(tl.maximum(u, -BEYOND), BEYOND)
        new = _decayed(v, v_kept) + bounded + bias
        new = tl.minimum(tl.maximum(new, -LIMIT), LIMIT)
        spike = new > threshold
        if REFRACTORY:
            rest = tl.where(clear, 0, rest)
            held = rest > 0
            new = tl.where(held, v, new)
            spike = spike & (rest <= 0)
            rest = tl.where(spike, refractory, tl.maximum(rest - 1, 0))
        if RESET == 0:
            v = tl.where(spike, 0, new)
        if RESET == 1:
            v = tl.where(spike, after, new)
        if RESET == 2:
            v = tl.where(spike, new - threshold, new)
        count += spike.to(tl.int32)
        clipped += (tl.abs(v) == LIMIT).to(tl.int32)
        tl.store(sent + moment, spike.to(tl.int8), mask=inside)
        if TAPED:
            tl.store(u_tape + moment, u, mask=inside)
            tl.store(v_tape + moment, v, mask=inside)
            if REFRACTORY:
                tl.store(rest_tape + moment, rest, mask=inside)
        moment += samples * n
    tl.store(u_state + place, u, mask=inside)
    tl.store(v_state + place, v, mask=inside)
    if REFRACTORY:
        tl.store(rest_state + place, rest, mask=inside)
    before = tl.load(counts + place, mask=inside, other=0)
    tl.store(counts + place, before + count, mask=inside)
    tl.atomic_add(saturated + sample, tl.sum(clipped, 0).to(tl.int64), sem="relaxed")


class FusedNeurons:
    """A population of CubaLif that takes all steps in one kernel."""

    state_bytes = 4

    def __init__(self, population: Population, order: Array, device: torch.device) -> None:
        neuron = population.neuron
        assert isinstance(neuron, CubaLif)
        self.neuron, self.size = neuron, population.size
        self.start = [values.int() for values in initial(population, order, device)]
        reset = neuron.reset_voltage if neuron.reset == "value" else np.zeros(1, np.int64)
        rows = (
            DECAY_UNITY - 1 - neuron.current_decay.astype(np.int64),
            DECAY_UNITY - neuron.voltage_decay.astype(np.int64),
            neuron.bias_mantissa.astype(np.int64) << neuron.bias_exponent,
            neuron.threshold.astype(np.int64) << STATE_SHIFT,
            reset,
        )
        table = np.stack([np.broadcast_to(row, (self.size,))[order] for row in rows])
        self.rows = torch.from_numpy(table.astype(np.int32)).to(device)
        self.block = min(BLOCK, max(32, triton.next_power_of_2(self.size)))

    def fresh(self, samples: int) -> list[Tensor]:
        """States before step 1, each (samples, n)."""
        return [values.expand(samples, -1).clone() for values in self.start]

    def advance(self, states: list[Tensor], activity: Activity) -> None:
        """Take the steps, change the states and fill what the activity holds."""
        neuron, steps = self.neuron, len(activity.sent)
        samples = len(activity.counts)
        u, v, rest = (*states, states[0])[:3]  # where there is no rest, it is not touched
        u_tape, v_tape, rest_tape = (*activity.tape, u, v, rest)[:3]
        _advance[samples, triton.cdiv(self.size, self.block)](
            activity.arriving[0],
            activity.sent,
            u,
            v,
            rest,
            activity.counts,
            activity.saturated,
            self.rows,
            u_tape,
            v_tape,
            rest_tape,
            samples,
            self.size,
            activity.first,
            steps,
            neuron.onset,
            neuron.reset_interval,
            neuron.refractory,
            SHIFT=activity.shift,
            RESET=RESETS[neuron.reset],
            REFRACTORY=neuron.refractory > 0,
            TAPED=bool(activity.tape),
            SIZE=self.block,
            num_warps=max(self.block // PER_WARP, 1),
        )
