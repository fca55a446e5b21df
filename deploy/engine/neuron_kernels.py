"""The neurons' loops, compiled by numba: at least one a model.

One source serves both precisions: the functions of arithmetic.py are chosen by the type of the
states, int32 at `fixed` (computed in int64) and float64 at `float`.
What a large network consists of has a kernel of its own that computes in 32 bits, where
packing.py has proven that they hold.

    update(options, t, total, lift, states, place, sent, rows)

takes the neurons begin to end - 1 of sample b through step t and returns how many of their
states stood at the limit of 24 bits:

    options     the model and its whole numbers for each step, see `Options`
    total       (ports, tile), what arrives
    lift        bits by which that must be shifted to the left (one port only)
    place       (b, begin, end)
    states      the model's states, arrays (B, n), in the model's order
    sent        (tile + 64,), the messages of this step: uint8 for spikes, else as the states
    rows        (k, n), the parameters as packing.py packs them
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from ..neurons.arithmetic import STATE_SHIFT
from .arithmetic import LIMIT, at_limit, bounded, lifted, lowered, scaled, scaled_narrow
from .compiled import INLINE

LOWEST, HIGHEST = np.int32(-LIMIT), np.int32(LIMIT)


class CubaLifNarrow(NamedTuple):
    """CubaLif in 32 bits; steps: clear, subtract, whether u is kept.

    A u that keeps nothing of itself need not be written, unless it is recorded. Row t of
    `steps` is, here and in the others, for step t, and the last row for all that follow.
    """

    steps: Any


class CubaLifWide(NamedTuple):
    """CubaLif with any reset and refractory period; steps: clear, subtract, period."""

    steps: Any


class TernaryLifKernel(NamedTuple):
    """TernaryLif; steps: nothing."""

    steps: Any


class AdaptiveLifKernel(NamedTuple):
    """AdaptiveLif; steps: nothing."""

    steps: Any


class SigmaDeltaExact(NamedTuple):
    """SigmaDelta; steps: accumulate, relu, state exponent, input exponent, whether to send."""

    steps: Any


class SigmaDeltaLossy(NamedTuple):
    """SigmaDelta as stock Lava has it; steps as for the exact one."""

    steps: Any


class ResonatorKernel(NamedTuple):
    """Resonator; steps: whether a spike resets, state exponent."""

    steps: Any


class FirstSpikeKernel(NamedTuple):
    """FirstSpike; steps: whether it collects, whether it rises."""

    steps: Any


def update(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> int:
    """See the module."""
    raise NotImplementedError


@overload(update, strict=False, jit_options=INLINE)
def _update(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> Any:
    return STEPS[options.instance_class]


def cuba_lif_narrow(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> int:
    """CubaLif without refractory period in 32 bits, which packing.py has proven to hold.

    Rows: what u keeps, what v keeps, bias, threshold, v after a spike.
    """
    whole = options.steps[min(t, len(options.steps) - 1)]
    clear, subtract, keeps = whole[0], whole[1], whole[2]
    b, begin, end = place
    u, v = states[0][b, begin:end], states[1][b, begin:end]
    kept_u, kept_v, bias = rows[0, begin:end], rows[1, begin:end], rows[2, begin:end]
    arriving, threshold, after = total[0], rows[3, begin:end], rows[4, begin:end]
    if clear:
        u[:] = 0
        v[:] = 0
    bits = np.int32(STATE_SHIFT + lift)
    most = least = np.int32(0)
    for i in range(u.size):
        current = np.int32(np.int32(arriving[i]) << bits)
        if keeps:
            current = np.int32(scaled_narrow(u[i], kept_u[i]) + current)
        voltage = np.int32(np.int32(scaled_narrow(v[i], kept_v[i]) + current) + bias[i])
        voltage = LOWEST if voltage < LOWEST else voltage
        voltage = HIGHEST if voltage > HIGHEST else voltage
        spike = voltage > threshold[i]
        reset = np.int32(voltage - threshold[i]) if subtract else after[i]
        voltage = reset if spike else voltage
        sent[i] = spike
        if keeps:
            u[i] = current
        v[i] = voltage
        most = voltage if voltage > most else most
        least = voltage if voltage < least else least
    clipped = 0
    if most == HIGHEST or least == LOWEST:
        for i in range(u.size):
            clipped += at_limit(v[i])
    return clipped


def cuba_lif(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> int:
    """CubaLif with any reset; with a refractory period there is a third state.

    Rows: as for the narrow one.
    """
    b, begin, end = place
    whole = options.steps[min(t, len(options.steps) - 1)]
    clear, subtract, refractory = whole[0], whole[1], whole[2]
    arriving, clipped = total[0], 0
    for i in range(end - begin):
        n = begin + i
        u, v = states[0][b, n], states[1][b, n]
        resting = len(states) > 2 and states[-1][b, n] > 0
        if clear:
            u, v, resting = u * 0, v * 0, False
            if len(states) > 2:
                states[-1][b, n] = 0
        current = scaled(u, rows[0, n]) + lifted(arriving[i], STATE_SHIFT + lift)
        spike = False
        if resting:
            states[-1][b, n] -= 1
            voltage = lifted(v, 0)
        else:
            voltage = bounded(scaled(v, rows[1, n]) + current + rows[2, n])
            spike = voltage > rows[3, n]
            if spike:
                voltage = voltage - rows[3, n] if subtract else rows[4, n]
                if len(states) > 2:
                    states[-1][b, n] = refractory
        clipped += at_limit(voltage)
        sent[i] = spike
        states[0][b, n] = current
        states[1][b, n] = voltage
    return clipped


def ternary_lif(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> int:
    """TernaryLif. Rows: what u keeps, what v keeps, bias, high and low threshold."""
    b, begin, end = place
    (u, v), arriving, clipped = states, total[0], 0
    for i in range(end - begin):
        n = begin + i
        current = scaled(u[b, n], rows[0, n]) + lifted(arriving[i], STATE_SHIFT + lift)
        voltage = bounded(scaled(v[b, n], rows[1, n]) + current + rows[2, n])
        message = int(voltage > rows[3, n]) - int(voltage < rows[4, n])
        if message:
            voltage = voltage * 0
        clipped += at_limit(voltage)
        sent[i] = message
        u[b, n] = current
        v[b, n] = voltage
    return clipped


def adaptive_lif(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> int:
    """AdaptiveLif.

    Rows: what i, v, theta and r keep, bias, resting threshold, what a spike adds to theta.
    """
    b, begin, end = place
    (i_state, v, theta, r), arriving, clipped = states, total[0], 0
    for i in range(end - begin):
        n = begin + i
        current = scaled(i_state[b, n], rows[0, n]) + lifted(arriving[i], STATE_SHIFT + lift)
        voltage = bounded(scaled(v[b, n], rows[1, n]) + current + rows[4, n])
        resting = rows[5, n]
        threshold = scaled(theta[b, n] - resting, rows[2, n]) + resting
        refractory = scaled(r[b, n], rows[3, n])
        spike = voltage - refractory >= threshold
        if spike:
            refractory += 2 * threshold
            threshold += rows[6, n]
        clipped += at_limit(voltage)
        sent[i] = spike
        i_state[b, n] = current
        v[b, n] = voltage
        theta[b, n] = threshold
        r[b, n] = refractory
    return clipped


def sigma_delta(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> int:
    """SigmaDelta, exact. Rows: bias, threshold, ceiling."""
    b, begin, end = place
    (sigma, known), arriving = states, total[0]
    whole = options.steps[min(t, len(options.steps) - 1)]
    accumulate, relu, exponent = whole[0], whole[1], whole[2]
    input_exponent, sends = whole[3], whole[4]
    half = (1 << exponent) >> 1
    for i in range(end - begin):
        n = begin + i
        value = lifted(arriving[i], input_exponent + lift)
        if accumulate:
            value += sigma[b, n]
        sigma[b, n] = value
        x = value + rows[0, n]
        if relu:
            x = min(max(x, x * 0), rows[2, n])
        change = x - known[b, n]
        message = change * 0
        if sends and abs(change) >= rows[1, n]:
            message = lowered(change + half, exponent)
            if message != 0:
                known[b, n] += lifted(message, exponent)
        sent[i] = message
    return 0


def sigma_delta_lossy(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> int:
    """SigmaDelta as stock Lava has it. Rows as for the exact one."""
    b, begin, end = place
    (sigma, activation, residue), arriving = states, total[0]
    whole = options.steps[min(t, len(options.steps) - 1)]
    accumulate, relu, exponent = whole[0], whole[1], whole[2]
    input_exponent, sends = whole[3], whole[4]
    for i in range(end - begin):
        n = begin + i
        value = lifted(arriving[i], input_exponent + lift)
        if accumulate:
            value += sigma[b, n]
        sigma[b, n] = value
        x = value + rows[0, n]
        if relu:
            x = min(max(x, x * 0), rows[2, n])
        change = x - activation[b, n] + residue[b, n]
        fired = change if sends and abs(change) >= rows[1, n] else change * 0
        activation[b, n] = x
        residue[b, n] = change - fired
        sent[i] = lowered(fired, exponent)
    return 0


def resonator(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> int:
    """Resonator. Rows: cosine, sine, threshold, imaginary part after a spike."""
    b, begin, end = place
    (real, imaginary), clipped = states, 0
    whole = options.steps[min(t, len(options.steps) - 1)]
    resets, exponent = whole[0], whole[1]
    for i in range(end - begin):
        n = begin + i
        cosine, sine, before = rows[0, n], rows[1, n], imaginary[b, n]
        x = scaled(real[b, n], cosine) - scaled(before, sine)
        y = scaled(real[b, n], sine) + scaled(before, cosine)
        x = bounded(x + lifted(total[0, i], exponent))
        y = bounded(y + lifted(total[1, i], exponent))
        if resets:
            spike = y >= rows[2, n]
            if spike:
                x = x * 0
                y = rows[3, n]
        else:
            spike = x >= rows[2, n] and y >= 0 and before < 0
        clipped += int(at_limit(x)) + int(at_limit(y))
        sent[i] = spike
        real[b, n] = x
        imaginary[b, n] = y
    return clipped


def first_spike(
    options: Any, t: Any, total: Any, lift: Any, states: Any, place: Any, sent: Any, rows: Any
) -> int:
    """FirstSpike. Rows: slope, threshold."""
    b, begin, end = place
    (u, v, spiked), arriving, clipped = states, total[0], 0
    whole = options.steps[min(t, len(options.steps) - 1)]
    collects, rises = whole[0], whole[1]
    for i in range(end - begin):
        n = begin + i
        current = u[b, n] + lifted(arriving[i], lift)
        u[b, n] = current
        spike = False
        if collects:
            v[b, n] = bounded(v[b, n] + current)
        elif rises:
            v[b, n] = bounded(v[b, n] + rows[0, n])
            spike = v[b, n] > rows[1, n] and spiked[b, n] == 0
        if spike:
            spiked[b, n] = 1
        clipped += at_limit(v[b, n])
        sent[i] = spike
    return clipped


STEPS = {
    CubaLifNarrow: cuba_lif_narrow,
    CubaLifWide: cuba_lif,
    TernaryLifKernel: ternary_lif,
    AdaptiveLifKernel: adaptive_lif,
    SigmaDeltaExact: sigma_delta,
    SigmaDeltaLossy: sigma_delta_lossy,
    ResonatorKernel: resonator,
    FirstSpikeKernel: first_spike,
}
"""Options of a model -> its loop."""
