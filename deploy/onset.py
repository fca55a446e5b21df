"""Biases while the pipeline fills: nothing may happen before the first input arrives.

A population at depth k sees its first input in step k + 1, but a bias would integrate from step
1 on. What the source framework computes has no such head start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedNode
from .neurons.cuba_lif import CubaLif
from .neurons.first_spike import FirstSpike
from .neurons.lowering import NeuronSpec
from .neurons.models import Neuron, model_of
from .neurons.sigma_delta import SigmaDelta
from .paths import Bias
from .program import Population, Projection
from .synapses.dense import Dense
from .synapses.sparse import from_matrix

Array = npt.NDArray[Any]

HUSH = 32.0
"""Thresholds below 0 at which a membrane starts whose bias must not make it spike too early.

What the 24 bits of a fixed-point membrane hold beside a threshold of 2048 units."""


def make_population(
    name: str, spec: NeuronSpec, bias: Array, depth: int, at_rest: bool
) -> Population:
    """A population whose bias does nothing before its first input can arrive.

    From 0, a bias would charge the membrane while the pipeline fills, so the membrane starts
    far below and is cleared when its first input can arrive. At v_leak nothing moves before.
    """
    neuron: Neuron = spec.neuron
    if isinstance(neuron, SigmaDelta):
        # One that never sends has its bias in the sum itself, which is read.
        silent = not np.all(np.isfinite(neuron.threshold))
        where = {"initial": bias} if silent else {"bias": bias, "onset": depth + 1}
        neuron = replace(neuron, **where)
    elif isinstance(neuron, FirstSpike):
        neuron = replace(neuron, initial_voltage=bias)
        if neuron.ticks:  # one that is only read never fires
            neuron = replace(neuron, fire=depth + 1)
    elif isinstance(neuron, CubaLif) and neuron.reset_interval:
        offset = (neuron.onset + depth) % neuron.reset_interval
        neuron = replace(neuron, onset=offset)
    elif isinstance(neuron, CubaLif):
        neuron = _biased(name, spec, neuron, bias, depth, at_rest)
    return Population(name, spec.kind, spec.shape, _compact(neuron), depth)


def _biased(
    name: str, spec: NeuronSpec, neuron: CubaLif, bias: Array, depth: int, at_rest: bool
) -> CubaLif:
    rests = at_rest and bool(np.any(spec.bias))
    if rests and not (
        np.array_equal(bias, spec.bias) and np.all(_rest(spec, neuron) < neuron.threshold)
    ):
        raise UnsupportedNode(
            "the membrane starts at v_leak, and a layer's bias or a threshold below v_leak "
            "would move it before the first input arrives",
            where=f"node {name} ({spec.kind})",
            remedy="train with v_leak = 0",
        )
    limit = np.where(np.isfinite(neuron.threshold), neuron.threshold, 0.0)
    early = _rest(spec, neuron) if rests else np.where(bias > 0, -HUSH * limit, 0.0)
    return replace(
        neuron,
        bias_mantissa=bias,
        initial_voltage=early,
        onset=depth + 1 if np.any(bias) and not rests else 0,
    )


def _rest(spec: NeuronSpec, neuron: CubaLif) -> Array:
    """v_leak, from bias = v_leak * voltage_decay."""
    moving = neuron.voltage_decay > 0
    return np.where(moving, spec.bias / np.where(moving, neuron.voltage_decay, 1.0), 0.0)


def guard_onset(
    populations: tuple[Population, ...], *, fixed: bool = False
) -> tuple[tuple[Population, ...], list[str]]:
    """Clear every population at its onset where some neuron spikes before any input came."""
    early = [p.name for p in populations if spikes_early(p, fixed)]
    if not early:
        return populations, []
    cleared = tuple(_cleared_at_onset(p) for p in populations)
    return cleared, [
        f"{name}: the bias alone makes neurons spike before the first input has arrived; these "
        "spikes cost energy, and in a recurrent population they reach the first step"
        for name in early
    ]


def _cleared_at_onset(population: Population) -> Population:
    neuron = population.neuron
    if not isinstance(neuron, CubaLif) or neuron.reset_interval:
        return population
    if population.kind in ("bias", "readout"):
        return population
    return replace(population, neuron=replace(neuron, onset=population.depth + 1))


def spikes_early(population: Population, fixed: bool = False) -> bool:
    """Whether a neuron spikes in the steps 1 to depth, in which nothing has reached it."""
    neuron, model = population.neuron, model_of(population.neuron)
    dtype: Any = np.int64 if fixed else np.float64
    state = model.fresh(neuron, (1, population.size), dtype)
    silence = tuple(np.zeros((1, population.size), dtype) for _ in model.ports)
    step = model.step_fixed if fixed else model.step_float
    for t in range(1, population.depth + 1):
        state, messages = step(neuron, t, state, silence)
        if messages.any():
            return True
    return False


def _shared(values: Array) -> Array:
    """One value for all where all are equal."""
    return values[:1].copy() if bool(np.all(values == values[0])) else values


def _compact(neuron: Neuron) -> Neuron:
    """Every parameter that is the same for all neurons as one value."""
    arrays = {
        name: _shared(value)
        for name in neuron.__dataclass_fields__
        if isinstance(value := getattr(neuron, name), np.ndarray)
    }
    return replace(neuron, **arrays)  # type: ignore[arg-type]


def bias_generator(
    name: str, currents: Sequence[Bias], depth: int, port: str
) -> tuple[Population, list[Projection]]:
    """A neuron that spikes at every step and carries biases as currents.

    For three kinds of target: Lava's bias enters v, but the bias of a layer in front of a
    CubaLIF must pass its synaptic filter; a strong bias of a deep population makes it spike
    before its first input; and only CubaLif can be kept still until then. The generator's
    first spike arrives together with the first input, or the bias's own delay later.
    """
    one = np.ones(1)
    neuron = CubaLif(
        current_decay=one,
        voltage_decay=0 * one,
        bias_mantissa=one,
        threshold=0 * one,
        initial_voltage=-float(depth) * one,
        onset=depth,
        reset_voltage=0 * one,
    )
    source = f"{name}.bias"
    generator = Population(source, "bias", (1,), neuron, depth - 1)
    synapses = []
    for index, bias in enumerate(currents, start=1):
        weight = bias.values[:, None]
        late = bool(bias.late.any())
        synapse = from_matrix(weight, delay=bias.late[:, None]) if late else Dense(weight)
        title = f"{source}->{name}" + (f"#{index}" if index > 1 else "")
        synapses.append(Projection(title, source, name, synapse, port=port))
    return generator, synapses
