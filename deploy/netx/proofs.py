"""What can be proven of integers that were chosen elsewhere.

A .net file's scales are fixed, so a bound that does not hold is no reason to refuse the file,
as it is where slipway chooses the numbers: it is a warning that names the state, what it can
reach, and the input that would take it there. Up to that input the engines agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...errors import CapacityExceeded, Problem, SlipwayError
from ..bounds import Bounds, breaking_input, population_bounds, problems
from ..features import program_problems
from ..formats import STATE, WEIGHT_BITS_MAX
from ..neurons.reach import Extreme
from ..program import Population, Program
from ..targets import load_target
from ..weights import stored_bits


def prove(program: Program) -> tuple[dict[str, Any], list[str]]:
    """The compile report without its warnings, and the warnings.

    Raises:
        CapacityExceeded: something that the target does not have at all.
    """
    refused = tuple(program_problems(program, load_target(program.target), WEIGHT_BITS_MAX))
    if refused:
        raise CapacityExceeded(*refused)
    steps = program.run_steps(program.steps)
    populations: dict[str, Any] = {}
    warnings = []
    for population in program.populations:
        try:
            bounds = population_bounds(program, population, steps)
        except SlipwayError as error:  # graded messages in a loop have no bound
            warnings += _told(population, error.problems)
            populations[population.name] = _facts(population, None)
            continue
        warnings += _told(population, problems(population, bounds))
        if bounds.reach.clipped is not None:
            warnings.append(_clipping(population, bounds, bounds.reach.clipped))
        populations[population.name] = _facts(population, bounds)
    projections = {
        p.name: {
            "bits": p.synapse.format.bits,
            "exponent": p.synapse.format.exponent,
            "sign_mode": p.synapse.format.sign_mode,
            "weight_error_relative": 0.0,
        }
        for p in program.projections
        if p.synapse.format is not None
    }
    report = {
        "populations": populations,
        "projections": projections,
        "weight_memory": sum(stored_bits(p.synapse) for p in program.projections),
        "calibration_samples": 0,
    }
    return report, warnings


def _clipping(population: Population, bounds: Bounds, clipped: Extreme) -> str:
    sign = 1 if clipped.value > 0 else -1
    return (
        f"{population.name}: v can reach {clipped.value}; the limit is {sign * STATE.maximum}: "
        f"that v is never clipped is proven for {bounds.proven_steps} steps only; "
        f"{breaking_input(population, clipped, sign)} would break it; clipping is counted in "
        "every run"
    )


def _told(population: Population, found: Iterable[Problem]) -> list[str]:
    return [f"{population.name}: not proven: {problem.what}" for problem in found]


def _facts(population: Population, bounds: Bounds | None) -> dict[str, Any]:
    threshold = getattr(population.neuron, "threshold", None)
    facts: dict[str, Any] = {
        "kind": population.kind,
        "neurons": population.size,
        "scale": float(population.scale.min()),
        "threshold": None
        if threshold is None
        else [int(np.min(threshold)), int(np.max(threshold))],
    }
    if bounds is not None:
        states = {name: list(pair) for name, pair in bounds.states.items()}
        facts["bounds"] = {
            "accumulator": bounds.accumulator,
            "current": [extreme.value for extreme in bounds.current],
            **states,
            "v_proven_steps": bounds.proven_steps,
        }
    return facts
