"""Leaky integrate-and-fire with two thresholds: spikes of +1 and of -1.

Source: lava-nc 0.10.0, `lava/proc/lif/models.py`, `PyTernLifModelFloat`, `PyTernLifModelFixed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arithmetic import STATE_SHIFT, States, clip, decay

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class TernaryLif:
    """Parameters.

    u and v as in CubaLif, then, with vth = threshold << 6 at `fixed`::

        s = +1 where v > vth_high, -1 where v < vth_low ;  v[s != 0] = 0

    Attributes:
        current_decay, voltage_decay, bias_mantissa, bias_exponent, initial_voltage: as in
            CubaLif.
        threshold_high, threshold_low: shape (1,): Lava has one pair for a population.
    """

    current_decay: Array
    voltage_decay: Array
    bias_mantissa: Array
    threshold_high: Array
    threshold_low: Array
    initial_voltage: Array
    bias_exponent: int = 0


def fresh(neuron: TernaryLif, shape: tuple[int, int], dtype: Any) -> States:
    """States before step 1, arrays (samples, n)."""
    v = np.broadcast_to(neuron.initial_voltage, shape).astype(dtype)
    return np.zeros(shape, dtype), v


def step_fixed(
    neuron: TernaryLif, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the integer norm: new states, messages -1, 0, 1."""
    (u, v), (a,) = state, currents
    u = decay(u, neuron.current_decay + 1) + (a << STATE_SHIFT)
    bias = neuron.bias_mantissa << neuron.bias_exponent
    v = clip(decay(v, neuron.voltage_decay) + u + bias)
    high, low = neuron.threshold_high << STATE_SHIFT, neuron.threshold_low << STATE_SHIFT
    return _spike(u, v, high, low)


def step_float(
    neuron: TernaryLif, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the float model: new states, messages -1, 0, 1."""
    (u, v), (a,) = state, currents
    u = u * (1 - neuron.current_decay) + a
    v = v * (1 - neuron.voltage_decay) + u + neuron.bias_mantissa
    return _spike(u, v, neuron.threshold_high, neuron.threshold_low)


def _spike(u: Array, v: Array, high: Array, low: Array) -> tuple[States, Array]:
    messages = (v > high).astype(np.int64) - (v < low)
    return (u, np.where(messages != 0, 0, v)), messages
