"""The scale of one population: the largest that keeps every proof.

Candidates are ``254 * 2**e / largest weight``, so that mantissas use all their bits; what a
small scale costs is the resolution of the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Problem
from .bounds import Bounds, breaking_input, population_bounds, problems, smaller
from .formats import EXPONENT_MAX, STATE, WEIGHT_BITS_MAX, WeightFormat
from .neurons.arithmetic import STATE_SHIFT
from .neurons.cuba_lif import CubaLif
from .neurons.quantise import QUANTISE, SILENT, quantise_neuron
from .program import Population, Program, Projection
from .synapses.conv2d import Conv2d
from .synapses.sparse import Sparse
from .weights import quantise_weights

Array = npt.NDArray[Any]

SMALLEST = -15
"""Exponent of the smallest scale: with it hardly a bit of a mantissa is left."""
FINE_THRESHOLD = 128
"""Threshold in integer units from which a proof is worth a smaller scale."""
COARSE_THRESHOLD = 32
"""The same where nothing but the proof speaks for the program; less is a warning."""
AMPLE_THRESHOLD = 512
"""Threshold beyond which the start far below 0 counts for more than a larger scale."""
SPREAD = 8.0
"""Largest ratio of the scales within a population."""
TOP = WeightFormat().largest


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


@dataclass(frozen=True, slots=True)
class Task:
    """One population to fit.

    Attributes:
        known: the Program in which inputs and the populations fitted so far are integers.
        population: in floating point.
        bits: projection -> bits of its weights.
        per_neuron: whether each channel or neuron may have its own scale.
        clips: integers at some scale -> whether v was clipped on calibration data; None
            without such data.
    """

    known: Program
    population: Population
    bits: Mapping[str, int]
    per_neuron: bool = False
    clips: Callable[[Fitted], bool] | None = None

    @property
    def incoming(self) -> tuple[Projection, ...]:
        """Its projections in floating point."""
        return self.known.into(self.population.name)


def fit(task: Task) -> Fitted | list[Problem]:
    """The population at the best scale, or why there is none."""
    reasons: list[Problem] = []
    loose: Fitted | None = None
    shape = profile(task)
    for scale in candidates(task, shape):
        attempt = at_scale(task, scale * shape)
        if isinstance(attempt, list):
            reasons = reasons or attempt
            continue
        if attempt.bounds.proven_steps is None:
            return _choose(task, loose, attempt)
        loose = loose or attempt
        if resolution(attempt.population) < COARSE_THRESHOLD:
            break
    if loose is not None:
        return _choose(task, loose, None)
    return reasons or [Problem("no scale fits", f"population {task.population.name}")]


def resolution(population: Population) -> float:
    """Integer units of the smallest threshold; inf where there is none."""
    thresholds = QUANTISE[type(population.neuron)].thresholds(population.neuron)
    return float(np.min(thresholds)) if thresholds.size else np.inf


def _choose(task: Task, loose: Fitted | None, proven: Fitted | None) -> Fitted | list[Problem]:
    """Between the largest legal scale and the largest at which v is proven not to clip."""
    left = resolution(proven.population) if proven else 0.0
    if proven is not None and (loose is None or left >= FINE_THRESHOLD):
        return proven
    assert loose is not None
    if task.clips is not None and not task.clips(loose):
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
    cost = (
        f", with a threshold of {resolution(proven.population):.0f} units"
        if proven
        else f", with a threshold below {COARSE_THRESHOLD} units"
    )
    return (
        f"{loose.population.name}: {what}: that v is never clipped is proven for "
        f"{loose.bounds.proven_steps} steps only; {breaks} would break it; {remedy}{cost}; the "
        "calibration data clip nothing, and clipping is counted in every run"
    )


def _clipping(task: Task, loose: Fitted, proven: Fitted | None) -> Problem:
    what, breaks, remedy = _excess(loose)
    left = (
        f", but its threshold would be {resolution(proven.population):.0f} units, which is "
        "too coarse"
        if proven
        else f", but its threshold would be less than {COARSE_THRESHOLD} units"
    )
    seen = (
        "the calibration data clip it, too"
        if task.clips is not None
        else "calibration data (--calibrate DATA.npz) may show that it does not happen"
    )
    return Problem(
        f"{what}, after {loose.bounds.proven_steps} steps that are proven; {breaks} would "
        "break it",
        f"population {loose.population.name}",
        f"use fewer time steps, a leak, or smaller weights; {seen}; {remedy}{left}",
    )


def profile(task: Task) -> Array:
    """Scale of each channel or neuron relative to the smallest one, (n,) or (1,).

    Each row's largest weight fills the mantissa, within SPREAD. A convolution among the
    projections ties the neurons of a channel together.
    """
    population, one = task.population, np.ones(1)
    if not task.per_neuron or not QUANTISE[type(population.neuron)].per_neuron:
        return one
    groups = population.size
    if any(isinstance(p.synapse, Conv2d) for p in task.incoming):
        groups = population.shape[0]
    largest = np.zeros(groups)
    for projection in task.incoming:
        rows = row_maxima(projection).reshape(groups, -1).max(axis=1)
        largest = np.maximum(largest, rows / task.known.message_scale(projection.source))
    if not largest.any():
        return one
    ratio = np.max(largest) / np.where(largest > 0, largest, np.max(largest))
    relative = np.repeat(np.minimum(ratio, SPREAD), population.size // groups)
    threshold = QUANTISE[type(population.neuron)].thresholds(population.neuron)
    if np.all(np.isfinite(threshold)):  # a threshold must not leave its own range before v does
        relative = np.minimum(
            relative, SPREAD * np.max(threshold) / np.maximum(threshold, 1e-30)
        )
    return one if np.all(relative == relative[0]) else relative


def row_maxima(projection: Projection) -> Array:
    """Largest magnitude of the weights of each target neuron, (n_out,)."""
    synapse = projection.synapse
    magnitude = np.abs(synapse.weight)
    if isinstance(synapse, Sparse):
        rows = np.zeros(synapse.shape[0])
        np.maximum.at(rows, synapse.row, magnitude)
        return rows
    rows = magnitude.reshape(len(magnitude), -1).max(axis=1, initial=0.0)
    return np.repeat(rows, synapse.out_size // len(rows))


def candidates(task: Task, shape: Array) -> list[float]:
    """Scales to try, largest first."""
    population = task.population
    if population.kind == "bias":
        return [1.0]
    message_scale = task.known.message_scale
    largest = max(
        (
            float(np.max(row_maxima(p), initial=0.0)) / message_scale(p.source)
            for p in task.incoming
        ),
        default=0.0,
    )
    full = [TOP * 2.0**e / (largest or 1.0) for e in range(EXPONENT_MAX, SMALLEST, -1)]
    start = float(np.min(getattr(population.neuron, "initial_voltage", np.zeros(1))))
    threshold = QUANTISE[type(population.neuron)].thresholds(population.neuron)
    hushed = isinstance(population.neuron, CubaLif) and start < 0
    if not hushed or not np.all(np.isfinite(threshold)):
        return full
    # A membrane that starts far below 0 must find room there.
    room, least = -SILENT / (-start * 2**STATE_SHIFT), float(np.min(threshold))
    return [s for s in full if s * shape.max() <= room or s * least < AMPLE_THRESHOLD]


def at_scale(task: Task, scale: Array) -> Fitted | list[Problem]:
    """The population at that scale, or which hard limit forbids it."""
    population = task.population
    neuron = quantise_neuron(population, scale)
    if isinstance(neuron, Problem):
        return [neuron]
    projections = []
    for projection in task.incoming:
        ratio = scale / task.known.message_scale(projection.source)
        bits = task.bits.get(projection.name, WEIGHT_BITS_MAX)
        exponent_min = QUANTISE[type(neuron)].exponent_min
        quantised = quantise_weights(projection, ratio, bits, exponent_min)
        if isinstance(quantised, Problem):
            return [quantised]
        projections.append(quantised)
    message_scale = QUANTISE[type(neuron)].message_scale(neuron, scale)
    integers = replace(population, neuron=neuron, scale=scale, message_scale=message_scale)
    bounds = proofs(task.known, integers, tuple(projections))
    return problems(integers, bounds) or Fitted(integers, tuple(projections), bounds)


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
    by_name = {p.name: p for p in projections}
    return replace(
        known,
        populations=tuple(
            population if p.name == population.name else p for p in known.populations
        ),
        projections=tuple(by_name.get(p.name, p) for p in known.projections),
    )
