"""Biases while the pipeline fills: nothing may happen before the first input arrives.

A population at depth k sees its first input in step k + 1, but a bias would integrate from step
1 on. What the source framework computes has no such head start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedNode
from .neurons.cuba_lif import CubaLif, step_fixed, step_float
from .neurons.lowering import NeuronSpec
from .program import Population, Projection
from .synapses.dense import Dense

Array = npt.NDArray[Any]

HUSH = 32.0
"""Thresholds below 0 at which a membrane starts whose bias must not make it spike too early.

What the 24 bits of a fixed-point membrane hold beside a threshold of 2048 units."""


def make_population(
    name: str, spec: NeuronSpec, bias: Array, depth: int, at_rest: bool
) -> Population:
    """A population whose membrane starts at 0, or at its resting potential v_leak.

    From 0, a bias would charge the membrane while the pipeline fills, so the membrane starts
    far below and is cleared when its first input can arrive. At v_leak nothing moves before.
    """
    rests = at_rest and bool(np.any(spec.bias))
    if rests and not (np.array_equal(bias, spec.bias) and np.all(_rest(spec) < spec.threshold)):
        raise UnsupportedNode(
            "the membrane starts at v_leak, and a layer's bias or a threshold below v_leak "
            "would move it before the first input arrives",
            where=f"node {name} ({spec.kind})",
            remedy="train with v_leak = 0",
        )
    limit = np.where(np.isfinite(spec.threshold), spec.threshold, 0.0)
    early = _rest(spec) if rests else np.where(bias > 0, -HUSH * limit, 0.0)
    neuron = CubaLif(
        current_decay=_shared(spec.current_decay),
        voltage_decay=_shared(spec.voltage_decay),
        bias_mantissa=_shared(bias),
        threshold=_shared(spec.threshold),
        initial_voltage=_shared(early),
        onset=depth + 1 if np.any(bias) and not rests else 0,
    )
    return Population(name, spec.kind, spec.shape, neuron, depth)


def _rest(spec: NeuronSpec) -> Array:
    """v_leak, from bias = v_leak * voltage_decay."""
    moving = spec.voltage_decay > 0
    return np.where(moving, spec.bias / np.where(moving, spec.voltage_decay, 1.0), 0.0)


def guard_onset(
    populations: tuple[Population, ...], *, fixed: bool = False
) -> tuple[tuple[Population, ...], list[str]]:
    """Clear every population at its onset where some neuron spikes before any input came."""
    early = [p.name for p in populations if spikes_early(p, fixed)]
    if not early:
        return populations, []
    cleared = tuple(
        replace(p, neuron=replace(p.neuron, onset=p.depth + 1)) if p.kind != "bias" else p
        for p in populations
    )
    return cleared, [
        f"{name}: the bias alone makes neurons spike before the first input has arrived; these "
        "spikes cost energy, and in a recurrent population they reach the first step"
        for name in early
    ]


def spikes_early(population: Population, fixed: bool = False) -> bool:
    """Whether a neuron spikes in the steps 1 to depth, in which nothing has reached it."""
    neuron = population.neuron
    u = np.zeros((1, population.size), np.int64 if fixed else np.float64)
    v = np.broadcast_to(neuron.initial_voltage, u.shape).astype(u.dtype)
    for t in range(1, population.depth + 1):
        u, v, spikes = (step_fixed if fixed else step_float)(neuron, t, u, v, np.zeros_like(u))
        if spikes.any():
            return True
    return False


def _shared(values: Array) -> Array:
    """One value for all where all are equal."""
    return values[:1].copy() if bool(np.all(values == values[0])) else values


def bias_generator(name: str, current: Array, depth: int) -> tuple[Population, Projection]:
    """A neuron that spikes at every step and carries a bias as a current.

    For two kinds of target: Lava's bias enters v, but the bias of a layer in front of a CubaLIF
    must pass its synaptic filter; and a strong bias of a deep population makes it spike before
    its first input. The generator's first spike arrives together with the first input.
    """
    one = np.ones(1)
    neuron = CubaLif(
        current_decay=one,
        voltage_decay=0 * one,
        bias_mantissa=one,
        threshold=0 * one,
        initial_voltage=-float(depth) * one,
        onset=depth,
    )
    generator = Population(f"{name}.bias", "bias", (1,), neuron, depth - 1)
    synapse = Dense(current[:, None])
    return generator, Projection(f"{name}.bias->{name}", f"{name}.bias", name, synapse)
