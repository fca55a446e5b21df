"""Random fixed-point Programs over the whole legal range, reproducible from one integer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from slipway.deploy.bounds import population_bounds, problems
from slipway.deploy.neurons.cuba_lif import THRESHOLD_MAX, CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense, SignMode
from slipway.deploy.trace import Stimulus

Rng = np.random.Generator
KINDS = ("IF", "LIF", "CubaLIF", "LI", "CubaLI")


def random_case(seed: int) -> tuple[Program, Stimulus]:
    """A random Program within all bounds and a stimulus for it."""
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(4, 13))
    spec = _input(rng)
    shapes = {spec.name: spec.shape}
    populations: list[Population] = []
    projections: list[Projection] = []
    count = int(rng.integers(1, 4))
    for index in range(count):
        name, last = f"p{index}", index == count - 1
        source = spec.name if index == 0 else f"p{index - 1}"
        synapse, shape = _synapse(rng, shapes[source], None)
        populations.append(_population(rng, name, shape, depth=index + 1, last=last))
        shapes[name] = shape
        projections.append(Projection(f"{source}->{name}", source, name, synapse))
        if index and rng.random() < 0.4:  # a skip from further back, with a delay
            back = spec.name if rng.random() < 0.5 or index == 1 else f"p{index - 2}"
            extra, _ = _synapse(rng, shapes[back], shape)
            delay = int(rng.integers(0, 4))
            projections.append(Projection(f"{back}~>{name}", back, name, extra, delay))
        if rng.random() < 0.4 and populations[-1].kind not in ("LI", "CubaLI"):
            loop, _ = _synapse(rng, shape, shape)
            projections.append(
                Projection(f"{name}->{name}", name, name, loop, int(rng.integers(0, 3)))
            )
    readout = (
        "count" if populations[-1].kind not in ("LI", "CubaLI") else ["last", "mean"][seed % 2]
    )
    program = Program(
        "fixed",
        1e-3,
        steps,
        spec,
        tuple(populations),
        tuple(projections),
        Output("output", f"p{count - 1}", readout),  # type: ignore[arg-type]
    )
    return _within_bounds(program), _stimulus(rng, spec, steps)


def _input(rng: Rng) -> Input:
    image = rng.random() < 0.6
    shape = (
        (int(rng.integers(1, 4)), int(rng.integers(3, 8)), int(rng.integers(3, 8)))
        if image
        else (int(rng.integers(1, 12)),)
    )
    if rng.random() < 0.5:
        return Input("input", shape, False, 1.0, 0, 1)
    top = int(rng.choice([1, 15, 255, 1023]))
    return Input("input", shape, True, float(top), -top if rng.random() < 0.4 else 0, top)


def _stimulus(rng: Rng, spec: Input, steps: int) -> Stimulus:
    samples = int(rng.integers(1, 4))
    frames = rng.random() < 0.3
    shape = (samples, spec.size) if frames else (samples, steps, spec.size)
    if not spec.graded:
        return Stimulus((rng.random(shape) < rng.random()).astype(np.int32), steps)
    values = rng.integers(int(spec.minimum), int(spec.maximum) + 1, shape)
    values[rng.random(shape) < 0.3] = 0
    values[rng.random(shape) < 0.1] = int(spec.maximum)
    return Stimulus(values.astype(np.int32), steps)


def _weights(rng: Rng, shape: tuple[int, ...]) -> tuple[np.ndarray[Any, Any], SignMode]:
    mode: SignMode = rng.choice(["mixed", "excitatory", "inhibitory"], p=[0.7, 0.2, 0.1])
    span = int(rng.choice([3, 16, 64, 128]))
    if mode == "mixed":
        weight = np.clip(2 * rng.integers(-span, span + 1, shape), -256, 254)
    else:
        weight = np.clip(rng.integers(0, 2 * span + 1, shape), 0, 255)
        weight = weight if mode == "excitatory" else -weight
    weight[rng.random(shape) < rng.random() * 0.8] = 0
    return weight.astype(np.int16), mode


def _synapse(
    rng: Rng, source: tuple[int, ...], target: tuple[int, ...] | None
) -> tuple[Dense | Conv2d, tuple[int, ...]]:
    """A synapse from a shape to the target shape, or to a shape of its own choice."""
    exponent = int(rng.integers(-7, 8)) if rng.random() < 0.5 else 0
    if target is None and len(source) == 3 and rng.random() < 0.7:
        conv = _convolution(rng, source, exponent)
        if min(conv.output_shape) > 0:
            return conv, conv.output_shape
    if target is not None and target == source and len(source) == 3 and rng.random() < 0.5:
        weight, mode = _weights(rng, (source[0], 1, 1, 1))
        image = (source[0], source[1], source[2])
        return Conv2d(
            weight, image, groups=source[0], exponent=exponent, sign_mode=mode
        ), source
    shape = target or (int(rng.integers(1, 10)),)
    weight, mode = _weights(rng, (int(np.prod(shape)), int(np.prod(source))))
    return Dense(weight, exponent, mode), shape


def _convolution(rng: Rng, source: tuple[int, ...], exponent: int) -> Conv2d:
    groups = int(rng.choice([g for g in (1, source[0]) if source[0] % g == 0]))
    filters = groups * int(rng.integers(1, 4))
    kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    weight, mode = _weights(rng, (filters, source[0] // groups, *kernel))
    return Conv2d(
        weight,
        (source[0], source[1], source[2]),
        stride=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        padding=(int(rng.integers(0, 3)), int(rng.integers(0, 3))),
        dilation=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        groups=groups,
        exponent=exponent,
        sign_mode=mode,
    )


def _population(
    rng: Rng, name: str, shape: tuple[int, ...], depth: int, last: bool
) -> Population:
    kind = str(rng.choice(KINDS if last else KINDS[:3]))
    size = int(np.prod(shape))

    def draw(low: int, high: int) -> np.ndarray[Any, Any]:
        n = size if rng.random() < 0.3 else 1
        edge = rng.choice([low, high], n)
        return np.where(rng.random(n) < 0.15, edge, rng.integers(low, high + 1, n)).astype(
            np.int64
        )

    biased = rng.random() < 0.5
    threshold = int(2 ** rng.uniform(0, 17)) - 1
    neuron = CubaLif(
        current_decay=draw(0, 4095) if kind.startswith("Cuba") else np.array([4095]),
        voltage_decay=np.array([0]) if kind == "IF" else draw(0, 4095),
        bias_mantissa=draw(-4096, 4095) if biased else np.array([0]),
        bias_exponent=int(rng.integers(0, 8)) if biased else 0,
        threshold=np.array([THRESHOLD_MAX])
        if "LIF" not in kind and kind != "IF"
        else draw(0, threshold),
        initial_voltage=np.array([-(2**22) if rng.random() < 0.5 else 0]),
        onset=depth + 1 if biased and rng.random() < 0.7 else 0,
    )
    return Population(name, kind, shape, neuron, depth)


def _within_bounds(program: Program) -> Program:
    """Lower exponents, then thin out weights, until no hard limit can be broken."""
    for _ in range(200):
        steps = program.run_steps(program.steps)
        broken = {p.name for p in program.populations if _broken(program, p, steps)}
        if not broken:
            return program
        projections = tuple(
            _weaker(p) if p.target in broken else p for p in program.projections
        )
        populations = tuple(
            replace(p, neuron=_weaker_bias(p.neuron)) if p.name in broken else p
            for p in program.populations
        )
        program = replace(program, projections=projections, populations=populations)
    raise AssertionError("no legal network found")


def _broken(program: Program, population: Population, steps: int) -> bool:
    return bool(problems(population, population_bounds(program, population, steps)))


def _weaker(projection: Projection) -> Projection:
    synapse = projection.synapse
    if synapse.exponent > -7:
        return replace(projection, synapse=replace(synapse, exponent=synapse.exponent - 1))
    weight = (synapse.weight // 4 * 2).astype(np.int16)
    return replace(projection, synapse=replace(synapse, weight=weight))


def _weaker_bias(neuron: CubaLif) -> CubaLif:
    return replace(
        neuron,
        bias_mantissa=(neuron.bias_mantissa / 2).astype(np.int64),
        initial_voltage=np.array([0]),
        current_decay=np.minimum(neuron.current_decay * 2 + 1, 4095),
    )
