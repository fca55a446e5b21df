"""Whether a graph can run on a target: every node at once, and every resource used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import nir

from ..errors import EXIT_USAGE, Problem, SlipwayError
from .codes import Code
from .features import neuron_features, population_problem, program_problems, resources
from .formats import WEIGHT_BITS_MAX
from .lava.processes import process_of
from .lower import lower, node_problems
from .neurons.lowering import NEURONS
from .neurons.models import model_of
from .program import Population, Program
from .targets import Target, load_target


@dataclass(frozen=True, slots=True)
class NodeCheck:
    """Verdict on one node.

    Attributes:
        status: "stock" (a model of Lava's own), "own model" (slipway's model: Loihi 2 needs
            microcode for it), "folded" (merged into a projection), "approximated" (runs, but
            not exactly as the graph says), "interface" (input, output) or "unsupported".
        reason: why.
        remedy: what to do, where unsupported.
    """

    status: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Verdict on a graph; `deployable` if no node is unsupported and no limit exceeded."""

    target: str
    nodes: dict[str, NodeCheck]
    resources: dict[str, dict[str, Any]]
    problems: tuple[Problem, ...] = field(default=())

    @property
    def deployable(self) -> bool:
        """Whether `slipway compile` may go on."""
        refused = any(node.status == "unsupported" for node in self.nodes.values())
        return not refused and not self.problems

    def as_json(self) -> dict[str, Any]:
        """JSON values with the keys of the design."""
        return {
            "target": self.target,
            "deployable": self.deployable,
            "nodes": {name: asdict(node) for name, node in self.nodes.items()},
            "resources": self.resources,
            "problems": [asdict(problem) for problem in self.problems],
        }


def check_graph(
    graph: Any,
    target: str,
    *,
    dt: float | None = None,
    code: Code = "rate",
    weight_bits: int = WEIGHT_BITS_MAX,
    steps: int = 1,
) -> Check:
    """Check every node and resource; never stops at the first problem.

    Args:
        graph: canonical NIR graph.
        target: name of a target.
        dt: seconds per time step where the graph's metadata lacks it.
        code: what IF nodes become, see deploy/codes.py.
        weight_bits: width of the weights.
        steps: as for `compile_graph`; decides the delays of code "ttfs".

    Raises:
        UsageError: unknown target or code, or no dt.
    """
    chip = load_target(target)
    step = dt if dt is not None else float(graph.metadata["dt"])
    refused = node_problems(graph, step)
    nodes = {name: _verdict(name, node, refused) for name, node in graph.nodes.items()}
    if refused:
        return Check(target, nodes, {})
    try:
        program = lower(graph, dt=step, steps=steps, target=target, code=code)
    except SlipwayError as error:
        if error.exit_code == EXIT_USAGE:
            raise
        named, others = _by_node(nodes, error.problems)
        return Check(target, named, {}, others)
    return check_program(program, chip, nodes, weight_bits)


def _by_node(
    nodes: Mapping[str, NodeCheck], problems: tuple[Problem, ...]
) -> tuple[dict[str, NodeCheck], tuple[Problem, ...]]:
    """Problems of a node as its verdict, and the problems of other places."""
    found, others = dict(nodes), []
    for problem in problems:
        kind, _, name = problem.where.partition(" ")
        name = name.partition(" (")[0]
        if kind == "node" and name in nodes:
            found[name] = NodeCheck("unsupported", problem.what, problem.remedy)
        else:
            others.append(problem)
    return found, tuple(others)


def check_program(
    program: Program,
    target: Target,
    nodes: Mapping[str, NodeCheck],
    weight_bits: int = WEIGHT_BITS_MAX,
) -> Check:
    """Check a lowered Program; `nodes` holds the verdicts on nodes that are no populations."""
    found = dict(nodes)
    for population in program.populations:
        if population.name in nodes or population.kind != "bias":
            found[population.name] = _population(population, program, target)
    approximated = program.report.get("approximated", {})
    found |= {
        name: NodeCheck("approximated", f"{found[name].reason}; {reason}")
        for name, reason in approximated.items()
        if name in found and found[name].status != "unsupported"
    }
    known = {p.name for p in program.populations}
    problems = [
        p
        for p in program_problems(program, target, weight_bits)
        if p.where.removeprefix("population ") not in known  # stands beside the node already
    ]
    used = resources(program, target, weight_bits)
    for name, use in used.items():
        if use["used"] > use["limit"]:
            problems.append(
                Problem(
                    f"{name.replace('_', ' ')}: {use['used']} used, limit {use['limit']:.0f} "
                    f"{use['unit']}",
                    f"target {target.name}",
                    "make the network smaller, use fewer weight bits, or choose a larger target"
                    if name == "weight_memory"
                    else "make the network smaller, or choose a larger target",
                )
            )
    return Check(target.name, found, used, tuple(problems))


def _population(population: Population, program: Program, target: Target) -> NodeCheck:
    """Which Lava process a population becomes, and what slipway adds to it."""
    problem = population_problem(population, target)
    if problem:
        return NodeCheck("unsupported", problem.what, problem.remedy)
    if not target.graded_messages and model_of(population.neuron).message != "spike":
        return NodeCheck(
            "unsupported",
            f"sends values, and {target.title} sends spikes only",
            "choose another target",
        )
    process, status = process_of(population, "fixed")
    model = f"Lava {process}" if status == "stock" else f"slipway {process}"
    notes = [target.neurons[name].note for name in neuron_features(population.neuron)[-1:]]
    if status == "own model":
        model += ": " + "; ".join(notes)
    if population.kind == "readout":
        return NodeCheck("interface", f"is read through an added integrator, {model}")
    generator = f"{population.name}.bias"
    if any(p.name == generator for p in program.populations):
        model += ", its bias from an added neuron that always spikes"
    return NodeCheck(status, model)


def _verdict(name: str, node: Any, refused: Mapping[str, Problem]) -> NodeCheck:
    if name in refused:
        problem = refused[name]
        return NodeCheck("unsupported", problem.what, problem.remedy)
    if type(node) in (nir.Input, nir.Output):
        return NodeCheck("interface", "reads samples" if type(node) is nir.Input else "is read")
    if type(node) in NEURONS:
        return NodeCheck("stock", "Lava LIF")
    if type(node) is nir.Delay:
        return NodeCheck("folded", "delays of the projection into the next population")
    return NodeCheck("folded", "part of the projection into the next population")
