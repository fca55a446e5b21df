"""The neurons' loops, compiled by numba: at least one a model.

One source serves both precisions: `scaled`, `lifted`, `lowered`, `bounded` and `at_limit` are
chosen by the type of the states, int32 at `fixed` (computed in int64) and float64 at `float`.

Every kernel has the same arguments, so that the runner needs to know no model:

    arriving    one array (B, n) a port; the kernel takes the currents out (leaves zeros)
    states      the model's states, arrays (B, n), in the model's order
    sent        (B, n) messages of this step: uint8 for spikes, else of the states' type
    counts      int32 (B, n): how many messages other than 0 were sent
    saturated   int64 (B,): how many states stood at the limit of 24 bits
    rows        int64 or float64 (k, n), the parameters as packing.py packs them
    options     whole numbers, the same for all neurons of a step
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from ..neurons.arithmetic import STATE_LIMIT, STATE_SHIFT

LIMIT = STATE_LIMIT - 1


def _is_whole(x: Any) -> bool:
    """For the plain functions, which run where numba's compiler is switched off."""
    return isinstance(x, int | np.integer)


def scaled(x: Any, factor: Any) -> Any:
    """Floats: x * factor. Integers: x * factor / 4096, rounded towards zero."""
    if not _is_whole(x):
        return x * factor
    product = np.int64(x) * factor
    return -((-product) >> 12) if product < 0 else product >> 12


def lifted(x: Any, bits: Any) -> Any:
    """Integers: x << bits, as int64. Floats: x."""
    return np.int64(x) << bits if _is_whole(x) else x


def lowered(x: Any, bits: Any) -> Any:
    """Integers: x >> bits, which floors. Floats: x."""
    return x >> bits if _is_whole(x) else x


def bounded(x: Any) -> Any:
    """Integers: clipped to 24 bits, symmetric. Floats: x."""
    return min(max(x, -LIMIT), LIMIT) if _is_whole(x) else x


def at_limit(x: Any) -> Any:
    """Integers: whether x stands where `bounded` clips. Floats: never."""
    return bool(_is_whole(x) and abs(x) == LIMIT)


@overload(scaled, strict=False)
def _scaled(x: Any, factor: Any) -> Any:
    def whole(x: Any, factor: Any) -> Any:
        product = np.int64(x) * factor
        return -((-product) >> 12) if product < 0 else product >> 12

    return whole if isinstance(x, types.Integer) else lambda x, factor: x * factor


@overload(lifted, strict=False)
def _lifted(x: Any, bits: Any) -> Any:
    if isinstance(x, types.Integer):
        return lambda x, bits: np.int64(x) << bits
    return lambda x, bits: x


@overload(lowered, strict=False)
def _lowered(x: Any, bits: Any) -> Any:
    return (lambda x, bits: x >> bits) if isinstance(x, types.Integer) else lambda x, bits: x


@overload(bounded, strict=False)
def _bounded(x: Any) -> Any:
    if isinstance(x, types.Integer):
        return lambda x: min(max(x, -LIMIT), LIMIT)
    return lambda x: x


@overload(at_limit, strict=False)
def _at_limit(x: Any) -> Any:
    if isinstance(x, types.Integer):
        return lambda x: x == LIMIT or x == -LIMIT
    return lambda x: False


@njit(cache=True, nogil=True)
def cuba_lif(
    arriving: Any, states: Any, sent: Any, counts: Any, saturated: Any, rows: Any, options: Any
) -> None:
    """CubaLif with reset to zero and no refractory period: the lean one.

    Rows: what u keeps, what v keeps, bias, threshold. Options: whether to clear.
    """
    (a,), (u, v), (clear,) = arriving, states, options
    for b in range(u.shape[0]):
        clipped = 0
        for i in range(u.shape[1]):
            arrived = lifted(a[b, i], STATE_SHIFT)
            a[b, i] = 0
            if clear:
                current = arrived
                voltage = current + rows[2, i]
            else:
                current = scaled(u[b, i], rows[0, i]) + arrived
                voltage = scaled(v[b, i], rows[1, i]) + current + rows[2, i]
            voltage = bounded(voltage)
            spike = voltage > rows[3, i]
            if spike:
                voltage = voltage * 0
                counts[b, i] += 1
            elif at_limit(voltage):
                clipped += 1
            sent[b, i] = spike
            u[b, i] = current
            v[b, i] = voltage
        saturated[b] += clipped


@njit(cache=True, nogil=True)
def cuba_lif_general(
    arriving: Any, states: Any, sent: Any, counts: Any, saturated: Any, rows: Any, options: Any
) -> None:
    """CubaLif with any reset, without refractory period.

    Rows: as the lean one, and v after a spike. Options: whether to clear, to subtract.
    """
    (a,), (u, v), (clear, subtract) = arriving, states, options
    for b in range(u.shape[0]):
        clipped = 0
        for i in range(u.shape[1]):
            arrived = lifted(a[b, i], STATE_SHIFT)
            a[b, i] = 0
            if clear:
                current = arrived
                voltage = current + rows[2, i]
            else:
                current = scaled(u[b, i], rows[0, i]) + arrived
                voltage = scaled(v[b, i], rows[1, i]) + current + rows[2, i]
            voltage = bounded(voltage)
            spike = voltage > rows[3, i]
            if spike:
                voltage = voltage - rows[3, i] if subtract else rows[4, i]
                counts[b, i] += 1
            if at_limit(voltage):
                clipped += 1
            sent[b, i] = spike
            u[b, i] = current
            v[b, i] = voltage
        saturated[b] += clipped


@njit(cache=True, nogil=True)
def cuba_lif_refractory(
    arriving: Any, states: Any, sent: Any, counts: Any, saturated: Any, rows: Any, options: Any
) -> None:
    """CubaLif with any reset and a refractory period.

    Rows: as the general one. Options: whether to clear, to subtract; the period in steps.
    """
    (a,), (u, v, rest), (clear, subtract, refractory) = arriving, states, options
    for b in range(u.shape[0]):
        clipped = 0
        for i in range(u.shape[1]):
            if clear:
                u[b, i] = 0
                v[b, i] = 0
                rest[b, i] = 0
            current = scaled(u[b, i], rows[0, i]) + lifted(a[b, i], STATE_SHIFT)
            a[b, i] = 0
            u[b, i] = current
            if rest[b, i] > 0:
                rest[b, i] -= 1
                sent[b, i] = 0
            else:
                voltage = scaled(v[b, i], rows[1, i]) + current + rows[2, i]
                voltage = bounded(voltage)
                spike = voltage > rows[3, i]
                if spike:
                    voltage = voltage - rows[3, i] if subtract else rows[4, i]
                    rest[b, i] = refractory
                    counts[b, i] += 1
                sent[b, i] = spike
                v[b, i] = voltage
            if at_limit(v[b, i]):
                clipped += 1
        saturated[b] += clipped


@njit(cache=True, nogil=True)
def ternary_lif(
    arriving: Any, states: Any, sent: Any, counts: Any, saturated: Any, rows: Any, options: Any
) -> None:
    """TernaryLif. Rows: what u keeps, what v keeps, bias, high and low threshold."""
    (a,), (u, v) = arriving, states
    for b in range(u.shape[0]):
        clipped = 0
        for i in range(u.shape[1]):
            current = scaled(u[b, i], rows[0, i]) + lifted(a[b, i], STATE_SHIFT)
            a[b, i] = 0
            voltage = scaled(v[b, i], rows[1, i]) + current + rows[2, i]
            voltage = bounded(voltage)
            message = int(voltage > rows[3, i]) - int(voltage < rows[4, i])
            if message:
                voltage = voltage * 0
                counts[b, i] += 1
            if at_limit(voltage):
                clipped += 1
            sent[b, i] = message
            u[b, i] = current
            v[b, i] = voltage
        saturated[b] += clipped


@njit(cache=True, nogil=True)
def adaptive_lif(
    arriving: Any, states: Any, sent: Any, counts: Any, saturated: Any, rows: Any, options: Any
) -> None:
    """AdaptiveLif.

    Rows: what i, v, theta and r keep, bias, resting threshold, what a spike adds to theta.
    """
    (a,), (i_state, v, theta, r) = arriving, states
    for b in range(v.shape[0]):
        clipped = 0
        for i in range(v.shape[1]):
            current = scaled(i_state[b, i], rows[0, i]) + lifted(a[b, i], STATE_SHIFT)
            a[b, i] = 0
            voltage = scaled(v[b, i], rows[1, i]) + current + rows[4, i]
            voltage = bounded(voltage)
            resting = rows[5, i]
            threshold = scaled(theta[b, i] - resting, rows[2, i]) + resting
            refractory = scaled(r[b, i], rows[3, i])
            spike = voltage - refractory >= threshold
            if spike:
                refractory += 2 * threshold
                threshold += rows[6, i]
                counts[b, i] += 1
            if at_limit(voltage):
                clipped += 1
            sent[b, i] = spike
            i_state[b, i] = current
            v[b, i] = voltage
            theta[b, i] = threshold
            r[b, i] = refractory
        saturated[b] += clipped


@njit(cache=True, nogil=True)
def sigma_delta(
    arriving: Any, states: Any, sent: Any, counts: Any, saturated: Any, rows: Any, options: Any
) -> None:
    """SigmaDelta, exact. Rows: bias, threshold, ceiling.

    Options: whether to accumulate, relu, state exponent, input exponent, whether to send.
    """
    (a,), (sigma, known) = arriving, states
    accumulate, relu, exponent, input_exponent, sends = options
    half = (1 << exponent) >> 1
    for b in range(sigma.shape[0]):
        for i in range(sigma.shape[1]):
            value = lifted(a[b, i], input_exponent)
            a[b, i] = 0
            if accumulate:
                value += sigma[b, i]
            sigma[b, i] = value
            x = value + rows[0, i]
            if relu:
                x = min(max(x, x * 0), rows[2, i])
            change = x - known[b, i]
            message = change * 0
            if sends and abs(change) >= rows[1, i]:
                message = lowered(change + half, exponent)
                if message != 0:
                    counts[b, i] += 1
                    known[b, i] += lifted(message, exponent)
            sent[b, i] = message


@njit(cache=True, nogil=True)
def sigma_delta_lossy(
    arriving: Any, states: Any, sent: Any, counts: Any, saturated: Any, rows: Any, options: Any
) -> None:
    """SigmaDelta as stock Lava has it. Rows and options as for the exact one."""
    (a,), (sigma, activation, residue) = arriving, states
    accumulate, relu, exponent, input_exponent, sends = options
    for b in range(sigma.shape[0]):
        for i in range(sigma.shape[1]):
            value = lifted(a[b, i], input_exponent)
            a[b, i] = 0
            if accumulate:
                value += sigma[b, i]
            sigma[b, i] = value
            x = value + rows[0, i]
            if relu:
                x = min(max(x, x * 0), rows[2, i])
            change = x - activation[b, i] + residue[b, i]
            fired = change if sends and abs(change) >= rows[1, i] else change * 0
            message = lowered(fired, exponent)
            if message != 0:
                counts[b, i] += 1
            activation[b, i] = x
            residue[b, i] = change - fired
            sent[b, i] = message


@njit(cache=True, nogil=True)
def resonator(
    arriving: Any, states: Any, sent: Any, counts: Any, saturated: Any, rows: Any, options: Any
) -> None:
    """Resonator.

    Rows: cosine, sine, threshold, imaginary part after a spike. Options: whether a spike
    resets, state exponent.
    """
    (a_real, a_imaginary), (real, imaginary) = arriving, states
    resets, exponent = options
    for b in range(real.shape[0]):
        clipped = 0
        for i in range(real.shape[1]):
            cosine, sine, before = rows[0, i], rows[1, i], imaginary[b, i]
            x = scaled(real[b, i], cosine) - scaled(before, sine)
            y = scaled(real[b, i], sine) + scaled(before, cosine)
            x = bounded(x + lifted(a_real[b, i], exponent))
            y = bounded(y + lifted(a_imaginary[b, i], exponent))
            a_real[b, i] = 0
            a_imaginary[b, i] = 0
            if resets:
                spike = y >= rows[2, i]
                if spike:
                    x = x * 0
                    y = rows[3, i]
            else:
                spike = x >= rows[2, i] and y >= 0 and before < 0
            if spike:
                counts[b, i] += 1
            clipped += int(at_limit(x)) + int(at_limit(y))
            sent[b, i] = spike
            real[b, i] = x
            imaginary[b, i] = y
        saturated[b] += clipped


@njit(cache=True, nogil=True)
def first_spike(
    arriving: Any, states: Any, sent: Any, counts: Any, saturated: Any, rows: Any, options: Any
) -> None:
    """FirstSpike. Rows: slope, threshold. Options: whether it collects, whether it rises."""
    (a,), (u, v, spiked), (collects, rises) = arriving, states, options
    for b in range(u.shape[0]):
        clipped = 0
        for i in range(u.shape[1]):
            current = u[b, i] + lifted(a[b, i], 0)
            a[b, i] = 0
            u[b, i] = current
            spike = False
            if collects:
                v[b, i] = bounded(v[b, i] + current)
            elif rises:
                v[b, i] = bounded(v[b, i] + rows[0, i])
                spike = v[b, i] > rows[1, i] and spiked[b, i] == 0
            if spike:
                spiked[b, i] = 1
                counts[b, i] += 1
            if at_limit(v[b, i]):
                clipped += 1
            sent[b, i] = spike
        saturated[b] += clipped
