"""Small random Programs of every neuron model, option and synapse, and stimuli for them.

Not checked against the bounds: states may saturate and do, but nothing leaves int32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.first_spike import FirstSpike
from slipway.deploy.neurons.models import Neuron, model_of
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.neurons.ternary_lif import TernaryLif
from slipway.deploy.program import Input, Output, Population, Program, Projection, Synapse
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import from_matrix
from slipway.deploy.trace import Stimulus

Rng = np.random.Generator
Draw = Callable[..., np.ndarray[Any, Any]]


def random_case(seed: int) -> tuple[Program, Stimulus]:
    """A random `fixed` Program and a stimulus for it."""
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(3, 13))
    inputs = tuple(_input(rng, f"in{k}") for k in range(int(rng.integers(1, 4))))
    populations = [_population(rng, f"p{k}", steps) for k in range(int(rng.integers(1, 5)))]
    sources: list[Input | Population] = [*inputs, *populations]
    projections: list[Projection] = []
    for k, target in enumerate(populations):
        for which in range(int(rng.integers(1, 4))):
            # The first one feeds forward; others may loop, but for graded messages.
            source = sources[int(rng.integers(len(sources)))]
            if which == 0 or (isinstance(source, Population) and graded(source)):
                source = sources[int(rng.integers(len(inputs) + k))]
            projections.append(_projection(rng, len(projections), source, target))
    outputs = tuple(
        Output(f"out{k}", str(rng.choice([p.name for p in populations])), readout)
        for k, readout in enumerate(rng.permutation(["count", "last", "mean"]))
    )[: int(rng.integers(1, 4))]
    program = Program(
        "fixed", 1e-3, steps, inputs, tuple(populations), tuple(projections), outputs
    )
    samples = int(rng.integers(1, 5))
    values = {spec.name: _values(rng, spec, samples, steps) for spec in inputs}
    return program, Stimulus(values, steps)


def graded(population: Population) -> bool:
    """Whether its messages are whole numbers of any size."""
    return model_of(population.neuron).message == "graded"


def _shape(rng: Rng) -> tuple[int, ...]:
    if rng.random() < 0.5:
        return (int(rng.integers(1, 12)),)
    return (int(rng.integers(1, 4)), int(rng.integers(2, 6)), int(rng.integers(2, 6)))


def _input(rng: Rng, name: str) -> Input:
    graded = bool(rng.random() < 0.6)
    low = -15 if graded and rng.random() < 0.5 else 0
    return Input(name, _shape(rng), graded, 1.0, low, 15 if graded else 1)


def _values(rng: Rng, spec: Input, samples: int, steps: int) -> np.ndarray[Any, Any]:
    frames = rng.random() < 0.4
    shape = (samples, spec.size) if frames else (samples, steps, spec.size)
    values = rng.integers(int(spec.minimum), int(spec.maximum) + 1, shape)
    values[rng.random(shape) < rng.random()] = 0
    return values.astype(np.int32)


def _population(rng: Rng, name: str, steps: int) -> Population:
    shape = _shape(rng)
    size = int(np.prod(shape))

    def draw(low: int, high: int) -> np.ndarray[Any, Any]:
        n = size if rng.random() < 0.5 else 1
        edge = rng.choice([low, high], n)
        return np.where(rng.random(n) < 0.2, edge, rng.integers(low, high + 1, n))

    maker = MAKERS[int(rng.integers(len(MAKERS)))]
    return Population(name, "LIF", shape, maker(rng, draw, steps), int(rng.integers(1, 5)))


def _threshold(rng: Rng, draw: Draw) -> np.ndarray[Any, Any]:
    return draw(0, int(2 ** rng.uniform(2, 17)) - 1)


def _cuba_lif(rng: Rng, draw: Draw, steps: int) -> CubaLif:
    return CubaLif(
        draw(0, 4095),
        draw(0, 4095),
        draw(-4096, 4095),
        _threshold(rng, draw),
        draw(1 - 2**23, 2**20),
        bias_exponent=int(rng.integers(0, 8)) if rng.random() < 0.5 else 0,
        onset=int(rng.integers(0, 4)),
        reset=rng.choice(["zero", "zero", "value", "subtract"]),
        reset_voltage=draw(-(2**18), 0),
        refractory=int(rng.integers(1, 4)) if rng.random() < 0.4 else 0,
        reset_interval=int(rng.integers(1, 6)) if rng.random() < 0.3 else 0,
    )


def _ternary_lif(rng: Rng, draw: Draw, steps: int) -> TernaryLif:
    low = -_threshold(rng, draw)[:1]
    return TernaryLif(
        draw(0, 4095),
        draw(0, 4095),
        draw(-4096, 4095),
        _threshold(rng, draw)[:1],
        low,
        draw(1 - 2**23, 2**18),
        bias_exponent=int(rng.integers(0, 8)),
    )


def _adaptive_lif(rng: Rng, draw: Draw, steps: int) -> AdaptiveLif:
    return AdaptiveLif(
        draw(0, 4095)[:1],
        draw(0, 4095)[:1],
        draw(0, 4095)[:1],
        draw(0, 4095)[:1],
        _threshold(rng, draw)[:1],
        draw(0, 5000)[:1],
        draw(-4096, 4095),
        bias_exponent=int(rng.integers(0, 8)),
    )


def _sigma_delta(rng: Rng, draw: Draw, steps: int) -> SigmaDelta:
    return SigmaDelta(
        draw(-1000, 1000),
        draw(0, 2000),
        activation=rng.choice(["relu", "identity"]),
        accumulate=bool(rng.random() < 0.7),
        state_exponent=int(rng.integers(0, 8)),
        input_exponent=int(rng.integers(0, 4)),
        exact=bool(rng.random() < 0.6),
        onset=int(rng.integers(0, 4)),
        ceiling=draw(500, 5000) if rng.random() < 0.5 else None,
        initial=draw(-1000, 1000),
    )


def _resonator(rng: Rng, draw: Draw, steps: int) -> Resonator:
    radius, angle = rng.uniform(0.5, 1.0), 2 * np.pi / rng.uniform(2, 12)
    return Resonator(
        np.array([int(4096 * radius * np.cos(angle))]),
        np.array([int(4096 * radius * np.sin(angle))]),
        _threshold(rng, draw)[:1] // int(rng.choice([1, 16])),
        reset=rng.choice(["none", "izhikevich"]),
        state_exponent=int(rng.choice([0, 3, 6, 7])),
    )


def _first_spike(rng: Rng, draw: Draw, steps: int) -> FirstSpike:
    slope = draw(1, 2**20)
    ticks = int(rng.integers(1, 6))
    return FirstSpike(
        draw(1 - 2**23, 2**18),
        slope,
        np.minimum(slope * ticks + slope // 2, 2**23 - 1),
        int(rng.integers(1, steps)),
        ticks,
    )


# The CubaLif has most options, so it is drawn most often.
MAKERS: tuple[Callable[[Rng, Draw, int], Neuron], ...] = (
    _cuba_lif,
    _cuba_lif,
    _cuba_lif,
    _ternary_lif,
    _adaptive_lif,
    _sigma_delta,
    _sigma_delta,
    _resonator,
    _first_spike,
)


def _projection(
    rng: Rng, index: int, source: Input | Population, target: Population
) -> Projection:
    large = isinstance(source, Population) and graded(source)
    synapse = _synapse(rng, source.shape, target.shape, large)
    own = getattr(synapse, "longest_delay", 0)
    delay = int(rng.integers(0, 4)) if rng.random() < 0.4 else 0
    return Projection(
        f"{index}: {source.name}->{target.name}",
        source.name,
        target.name,
        synapse,
        min(delay, 62 - own),
        port=str(rng.choice(model_of(target.neuron).ports)),
    )


def _synapse(
    rng: Rng, source: tuple[int, ...], target: tuple[int, ...], large: bool
) -> Synapse:
    """Any that fits; weak where the messages are large."""
    low, high = (-7, -3) if large else (-7, 7)
    form = WeightFormat(exponent=int(rng.integers(low, high)) if rng.random() < 0.6 else 0)
    span = 3 if large else int(rng.choice([3, 20, 120]))

    def weights(*shape: int) -> np.ndarray[Any, Any]:
        drawn = 2 * rng.integers(-span, span + 1, shape)
        return np.where(rng.random(shape) < 0.8, drawn, 0).astype(np.int16)

    if len(source) == len(target) == 3 and rng.random() < 0.8:
        conv = _convolution(rng, source, target, weights, form)
        if conv is not None:
            return conv
    matrix = weights(int(np.prod(target)), int(np.prod(source)))
    if rng.random() < 0.4:
        return Dense(matrix, form)
    matrix[rng.random(matrix.shape) < 0.5] = 0
    longest = int(rng.choice([0, 1, 4, 62], p=[0.4, 0.25, 0.25, 0.1]))
    delay = rng.integers(0, longest + 1, matrix.shape)
    return from_matrix(matrix, form, delay if longest else None)


def _convolution(
    rng: Rng,
    source: tuple[int, ...],
    target: tuple[int, ...],
    weights: Callable[..., np.ndarray[Any, Any]],
    form: WeightFormat,
) -> Conv2d | None:
    """Some convolution between two images, if one is found that fits."""
    for _ in range(60):
        groups = int(rng.choice([g for g in (1, 2, 3) if not (source[0] % g or target[0] % g)]))
        kernel = rng.integers(1, 4, 2)
        stride, padding, dilation = (
            (int(a), int(b))
            for a, b in (rng.integers(1, 3, 2), rng.integers(0, 3, 2), rng.integers(1, 3, 2))
        )
        conv = Conv2d(
            weights(target[0], source[0] // groups, *kernel),
            (source[0], source[1], source[2]),
            stride,
            padding,
            dilation,
            groups,
            form,
        )
        if conv.output_shape == target:
            return conv
    return None


# What of a neuron is in units of a state, which has 6 bits below those of a current.
_STATES = ("initial_voltage", "reset_voltage", "slope")
_DECAYS = ("current_decay", "voltage_decay", "threshold_decay", "refractory_decay")


def as_float(program: Program, stimulus: Stimulus, seed: int) -> tuple[Program, Stimulus]:
    """The like in floating point; all parameters a bit off, so that nothing ties."""
    rng = np.random.default_rng(seed)

    def off(values: Any) -> np.ndarray[Any, Any]:
        values = np.asarray(values, np.float64)
        return np.asarray(values * rng.uniform(0.98, 1.0, values.shape))

    def neuron(given: Neuron) -> Neuron:
        changed: dict[str, Any] = {}
        for name in (field.name for field in fields(given)):
            value = getattr(given, name)
            if name.endswith("exponent"):
                changed[name] = 0
            elif isinstance(value, np.ndarray):
                state = name in _STATES or (name == "threshold" and type(given) is FirstSpike)
                complex_part = name in ("cosine", "sine")
                unity = 4096 if name in _DECAYS or complex_part else 64 if state else 1
                changed[name] = off(value) / unity
        if "bias_mantissa" in changed:
            changed["bias_mantissa"] *= 2.0**given.bias_exponent / 64  # type: ignore[union-attr]
        if isinstance(given, SigmaDelta):  # 0 would send what rounding leaves
            changed["threshold"] = np.maximum(changed["threshold"], 1.0)
        return replace(given, **changed)

    def projection(given: Projection) -> Projection:
        weight = off(given.synapse.weight) * 2.0**given.exponent
        return replace(given, synapse=replace(given.synapse, weight=weight, format=None))

    floating = replace(
        program,
        precision="float",
        populations=tuple(replace(p, neuron=neuron(p.neuron)) for p in program.populations),
        projections=tuple(projection(p) for p in program.projections),
    )
    return floating, Stimulus({k: off(v) for k, v in stimulus.values.items()}, stimulus.steps)
