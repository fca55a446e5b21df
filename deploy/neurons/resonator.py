"""Resonate-and-fire: a damped oscillator in the complex plane.

Source: lava-nc 0.10.0, `lava/proc/rf/models.py` (`PyRFModelFloat`, `PyRFModelFixed`) and
`lava/proc/rf_iz/models.py` (`PyRF_IZModelFloat`, `PyRF_IZModelFixed`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arithmetic import States, clip

Array = npt.NDArray[Any]

DECAY_BITS = 12
NUDGE = 1e-5
"""Lava's float model: how far below the threshold a spike leaves the imaginary part."""


@dataclass(frozen=True, slots=True)
class Resonator:
    """Parameters, arrays of shape (1,): Lava has one set for a population.

    With z = real + i imaginary, cosine + i sine = (1 - decay) * exp(2 pi i / period)::

        z = (cosine + i sine) * z + a_real + i a_imaginary
        reset none:        s = (real >= threshold) and (imaginary >= 0 > imaginary before)
        reset izhikevich:  s = imaginary >= threshold ;  z[s] = i (threshold - 1)

    At `fixed` cosine and sine are in 1/4096, each product is shifted right by 12 towards
    zero by itself, currents and threshold are shifted left by `state_exponent`, and both parts
    are clipped to 24 bits.

    Attributes:
        cosine, sine: see above.
        threshold: before the shift.
        reset: "none" is Lava's RF, "izhikevich" its RF_IZ.
        state_exponent: 0..7; 0 at `float`.
    """

    cosine: Array
    sine: Array
    threshold: Array
    reset: Literal["none", "izhikevich"] = "none"
    state_exponent: int = 0


def fresh(neuron: Resonator, shape: tuple[int, int], dtype: Any) -> States:
    """Real and imaginary part before step 1, arrays (samples, n)."""
    return np.zeros(shape, dtype), np.zeros(shape, dtype)


def _towards_zero(product: Array) -> Array:
    scaled: Array = np.sign(product) * (np.abs(product) >> DECAY_BITS)
    return scaled


def step_fixed(
    neuron: Resonator, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the integer norm; currents (real, imaginary): new states, spikes (bool)."""
    (real, imaginary), e = state, neuron.state_exponent
    cosine, sine = neuron.cosine, neuron.sine
    turned = _towards_zero(cosine * real) - _towards_zero(sine * imaginary)
    raised = _towards_zero(sine * real) + _towards_zero(cosine * imaginary)
    after = clip(turned + (currents[0] << e)), clip(raised + (currents[1] << e))
    return _spike(neuron, imaginary, after, neuron.threshold << e, 1)


def step_float(
    neuron: Resonator, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the float model; currents (real, imaginary): new states, spikes (bool)."""
    real, imaginary = state
    after = (
        neuron.cosine * real - neuron.sine * imaginary + currents[0],
        neuron.sine * real + neuron.cosine * imaginary + currents[1],
    )
    return _spike(neuron, imaginary, after, neuron.threshold, NUDGE)


def _spike(
    neuron: Resonator, before: Array, after: tuple[Array, Array], threshold: Array, nudge: float
) -> tuple[States, Array]:
    real, imaginary = after
    if neuron.reset == "none":
        return after, (real >= threshold) & (imaginary >= 0) & (before < 0)
    spikes = imaginary >= threshold
    return (np.where(spikes, 0, real), np.where(spikes, threshold - nudge, imaginary)), spikes
