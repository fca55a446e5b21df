"""The worst that the states of each neuron model can become, whatever arrives.

All integer updates but the resonator's are monotone in state and current: the exact update,
driven by the greatest current at every step, gives the exact greatest state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import STATE, THRESHOLD
from .adaptive_lif import AdaptiveLif
from .arithmetic import DECAY_UNITY, STATE_SHIFT, clears, decay
from .coded import first_spike, sigma_delta
from .cuba_lif import CubaLif
from .first_spike import FirstSpike
from .reach import Drive, Extreme, Reach
from .resonator import Resonator
from .sigma_delta import SigmaDelta
from .ternary_lif import TernaryLif

Array = npt.NDArray[Any]

BEYOND = 2**48
"""A membrane that can get here is followed no further; the products of int64 still fit."""


def distinct(drive: Drive, parameters: list[Array]) -> Array:
    """Indices of neurons that differ in what they are or get; many are alike in a channel."""
    rows = [np.broadcast_to(p, (drive.size,)) for p in parameters]
    rows += [row for p in drive.parts for row in (p.low, p.high)]
    _, index = np.unique(np.stack(rows).astype(np.int64), axis=1, return_index=True)
    return np.sort(index)


class _Peak:
    """Greatest value of a state over the steps, its neuron and step."""

    def __init__(self, start: Array) -> None:
        self.value, self.step = start.copy(), np.zeros(start.shape, np.int64)

    def see(self, state: Array, t: int) -> None:
        higher = state > self.value
        self.value[higher], self.step[higher] = state[higher], t

    def extreme(self, index: Array, sign: int) -> Extreme:
        at = int(np.argmax(self.value))
        return Extreme(sign * int(self.value[at]), int(index[at]), int(self.step[at]))


@dataclass(frozen=True, slots=True)
class _Membrane:
    """What `_follow` must know of an integrate-and-fire neuron; signs already turned.

    Attributes:
        du, dv: what `decay` takes off u and v.
        bias, start: per step, and v before step 1.
        after: highest v before the spike -> highest v after it.
        held: whether v can stay what it was (refractory period).
        onset, interval: when the states are cleared.
    """

    du: Array
    dv: Array
    bias: Array
    start: Array
    after: Callable[[Array], Array]
    held: bool = False
    onset: int = 0
    interval: int = 0


def _follow(
    membrane: _Membrane, drive: Drive, steps: int, sign: int
) -> tuple[_Peak, _Peak, int | None]:
    """Peaks of u and v (times sign), and the steps until v leaves 24 bits."""
    u, v = np.zeros(drive.size, np.int64), membrane.start
    peaks = _Peak(u), _Peak(v)
    clipped: int | None = None
    changes = [*drive.changes(), membrane.onset]
    current, t = np.zeros(drive.size, np.int64), 0
    while t < steps:
        t += 1
        if t in changes:
            current = sign * drive.current(t, sign) << STATE_SHIFT
        before = u, v
        cleared = clears(t, membrane.onset, membrane.interval)
        if cleared:
            u, v = np.zeros_like(u), np.zeros_like(v)
        u = decay(u, membrane.du) + current
        x = membrane.after(v)
        v = decay(x, membrane.dv) + u + membrane.bias
        if membrane.held:
            v = np.maximum(v, x)
        peaks[0].see(u, t)
        peaks[1].see(np.maximum(v, membrane.after(v)), t)
        highest = int(v.max(initial=0))
        if clipped is None and highest > STATE.maximum:
            clipped = t - 1
        if highest > BEYOND:
            break
        if (
            not membrane.interval
            and not cleared
            and np.array_equal(u, before[0])
            and np.array_equal(v, before[1])
        ):
            t = min(
                (c - 1 for c in changes if c > t), default=steps
            )  # nothing moves until then
    return *peaks, clipped


def _first(one: int | None, other: int | None) -> int | None:
    known = [steps for steps in (one, other) if steps is not None]
    return min(known) if known else None


def _membranes(
    drive: Drive,
    index: Array,
    steps: int,
    low: _Membrane,
    high: _Membrane,
    *,
    silent: bool,
    saturates: bool,
) -> Reach:
    """Both directions of u and v.

    `silent`: no spike is allowed, so v has a limit; `saturates`: clipping v from above changes
    what follows (after a reset to a value it does not).
    """
    u_low, v_low, below = _follow(low, drive, steps, -1)
    u_high, v_high, above = _follow(high, drive, steps, 1)
    states = {
        "u": (u_low.extreme(index, -1), u_high.extreme(index, 1)),
        "v": (v_low.extreme(index, -1), v_high.extreme(index, 1)),
    }
    limits = {"u": STATE.maximum}
    if silent:
        limits["v"] = THRESHOLD.maximum << STATE_SHIFT
        return Reach(states, limits)
    proven = _first(below, above if saturates else None)
    clipped = None if proven is None else states["v"][0 if proven == below else 1]
    return Reach(states, limits, proven, clipped)


def spikes(neuron: Any) -> bool:
    """Whether a CubaLif's threshold can be reached at all."""
    top = np.inf if neuron.threshold.dtype.kind == "f" else THRESHOLD.maximum
    return bool(np.all(neuron.threshold < top))


def cuba_lif(neuron: CubaLif, drive: Drive, steps: int) -> Reach:
    """States u and v of a CubaLif; exact but for what the reset leaves of the extremes."""
    bias = neuron.bias_mantissa << neuron.bias_exponent
    fields = (
        neuron.current_decay + 1,
        neuron.voltage_decay,
        bias,
        neuron.initial_voltage,
        neuron.threshold << STATE_SHIFT,
        neuron.reset_voltage,
    )
    index = distinct(drive, list(fields))
    du, dv, bias, start, threshold, reset = (
        np.broadcast_to(f, (drive.size,))[index].astype(np.int64) for f in fields
    )
    can_spike = spikes(neuron)

    def highest(v: Array) -> Array:
        if not can_spike:
            return v
        left = {"zero": 0 * v, "value": reset, "subtract": v - threshold}[neuron.reset]
        return np.where(v > threshold, np.maximum(threshold, left), v)

    def lowest(v: Array) -> Array:  # v is minus the lowest
        if not can_spike:
            return v
        return np.maximum(v, -reset if neuron.reset == "value" else 0)

    def membrane(sign: int) -> _Membrane:
        return _Membrane(
            du,
            dv,
            sign * bias,
            sign * start,
            highest if sign > 0 else lowest,
            held=can_spike and neuron.refractory > 0,
            onset=neuron.onset,
            interval=neuron.reset_interval,
        )

    return _membranes(
        drive.of(index),
        index,
        steps,
        membrane(-1),
        membrane(1),
        silent=not can_spike,
        saturates=neuron.reset == "subtract",
    )


def ternary_lif(neuron: TernaryLif, drive: Drive, steps: int) -> Reach:
    """States u and v of a TernaryLif: a spike of either sign returns v to 0."""
    bias = neuron.bias_mantissa << neuron.bias_exponent
    fields = (neuron.current_decay + 1, neuron.voltage_decay, bias, neuron.initial_voltage)
    index = distinct(drive, list(fields))
    du, dv, bias, start = (
        np.broadcast_to(f, (drive.size,))[index].astype(np.int64) for f in fields
    )

    def membrane(sign: int) -> _Membrane:
        bound = neuron.threshold_high if sign > 0 else -neuron.threshold_low
        top = np.maximum(bound << STATE_SHIFT, 0)
        return _Membrane(
            du,
            dv,
            sign * bias,
            sign * start,
            lambda v: np.where(v > top, top, np.maximum(v, 0)),
        )

    reach = _membranes(
        drive.of(index), index, steps, membrane(-1), membrane(1), silent=False, saturates=False
    )
    return Reach(reach.states, reach.limits, reach.proven_steps, reach.clipped, (-1, 1))


def adaptive_lif(neuron: AdaptiveLif, drive: Drive, steps: int) -> Reach:
    """States u and v as without spikes, which leave both alone; theta, r with a spike a step.

    At a spike ``theta + r <= v``, so that theta cannot exceed the highest v by more than a
    step, nor r twice the highest v.
    """
    bias = neuron.bias_mantissa << neuron.bias_exponent
    fields = (neuron.current_decay + 1, neuron.voltage_decay, bias)
    index = distinct(drive, list(fields))
    du, dv, bias = (np.broadcast_to(f, (drive.size,))[index].astype(np.int64) for f in fields)

    def membrane(sign: int) -> _Membrane:
        return _Membrane(du, dv, sign * bias, np.zeros_like(bias), lambda v: v)

    reach = _membranes(
        drive.of(index), index, steps, membrane(-1), membrane(1), silent=False, saturates=True
    )
    high = reach.states["v"][1]
    states = dict(reach.states)
    states |= _thresholds(neuron, min(high.value, STATE.maximum), high, steps)
    limits = dict.fromkeys(("u", "theta", "r"), STATE.maximum)
    return Reach(states, limits, reach.proven_steps, reach.clipped)


def _thresholds(
    neuron: AdaptiveLif, top: int, high: Extreme, steps: int
) -> dict[str, tuple[Extreme, Extreme]]:
    """States theta and r of an AdaptiveLif whose v reaches `top`."""
    resting = int(neuron.threshold.max()) << STATE_SHIFT
    added = int(neuron.threshold_step.max()) << STATE_SHIFT
    fall, recover = int(neuron.threshold_decay.min()), int(neuron.refractory_decay.min())
    theta, r, highest_theta, highest_r = resting, 0, resting, 0
    for _ in range(steps if top >= resting else 0):
        before = theta, r
        theta = min(_left(theta - resting, fall) + resting, top)
        r = min(_left(r, recover) + 2 * theta, 2 * top)
        theta += max(added, 0)
        highest_theta, highest_r = max(highest_theta, theta), max(highest_r, r)
        if (theta, r) == before:
            break
    still = Extreme(min(resting, int(neuron.threshold.min()) << STATE_SHIFT), high.neuron, 0)
    return {
        "theta": (still, Extreme(highest_theta, high.neuron, steps)),
        "r": (Extreme(0, high.neuron, 0), Extreme(highest_r, high.neuron, steps)),
    }


def _left(state: int, by: int) -> int:
    return (state * (DECAY_UNITY - by)) >> 12 if state >= 0 else 0


def resonator(neuron: Resonator, drive: Drive, steps: int) -> Reach:
    """Real and imaginary part: sums over the impulse response, plus what rounding can add.

    ``z_T = sum_k lambda**k a_(T-k)``: each part is greatest if every current takes the sign of
    its coefficient. Each part of each product is rounded by less than 1, so that two of them
    can add 2 a step. A reset leaves ``i (threshold - 1)``, which turns and decays likewise.
    """
    index = distinct(drive, [np.zeros(1, np.int64)])
    drive = drive.of(index)
    rotation = (int(neuron.cosine[0]) + 1j * int(neuron.sine[0])) / DECAY_UNITY
    response = rotation ** np.arange(max(steps - 1, 1))
    left = float((int(neuron.threshold[0]) << neuron.state_exponent) - 1)
    resets = neuron.reset == "izhikevich"
    factor = float(2**neuron.state_exponent)
    states: dict[str, tuple[Extreme, Extreme]] = {}
    real, imaginary = response.real, response.imag
    for name, terms in (
        ("real", ((real, "real"), (-imaginary, "imaginary"))),
        ("imaginary", ((imaginary, "real"), (real, "imaginary"))),
    ):
        rounding = 2 * np.cumsum(np.abs(real) + np.abs(imaginary))
        # What a reset left: i (threshold - 1), turned k + 1 times while k + 1 currents came.
        turned = rotation * response * 1j * left if resets else 0 * response
        from_reset = np.abs(turned.real if name == "real" else turned.imag)
        found = []
        for sign in (-1, 1):
            partial = np.zeros((len(response), drive.size))
            for coefficient, port in terms:
                up = np.maximum(sign * coefficient, 0)[:, None] * drive.extreme(1, port)
                down = np.minimum(sign * coefficient, 0)[:, None] * drive.extreme(-1, port)
                partial += up + down
            total = factor * np.cumsum(partial, axis=0) + (rounding + from_reset)[:, None]
            step, at = np.unravel_index(int(np.argmax(total)), total.shape)
            value = int(np.ceil(total[step, at]))
            found.append(Extreme(sign * value, int(index[at]), int(step) + 2))
        states[name] = (found[0], found[1])
    return Reach(states, dict.fromkeys(states, STATE.maximum))


BOUNDS: dict[type, Callable[[Any, Drive, int], Reach]] = {
    CubaLif: cuba_lif,
    TernaryLif: ternary_lif,
    AdaptiveLif: adaptive_lif,
    Resonator: resonator,
    SigmaDelta: sigma_delta,
    FirstSpike: first_spike,
}
"""Parameters, drive, steps -> what the states can become."""
