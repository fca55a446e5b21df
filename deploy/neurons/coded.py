"""Integers and bounds of the two models that neural codes use: SigmaDelta and FirstSpike.

Both add up what arrives and keep it, so their projections never shift a sum to the right: what
a floor loses would stay lost.
"""

from __future__ import annotations

from math import floor, log2
from typing import TYPE_CHECKING

import numpy as np

from ..formats import ACCUMULATOR, STATE
from .first_spike import FirstSpike
from .fitting import fit_into
from .reach import Drive, Extreme, Reach
from .sigma_delta import SigmaDelta

if TYPE_CHECKING:
    from ..program import Population
    from .models import Array

GRID = 255
"""Least number of grid steps of a graded message of 1."""


def sigma_delta_integers(population: Population, scale: Array) -> SigmaDelta:
    """Units of sigma are `scale`; a message drops the bits below 1/510 to 1/255.

    A threshold of less than one grid step is none: what is sent is the nearest grid step, which
    depends on the present alone, not on what was sent before.
    """
    neuron = population.neuron
    assert isinstance(neuron, SigmaDelta)
    unit, sends = float(scale[0]), bool(np.all(np.isfinite(neuron.threshold)))
    exponent = max(floor(log2(unit / GRID)), 0) if sends and unit > GRID else 0
    half = 1 << exponent >> 1
    threshold = np.full(1, ACCUMULATOR.maximum)
    if sends:  # what is sent must round to at least one grid step
        steps = np.floor(neuron.threshold * unit / (1 << exponent)).astype(np.int64)
        threshold = np.maximum((steps << exponent) + half, 1)
    ceiling = neuron.ceiling
    return SigmaDelta(
        bias=fit_into(STATE, neuron.bias * unit, "bias"),
        threshold=threshold,
        activation=neuron.activation,
        accumulate=neuron.accumulate,
        state_exponent=exponent,
        onset=neuron.onset,
        ceiling=None if ceiling is None else fit_into(STATE, ceiling * unit, "ceiling"),
        initial=fit_into(STATE, neuron.initial * unit, "bias"),
    )


def first_spike_integers(population: Population, scale: Array) -> FirstSpike:
    """Units of u and v are `scale`; one of v per step stands for one tick."""
    neuron = population.neuron
    assert isinstance(neuron, FirstSpike)
    slope = np.zeros(1, np.int64)
    threshold = np.full(1, STATE.maximum)
    if neuron.ticks:
        slope = np.maximum(fit_into(STATE, neuron.slope * scale, "slope"), 1)
        # v > floor(x) is v > x, for whole v and x with a half.
        threshold = fit_into(STATE, np.floor(slope * (neuron.ticks + 0.5)), "threshold")
    return FirstSpike(
        initial_voltage=fit_into(STATE, neuron.initial_voltage * scale, "bias"),
        slope=slope,
        threshold=threshold,
        fire=neuron.fire,
        ticks=neuron.ticks,
    )


def sigma_delta_message(neuron: SigmaDelta, scale: Array) -> float:
    """Integer value of a message of 1."""
    return float(scale[0]) / float(1 << neuron.state_exponent)


def sigma_delta_sum(neuron: SigmaDelta) -> tuple[int, int] | None:
    """What the messages can add up to, where a ceiling says so: the activation's grid."""
    if not neuron.exact or neuron.ceiling is None:
        return None
    half = 1 << neuron.state_exponent >> 1
    return 0, (int(np.max(neuron.ceiling)) + half) >> neuron.state_exponent


def sigma_delta(neuron: SigmaDelta, drive: Drive, steps: int) -> Reach:
    """State sigma from what the messages can add up to; own messages from the range of x."""
    size = (drive.size,)
    initial = np.broadcast_to(neuron.initial, size).astype(np.int64)
    if neuron.accumulate:
        sums = drive.total(-1), drive.total(1)
    else:
        initial = np.zeros_like(initial)
        sums = drive.extreme(-1), drive.extreme(1)
    low, high = (initial + (side << neuron.input_exponent) for side in sums)
    low, high = np.minimum(low, initial), np.maximum(high, initial)
    at_low, at_high = int(np.argmin(low)), int(np.argmax(high))
    pair = (
        Extreme(int(low[at_low]), at_low, steps),
        Extreme(int(high[at_high]), at_high, steps),
    )
    bias = np.broadcast_to(neuron.bias, size).astype(np.int64)
    bottom, top = int((low + bias).min()), int((high + bias).max())
    if neuron.activation == "relu":
        ceiling = top if neuron.ceiling is None else int(np.max(neuron.ceiling))
        bottom, top = max(bottom, 0), max(min(top, ceiling), 0)
    silent = int(np.min(neuron.threshold)) >= ACCUMULATOR.maximum
    change = 0 if silent else max(top, 0) - min(bottom, 0)
    most = (change + (1 << neuron.state_exponent)) >> neuron.state_exponent
    return Reach({"sigma": pair}, {"sigma": STATE.maximum}, message=(-most, most))


def first_spike(neuron: FirstSpike, drive: Drive, steps: int) -> Reach:
    """State u from what can arrive in all, v if it arrives at the first step that it can."""
    start = np.broadcast_to(neuron.initial_voltage, (drive.size,)).astype(np.int64)
    arrival = min((part.first for part in drive.parts), default=1)
    collects = max(min(neuron.fire - 1, steps) - arrival + 1, 0)
    states: dict[str, tuple[Extreme, Extreme]] = {}
    totals = {sign: drive.total(sign) for sign in (-1, 1)}
    for name in ("u", "v"):
        pair = []
        for sign, total in totals.items():
            reached = total if name == "u" else start + total * collects
            at = int(np.argmax(sign * reached))
            pair.append(Extreme(int(reached[at]), at, collects))
        states[name] = (pair[0], pair[1])
    worst = max(states["v"], key=lambda extreme: abs(extreme.value))
    limits = {"u": STATE.maximum}
    if not neuron.ticks:  # it is read, so that clipping would change the answer
        return Reach(states, {**limits, "v": STATE.maximum})
    fits = abs(worst.value) <= STATE.maximum
    return Reach(states, limits, None if fits else arrival - 1, None if fits else worst)
