"""The readable norm: a Program step by step in plain NumPy, int64 or float64."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from .neurons.cuba_lif import STATE_LIMIT, Array, step_fixed, step_float
from .program import Program
from .trace import Raster, Stimulus, Trace


def shift(total: Array, exponent: int) -> Array:
    """Apply the weight exponent to a sum: left shift, or right shift that floors."""
    return total << exponent if exponent >= 0 else total >> -exponent


def execute(program: Program, stimulus: Stimulus, *, record: bool = False) -> Trace:
    """Run all samples at once, all steps; arrays (N, n)."""
    fixed = program.precision == "fixed"
    dtype: Any = np.int64 if fixed else np.float64
    advance = step_fixed if fixed else step_float
    samples, steps = stimulus.samples, program.run_steps(stimulus.steps)
    last = program.population(program.output.population)

    u = {p.name: np.zeros((samples, p.size), dtype) for p in program.populations}
    v = {
        p.name: np.broadcast_to(p.neuron.initial_voltage.astype(dtype), (samples, p.size))
        for p in program.populations
    }
    # What each projection will deliver: the sum made at step t arrives at t + 1 + delay.
    pending = {
        p.name: deque(
            np.zeros((samples, p.synapse.out_size), dtype) for _ in range(1 + p.delay)
        )
        for p in program.projections
    }
    messages = {
        name: np.zeros((samples, size), np.int64)
        for name, size in [
            (program.input.name, program.input.size),
            *((p.name, p.size) for p in program.populations),
        ]
    }
    saturated = {p.name: np.zeros(samples, np.int64) for p in program.populations}
    tape: dict[str, list[tuple[Array, Array, Array]]] = {
        p.name: [] for p in program.populations
    }
    outputs: Array = np.zeros((samples, last.size), dtype)

    for t in range(1, steps + 1):
        sent = {program.input.name: stimulus.at(t).astype(dtype)}
        arriving = {p.name: np.zeros((samples, p.size), dtype) for p in program.populations}
        for projection in program.projections:
            arriving[projection.target] += pending[projection.name].popleft()
        for population in program.populations:
            name = population.name
            u[name], v[name], spikes = advance(
                population.neuron, t, u[name], v[name], arriving[name]
            )
            sent[name] = spikes.astype(dtype)
            if fixed:
                saturated[name] += (np.abs(v[name]) == STATE_LIMIT - 1).sum(axis=1)
            if record:
                tape[name].append((spikes, u[name], v[name]))
        for name, values in sent.items():
            messages[name] += values != 0
        for projection in program.projections:
            total = projection.synapse.accumulate(sent[projection.source])
            pending[projection.name].append(
                shift(total, projection.synapse.exponent) if fixed else total
            )
        if last.depth < t <= last.depth + stimulus.steps:
            read = sent[last.name] if program.output.readout == "count" else v[last.name]
            outputs = read.copy() if program.output.readout == "last" else outputs + read

    if program.output.readout == "mean" and not fixed:
        outputs = outputs / stimulus.steps
    rasters = {
        name: Raster(*(np.stack(column, axis=1) for column in zip(*frames, strict=True)))
        for name, frames in tape.items()
        if record
    }
    return Trace(outputs, messages, saturated, steps, rasters)
