"""The readable norm: a Program step by step in plain NumPy, int64 or float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from .formats import shift
from .neurons.models import Array, model_of
from .program import Input, Output, Population, Program, Projection
from .synapses.sparse import Sparse
from .trace import Raster, Stimulus, Trace

# What a raster holds of each kind of message.
RASTER_TYPES = {"spike": np.dtype(bool), "ternary": np.dtype(np.int32)}


def message_type(program: Program, kind: str) -> Any:
    """Type of a raster's messages: bool, int32, or float64 for graded ones at `float`."""
    graded = np.dtype(np.int32 if program.precision == "fixed" else np.float64)
    return RASTER_TYPES.get(kind, graded)


def execute(program: Program, stimulus: Stimulus, *, record: bool = False) -> Trace:
    """Run all samples at once, all steps; arrays (N, n)."""
    fixed = program.precision == "fixed"
    dtype: Any = np.int64 if fixed else np.float64
    samples, steps = stimulus.samples, program.run_steps(stimulus.steps)
    models = {p.name: model_of(p.neuron) for p in program.populations}
    state = {
        p.name: models[p.name].fresh(p.neuron, (samples, p.size), dtype)
        for p in program.populations
    }
    # (population, port) -> currents of the steps to come: what is sent at step t arrives at
    # t + 1 + delay.
    arriving = {
        (p.name, port): np.zeros((steps + 2, samples, p.size), dtype)
        for p in program.populations
        for port in models[p.name].ports
    }
    sources: list[Input | Population] = [*program.inputs, *program.populations]
    messages = {s.name: np.zeros((samples, s.size), np.int64) for s in sources}
    saturated = {p.name: np.zeros(samples, np.int64) for p in program.populations}
    tape: dict[str, list[tuple[Array, ...]]] = {p.name: [] for p in program.populations}
    outputs: dict[str, Array] = {}

    for t in range(1, steps + 1):
        sent = {i.name: stimulus.at(i.name, t).astype(dtype) for i in program.inputs}
        for population in program.populations:
            name, model = population.name, models[population.name]
            advance = model.step_fixed if fixed else model.step_float
            currents = tuple(arriving[name, port][t] for port in model.ports)
            state[name], now = advance(population.neuron, t, state[name], currents)
            sent[name] = now.astype(dtype)
            if fixed:
                saturated[name] += model.saturated(population.neuron, state[name])
            if record:
                tape[name].append((now, *state[name]))
        for name, values in sent.items():
            messages[name] += values != 0
        for projection in program.projections:
            _deliver(projection, sent[projection.source], arriving, t)
        for output in program.outputs:
            _read(program, output, stimulus.steps, t, sent, state, outputs)

    for output in program.outputs:
        if output.readout == "mean" and not fixed:
            outputs[output.name] = outputs[output.name] / stimulus.steps
    rasters = {
        p.name: _raster(program, p.name, tape[p.name]) for p in program.populations if record
    }
    return Trace(outputs, messages, saturated, steps, rasters)


def _deliver(
    projection: Projection, sent: Array, arriving: dict[tuple[str, str], Array], t: int
) -> None:
    """Add the currents of this step's messages to the steps in which they arrive."""
    synapse, exponent = projection.synapse, projection.exponent
    parts = synapse.bins() if isinstance(synapse, Sparse) else [(0, synapse)]
    into = arriving[projection.target, projection.port]
    for own, part in parts:
        step = t + 1 + projection.delay + own
        if step < len(into):
            total = part.accumulate(sent)
            into[step] += shift(total, exponent) if exponent else total


def _read(
    program: Program,
    output: Output,
    presented: int,
    t: int,
    sent: dict[str, Array],
    state: dict[str, tuple[Array, ...]],
    outputs: dict[str, Array],
) -> None:
    """Count, keep or sum what an output reads in this step."""
    first, last = program.window(output, presented)
    if not first <= t <= last:
        return
    name = output.population
    model, neuron = model_of(program.population(name).neuron), program.population(name).neuron
    membrane = state[name][model.states(neuron).index(model.membrane)]
    read = sent[name] if output.readout == "count" else membrane
    summed = output.readout != "last" and t > first
    outputs[output.name] = outputs[output.name] + read if summed else read.copy()


def _raster(program: Program, name: str, frames: list[tuple[Array, ...]]) -> Raster:
    neuron = program.population(name).neuron
    model = model_of(neuron)
    s, *states = (np.stack(column, axis=1) for column in zip(*frames, strict=True))
    named = dict(zip(model.states(neuron), states, strict=True))
    return Raster(s.astype(message_type(program, model.message)), named)
