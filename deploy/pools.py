"""Average pools of graded changes as populations of their own: the same bits, fewer operations.

A convolution behind an average pool is lowered to one convolution whose kernel holds each
weight once for every element of a window: each change of an element meets all of them. Where
messages are graded, a neuron for each window can send the change of the window's sum instead,
which then meets each weight once. Sums of integers are exact, so every activation behind it is
the same in every bit, one step later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import numpy as np

from .formats import STATE, WeightFormat
from .neurons.sigma_delta import SigmaDelta
from .program import Population, Program, Projection
from .schedule import align
from .synapses.conv2d import Conv2d

KIND = "pool"


@dataclass(frozen=True, slots=True)
class _Pooled:
    """A projection whose kernel holds each weight once for every element of a window."""

    projection: Projection
    window: int
    behind: Conv2d


def with_pools(program: Program) -> Program:
    """The same program, of precision `fixed`, with populations that pool.

    Only where it saves synapses, and where the kernel in integers still holds each weight once
    for every element: rounding to the currents of a calibration may have told them apart, and
    does not with weights that were fine-tuned in integers.
    """
    groups: dict[tuple[str, int], list[_Pooled]] = {}
    for projection in program.projections:
        found = _pooled(program, projection)
        if found is not None:
            groups.setdefault((projection.source, found.window), []).append(found)
    made: dict[str, tuple[Population, Projection]] = {}
    moved: dict[str, Projection] = {}
    for (source, window), pooled in groups.items():
        known = program.population(source)
        pool = _pool(known, window, f"{source}_pool{window}")
        if pool is None or not _saves(pool[1], pooled):
            continue
        made[pool[0].name] = pool
        for each in pooled:
            name = each.projection.name.replace(f"{source}->", f"{pool[0].name}->", 1)
            moved[each.projection.name] = replace(
                each.projection, name=name, source=pool[0].name, synapse=each.behind
            )
    if not made:
        return program
    projections = [moved.get(p.name, p) for p in program.projections]
    projections += [projection for _, projection in made.values()]
    return _aligned(
        replace(
            program,
            populations=(*program.populations, *(pool for pool, _ in made.values())),
            projections=tuple(projections),
            report=_report(program.report, made, moved),
        )
    )


def _pooled(program: Program, projection: Projection) -> _Pooled | None:
    synapse = projection.synapse
    if not isinstance(synapse, Conv2d) or program.is_input(projection.source):
        return None
    geometry = (*synapse.weight.shape[2:], *synapse.stride, *synapse.input_shape[1:])
    if synapse.dilation != (1, 1) or synapse.format is None:
        return None
    largest = gcd(*map(int, geometry), *synapse.padding)
    for window in range(largest, 1, -1):
        if largest % window:
            continue
        weight = synapse.weight[:, :, ::window, ::window]
        if np.array_equal(synapse.weight, np.kron(weight, np.ones((window, window), np.int64))):
            channels, height, width = synapse.input_shape
            behind = replace(
                synapse,
                weight=np.ascontiguousarray(weight),
                input_shape=(channels, height // window, width // window),
                stride=_divided(synapse.stride, window),
                padding=_divided(synapse.padding, window),
            )
            return _Pooled(projection, window, behind)
    return None


def _divided(pair: tuple[int, int], window: int) -> tuple[int, int]:
    return pair[0] // window, pair[1] // window


def _pool(source: Population, window: int, name: str) -> tuple[Population, Projection] | None:
    """Neurons that send how the sum over their window changed; None where it may not fit."""
    neuron = source.neuron
    if (
        not isinstance(neuron, SigmaDelta)
        or not neuron.exact
        or neuron.activation != "relu"
        or neuron.ceiling is None
        or len(source.shape) != 3
    ):
        return None
    half = 1 << neuron.state_exponent >> 1
    ceiling = window**2 * (int(np.max(neuron.ceiling)) + half >> neuron.state_exponent)
    if not STATE.holds(2 * ceiling):
        return None
    channels, height, width = source.shape
    one = np.ones(1, np.int64)
    # The sums are never below 0: the ReLU changes nothing, and bounds what can be sent.
    summing = SigmaDelta(bias=0 * one, threshold=one, ceiling=ceiling * one)
    shape = (channels, height // window, width // window)
    scale = np.array([source.message_scale])
    synapse = Conv2d(
        np.ones((channels, 1, window, window), np.int64),
        (channels, height, width),
        stride=(window, window),
        groups=channels,
        format=WeightFormat(sign_mode="excitatory"),
    )
    return (
        Population(name, KIND, shape, summing, 0, scale, source.message_scale),
        Projection(f"{source.name}->{name}", source.name, name, synapse),
    )


def _saves(into: Projection, pooled: Iterable[_Pooled]) -> bool:
    """Whether there are fewer synapses."""
    before = after = 0
    for each in pooled:
        before += int(each.projection.synapse.fan_out(True).sum())
        after += int(each.behind.fan_out(True).sum())
    return after + int(into.synapse.fan_out(True).sum()) < before


def _aligned(program: Program) -> Program:
    """Depths, delays and onsets anew; sources before their targets."""
    edges = [(p.source, p.target) for p in program.projections]
    hops = align([i.name for i in program.inputs], edges)
    populations = []
    for population in sorted(program.populations, key=lambda p: hops.depth[p.name]):
        neuron, depth = population.neuron, hops.depth[population.name]
        assert isinstance(neuron, SigmaDelta)
        if neuron.onset:
            neuron = replace(neuron, onset=neuron.onset + depth - population.depth)
        populations.append(replace(population, neuron=neuron, depth=depth))
    projections = tuple(
        replace(projection, delay=delay)
        for projection, delay in zip(program.projections, hops.delays, strict=True)
    )
    return replace(program, populations=tuple(populations), projections=projections)


def _report(
    report: Mapping[str, Any],
    made: Mapping[str, tuple[Population, Projection]],
    moved: Mapping[str, Projection],
) -> dict[str, Any]:
    """The compile report with the pools, and with the names that projections have now."""
    if "populations" not in report:
        return dict(report)
    populations = dict(report["populations"])
    for name, (pool, _) in made.items():
        populations[name] = {
            "kind": KIND,
            "neurons": pool.size,
            "scale": float(pool.scale[0]),
            "threshold": [1, 1],
            "error": None,
        }
    projections = {
        moved[name].name if name in moved else name: entry
        for name, entry in report["projections"].items()
    }
    return {**report, "populations": populations, "projections": projections}
