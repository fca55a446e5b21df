"""Canonical NIR to a Program in floating point: what runs, in which step, with what delay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import nir
import numpy as np
import numpy.typing as npt

from ..errors import GraphError, Problem, UnsupportedNode, UsageError
from .codes import CODES, Code, Coding
from .linear import Chain, Gain, as_synapse, longest_delay, then_scale
from .neurons.lowering import NEURONS, NeuronSpec, neuron_spec, readout_integrator
from .neurons.problems import neuron_problems
from .neurons.resonator import Resonator
from .onset import bias_generator, guard_onset, make_population, spikes_early
from .paths import Bias, Paths, is_linear, node_shape, read_paths
from .program import Input, Output, Population, Program, Projection, Readout
from .schedule import align
from .synapses.lowering import LINEAR

Array = npt.NDArray[Any]


def node_problems(graph: Any, dt: float) -> dict[str, Problem]:
    """Every node that cannot be compiled, by name: unknown type or impossible parameters."""
    found: dict[str, Problem] = {}
    reset = str(dict(getattr(graph, "metadata", {}) or {}).get("reset", "zero"))
    for name, node in graph.nodes.items():
        kind = type(node)
        if kind in NEURONS:
            problems = neuron_problems(name, node, dt, reset)
            if problems:
                found[name] = Problem(
                    "; ".join(p.what for p in problems),
                    problems[0].where,
                    "; ".join(p.remedy for p in problems),
                )
        elif not is_linear(node) and kind not in (nir.Input, nir.Output):
            found[name] = Problem(
                f"{kind.__name__} has no spiking equivalent in this version",
                f"node {name}",
                "replace it by "
                + ", ".join(sorted(t.__name__ for t in (*NEURONS, *LINEAR, nir.Delay))),
            )
    return found


def lower(graph: Any, *, dt: float, steps: int, target: str, code: Code = "rate") -> Program:
    """The graph as a Program of precision `float`.

    Args:
        graph: canonical NIR graph.
        dt: seconds a step.
        steps: steps for which a frame is presented; under code "ttfs" the length of a layer's
            window, and a frame is presented once.
        target: name of the target, for the Program.
        code: what IF nodes become, see deploy/codes.py.

    Raises:
        UnsupportedNode: nodes without equivalent, all at once.
        GraphError: shapes or connections that do not fit.
        CapacityExceeded: delays that are too long.
        UsageError: unknown code.
    """
    if code not in CODES:
        raise UsageError(f"there is no code {code!r}", remedy="use one of " + ", ".join(CODES))
    problems = node_problems(graph, dt)
    if problems:
        raise UnsupportedNode(*problems.values())
    metadata = dict(getattr(graph, "metadata", {}) or {})
    inputs = _inputs(graph, metadata, code)
    found = read_paths(graph, dt)
    reset = str(metadata.get("reset", "zero"))
    specs = {
        name: neuron_spec(node, dt, reset)
        for name, node in graph.nodes.items()
        if type(node) in NEURONS
    }
    sinks = [name for name, node in graph.nodes.items() if type(node) is nir.Output]
    read_from = {sink: _resolve_output(found, specs, sink, code) for sink in sinks}
    _refuse_silent_sources(found, specs)
    names = frozenset(i.name for i in inputs)
    coding = CODES[code](specs, found.paths, names, steps)
    at_rest = str(metadata.get("initial_voltage", "0")) == "v_leak"
    rounded = _rounded_delays(graph, dt)
    populations, projections, late, warnings = _assemble(inputs, coding, found, at_rest)
    return Program(
        precision="float",
        dt=dt,
        steps=1 if code == "ttfs" else steps,
        inputs=inputs,
        populations=populations,
        projections=projections,
        outputs=tuple(
            Output(sink, name, _readout(graph, metadata, sink, specs[name]))
            for sink, name in read_from.items()
        ),
        target=target,
        report={
            "warnings": [
                *_assumptions(metadata, specs),
                *(f"{k}: {v}" for k, v in rounded.items()),
                *warnings,
            ],
            "approximated": {**rounded, **late},
        },
    )


def _assumptions(metadata: Mapping[str, Any], specs: Mapping[str, NeuronSpec]) -> list[str]:
    """What the graph does not say and spikes depend on."""
    spiking = any(spec.spiking for spec in specs.values())
    if not spiking or metadata.get("reset_from") != "default":
        return []
    return [
        "the file does not say what a spike does to the membrane, and reset to v_reset, as NIR "
        "has it, was assumed; snnTorch and sinabs subtract the threshold unless told "
        "otherwise: state it with --reset zero or --reset subtract"
    ]


def _inputs(graph: Any, metadata: Mapping[str, Any], code: Code) -> tuple[Input, ...]:
    found = []
    for name, node in graph.nodes.items():
        if type(node) is not nir.Input:
            continue
        own = dict(getattr(node, "metadata", None) or {})
        encoding = own.get("input_encoding", metadata.get("input_encoding", "current"))
        spikes = str(encoding) == "spikes"
        found.append(
            Input(
                name,
                node_shape(node),
                graded=not spikes or code == "sigma-delta",
                scale=1.0,
                minimum=0.0 if spikes else -np.inf,
                maximum=1.0 if spikes else np.inf,
                delta=code == "sigma-delta",
            )
        )
    return tuple(found)


def _rounded_delays(graph: Any, dt: float) -> dict[str, str]:
    """Delay nodes that had to be rounded to whole steps, and by how much."""
    rounded = {}
    for name, node in graph.nodes.items():
        if type(node) is nir.Delay:
            steps = np.asarray(node.delay, np.float64) / dt
            off = np.abs(steps - np.rint(steps))
            if off.max() > 1e-3:
                rounded[name] = (
                    f"{np.count_nonzero(off > 1e-3)} of {off.size} delays are no whole number "
                    f"of steps and were rounded, by at most {off.max():.2g} steps"
                )
    return rounded


def _resolve_output(found: Paths, specs: dict[str, NeuronSpec], sink: str, code: Code) -> str:
    """The population that the output reads; adds an integrator behind a last linear node."""
    arriving = [(begin, chain) for begin, end, chain in found.paths if end == sink]
    if not arriving:
        raise GraphError("nothing reaches the output", where=f"node {sink}")
    begin, chain = arriving[0]
    direct = isinstance(chain.operator, Gain) and bool(np.all(chain.operator.factor == 1))
    direct &= not longest_delay(chain)
    direct &= len(arriving) == 1 and begin in specs and sink not in found.biases
    if direct and (code == "rate" or not specs[begin].spiking):
        found.paths = [path for path in found.paths if path[1] != sink]
        return begin
    specs[sink] = readout_integrator(chain.shape)
    return sink


def _refuse_silent_sources(found: Paths, specs: Mapping[str, NeuronSpec]) -> None:
    silent = {
        begin: end
        for begin, end, _ in found.paths
        if begin in specs and not specs[begin].spiking
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


def _readout(graph: Any, metadata: Mapping[str, Any], sink: str, spec: NeuronSpec) -> Readout:
    if spec.kind == "readout":
        return "last"  # the integrator's last membrane is the sum over the steps
    own = dict(getattr(graph.nodes[sink], "metadata", None) or {})
    default = metadata.get("readout", "count" if spec.spiking else "last")
    readout = str(own.get("readout", default))
    if readout == "count" and spec.spiking:
        return "count"
    if readout == "mean":
        return "mean"
    if readout == "last":
        return "last"
    raise GraphError(
        f"readout {readout!r} does not fit an output population of type {spec.kind}",
        where=f"output {sink}",
        remedy="count needs spiking neurons; last and mean read the membrane potential",
    )


def _assemble(
    inputs: Sequence[Input], coding: Coding, found: Paths, at_rest: bool
) -> tuple[tuple[Population, ...], tuple[Projection, ...], dict[str, str], list[str]]:
    names, specs = [i.name for i in inputs], coding.specs
    edges = [(begin, end) for begin, end, _ in found.paths]
    own = [longest_delay(chain) for _, _, chain in found.paths]
    hops = align(names, edges, spans=coding.spans, own=own)
    _refuse_unreachable(specs, hops.depth)
    populations: list[Population] = []
    projections: list[Projection] = []
    for name in sorted(specs, key=lambda n: hops.depth[n]):
        made, synapses = _with_bias(name, specs[name], found, hops.depth[name], at_rest)
        populations += made
        projections += synapses
    for (begin, end, chain), delay in zip(found.paths, hops.delays, strict=True):
        gain = specs[end].gain * (coding.input_gain.get(end, 1.0) if begin in names else 1.0)
        port = "real" if isinstance(specs[end].neuron, Resonator) else ""
        projections.append(
            _projection(begin, end, then_scale(chain, gain), delay, port, projections)
        )
    late: dict[str, str] = {}
    for (begin, end), steps in hops.late.items():
        told = (
            f"{begin} -> {end} closes a loop through several populations: its spikes arrive "
            f"{steps} step{'s' if steps > 1 else ''} later than in the source framework"
        )
        late[end] = f"{late[end]}; {told}" if end in late else told
    guarded, early = guard_onset(tuple(populations))
    return guarded, tuple(projections), late, [*late.values(), *early]


def _refuse_unreachable(specs: Mapping[str, NeuronSpec], depth: Mapping[str, int]) -> None:
    unreachable = sorted(set(specs) - set(depth))
    if unreachable:
        raise GraphError(
            *(
                Problem(
                    "no input reaches this population", f"node {name}", "remove or connect it"
                )
                for name in unreachable
            )
        )


def _with_bias(
    name: str, spec: NeuronSpec, found: Paths, depth: int, at_rest: bool
) -> tuple[list[Population], list[Projection]]:
    """The population, and the neuron that carries its bias where no parameter can."""
    size = prod(spec.shape)
    constant = np.broadcast_to(spec.bias, (size,)).astype(np.float64)
    currents: dict[bytes, Bias] = {}  # by the steps from which on they flow
    still = np.zeros(size, np.int64)

    def flow(values: Array, late: Array) -> None:
        known = currents.get(late.tobytes(), Bias(np.zeros(size), late))
        currents[late.tobytes()] = Bias(known.values + values, late)

    for bias in found.biases.get(name, []):
        if spec.filters_current or not spec.takes_bias or bias.late.any():
            flow(bias.values * spec.gain, bias.late)
        else:
            constant = constant + bias.values * spec.gain * spec.bias_gain
    if not spec.takes_bias and constant.any():
        if spec.filters_current:
            raise UnsupportedNode(
                "its v_leak acts on v, and this neuron model takes a constant only as a "
                "current, which the synaptic filter would change",
                where=f"node {name} ({spec.kind})",
                remedy="train with v_leak = 0, or use a LIF node",
            )
        flow(constant, still)
        constant = np.zeros(size)
    population = make_population(name, spec, constant, depth, at_rest)
    if spec.takes_bias and not spec.filters_current and spikes_early(population):
        flow(constant, still)
        population = make_population(name, spec, np.zeros(size), depth, at_rest)
    flowing = [bias for bias in currents.values() if bias.values.any()]
    if not flowing:
        return [population], []
    port = "real" if isinstance(spec.neuron, Resonator) else ""
    generator, synapses = bias_generator(name, flowing, depth, port)
    return [generator, population], synapses


def _projection(
    begin: str, end: str, chain: Chain, delay: int, port: str, known: list[Projection]
) -> Projection:
    name, count = f"{begin}->{end}", 1
    while any(p.name == name for p in known):
        count += 1
        name = f"{begin}->{end}#{count}"
    synapse, common = as_synapse(chain)
    return Projection(name, begin, end, synapse, delay + common, chain.nodes, port)
