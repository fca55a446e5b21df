"""Current-based leaky integrate-and-fire: the one model behind IF, LIF, CubaLIF, LI, CubaLI.

Source of the integer norm: lava-nc 0.10.0, `lava/proc/lif/models.py`,
`AbstractPyLifModelFixed.subthr_dynamics`, `PyLifModelBitAcc`, `PyLifResetModelBitAcc`; of the
refractory period: `PyLifRefractoryModelFloat`, which Lava has in floating point only. Reset to
a value, by subtraction, and the refractory period in integers are slipway's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .arithmetic import DECAY_UNITY, STATE_LIMIT, STATE_SHIFT, States, clears, clip, decay

Array = npt.NDArray[Any]
Reset: TypeAlias = Literal["zero", "value", "subtract"]

__all__ = ["DECAY_UNITY", "STATE_LIMIT", "STATE_SHIFT", "CubaLif", "Reset"]

NO_MEMORY = 4095
"""du of a neuron whose u is just the current of this step (decay is du + 1)."""


def _zero() -> Array:
    return np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class CubaLif:
    """Parameters, each an array of shape (n,) or (1,) for all neurons alike.

    Precision `float` (float64; current_decay and voltage_decay are fractions)::

        u = u * (1 - current_decay) + a
        v = v * (1 - voltage_decay) + u + bias_mantissa     (v is held while refractory)
        s = v > threshold                                   (never while refractory)
        v[s] = 0 | reset_voltage | v - threshold            (reset: zero | value | subtract)

    Precision `fixed` (int64 here, 24-bit states), with dec(x, d) = sign(x) *
    ((|x| * (4096 - d)) >> 12)::

        u = dec(u, current_decay + 1) + (a << 6)
        v = clip(dec(v, voltage_decay) + u + (bias_mantissa << bias_exponent))
        s = v > (threshold << 6)
        v[s] = 0 | reset_voltage | v - (threshold << 6)

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
        reset: what a spike does to v; u is kept.
        reset_voltage: v after a spike where reset is "value"; in units of v.
        refractory: steps after a spike in which v is held and no spike is sent.
        reset_interval: 0, or the number of steps after which u and v are cleared again and
            again, at the steps congruent to `onset`.
    """

    current_decay: Array
    voltage_decay: Array
    bias_mantissa: Array
    threshold: Array
    initial_voltage: Array
    bias_exponent: int = 0
    onset: int = 0
    reset: Reset = "zero"
    reset_voltage: Array = field(default_factory=_zero)
    refractory: int = 0
    reset_interval: int = 0


def states(neuron: CubaLif) -> tuple[str, ...]:
    """u, v, and the refractory steps that are left where there is such a period."""
    return ("u", "v", "rest") if neuron.refractory else ("u", "v")


def fresh(neuron: CubaLif, shape: tuple[int, int], dtype: Any) -> States:
    """States before step 1, arrays (samples, n)."""
    v = np.broadcast_to(neuron.initial_voltage, shape).astype(dtype)
    rest = (np.zeros(shape, np.int64),) if neuron.refractory else ()
    return (np.zeros(shape, dtype), v, *rest)


def step_fixed(
    neuron: CubaLif, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the integer norm on int64 arrays (..., n): new states, spikes (bool)."""
    (u, v, *rest), (a,) = _cleared(neuron, t, state), currents
    u = decay(u, neuron.current_decay + 1) + (a << STATE_SHIFT)
    bias = neuron.bias_mantissa << neuron.bias_exponent
    after = clip(decay(v, neuron.voltage_decay) + u + bias)
    return _spike(neuron, u, v, after, rest, neuron.threshold << STATE_SHIFT)


def step_float(
    neuron: CubaLif, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the float model on float64 arrays (..., n): new states, spikes (bool)."""
    (u, v, *rest), (a,) = _cleared(neuron, t, state), currents
    u = u * (1 - neuron.current_decay) + a
    after = v * (1 - neuron.voltage_decay) + u + neuron.bias_mantissa
    return _spike(neuron, u, v, after, rest, neuron.threshold)


def _cleared(neuron: CubaLif, t: int, state: States) -> States:
    if not clears(t, neuron.onset, neuron.reset_interval):
        return state
    return tuple(np.zeros_like(values) for values in state)


def _spike(
    neuron: CubaLif, u: Array, before: Array, v: Array, rest: list[Array], threshold: Array
) -> tuple[States, Array]:
    """Threshold, reset, refractory period."""
    spikes = v > threshold
    if rest:
        held = rest[0] > 0
        v, spikes = np.where(held, before, v), spikes & ~held
        rest = [np.where(spikes, neuron.refractory, np.maximum(rest[0] - 1, 0))]
    if neuron.reset == "subtract":
        after = v - threshold
    else:
        after = neuron.reset_voltage if neuron.reset == "value" else np.zeros_like(v)
    return (u, np.where(spikes, after, v), *rest), spikes
