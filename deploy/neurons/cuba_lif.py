"""Current-based leaky integrate-and-fire: the one model behind IF, LIF, CubaLIF, LI, CubaLI.

Source of the integer norm: lava-nc 0.10.0, `lava/proc/lif/models.py`,
`AbstractPyLifModelFixed.subthr_dynamics` and `PyLifModelBitAcc`, `PyLifResetModelBitAcc`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

STATE_LIMIT = 2**23
"""u and v are 24-bit signed: v is clipped to +-(STATE_LIMIT - 1)."""
STATE_SHIFT = 6
"""Currents and thresholds are shifted left by this before they meet u and v."""
DECAY_UNITY = 4096
"""A 12-bit decay d leaves (4096 - d) / 4096 of a state after a step."""
THRESHOLD_MAX = 131071
BIAS_MANTISSA_MIN, BIAS_MANTISSA_MAX = -4096, 4095
BIAS_EXPONENT_MAX = 7
CURRENT_MAX = 131071
"""Most that may arrive per neuron and step: beyond it the public emulators disagree."""
NO_MEMORY = 4095
"""du of a neuron whose u is just the current of this step (decay is du + 1)."""


@dataclass(frozen=True, slots=True)
class CubaLif:
    """Parameters, each an array of shape (n,) or (1,) for all neurons alike.

    Precision `float` (float64; current_decay and voltage_decay are fractions)::

        u = u * (1 - current_decay) + a
        v = v * (1 - voltage_decay) + u + bias_mantissa
        s = v > threshold ;  v[s] = 0

    Precision `fixed` (int64 here, 24-bit states), with dec(x, d) = sign(x) *
    ((|x| * (4096 - d)) >> 12)::

        u = dec(u, current_decay + 1) + (a << 6)
        v = clip(dec(v, voltage_decay) + u + (bias_mantissa << bias_exponent))
        s = v > (threshold << 6) ;  v[s] = 0

    Attributes:
        current_decay: du; 0..4095 at `fixed`.
        voltage_decay: dv; 0..4095 at `fixed`.
        bias_mantissa: -4096..4095 at `fixed`.
        bias_exponent: 0..7; always 0 at `float`.
        threshold: vth, 0..131071 at `fixed`; inf (float) or 131071 (fixed) for a neuron
            that must not spike.
        initial_voltage: v before step 1; u starts at 0.
        onset: 0, or the step before whose update u and v are set to 0 (Lava's LIFReset):
            the first step at which input can arrive, so that bias does not integrate
            while the pipeline fills.
    """

    current_decay: Array
    voltage_decay: Array
    bias_mantissa: Array
    threshold: Array
    initial_voltage: Array
    bias_exponent: int = 0
    onset: int = 0


def _decay(state: Array, decay: Array) -> Array:
    product = state * (DECAY_UNITY - decay)
    decayed: Array = np.sign(product) * (np.abs(product) >> 12)
    return decayed


def step_fixed(
    neuron: CubaLif, t: int, u: Array, v: Array, a: Array
) -> tuple[Array, Array, Array]:
    """One step of the integer norm on int64 arrays (..., n): returns u, v, spikes (bool)."""
    if t == neuron.onset:
        u, v = np.zeros_like(u), np.zeros_like(v)
    u = _decay(u, neuron.current_decay + 1) + (a << STATE_SHIFT)
    bias = neuron.bias_mantissa << neuron.bias_exponent
    v = _decay(v, neuron.voltage_decay) + u + bias
    v = np.clip(v, 1 - STATE_LIMIT, STATE_LIMIT - 1)
    spikes = v > (neuron.threshold << STATE_SHIFT)
    return u, np.where(spikes, 0, v), spikes


def step_float(
    neuron: CubaLif, t: int, u: Array, v: Array, a: Array
) -> tuple[Array, Array, Array]:
    """One step of the float model on float64 arrays (..., n): returns u, v, spikes (bool)."""
    if t == neuron.onset:
        u, v = np.zeros_like(u), np.zeros_like(v)
    u = u * (1 - neuron.current_decay) + a
    v = v * (1 - neuron.voltage_decay) + u + neuron.bias_mantissa
    spikes = v > neuron.threshold
    return u, np.where(spikes, 0.0, v), spikes
