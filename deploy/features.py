"""What a Program asks of a chip: the features that a target's table allows or refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import Problem
from .bits import TWO_PARTS
from .formats import DELAY
from .neurons.adaptive_lif import AdaptiveLif
from .neurons.cuba_lif import CubaLif
from .neurons.first_spike import FirstSpike
from .neurons.models import Neuron, model_of
from .neurons.resonator import Resonator
from .neurons.sigma_delta import SigmaDelta
from .neurons.ternary_lif import TernaryLif
from .program import Input, Population, Program
from .targets import Target

_MODELS: dict[type, str] = {
    CubaLif: "lif",
    TernaryLif: "ternary",
    AdaptiveLif: "adaptive_threshold",
    SigmaDelta: "sigma_delta",
    Resonator: "resonate_and_fire",
    FirstSpike: "first_spike",
}


def neuron_features(neuron: Neuron) -> list[str]:
    """Rows of a target's `neurons` table that these parameters need."""
    found = [_MODELS[type(neuron)]]
    if isinstance(neuron, CubaLif):
        found += ["reset_to_value"] if neuron.reset == "value" else []
        found += ["reset_by_subtraction"] if neuron.reset == "subtract" else []
        found += ["refractory_period"] if neuron.refractory else []
        found += ["periodic_reset"] if neuron.reset_interval else []
    return found


def population_problem(population: Population, target: Target) -> Problem | None:
    """Why a population cannot run there, or None."""
    refused = [f for f in neuron_features(population.neuron) if not target.neurons[f].legal]
    if not refused:
        return None
    return Problem(
        "; ".join(f"{f.replace('_', ' ')}: {target.neurons[f].note}" for f in refused),
        f"population {population.name}",
        f"choose another target than {target.name}, or train without it",
    )


def program_problems(program: Program, target: Target, weight_bits: int) -> Iterator[Problem]:
    """Everything of a Program that the target does not allow, apart from its resources."""
    for population in program.populations:
        problem = population_problem(population, target)
        if problem:
            yield problem
    if not target.graded_messages:
        yield from _graded(program, target)
    for projection in program.projections:
        if projection.longest_delay > DELAY.maximum:
            yield Problem(
                f"a delay of {projection.longest_delay} steps; the limit is {DELAY.maximum}",
                f"projection {projection.name}",
                "shorten the path or the delay",
            )
    if weight_bits != TWO_PARTS and weight_bits not in target.weight_bits:
        yield Problem(
            f"weights of {weight_bits} bits; {target.title} has "
            + ", ".join(map(str, target.weight_bits)),
            f"target {target.name}",
            f"compile with --weight-bits {max(b for b in target.weight_bits if b < 8)}",
        )


def _graded(program: Program, target: Target) -> Iterator[Problem]:
    for source in (*program.inputs, *program.populations):
        if isinstance(source, Input) and source.graded:
            yield Problem(
                f"the input sends values, and {target.title} sends spikes only",
                f"input {source.name}",
                "encode the samples as spikes and export with --input-encoding spikes, "
                "or choose another target",
            )
        elif isinstance(source, Population) and model_of(source.neuron).message != "spike":
            yield Problem(
                f"the population sends values, and {target.title} sends spikes only",
                f"population {source.name}",
                "choose another target",
            )


def resources(program: Program, target: Target, weight_bits: int) -> dict[str, dict[str, Any]]:
    """What the Program uses of each limited resource of the chip, by name."""
    used = {
        "neurons": sum(
            p.size * max(target.neurons[f].compartments for f in neuron_features(p.neuron))
            for p in program.populations
        ),
        "weight_memory": sum(
            (p.synapse.format.bits if p.synapse.format else weight_bits)
            * int(np.prod(p.synapse.weight.shape))
            for p in program.projections
        ),
        "delay": max((p.longest_delay for p in program.projections), default=0),
    }
    return {
        name: {
            "used": amount,
            "limit": target.limits[name].value,
            "unit": target.limits[name].unit,
        }
        for name, amount in used.items()
    }
