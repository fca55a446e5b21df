"""Leaky integrate-and-fire with adaptive threshold and refractoriness (Lava's ATRLIF).

Source: lava-nc 0.10.0, `lava/proc/atrlif/models.py`, `PyATRLIFModelFloat`,
`PyATRLIFModelFixed`; the model is lava-dl's `slayer/neuron/alif.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arithmetic import STATE_SHIFT, States, clip, decay

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class AdaptiveLif:
    """Parameters; decays are fractions at `float`, integers d / 4096 at `fixed`.

    ::

        i = dec(i, current_decay (+ 1 at fixed)) + a (<< 6 at fixed)
        v = clip(dec(v, voltage_decay) + i + bias)
        theta = dec(theta - threshold, threshold_decay) + threshold
        r = dec(r, refractory_decay)
        s = v - r >= theta
        r[s] += 2 * theta ;  theta[s] += threshold_step

    v is not reset: the refractory state r holds the neuron back. Thresholds are shifted left by
    6 at `fixed`. Lava has one value of each for a population: arrays of shape (1,), but for
    the bias.

    Attributes:
        current_decay, voltage_decay, threshold_decay, refractory_decay: see above.
        threshold: the resting threshold, theta before step 1.
        threshold_step: what a spike adds to theta.
        bias_mantissa, bias_exponent: as in CubaLif.
    """

    current_decay: Array
    voltage_decay: Array
    threshold_decay: Array
    refractory_decay: Array
    threshold: Array
    threshold_step: Array
    bias_mantissa: Array
    bias_exponent: int = 0


def fresh(neuron: AdaptiveLif, shape: tuple[int, int], dtype: Any) -> States:
    """i, v, theta, r before step 1, arrays (samples, n)."""
    resting = neuron.threshold << STATE_SHIFT if dtype == np.int64 else neuron.threshold
    theta = np.broadcast_to(resting, shape).astype(dtype)
    return np.zeros(shape, dtype), np.zeros(shape, dtype), theta, np.zeros(shape, dtype)


def step_fixed(
    neuron: AdaptiveLif, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the integer norm: new states, spikes (bool)."""
    (i, v, theta, r), (a,) = state, currents
    resting = neuron.threshold << STATE_SHIFT
    i = decay(i, neuron.current_decay + 1) + (a << STATE_SHIFT)
    bias = neuron.bias_mantissa << neuron.bias_exponent
    v = clip(decay(v, neuron.voltage_decay) + i + bias)
    theta = decay(theta - resting, neuron.threshold_decay) + resting
    r = decay(r, neuron.refractory_decay)
    return _spike(i, v, theta, r, neuron.threshold_step << STATE_SHIFT)


def step_float(
    neuron: AdaptiveLif, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the float model: new states, spikes (bool)."""
    (i, v, theta, r), (a,) = state, currents
    i = i * (1 - neuron.current_decay) + a
    v = v * (1 - neuron.voltage_decay) + i + neuron.bias_mantissa
    theta = (1 - neuron.threshold_decay) * (theta - neuron.threshold) + neuron.threshold
    r = (1 - neuron.refractory_decay) * r
    return _spike(i, v, theta, r, neuron.threshold_step)


def _spike(i: Array, v: Array, theta: Array, r: Array, step: Array) -> tuple[States, Array]:
    spikes = v - r >= theta
    after = np.where(spikes, r + 2 * theta, r)
    return (i, v, np.where(spikes, theta + step, theta), after), spikes
