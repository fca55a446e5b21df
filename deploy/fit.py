"""The scale of one population: the largest that keeps every proof.

What a small scale costs is the resolution of the threshold; what a large one costs is the
proof that no state leaves its 24 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Problem
from .bits import TWO_PARTS
from .bounds import Bounds, breaking_input, population_bounds, problems, smaller
from .formats import BIAS_MANTISSA, STATE, WeightFormat, sign_mode_of
from .neurons.adaptive_lif import AdaptiveLif
from .neurons.cuba_lif import CubaLif
from .neurons.models import Neuron
from .neurons.quantise import QUANTISE, quantise_neuron
from .neurons.ternary_lif import TernaryLif
from .program import Population, Program, Projection
from .scales import Task, nearby, scales
from .weights import is_low, low_parts, meant, quantise_weights, two_parts

Array = npt.NDArray[Any]

FINE_THRESHOLD = 128
"""Threshold in integer units from which a proof is worth a smaller scale."""
COARSE_THRESHOLD = 32
"""The same where nothing but the proof speaks for the program; less is a warning."""
BETTER = 0.95
"""Share of the weights' error at which another scale of the octave is taken."""
WORTH = 1e-3
"""Gain in raster cosine for which weights in two parts give up the proof."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A population in integers with what led to it.

    `current_errors`: projection -> relative error of its currents on the calibration data.
    """

    population: Population
    projections: tuple[Projection, ...]
    bounds: Bounds
    current_errors: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


Agreement = Callable[[Fitted], float]
"""Raster cosine of a fitted population by itself with its floating-point version."""


def fit(task: Task, agreement: Agreement | None = None) -> Fitted | list[Problem]:
    """The population at the best scale, or why there is none.

    Args:
        task: what to fit.
        agreement: measures a fit; only with calibration data.
    """
    reasons: list[Problem] = []
    largest: Fitted | None = None
    loose: Fitted | None = None
    for scale in scales(task):
        attempt = at_scale(task, scale)
        if isinstance(attempt, list):
            if not reasons or attempt[0].where.startswith("population"):
                reasons = attempt  # that no weight is left says less
            continue
        if attempt.bounds.proven_steps is None:
            return _choose(task, agreement, loose or largest, attempt)
        largest = largest or attempt
        if loose is None and not task.clips(attempt.population):
            loose = attempt
        if resolution(attempt.population) < COARSE_THRESHOLD:
            break
    if largest is not None:
        return _choose(task, agreement, loose or largest, None)
    return [
        replace(r, remedy=f"{r.remedy}; but a scale so small leaves nothing of the weights")
        if r.where.startswith("population")
        else r
        for r in reasons
    ]


def resolution(population: Population) -> float:
    """Integer units of the smallest threshold; inf where there is none."""
    thresholds = QUANTISE[type(population.neuron)].thresholds(population.neuron)
    return float(np.min(thresholds)) if thresholds.size else np.inf


def _choose(
    task: Task, agreement: Agreement | None, loose: Fitted | None, proven: Fitted | None
) -> Fitted | list[Problem]:
    """Between the largest legal scale and the largest at which v is proven not to clip."""
    if loose is None:
        assert proven is not None
        return proven
    left = resolution(proven.population) if proven else 0.0
    shown = task.observed is not None and not task.clips(loose.population)
    if proven is not None and left >= FINE_THRESHOLD:
        if not (shown and task.refined and agreement):
            return proven
        if agreement(loose) < agreement(proven) + WORTH:
            return proven
    if shown:
        return replace(loose, warnings=(_warning(loose, proven),))
    if proven is not None and left >= COARSE_THRESHOLD:
        return proven
    return [_clipping(task, loose, proven)]


def _excess(loose: Fitted) -> tuple[str, str, str]:
    """What v can reach, which input takes it there, and the scale that would not."""
    clipped = loose.bounds.reach.clipped
    assert clipped is not None
    sign, reached = (1 if clipped.value > 0 else -1), abs(clipped.value)
    return (
        f"v can reach {clipped.value}; the limit is {sign * STATE.maximum}",
        breaking_input(loose.population, clipped, sign),
        smaller(loose.population, reached / STATE.maximum),
    )


def _warning(loose: Fitted, proven: Fitted | None) -> str:
    what, breaks, remedy = _excess(loose)
    cost = f"of {resolution(proven.population):.0f}" if proven else f"below {COARSE_THRESHOLD}"
    return (
        f"{loose.population.name}: {what}: that v is never clipped is proven for "
        f"{loose.bounds.proven_steps} steps only; {breaks} would break it; {remedy}, with a "
        f"threshold {cost} units; the calibration data clip nothing, and clipping is counted "
        "in every run"
    )


def _clipping(task: Task, loose: Fitted, proven: Fitted | None) -> Problem:
    what, breaks, remedy = _excess(loose)
    left = f"{resolution(proven.population):.0f}" if proven else f"below {COARSE_THRESHOLD}"
    seen = (
        "the calibration data come near to it, too"
        if task.observed is not None
        else "calibration data (--calibrate DATA.npz) may show that it does not happen"
    )
    return Problem(
        f"{what}; it is proven to stay inside for {loose.bounds.proven_steps} steps; {breaks} "
        "would break it",
        f"population {loose.population.name}",
        f"use fewer time steps, a leak, or smaller weights; {seen}; {remedy}, but its "
        f"threshold would be {left} units, which is too coarse",
    )


def at_scale(task: Task, scale: Array) -> Fitted | list[Problem]:
    """The population at that scale, or which hard limit forbids it."""
    population = task.population
    neuron = quantise_neuron(population, scale)
    if not isinstance(neuron, Problem):
        neuron = _with_legal_bias(task, neuron, scale)
    if isinstance(neuron, Problem):
        return [neuron]
    projections = weights_at(task, scale)
    if isinstance(projections, Problem):
        return [projections]
    message_scale = QUANTISE[type(neuron)].message_scale(neuron, scale)
    integers = replace(population, neuron=neuron, scale=scale, message_scale=message_scale)
    bounds = proofs(task.known, integers, projections)
    return problems(integers, bounds) or Fitted(integers, projections, bounds)


def _with_legal_bias(task: Task, neuron: Neuron, scale: Array) -> Neuron | Problem:
    """The bias with an exponent that the target has; a coarser one where it is too small."""
    low, high = task.bias_exponents
    if not isinstance(neuron, CubaLif | TernaryLif | AdaptiveLif):
        return neuron
    if not neuron.bias_mantissa.any() or low <= neuron.bias_exponent <= high:
        return neuron
    if task.population.kind == "bias" or neuron.bias_exponent > high:
        return Problem(
            f"a bias with an exponent of {neuron.bias_exponent}; the target has {low} to "
            f"{high}",
            f"population {task.population.name}",
            "train without this bias, or choose another target",
        )
    exact = (neuron.bias_mantissa << neuron.bias_exponent) / 2**low
    return replace(neuron, bias_mantissa=BIAS_MANTISSA.round(exact), bias_exponent=low)


def weights_at(task: Task, scale: Array) -> tuple[Projection, ...] | Problem:
    """The population's projections in integers at that scale, or what does not fit."""
    projections: list[Projection] = []
    for projection in task.incoming:
        ratio = scale / task.known.message_scale(projection.source)
        bits = task.bits[projection.name]
        if bits == TWO_PARTS:
            parts = two_parts(projection, ratio)
            if isinstance(parts, Problem):
                return parts
            projections += parts
            continue
        weight = task.importance.get(projection.name)
        quantised = quantise_weights(
            projection, ratio, bits, _least_exponent(task, projection, bits), weight
        )
        if isinstance(quantised, Problem):
            return quantised
        if quantised.exponent > task.weight_exponents[1]:
            return Problem(
                f"the weights need an exponent of {quantised.exponent}; the target has "
                f"{task.weight_exponents[0]} to {task.weight_exponents[1]}",
                f"projection {projection.name}",
                "bring the weights of the projections into one population closer together",
            )
        projections.append(quantised)
    return tuple(projections)


def _least_exponent(task: Task, projection: Projection, bits: int) -> int:
    """Of the target; and where sums are kept, one whose right shift loses nothing of them.

    Mantissas, and sums of them, are multiples of the format's unit.
    """
    least = task.weight_exponents[0]
    if not QUANTISE[type(task.population.neuron)].keeps_sums:
        return least
    unit = WeightFormat(bits, 0, sign_mode_of(projection.synapse.weight)).unit
    return max(1 - unit.bit_length(), least)


def best_nearby(task: Task, chosen: Fitted) -> Fitted:
    """The same within the octave below, where the weights are met better there.

    Nothing is given up: the proofs hold, and the threshold stays as fine as was asked for.
    """
    best, least = chosen, _weight_error(task, chosen.population.scale)
    for scale in nearby(task, chosen.population.scale):
        error = _weight_error(task, scale)
        if error >= least * BETTER:
            continue
        attempt = at_scale(task, scale)
        if isinstance(attempt, list) or _worse(attempt, chosen):
            continue
        best, least = replace(attempt, warnings=chosen.warnings), error
    return best


def _worse(attempt: Fitted, chosen: Fitted) -> bool:
    unproven = attempt.bounds.proven_steps is not None
    coarse = resolution(attempt.population) < min(FINE_THRESHOLD, resolution(chosen.population))
    return coarse or (unproven and chosen.bounds.proven_steps is None)


def _weight_error(task: Task, scale: Array) -> float:
    """Power of the weights' error over that of the weights, as they matter to the currents."""
    parts = weights_at(task, scale)
    if isinstance(parts, Problem):
        return np.inf
    error = power = 0.0
    for source, part in zip(task.incoming, parts, strict=True):
        weight, counts = source.synapse.weight, task.importance.get(source.name, np.ones(1))
        got = meant((part,), scale / task.known.message_scale(source.source))
        error += float(np.sum(counts * (weight - got) ** 2))
        power += float(np.sum(counts * weight**2))
    return error / power if power else 0.0


def proofs(
    known: Program, population: Population, projections: tuple[Projection, ...]
) -> Bounds:
    """Bounds of a population with these projections within the known Program."""
    trial = with_population(known, population, projections)
    return population_bounds(trial, population, known.run_steps(known.steps), quiet=True)


def with_population(
    known: Program, population: Population, projections: tuple[Projection, ...]
) -> Program:
    """The Program with that population and its projections in the place of their floats."""
    populations = [population if p.name == population.name else p for p in known.populations]
    merged: list[Projection] = []
    fixed = {p.name: p for p in projections}
    low = low_parts(projections)
    for projection in known.projections:
        if projection.target != population.name:
            merged.append(projection)
        elif not is_low(projection):
            merged.append(fixed[projection.name])
            merged += [low[projection.name]] if projection.name in low else []
    return replace(known, populations=tuple(populations), projections=tuple(merged))
