"""Time to first spike: a ramp that crosses its threshold once, the earlier the larger.

slipway's own model, after Stanojevic et al., "High-performance deep spiking neural networks
with 0.3 spikes per neuron", Nature Communications 15, 2024 (their B1 layer): the membrane
first collects ``sum_j w_ij x_j`` from spikes whose earliness encodes x_j, then rises with one
slope for all neurons until it spikes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arithmetic import States, clip

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class FirstSpike:
    """Parameters; steps t are counted within the sample.

    ::

        u = u + a                    (no decay, and no shift at `fixed`: the 24 bits are needed)
        t < fire:                    v = clip(v + u)
        fire <= t < fire + ticks:    v = clip(v + slope) ;  s = v > threshold and not spiked
        later:                       nothing

    A spike of a source at tick k of its own window of K ticks (k = 0..K-1) adds its weight to v
    at the K - k steps that are left, so it stands for the number K - k; silence stands for 0.
    With threshold = slope * (ticks + 1/2) the spike's tick stands for v / slope, rounded to a
    whole number and clipped to 0..ticks.

    Attributes:
        initial_voltage: v before step 1: the bias. Arrays (n,) or (1,), in units of current.
        slope, threshold: in units of current (not shifted); threshold fits 24 bits.
        fire: first step of the ramp; a neuron that is only read has one that never comes.
        ticks: steps of the ramp.
    """

    initial_voltage: Array
    slope: Array
    threshold: Array
    fire: int
    ticks: int


def fresh(neuron: FirstSpike, shape: tuple[int, int], dtype: Any) -> States:
    """u, v and whether the neuron has spiked, before step 1; arrays (samples, n)."""
    v = np.broadcast_to(neuron.initial_voltage, shape).astype(dtype)
    return np.zeros(shape, dtype), v, np.zeros(shape, np.int64)


def step_fixed(
    neuron: FirstSpike, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the integer norm: new states, spikes (bool)."""
    (u, v, spiked), (a,) = state, currents
    u = u + a
    added = u if t < neuron.fire else neuron.slope
    return _spike(neuron, t, u, clip(v + added), v, spiked)


def step_float(
    neuron: FirstSpike, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the float model: new states, spikes (bool)."""
    (u, v, spiked), (a,) = state, currents
    u = u + a
    added = u if t < neuron.fire else neuron.slope
    return _spike(neuron, t, u, v + added, v, spiked)


def _spike(
    neuron: FirstSpike, t: int, u: Array, after: Array, before: Array, spiked: Array
) -> tuple[States, Array]:
    if t >= neuron.fire + neuron.ticks:
        return (u, before, spiked), np.zeros(u.shape, bool)
    if t < neuron.fire:
        return (u, after, spiked), np.zeros(u.shape, bool)
    spikes = (after > neuron.threshold) & (spiked == 0)
    return (u, after, spiked | spikes), spikes
