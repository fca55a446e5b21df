"""Canonical NIR to a Program in floating point: what runs, in which step, with what delay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import nir
import numpy as np
import numpy.typing as npt

from ..errors import GraphError, Problem, UnsupportedNode
from .linear import Chain, Gain, as_synapse, identity, then_scale
from .neurons.lowering import (
    NEURONS,
    NeuronSpec,
    neuron_problems,
    readout_integrator,
    shape_of,
)
from .onset import bias_generator, guard_onset, make_population, spikes_early
from .program import Input, Output, Population, Program, Projection, Readout
from .schedule import align
from .synapses.lowering import LINEAR, bias_of

Array = npt.NDArray[Any]


@dataclass(slots=True)
class _Reading:
    """What one pass over the graph collects."""

    paths: list[tuple[str, str, Chain]] = field(default_factory=list)
    biases: dict[str, Array] = field(default_factory=dict)


def node_problems(graph: Any, dt: float) -> dict[str, Problem]:
    """Every node that cannot be compiled, by name: unknown type or impossible parameters."""
    found: dict[str, Problem] = {}
    for name, node in graph.nodes.items():
        kind = type(node)
        if kind in NEURONS:
            for problem in neuron_problems(name, node, dt):
                found.setdefault(name, problem)
        elif kind not in LINEAR and kind not in (nir.Input, nir.Output):
            found[name] = Problem(
                f"{kind.__name__} has no spiking equivalent in this version",
                f"node {name}",
                "replace it by " + ", ".join(sorted(t.__name__ for t in (*NEURONS, *LINEAR))),
            )
    return found


def lower(graph: Any, *, dt: float, steps: int, target: str) -> Program:
    """The graph as a Program of precision `float`.

    Raises:
        UnsupportedNode: nodes without equivalent, all at once.
        GraphError: shapes or connections that do not fit.
    """
    problems = node_problems(graph, dt)
    if problems:
        raise UnsupportedNode(*problems.values())
    metadata = dict(getattr(graph, "metadata", {}) or {})
    if str(metadata.get("reset", "zero")) != "zero":
        raise UnsupportedNode(
            f"reset {metadata['reset']!r}: stock Lava neurons reset to zero",
            where="graph metadata",
            remedy="train with reset to zero",
        )
    source, sink = _only(graph, nir.Input), _only(graph, nir.Output)
    reading = _read(graph, source)
    specs = {
        name: NEURONS[type(node)](node, dt)
        for name, node in graph.nodes.items()
        if type(node) in NEURONS
    }
    read_from = _resolve_output(reading, specs, sink)
    _refuse_graded_sources(reading, specs)
    spikes = str(metadata.get("input_encoding", "current")) == "spikes"
    program_input = Input(
        source,
        _shape_of(graph.nodes[source]),
        graded=not spikes,
        scale=1.0,
        minimum=0.0 if spikes else -np.inf,
        maximum=1.0 if spikes else np.inf,
    )
    at_rest = str(metadata.get("initial_voltage", "0")) == "v_leak"
    populations, projections, warnings = _assemble(program_input, specs, reading, at_rest)
    readout = _readout(metadata, specs[read_from])
    return Program(
        precision="float",
        dt=dt,
        steps=steps,
        input=program_input,
        populations=populations,
        projections=projections,
        output=Output(sink, read_from, readout),
        target=target,
        report={"warnings": warnings},
    )


def _shape_of(node: Any) -> tuple[int, ...]:
    if type(node) in NEURONS:
        return shape_of(node)
    (shape,) = node.input_type.values()
    return tuple(int(n) for n in np.ravel(shape))


def _only(graph: Any, kind: type) -> str:
    names = [name for name, node in graph.nodes.items() if type(node) is kind]
    if len(names) != 1:
        raise UnsupportedNode(
            f"the graph has {len(names)} {kind.__name__} nodes ({', '.join(names) or 'none'}); "
            "exactly one is supported",
            where="graph",
            remedy="merge them, or compile the parts separately",
        )
    return str(names[0])


def _read(graph: Any, source: str) -> _Reading:
    """Follow every chain of linear nodes from each source to the next neuron or output."""
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for begin, end in graph.edges:
        after[begin].append(end)
    reading = _Reading()

    def follow(start: str, name: str, chain: Chain, constant: Array | None) -> None:
        for follower in after[name]:
            node = graph.nodes[follower]
            if type(node) in LINEAR:
                if follower in chain.nodes:
                    raise GraphError(
                        "a loop without a neuron in it has no meaning in time",
                        where=" -> ".join((*chain.nodes, follower)),
                        remedy="put a spiking layer into the loop",
                    )
                step = LINEAR[type(node)](chain, node, follower)
                step = replace(step, nodes=(*chain.nodes, follower))
                follow(start, follower, step, constant)
                continue
            _check_arrival(node, follower, chain)
            if constant is None:
                reading.paths.append((start, follower, chain))
            else:
                known = reading.biases.get(follower, 0.0)
                reading.biases[follower] = known + chain.apply(constant)

    shapes: dict[str, tuple[int, ...]] = {}
    for name, node in graph.nodes.items():
        if type(node) in NEURONS or name == source:
            shapes[name] = _shape_of(node)
            follow(name, name, identity(shapes[name]), None)
    for name, shape in _linear_shapes(reading, graph, after, shapes).items():
        bias = bias_of(graph.nodes[name], shape)
        if bias is not None:
            follow(name, name, identity(shape), bias)
    return reading


def _linear_shapes(
    reading: _Reading, graph: Any, after: Mapping[str, list[str]], shapes: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """Output shape of each linear node, by walking from the sources over single nodes."""
    found: dict[str, tuple[int, ...]] = {}
    waiting = [(name, shape) for name, shape in shapes.items()]
    while waiting:
        name, shape = waiting.pop()
        for follower in after[name]:
            node = graph.nodes[follower]
            if type(node) in LINEAR and follower not in found:
                found[follower] = LINEAR[type(node)](identity(shape), node, follower).shape
                waiting.append((follower, found[follower]))
    return found


def _check_arrival(node: Any, name: str, chain: Chain) -> None:
    wanted = _shape_of(node)
    if tuple(chain.shape) != tuple(wanted):
        raise GraphError(
            f"an input of shape {chain.shape} reaches a node of shape {wanted}",
            where=f"{' -> '.join((*chain.nodes, name))} ({type(node).__name__})",
            remedy="check the layer sizes of the exported network",
        )


def _resolve_output(reading: _Reading, specs: dict[str, NeuronSpec], sink: str) -> str:
    """The population that the output reads; adds an integrator behind a last linear node."""
    arriving = [(begin, chain) for begin, end, chain in reading.paths if end == sink]
    if not arriving:
        raise GraphError("nothing reaches the output", where=f"node {sink}")
    begin, chain = arriving[0]
    direct = isinstance(chain.operator, Gain) and bool(np.all(chain.operator.factor == 1))
    if len(arriving) == 1 and direct and begin in specs and sink not in reading.biases:
        reading.paths = [path for path in reading.paths if path[1] != sink]
        return begin
    specs[sink] = readout_integrator(chain.shape)
    return sink


def _refuse_graded_sources(reading: _Reading, specs: Mapping[str, NeuronSpec]) -> None:
    silent = {
        begin: end
        for begin, end, _ in reading.paths
        if begin in specs and not np.all(np.isfinite(specs[begin].threshold))
    }
    if silent:
        raise UnsupportedNode(
            *(
                Problem(
                    f"{specs[begin].kind} never spikes, so it cannot drive {end}",
                    f"node {begin}",
                    "make it a spiking layer, or read it as the output",
                )
                for begin, end in silent.items()
            )
        )


def _readout(metadata: Mapping[str, Any], spec: NeuronSpec) -> Readout:
    if spec.kind == "readout":
        return "last"  # the integrator's last membrane is the sum over the steps
    spiking = bool(np.all(np.isfinite(spec.threshold)))
    readout = str(metadata.get("readout", "count" if spiking else "last"))
    if readout == "count" and spiking:
        return "count"
    if readout == "mean":
        return "mean"
    if readout == "last":
        return "last"
    raise GraphError(
        f"readout {readout!r} does not fit an output population of type {spec.kind}",
        where="graph metadata",
        remedy="count needs spiking neurons; last and mean read the membrane potential",
    )


def _assemble(
    program_input: Input, specs: Mapping[str, NeuronSpec], reading: _Reading, at_rest: bool
) -> tuple[tuple[Population, ...], tuple[Projection, ...], list[str]]:
    hops = align(program_input.name, [(begin, end) for begin, end, _ in reading.paths])
    unreachable = sorted(set(specs) - set(hops.depth))
    if unreachable:
        raise GraphError(
            *(
                Problem(
                    "no input reaches this population", f"node {name}", "remove or connect it"
                )
                for name in unreachable
            )
        )
    biased = {name: reading.biases.get(name) for name in specs}
    populations: list[Population] = []
    projections: list[Projection] = []
    for name in sorted(specs, key=lambda n: hops.depth[n]):
        spec, bias, depth = specs[name], biased[name], hops.depth[name]
        constant, current = spec.bias, None
        if bias is not None and spec.filters_current:
            current = bias * spec.gain
        elif bias is not None:
            constant = constant + bias * spec.gain
        population = make_population(name, spec, constant, depth, at_rest)
        if current is None and not spec.filters_current and spikes_early(population):
            constant, current = np.zeros_like(constant), constant
            population = make_population(name, spec, constant, depth, at_rest)
        if current is not None:
            generator, synapses = bias_generator(name, current, depth)
            populations.append(generator)
            projections.append(synapses)
        populations.append(population)
    for (begin, end, chain), delay in zip(reading.paths, hops.delays, strict=True):
        chain = then_scale(chain, specs[end].gain)
        projections.append(_projection(begin, end, chain, delay, projections))
    warnings = [
        f"{begin} -> {end} closes a loop through several populations: its spikes arrive {late} "
        f"step{'s' if late > 1 else ''} later than in the source framework"
        for (begin, end), late in hops.late.items()
    ]
    guarded, early = guard_onset(tuple(populations))
    return guarded, tuple(projections), warnings + early


def _projection(
    begin: str, end: str, chain: Chain, delay: int, known: list[Projection]
) -> Projection:
    name, count = f"{begin}->{end}", 1
    while any(p.name == name for p in known):
        count += 1
        name = f"{begin}->{end}#{count}"
    return Projection(name, begin, end, as_synapse(chain), delay, chain.nodes)
