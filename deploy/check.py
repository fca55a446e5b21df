"""Whether a graph can run on a target: every node at once, and every resource used."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

import nir

from ..errors import Problem, SlipwayError
from .lower import lower, node_problems
from .neurons.lowering import NEURONS
from .program import Population, Program
from .targets import load_target

WEIGHT_BITS = 8


@dataclass(frozen=True, slots=True)
class NodeCheck:
    """Verdict on one node.

    Attributes:
        status: "stock" (a stock Lava model), "folded" (merged into a projection), "interface"
            (input, output) or "unsupported".
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


def check_graph(graph: Any, target: str, *, dt: float | None = None) -> Check:
    """Check every node and resource; never stops at the first problem.

    Args:
        graph: canonical NIR graph.
        target: name of a target.
        dt: seconds per time step where the graph's metadata lacks it.

    Raises:
        UsageError: unknown target, or no dt.
    """
    chip = load_target(target)
    step = dt if dt is not None else float(graph.metadata["dt"])
    refused = node_problems(graph, step)
    nodes = {name: _verdict(name, node, refused) for name, node in graph.nodes.items()}
    problems: list[Problem] = []
    spikes = str(graph.metadata.get("input_encoding", "current")) == "spikes"
    if not spikes and not chip.graded_messages:
        problems.append(
            Problem(
                f"the input sends values, and {chip.title} sends spikes only",
                "input",
                "encode the input as spikes (--input-encoding spikes), or choose loihi2",
            )
        )
    if refused:
        return Check(target, nodes, {}, tuple(problems))
    try:
        program = lower(graph, dt=step, steps=1, target=target)
    except SlipwayError as error:
        return Check(target, nodes, {}, (*problems, *error.problems))
    nodes |= {p.name: _stock(p, program) for p in program.populations if p.name in nodes}
    resources: dict[str, dict[str, Any]] = {
        "neurons": {
            "used": sum(p.size for p in program.populations),
            "limit": chip.limits["neurons"].value,
            "unit": chip.limits["neurons"].unit,
        },
        "weight_memory": {
            "used": weight_bits(program),
            "limit": chip.limits["weight_memory"].value,
            "unit": chip.limits["weight_memory"].unit,
        },
    }
    for name, use in resources.items():
        if use["used"] > use["limit"]:
            problems.append(
                Problem(
                    f"{name.replace('_', ' ')}: {use['used']} used, limit {use['limit']:.0f} "
                    f"{use['unit']}",
                    f"target {target}",
                    "make the network smaller, or choose a larger target",
                )
            )
    return Check(target, nodes, resources, tuple(problems))


def weight_bits(program: Program) -> int:
    """Bits of the weights alone: shared kernels once, dense zeros included, no index bits."""
    return sum(WEIGHT_BITS * prod(p.synapse.weight.shape) for p in program.projections)


def _stock(population: Population, program: Program) -> NodeCheck:
    """Which stock Lava process a population becomes, and what slipway adds to it."""
    model = "Lava LIFReset" if population.neuron.onset else "Lava LIF"
    if population.kind == "readout":
        return NodeCheck("interface", f"is read through an added integrator, {model}")
    generator = f"{population.name}.bias"
    if any(p.name == generator for p in program.populations):
        model += ", its bias from an added neuron that always spikes"
    return NodeCheck("stock", model)


def _verdict(name: str, node: Any, refused: dict[str, Problem]) -> NodeCheck:
    if name in refused:
        problem = refused[name]
        return NodeCheck("unsupported", problem.what, problem.remedy)
    if type(node) in (nir.Input, nir.Output):
        return NodeCheck("interface", "reads samples" if type(node) is nir.Input else "is read")
    if type(node) in NEURONS:
        return NodeCheck("stock", "Lava LIF")
    return NodeCheck("folded", "part of the projection into the next population")
