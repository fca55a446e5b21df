"""One population in integers among sources that send what the float Program's sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .formats import shift
from .neurons.models import model_of
from .program import Input, Population, Program, Projection
from .synapses.sparse import Sparse
from .trace import Raster, Stimulus, Trace

Array = npt.NDArray[Any]


def sent(program: Program, name: str, stimulus: Stimulus, before: Trace, samples: int) -> Array:
    """Integer messages of that source at the steps 1, 2, ...: float64 (samples, steps, n).

    Args:
        program: gives the scale of the messages.
        name: of an input or a population.
        stimulus: of integers.
        before: what the float Program did with the same samples, or more of them.
        samples: how many are wanted.
    """
    if isinstance(program.source(name), Input):
        steps = range(1, before.executed_steps + 1)
        return np.stack([stimulus.at(name, t)[:samples] for t in steps], 1).astype(np.float64)
    messages = before.rasters[name].s[:samples].astype(np.float64)
    scale = program.message_scale(name)
    return np.rint(messages * scale) if scale != 1 else messages


def currents(projection: Projection, messages: Array) -> Array:
    """What a fixed projection delivers at each step: int64 (samples, steps, n_out)."""
    synapse = projection.synapse
    bins = synapse.bins() if isinstance(synapse, Sparse) else [(0, synapse)]
    steps = messages.shape[1]
    arriving = np.zeros((*messages.shape[:2], synapse.out_size), np.int64)
    for own, part in bins:
        late = 1 + projection.delay + own
        # Sums of integers are exact in float64, and a matrix product of floats is fast.
        total = np.rint(part.accumulate(messages[:, : max(steps - late, 0)]))
        arriving[:, late:] += shift(total.astype(np.int64), projection.exponent)
    return arriving


def by_itself(
    fixed: Program, population: Population, stimulus: Stimulus, before: Trace
) -> tuple[Raster, Array]:
    """What one population does in integers, and how often v is clipped, int64 (samples,).

    Args:
        fixed: the fixed Program; of its populations only this one is used.
        population: of it.
        stimulus: encoded for it.
        before: what the float Program did with the same samples, or more of them.
    """
    samples, steps = stimulus.samples, before.executed_steps
    neuron, model = population.neuron, model_of(population.neuron)
    arriving = {p: np.zeros((samples, steps, population.size), np.int64) for p in model.ports}
    for projection in fixed.into(population.name):
        messages = sent(fixed, projection.source, stimulus, before, samples)
        arriving[projection.port] += currents(projection, messages)
    state = model.fresh(neuron, (samples, population.size), np.int64)
    clipped = np.zeros(samples, np.int64)
    frames = []
    for t in range(1, steps + 1):
        now = tuple(arriving[port][:, t - 1] for port in model.ports)
        state, messages = model.step_fixed(neuron, t, state, now)
        clipped += model.saturated(neuron, state)
        frames.append((messages, *state))
    s, *states = (np.stack(column, axis=1) for column in zip(*frames, strict=True))
    names = model.states(neuron)
    return Raster(s, dict(zip(names, states, strict=True))), clipped


def part_of(raster: Raster, samples: slice, steps: slice) -> Raster:
    """Some samples and steps of a raster."""
    states = {name: values[samples, steps] for name, values in raster.states.items()}
    return replace(raster, s=raster.s[samples, steps], states=states)
