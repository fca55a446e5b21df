"""Populations of one neuron model with random parameters, and the inputs that drive them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.ternary_lif import TernaryLif
from slipway.deploy.program import Input, Output, Population, Program, Projection, Synapse
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import from_matrix
from slipway.deploy.trace import Stimulus

Array = np.ndarray[Any, Any]
Rng = np.random.Generator
SIDE, CHANNELS = 3, 2
"""The input is (1, 3, 3); the population has (2, 3, 3) neurons."""


def one(value: int) -> Array:
    return np.array([value])


def cuba_lif(rng: Rng, size: int) -> CubaLif:
    silent = rng.random() < 0.2
    return CubaLif(
        current_decay=rng.integers(200, 4096, rng.choice([1, size])),
        voltage_decay=rng.integers(0, 4096, rng.choice([1, size])),
        bias_mantissa=rng.integers(-300, 300, rng.choice([1, size])) * (rng.random() < 0.5),
        threshold=one(131071) if silent else rng.integers(0, 3000, rng.choice([1, size])),
        initial_voltage=one(0),
        bias_exponent=int(rng.integers(0, 3)),
        onset=int(rng.integers(0, 3)),
        reset=rng.choice(["zero", "value", "subtract"]),
        reset_voltage=rng.integers(-9000, 9000, rng.choice([1, size])),
        refractory=int(rng.integers(0, 3)),
        reset_interval=int(rng.choice([0, 0, 5])),
    )


def ternary_lif(rng: Rng, size: int) -> TernaryLif:
    return TernaryLif(
        current_decay=rng.integers(200, 4096, rng.choice([1, size])),
        voltage_decay=rng.integers(0, 4096, rng.choice([1, size])),
        bias_mantissa=rng.integers(-300, 300, rng.choice([1, size])),
        threshold_high=rng.integers(0, 3000, 1),
        threshold_low=rng.integers(-3000, 1, 1),
        initial_voltage=one(0),
    )


def adaptive_lif(rng: Rng, size: int) -> AdaptiveLif:
    return AdaptiveLif(
        current_decay=rng.integers(200, 4096, 1),
        voltage_decay=rng.integers(100, 4096, 1),
        threshold_decay=rng.integers(0, 4096, 1),
        refractory_decay=rng.integers(0, 4096, 1),
        threshold=rng.integers(0, 2000, 1),
        threshold_step=rng.integers(0, 500, 1),
        bias_mantissa=rng.integers(-300, 300, rng.choice([1, size])),
    )


def resonator(rng: Rng, size: int) -> Resonator:
    decay, angle = rng.uniform(0.02, 0.5), 2 * np.pi / rng.uniform(2.5, 12)
    return Resonator(
        cosine=one(int(4096 * (1 - decay) * np.cos(angle))),
        sine=one(int(4096 * (1 - decay) * np.sin(angle))),
        threshold=rng.integers(1, 3000, 1),
        reset=rng.choice(["none", "izhikevich"]),
        state_exponent=6,
    )


MODELS = {
    "cuba": cuba_lif,
    "ternary": ternary_lif,
    "adaptive": adaptive_lif,
    "resonator": resonator,
}


def synapse(rng: Rng) -> Synapse:
    """Mixed weights, as a matrix, a list with delays, or a kernel."""
    exponent = int(rng.integers(-3, 3))
    layout = WeightFormat(8, exponent, "mixed")
    kind = rng.choice(["dense", "sparse", "conv"])
    if kind == "conv":
        kernel = 2 * rng.integers(-100, 101, (CHANNELS, 1, 3, 3)).astype(np.int16)
        return Conv2d(kernel, (1, SIDE, SIDE), padding=(1, 1), format=layout)
    shape = (CHANNELS * SIDE * SIDE, SIDE * SIDE)
    weight = (2 * rng.integers(-100, 101, shape) * (rng.random(shape) < 0.8)).astype(np.int16)
    if kind == "dense":
        return Dense(weight, layout)
    return from_matrix(weight, layout, rng.integers(0, 4, shape))


def network(
    neuron: Any,
    projections: tuple[Projection, ...],
    top: int,
    low: int = 0,
    steps: int = 40,
    shape: tuple[int, ...] = (CHANNELS, SIDE, SIDE),
    source: tuple[int, ...] = (1, SIDE, SIDE),
    readout: Literal["count", "last"] = "last",
) -> Program:
    """One population p behind one input."""
    return Program(
        "fixed",
        1e-3,
        steps,
        (Input("input", source, top > 1 or low < 0, 1.0, low, top),),
        (Population("p", "LIF", shape, neuron, 1),),
        projections,
        (Output("output", "p", readout),),
    )


def random_network(seed: int, model: str) -> Program:
    """One population of that model behind an input; a resonator's has both its parts driven."""
    rng = np.random.default_rng(seed)
    neuron = MODELS[model](rng, CHANNELS * SIDE * SIDE)
    ports = ("real", "imaginary") if model == "resonator" else ("",)
    projections = tuple(
        Projection(
            f"input->p{port}", "input", "p", synapse(rng), int(rng.integers(0, 3)), (), port
        )
        for port in ports
    )
    top = int(rng.choice([1, 3]))
    return network(neuron, projections, top, -2 if rng.random() < 0.3 else 0)


def responses(program: Program, port: str = "") -> Array:
    """Current (before the floor) of each neuron at each delay for a message of 1: (d, n, m)."""
    found = np.zeros((64, program.populations[0].size, program.inputs[0].size))
    unit = np.eye(program.inputs[0].size)
    for projection in program.projections:
        if projection.port != port:
            continue
        bins = getattr(projection.synapse, "bins", lambda s=projection.synapse: [(0, s)])()
        for own, part in bins:
            answer = part.accumulate(unit) * 2.0**projection.exponent
            found[projection.delay + own] += answer.T
    return found


def constant(program: Program, neuron: int, sign: int) -> Stimulus:
    """At every step the messages that push that neuron's current up (1) or down (-1) most."""
    spec = program.inputs[0]
    weight = responses(program).sum(axis=0)[neuron] * sign
    frame = np.where(weight > 0, spec.maximum, spec.minimum).astype(np.int32)
    frame[weight == 0] = 0
    return Stimulus({"input": frame[None]}, program.steps)
