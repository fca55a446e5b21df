"""A float Program in Loihi-style integers: scales, exponents, thresholds, decays, biases.

Each population gets a scale S: a current of 1 in the graph's units is S integer units. Its
projections share it, ``mantissa * 2**exponent = S * weight / message scale``, and so do its
threshold and its bias. S is the largest of the candidates of deploy/fit.py whose worst case
stays inside the 24-bit states (deploy/bounds.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CapacityExceeded, Problem, UsageError
from .alone import by_itself
from .bits import allocate
from .bounds import Bounds, population_bounds, problems
from .data import Samples, encode
from .difference import cosine
from .fit import Agreement, Fitted, best_nearby, fit, proofs, with_population
from .formats import WEIGHT_BITS_MAX
from .neurons.bounds import spikes
from .neurons.cuba_lif import CubaLif
from .neurons.models import model_of
from .onset import guard_onset
from .program import Input, Population, Program, Projection
from .rounding import current_error, importance, moments, round_to_currents
from .scales import Task
from .targets import load_target
from .trace import Stimulus, Trace
from .weights import is_low, low_parts, meant

__all__ = ["Calibration", "exact_levels", "quantise", "quantise_input"]

Array = npt.NDArray[Any]

INPUT_BITS = 8
AGREEMENT_SAMPLES = 16
"""Calibration samples on which a population is run by itself to compare two scales."""


def quantise_input(spec: Input, calibration: Array | None) -> Input:
    """The input as integer messages: spikes stay 0 and 1, values become 8 bits.

    Raises:
        UsageError: values without calibration data, so that their range is unknown.
    """
    if not spec.graded:
        return replace(spec, minimum=0, maximum=1)
    if calibration is None:
        raise UsageError(
            "the range of the input values is unknown",
            where=f"input {spec.name}",
            remedy="give samples of the training data: --calibrate DATA.npz",
        )
    largest = float(np.max(np.abs(calibration)))
    signed = float(np.min(calibration)) < 0
    levels = 2 ** (INPUT_BITS - 1) - 1 if signed else 2**INPUT_BITS - 1
    if largest > 0:
        levels = exact_levels(calibration / largest, levels)
    scale = levels / largest if largest > 0 else 1.0
    return replace(spec, scale=scale, minimum=-levels if signed else 0, maximum=levels)


def exact_levels(values: Array, levels: int) -> int:
    """The least number of levels on which all values in [-1, 1] lie, else `levels`.

    Pictures are integers that were scaled: 255 or 16 levels hold them without any rounding.
    """
    distinct = np.unique(values.astype(np.float64))
    for count in range(1, levels + 1):
        scaled = distinct * count
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-4):
            return count
    return levels


@dataclass(frozen=True, slots=True)
class Calibration:
    """Samples and what the float Program did with some of them, rasters included.

    Attributes:
        x: all samples.
        shown: those that the float Program has run.
        stimulus, trace: what it saw and did.
    """

    x: Samples
    shown: Samples
    stimulus: Stimulus
    trace: Trace

    def of(self, name: str) -> Array:
        """All samples of that input."""
        return self.x if isinstance(self.x, np.ndarray) else self.x[name]


def quantise(
    program: Program,
    calibration: Calibration | None,
    *,
    weight_bits: int | None = None,
    per_channel: bool = False,
    weight_memory: float | None = None,
) -> tuple[Program, dict[str, Bounds], dict[str, float]]:
    """The Program at precision `fixed`, its proven bounds, and its current errors.

    Args:
        program: of precision `float`.
        calibration: what it did with samples like those of training.
        weight_bits: 1 to 8 for all weights; None: 8, two parts of 8 on and behind loops, and
            fewer for those projections where that costs least while `weight_memory` is
            exceeded.
        per_channel: whether each channel (or neuron, where nothing is a convolution) of a
            spiking population may have its own scale and threshold.
        weight_memory: bits that the target can store.

    Returns:
        The Program; population -> bounds; projection -> relative error of its currents, where
        calibration data measured it.

    Raises:
        CapacityExceeded: no scale keeps a population within the format; all are named. Or the
            weights do not fit into the memory.
        UsageError: calibration data are needed and absent, or impossible weight bits.
    """
    chip = load_target(program.target)
    if weight_bits is None and not chip.weights_in_two_parts:
        weight_bits = WEIGHT_BITS_MAX
    seen = None
    if calibration:
        seen = {
            p.name: moments(program, p, calibration.stimulus, calibration.trace)
            for p in program.projections
        }
    bits = allocate(program, weight_bits, weight_memory, seen)
    known = replace(
        program,
        precision="fixed",
        inputs=tuple(
            quantise_input(i, calibration.of(i.name) if calibration else None)
            for i in program.inputs
        ),
    )
    stimulus = encode(known, calibration.shown)[0] if calibration else None
    found: list[Fitted] = []
    refused: list[Problem] = []
    for population in program.populations:
        apart = per_channel and _may_have_scales(program, population)
        observed = _observed(population, calibration.trace) if calibration else None
        counts = {
            p.name: importance(p.synapse, seen[p.name] if seen else None)
            for p in program.into(population.name)
        }
        task = Task(
            known,
            population,
            bits,
            apart,
            observed,
            counts,
            chip.weight_exponents,
            chip.bias_exponents,
        )
        agreement = (
            _agreement(task, stimulus, calibration.trace) if calibration and stimulus else None
        )
        result = fit(task, agreement)
        if not isinstance(result, Fitted):
            refused.extend(result)
            continue
        if not task.refined:
            result = best_nearby(task, result)
        if seen is not None:
            result = _round_again(task, result, seen)
        known = with_population(known, result.population, result.projections)
        found.append(result)
    if refused:
        raise CapacityExceeded(*refused)
    return _finish(program, known, found)


def _finish(
    program: Program, known: Program, found: list[Fitted]
) -> tuple[Program, dict[str, Bounds], dict[str, float]]:
    """Silence before the first input, and the warnings."""
    populations, early = guard_onset(known.populations, fixed=True)
    warnings = list(program.report.get("warnings", []))
    warnings += [w for q in found for w in q.warnings]
    warnings += [w for w in early if w not in warnings]
    bounds = {q.population.name: q.bounds for q in found}
    result = replace(known, populations=populations)
    if early:  # the proofs assumed silence before the first input
        steps = program.run_steps(program.steps)
        proven = {name for name, was in bounds.items() if was.proven_steps is None}
        bounds = {p.name: population_bounds(result, p, steps) for p in populations}
        refused = [problem for p in populations for problem in problems(p, bounds[p.name])]
        if refused:
            raise CapacityExceeded(*refused)
        warnings += [
            f"{name}: that v is never clipped is proven for {bounds[name].proven_steps} steps "
            "only, since spikes may arrive before the first input; clipping is counted in "
            "every run"
            for name in sorted(proven)
            if bounds[name].proven_steps is not None
        ]
    result = replace(result, report={**program.report, "warnings": warnings})
    current_errors = {k: error for q in found for k, error in q.current_errors.items()}
    return result, bounds, current_errors


def _may_have_scales(program: Program, population: Population) -> bool:
    """Not where a membrane is read: its values are compared across neurons."""
    neuron = population.neuron
    spiking = isinstance(neuron, CubaLif) and spikes(neuron) and population.kind != "bias"
    read = {o.population for o in program.outputs if o.readout != "count"}
    return spiking and population.name not in read


def _observed(population: Population, before: Trace) -> Array:
    """Largest magnitude of each membrane that clipping must not cut off, in the graph's units.

    A membrane that is clipped from above spikes all the same, and its reset forgets by how
    much; only where the threshold is subtracted does it remember.
    """
    model, neuron = model_of(population.neuron), population.neuron
    membrane = before.rasters[population.name].states[model.membrane]
    lowest = np.maximum(-membrane.min(axis=(0, 1)), 0.0)
    highest = membrane.max(axis=(0, 1))
    if isinstance(neuron, CubaLif) and spikes(neuron):
        if neuron.reset != "subtract":
            return np.asarray(lowest)
        highest = highest + neuron.threshold
    return np.asarray(np.maximum(lowest, highest))


def _agreement(task: Task, stimulus: Stimulus, before: Trace) -> Agreement:
    """Measures a fit among sources in floating point, on some of the calibration data."""
    few = stimulus.part(0, AGREEMENT_SAMPLES)
    raster = before.rasters[task.population.name].s[: few.samples].astype(np.float64)

    def agreement(trial: Fitted) -> float:
        fixed = with_population(task.known, trial.population, trial.projections)
        alone, _ = by_itself(fixed, trial.population, few, before)
        return cosine(raster, alone.s / trial.population.message_scale)

    return agreement


def _round_again(task: Task, nearest: Fitted, seen: dict[str, list[Array] | None]) -> Fitted:
    """Rounded for the currents on the calibration data, unless that breaks a proof."""
    floats = {p.name: p for p in task.incoming}
    low = low_parts(nearest.projections)
    projections: list[Projection] = []
    before, after = {}, {}
    for projection in nearest.projections:
        if is_low(projection):
            continue
        source, second = floats[projection.name], low.get(projection.name)
        name, moment = projection.name, seen[projection.name]
        parts: tuple[Projection, ...] = (
            (projection,) if second is None else (projection, second)
        )
        if moment is None:
            projections += parts
            continue
        scale = nearest.population.scale / task.known.message_scale(projection.source)
        before[name] = current_error(source, meant(parts, scale), moment)
        if source.synapse.weight.any():
            parts = _rounded(parts, source, scale, moment)
        after[name] = current_error(source, meant(parts, scale), moment)
        projections += parts
    bounds = proofs(task.known, nearest.population, tuple(projections))
    proven = bounds.proven_steps is None or nearest.bounds.proven_steps is not None
    if problems(nearest.population, bounds) or not proven:
        return replace(nearest, current_errors=before)
    return replace(nearest, projections=tuple(projections), bounds=bounds, current_errors=after)


def _rounded(
    parts: tuple[Projection, ...], source: Projection, scale: Array, moment: list[Array]
) -> tuple[Projection, ...]:
    """The last part rounded anew, for what the high one leaves of the weights."""
    *high, last = parts
    rest = source.synapse.weight - (meant(tuple(high), scale) if high else 0.0)
    left = replace(source, synapse=replace(source.synapse, weight=rest))
    mantissa = round_to_currents(last, left, scale, moment)
    return (*high, replace(last, synapse=replace(last.synapse, weight=mantissa)))
