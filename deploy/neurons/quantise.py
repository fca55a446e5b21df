"""Parameters of each neuron model in integers.

With S integer current units per unit of the graph (`Population.scale`, one value or one per
neuron): thresholds are S * threshold, states and biases 64 * S * value, decays 4096 * decay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import Problem
from ..formats import (
    BIAS_EXPONENT,
    BIAS_MANTISSA,
    DECAY,
    STATE,
    THRESHOLD,
)
from .adaptive_lif import AdaptiveLif
from .arithmetic import DECAY_UNITY, STATE_SHIFT
from .coded import first_spike_integers, sigma_delta_integers, sigma_delta_message
from .cuba_lif import CubaLif
from .first_spike import FirstSpike
from .fitting import DoesNotFit, fit_into
from .models import Neuron
from .resonator import Resonator
from .sigma_delta import SigmaDelta
from .ternary_lif import TernaryLif

if TYPE_CHECKING:
    from ..program import Population

Array = npt.NDArray[Any]

SILENT = -(2**22)
"""Lowest initial v: a neuron's bias must not make it spike before its input arrives."""
STATE_EXPONENT = 6
"""Of a resonator; what lava-dl's netx takes."""


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How a neuron model gets its integers.

    Attributes:
        integers: float Population, scale (1,) or (n,) -> parameters, or what does not fit.
        thresholds: parameters -> thresholds whose resolution matters; inf where none is.
        state_unit: fixed parameters -> units of the membrane per integer current unit.
        message_scale: fixed parameters, scale -> integer value of a message of 1.
        per_neuron: whether neurons of a population may have thresholds of their own.
        keeps_sums: what arrives is summed up for ever, without the shift by 6 of a current, so
            that what a right shift loses would stay lost.
    """

    integers: Callable[[Population, Array], Neuron | Problem]
    thresholds: Callable[[Any], Array]
    state_unit: Callable[[Any], int] = lambda neuron: 1 << STATE_SHIFT
    message_scale: Callable[[Any, Array], float] = lambda neuron, scale: 1.0
    per_neuron: bool = False
    keeps_sums: bool = False


def quantise_neuron(population: Population, scale: Array) -> Neuron | Problem:
    """The population's parameters at that scale, or what does not fit."""
    try:
        return QUANTISE[type(population.neuron)].integers(population, scale)
    except DoesNotFit as problem:
        return Problem(problem.what, f"population {population.name}", problem.remedy)


def _decay(fraction: Array, offset: int = 0) -> Array:
    """Nearest of the 12-bit decays; `offset` is what the model adds to it."""
    return DECAY.round(np.asarray(fraction) * DECAY_UNITY - offset)


def _bias(bias: Array) -> tuple[Array, int]:
    """Mantissa and exponent."""
    exponent = 0
    while BIAS_MANTISSA.overflow(bias / 2**exponent):
        exponent += 1
    if exponent > BIAS_EXPONENT.maximum:
        raise DoesNotFit(
            f"the bias would need an exponent of {exponent}; the limit is "
            f"{BIAS_EXPONENT.maximum}",
            "use smaller biases beside the weights",
        )
    return BIAS_MANTISSA.round(bias / 2**exponent), exponent


def _initial_voltage(scaled: Array) -> Array:
    """Rounded, but not below SILENT, which stands for a membrane that must not spike yet."""
    return STATE.round(np.maximum(scaled, SILENT))


def _cuba_lif(population: Population, scale: Array) -> CubaLif:
    neuron, unit = population.neuron, scale * 2**STATE_SHIFT
    assert isinstance(neuron, CubaLif)
    finite = np.isfinite(neuron.threshold)
    limited = fit_into(THRESHOLD, np.where(finite, neuron.threshold, 0.0) * scale, "threshold")
    bias = np.ones(1) if population.kind == "bias" else neuron.bias_mantissa * unit
    mantissa, exponent = _bias(bias)
    return CubaLif(
        current_decay=_decay(neuron.current_decay, 1),
        voltage_decay=_decay(neuron.voltage_decay),
        bias_mantissa=mantissa,
        threshold=np.where(finite, limited, THRESHOLD.maximum),
        initial_voltage=_initial_voltage(neuron.initial_voltage * unit),
        bias_exponent=exponent,
        onset=neuron.onset,
        reset=neuron.reset,
        reset_voltage=fit_into(STATE, neuron.reset_voltage * unit, "reset voltage")
        if neuron.reset == "value"
        else np.zeros(1, np.int64),
        refractory=neuron.refractory,
        reset_interval=neuron.reset_interval,
    )


def _ternary_lif(population: Population, scale: Array) -> TernaryLif:
    neuron, unit = population.neuron, scale * 2**STATE_SHIFT
    assert isinstance(neuron, TernaryLif)
    mantissa, exponent = _bias(neuron.bias_mantissa * unit)
    return TernaryLif(
        current_decay=_decay(neuron.current_decay, 1),
        voltage_decay=_decay(neuron.voltage_decay),
        bias_mantissa=mantissa,
        threshold_high=fit_into(THRESHOLD, neuron.threshold_high * scale, "threshold"),
        threshold_low=-fit_into(THRESHOLD, -neuron.threshold_low * scale, "negative threshold"),
        initial_voltage=_initial_voltage(neuron.initial_voltage * unit),
        bias_exponent=exponent,
    )


def _adaptive_lif(population: Population, scale: Array) -> AdaptiveLif:
    neuron = population.neuron
    assert isinstance(neuron, AdaptiveLif)
    mantissa, exponent = _bias(neuron.bias_mantissa * scale * 2**STATE_SHIFT)
    return AdaptiveLif(
        current_decay=_decay(neuron.current_decay, 1),
        voltage_decay=_decay(neuron.voltage_decay),
        threshold_decay=_decay(neuron.threshold_decay),
        refractory_decay=_decay(neuron.refractory_decay),
        threshold=fit_into(THRESHOLD, neuron.threshold * scale, "threshold"),
        threshold_step=fit_into(THRESHOLD, neuron.threshold_step * scale, "threshold step"),
        bias_mantissa=mantissa,
        bias_exponent=exponent,
    )


def _resonator(population: Population, scale: Array) -> Resonator:
    neuron = population.neuron
    assert isinstance(neuron, Resonator)
    cosine, sine = neuron.cosine * DECAY_UNITY, neuron.sine * DECAY_UNITY
    rounded = np.rint(cosine), np.rint(sine)
    if np.any(np.hypot(*rounded) >= DECAY_UNITY):  # an oscillation that rounding would grow
        rounded = np.trunc(cosine), np.trunc(sine)
    return Resonator(
        cosine=rounded[0].astype(np.int64),
        sine=rounded[1].astype(np.int64),
        threshold=fit_into(THRESHOLD, neuron.threshold * scale, "threshold"),
        reset=neuron.reset,
        state_exponent=STATE_EXPONENT,
    )


QUANTISE: dict[type, Quantisation] = {
    CubaLif: Quantisation(_cuba_lif, lambda neuron: neuron.threshold, per_neuron=True),
    TernaryLif: Quantisation(
        _ternary_lif, lambda neuron: np.append(neuron.threshold_high, -neuron.threshold_low)
    ),
    AdaptiveLif: Quantisation(_adaptive_lif, lambda neuron: neuron.threshold),
    Resonator: Quantisation(
        _resonator,
        lambda neuron: neuron.threshold,
        state_unit=lambda neuron: 1 << int(neuron.state_exponent),
    ),
    SigmaDelta: Quantisation(
        sigma_delta_integers,
        lambda neuron: np.full(1, np.inf) if neuron.ceiling is None else neuron.ceiling,
        state_unit=lambda neuron: 1,
        message_scale=sigma_delta_message,
        keeps_sums=True,
    ),
    FirstSpike: Quantisation(
        first_spike_integers,
        lambda neuron: neuron.slope if neuron.ticks else np.full(1, np.inf),
        state_unit=lambda neuron: 1,
        keeps_sums=True,
    ),
}
