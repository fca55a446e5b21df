"""A random fixed-point Program as one in floating point, with the same dynamics about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from slipway.deploy.formats import THRESHOLD
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.arithmetic import DECAY_UNITY
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.first_spike import FirstSpike
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.neurons.ternary_lif import TernaryLif
from slipway.deploy.program import Input, Program, Projection
from slipway.deploy.trace import Stimulus

from .networks import Case, random_case

_STATE = 64.0
# Thresholds between the whole numbers: on them, the last bit of a sum would decide.
_BETWEEN = 0.37


def _leak(neuron: Any) -> dict[str, Any]:
    bias = neuron.bias_mantissa * 2**neuron.bias_exponent / _STATE
    return {
        "current_decay": neuron.current_decay / DECAY_UNITY,
        "voltage_decay": neuron.voltage_decay / DECAY_UNITY,
        "bias_mantissa": bias,
        "bias_exponent": 0,
    }


def _cuba_lif(neuron: CubaLif) -> CubaLif:
    never = neuron.threshold == THRESHOLD.maximum
    return replace(
        neuron,
        **_leak(neuron),
        threshold=np.where(never, np.inf, neuron.threshold + _BETWEEN),
        initial_voltage=neuron.initial_voltage / _STATE,
        reset_voltage=neuron.reset_voltage / _STATE,
    )


def _ternary_lif(neuron: TernaryLif) -> TernaryLif:
    return replace(
        neuron,
        **_leak(neuron),
        threshold_high=neuron.threshold_high + _BETWEEN,
        threshold_low=neuron.threshold_low - _BETWEEN,
        initial_voltage=neuron.initial_voltage / _STATE,
    )


def _adaptive_lif(neuron: AdaptiveLif) -> AdaptiveLif:
    return replace(
        neuron,
        **_leak(neuron),
        threshold_decay=neuron.threshold_decay / DECAY_UNITY,
        refractory_decay=neuron.refractory_decay / DECAY_UNITY,
        threshold=neuron.threshold + _BETWEEN,
        threshold_step=neuron.threshold_step + _BETWEEN,
    )


def _sigma_delta(neuron: SigmaDelta) -> SigmaDelta:
    return replace(
        neuron,
        bias=neuron.bias + 0.0,
        threshold=neuron.threshold + _BETWEEN,
        ceiling=None if neuron.ceiling is None else neuron.ceiling + 0.0,
        initial=neuron.initial + 0.0,
        state_exponent=0,
        input_exponent=0,
    )


def _resonator(neuron: Resonator) -> Resonator:
    return replace(
        neuron,
        cosine=neuron.cosine / DECAY_UNITY,
        sine=neuron.sine / DECAY_UNITY,
        threshold=neuron.threshold + _BETWEEN,
        state_exponent=0,
    )


def _first_spike(neuron: FirstSpike) -> FirstSpike:
    return replace(
        neuron,
        initial_voltage=neuron.initial_voltage + 0.0,
        slope=neuron.slope + 0.0,
        threshold=neuron.threshold + _BETWEEN,
    )


_REAL: dict[type, Callable[[Any], Any]] = {
    CubaLif: _cuba_lif,
    TernaryLif: _ternary_lif,
    AdaptiveLif: _adaptive_lif,
    SigmaDelta: _sigma_delta,
    Resonator: _resonator,
    FirstSpike: _first_spike,
}


def _projection(rng: np.random.Generator, program: Program, p: Projection) -> Projection:
    """Weights as real numbers, a little off the grid."""
    exponent = p.exponent + getattr(program.population(p.target).neuron, "input_exponent", 0)
    source: Any = program.source(p.source)
    if not isinstance(source, Input) and isinstance(source.neuron, SigmaDelta):
        exponent -= source.neuron.state_exponent
    weight = p.synapse.weight * 2.0**exponent
    noise = 1 + 0.01 * rng.normal(size=weight.shape)
    return replace(p, synapse=replace(p.synapse, weight=weight * noise, format=None))


def random_real_case(seed: int) -> Case:
    """A random Program at precision `float` and a stimulus for it."""
    program, stimulus = random_case(seed)
    rng = np.random.default_rng([seed, 1])
    values: dict[str, Any] = {}
    for spec in program.inputs:
        messages = stimulus.values[spec.name].astype(np.float64)
        noise = 0.1 * rng.normal(size=messages.shape)
        values[spec.name] = messages + noise * (messages != 0) if spec.graded else messages
    inputs = tuple(
        replace(i, scale=1.0, minimum=-np.inf, maximum=np.inf) if i.graded else i
        for i in program.inputs
    )
    real = replace(
        program,
        precision="float",
        inputs=inputs,
        populations=tuple(
            replace(p, neuron=_REAL[type(p.neuron)](p.neuron)) for p in program.populations
        ),
        projections=tuple(_projection(rng, program, p) for p in program.projections),
    )
    return real, Stimulus(values, stimulus.steps)
