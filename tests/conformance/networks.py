"""Random fixed-point Programs over the whole legal range, reproducible from one integer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np
from slipway.deploy.neurons.models import MODELS, model_of
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.trace import Stimulus

from .limits import weakened
from .neurons import NEURONS
from .synapses import DELAY_MAX, random_synapse

Rng = np.random.Generator
Case: TypeAlias = tuple[Program, Stimulus]
Shape: TypeAlias = tuple[int, ...]


def random_case(seed: int) -> Case:
    """A random Program, and a stimulus with which it stays within all bounds."""
    rng = np.random.default_rng(seed)
    # Long enough for the longest delays now and then, short otherwise.
    steps = int(rng.integers(64, 76)) if rng.random() < 0.06 else int(rng.integers(3, 13))
    inputs = tuple(_input(rng, f"in{i}") for i in range(1 if rng.random() < 0.75 else 2))
    populations, projections = _network(rng, inputs, steps)
    program = Program(
        "fixed",
        1e-3,
        steps,
        inputs,
        tuple(populations),
        tuple(projections),
        _outputs(rng, populations),
    )
    stimulus = _stimulus(rng, inputs, steps)
    return weakened(program, stimulus), stimulus


def _network(
    rng: Rng, inputs: Sequence[Input], steps: int
) -> tuple[list[Population], list[Projection]]:
    """A chain with skips from further back, loops, and a second input somewhere."""
    shapes: dict[str, Shape] = {i.name: i.shape for i in inputs}
    depths = {i.name: 0 for i in inputs}
    populations: list[Population] = []
    projections: list[Projection] = []
    ports: Sequence[str] = ()

    def connect(source: str, target: str, port: str) -> None:
        synapse, shapes[target] = random_synapse(
            rng, shapes[source], shapes.get(target), steps + 4
        )
        own = int(getattr(synapse, "longest_delay", 0))
        delay = int(rng.integers(0, min(4, DELAY_MAX - own) + 1)) if rng.random() < 0.3 else 0
        name = f"{source}->{target} {len(projections)}"
        projections.append(Projection(name, source, target, synapse, delay, port=port))

    for index in range(int(rng.integers(1, 5))):
        name = f"p{index}"
        feeders = [populations[-1].name if populations else inputs[0].name]
        kind = _kind(rng)
        ports = MODELS[kind].ports
        before = [*(i.name for i in inputs), *(p.name for p in populations)]
        feeders += [str(rng.choice(before))] * (rng.random() < 0.35)
        if index == 0 and len(inputs) > 1 and rng.random() < 0.7:
            feeders.append(inputs[1].name)
        for source in feeders:
            connect(source, name, str(rng.choice(ports)))
        if len(ports) > 1 and rng.random() < 0.6:
            connect(feeders[0], name, str(rng.choice(ports)))
        depths[name] = 1 + max(depths[source] for source in feeders)
        make, _, nir_kind = NEURONS[kind]
        size = prod(shapes[name])
        neuron = make(rng, size, steps + depths[name])
        populations.append(Population(name, nir_kind, shapes[name], neuron, depths[name]))
        if rng.random() < 0.3:
            connect(name, name, str(rng.choice(ports)))
    if len(populations) > 1 and rng.random() < 0.3:
        back, ports = populations[0].name, model_of(populations[0].neuron).ports
        connect(populations[-1].name, back, str(rng.choice(ports)))
    return populations, projections


def _kind(rng: Rng) -> type:
    kinds = list(NEURONS)
    return kinds[int(rng.choice(len(kinds), p=[share for _, share, _ in NEURONS.values()]))]


def _outputs(rng: Rng, populations: Sequence[Population]) -> tuple[Output, ...]:
    """The last population first; others, and the same one in another way."""
    names = [populations[-1].name]
    while rng.random() < 0.3:
        names.append(populations[int(rng.integers(len(populations)))].name)
    readouts: Any = ("count", "last", "mean")
    return tuple(
        Output(f"out{i}", name, readouts[int(rng.integers(3))]) for i, name in enumerate(names)
    )


def _input(rng: Rng, name: str) -> Input:
    shape: Shape = (int(rng.integers(1, 12)),)
    if rng.random() < 0.6:
        shape = (int(rng.integers(1, 5)), int(rng.integers(3, 8)), int(rng.integers(3, 8)))
    elif rng.random() < 0.3:
        shape = (int(rng.integers(1, 5)), int(rng.integers(3, 10)))
    if rng.random() < 0.5:
        return Input(name, shape, False, 1.0, 0, 1)
    top = int(rng.choice([1, 15, 255, 1023]))
    return Input(name, shape, True, float(top), -top if rng.random() < 0.4 else 0, top)


def _stimulus(rng: Rng, inputs: Sequence[Input], steps: int) -> Stimulus:
    samples = int(rng.integers(1, 4))
    return Stimulus({i.name: _messages(rng, i, samples, steps) for i in inputs}, steps)


def _messages(rng: Rng, spec: Input, samples: int, steps: int) -> np.ndarray[Any, Any]:
    frames = rng.random() < 0.3
    shape = (samples, spec.size) if frames else (samples, steps, spec.size)
    if not spec.graded:
        return (rng.random(shape) < rng.random()).astype(np.int32)
    values = rng.integers(int(spec.minimum), int(spec.maximum) + 1, shape)
    values[rng.random(shape) < 0.3] = 0
    values[rng.random(shape) < 0.1] = int(spec.maximum)
    return values.astype(np.int32)
