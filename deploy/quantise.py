"""A float Program in Loihi-style integers: scales, exponents, thresholds, decays, biases.

Each population gets one scale S: a current of 1 in the graph's units is S integer units. Its
projections share it, ``mantissa * 2**exponent = S * weight / input scale``, and so do its
threshold and its bias. S is the largest of the candidates ``254 * 2**e / largest weight`` whose
worst case stays inside the 24-bit state (deploy/bounds.py), so mantissas always use their full
8 bits; what a small S costs is the resolution of the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CapacityExceeded, Problem, UsageError
from .bounds import Bounds, population_bounds, problems
from .neurons.cuba_lif import (
    BIAS_EXPONENT_MAX,
    BIAS_MANTISSA_MAX,
    NO_MEMORY,
    STATE_SHIFT,
    THRESHOLD_MAX,
    CubaLif,
)
from .onset import guard_onset
from .program import Input, Population, Program, Projection
from .rounding import current_error, moments, round_to_currents
from .synapses.dense import SignMode
from .trace import Stimulus, Trace

Array = npt.NDArray[Any]

EXPONENT_MIN, EXPONENT_MAX = -7, 7
MIXED_MAX, SINGLE_SIGN_MAX = 254, 255
SILENT = -(2**22)
"""Lowest initial v: a neuron's bias must not make it spike before its input arrives."""
INPUT_BITS = 8
FINE_THRESHOLD = 512
"""Threshold in integer units beyond which a larger scale gains nothing worth having."""
COARSE_THRESHOLD = 32


@dataclass(frozen=True, slots=True)
class Quantised:
    """A population in integers with what led to it.

    `current_errors`: projection -> relative error of its currents on the calibration data.
    """

    population: Population
    projections: tuple[Projection, ...]
    bounds: Bounds
    current_errors: Mapping[str, float] = field(default_factory=dict)


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

    x: Array
    shown: Array
    stimulus: Stimulus
    trace: Trace


def quantise(
    program: Program, calibration: Calibration | None
) -> tuple[Program, dict[str, Bounds], dict[str, float]]:
    """The Program at precision `fixed`, its proven bounds, and its current errors.

    Returns:
        The Program; population -> bounds; projection -> relative error of its currents, where
        calibration data measured it.

    Raises:
        CapacityExceeded: no scale keeps a population within the format; all are named.
        UsageError: calibration data are needed and absent.
    """
    fixed = replace(
        program,
        precision="fixed",
        input=quantise_input(program.input, calibration.x if calibration else None),
        populations=(),
        projections=(),
    )
    steps = program.run_steps(program.steps)
    found: list[Quantised] = []
    refused: list[Problem] = []
    for population in program.populations:
        incoming = program.into(population.name)
        result = _fit(fixed, population, incoming, steps)
        if isinstance(result, Quantised):
            if calibration:
                result = _round_again(program, fixed, result, calibration, steps)
            found.append(result)
        else:
            refused.extend(result)
    if refused:
        raise CapacityExceeded(*refused)
    by_name = {p.name: p for q in found for p in q.projections}
    populations, early = guard_onset(tuple(q.population for q in found), fixed=True)
    known = list(program.report.get("warnings", []))
    bounds = {q.population.name: q.bounds for q in found}
    result_program = replace(
        fixed,
        populations=populations,
        projections=tuple(by_name[p.name] for p in program.projections),
        report={**program.report, "warnings": [*known, *(w for w in early if w not in known)]},
    )
    if early:  # the proofs assumed silence before the first input
        bounds = {p.name: population_bounds(result_program, p, steps) for p in populations}
        refused = [found for p in populations for found in problems(p, bounds[p.name])]
        if refused:
            raise CapacityExceeded(*refused)
    current_errors = {k: error for q in found for k, error in q.current_errors.items()}
    return result_program, bounds, current_errors


def _fit(
    fixed: Program, population: Population, incoming: tuple[Projection, ...], steps: int
) -> Quantised | list[Problem]:
    """The largest scale that proves every bound, else the largest that breaks no hard one.

    A spiking population may do without the proof that v is never clipped: a smaller scale that
    proves it is taken only while the threshold stays finely resolved.
    """
    reasons: list[Problem] = []
    best: Quantised | None = None
    for scale in _candidates(fixed.input, population, incoming):
        attempt = _at_scale(fixed.input, population, incoming, scale)
        if isinstance(attempt, list):
            reasons = attempt
            continue
        integers, projections = attempt
        if best is not None and int(integers.neuron.threshold.min()) < FINE_THRESHOLD:
            break
        trial = replace(fixed, populations=(integers,), projections=projections)
        bounds = population_bounds(trial, integers, steps, quiet=True)
        reasons = problems(integers, bounds)
        if reasons:
            continue
        best = best or Quantised(integers, projections, bounds)
        if bounds.v_proven_steps is None:
            return Quantised(integers, projections, bounds)
    return best or reasons or [Problem("no scale fits", f"population {population.name}")]


def _round_again(
    program: Program, fixed: Program, nearest: Quantised, calibration: Calibration, steps: int
) -> Quantised:
    """Rounded for the currents on the calibration data, unless that breaks a proof."""
    floats = {p.name: p for p in program.projections}
    projections, before, after = [], {}, {}
    for projection in nearest.projections:
        source, name = floats[projection.name], projection.name
        seen = moments(program, source, calibration.stimulus, calibration.trace)
        if seen is None:
            projections.append(projection)
            continue
        scale = nearest.population.scale / fixed.input.message_scale(projection.source)
        weight, synapse = source.synapse.weight, projection.synapse
        per_mantissa = scale / 2.0**synapse.exponent
        before[name] = current_error(weight, synapse.weight, per_mantissa, seen)
        if weight.any():
            mantissa = round_to_currents(projection, source, scale, seen)
            synapse = replace(synapse, weight=mantissa)
        after[name] = current_error(weight, synapse.weight, per_mantissa, seen)
        projections.append(replace(projection, synapse=synapse))
    trial = replace(fixed, populations=(nearest.population,), projections=tuple(projections))
    bounds = population_bounds(trial, nearest.population, steps, quiet=True)
    proven = bounds.v_proven_steps is None or nearest.bounds.v_proven_steps is not None
    if problems(nearest.population, bounds) or not proven:
        return replace(nearest, current_errors=before)
    return Quantised(nearest.population, tuple(projections), bounds, after)


def _candidates(
    spec: Input, population: Population, incoming: tuple[Projection, ...]
) -> list[float]:
    if population.kind == "bias":
        return [1.0]
    largest = max((_largest_weight(spec, p) for p in incoming), default=0.0)
    if largest == 0.0:
        largest = 1.0
    full = [MIXED_MAX * 2.0**e / largest for e in range(EXPONENT_MAX, -15, -1)]
    threshold = population.neuron.threshold
    if not np.all(np.isfinite(threshold)):
        return [s for s in full if s <= MIXED_MAX / largest]
    positive = threshold[threshold > 0]
    need = FINE_THRESHOLD / float(positive.min()) if positive.size else 0.0
    ample = [s for s in full if s >= max(need, MIXED_MAX / largest)]
    return [s for s in full if not ample or s <= ample[-1]]


def _initial_voltage(scaled: Array) -> Array:
    """Rounded, but not below SILENT, which stands for a membrane that must not spike yet."""
    return np.maximum(np.rint(scaled), SILENT).astype(np.int64)


def _largest_weight(spec: Input, projection: Projection) -> float:
    """Largest weight per integer message."""
    largest = float(np.max(np.abs(projection.synapse.weight), initial=0.0))
    return largest / spec.message_scale(projection.source)


def _at_scale(
    spec: Input, population: Population, incoming: tuple[Projection, ...], scale: float
) -> tuple[Population, tuple[Projection, ...]] | list[Problem]:
    neuron = quantise_neuron(population, scale)
    if isinstance(neuron, Problem):
        return [neuron]
    projections = []
    for projection in incoming:
        quantised = quantise_weights(projection, scale / spec.message_scale(projection.source))
        if isinstance(quantised, Problem):
            return [quantised]
        projections.append(quantised)
    return replace(population, neuron=neuron, scale=scale), tuple(projections)


def quantise_weights(projection: Projection, scale: float) -> Projection | Problem:
    """Mantissas ``round(scale * weight / 2**exponent)`` with the least exponent that fits.

    Mixed signs round to even mantissas, because Lava and the chip drop the lowest bit there.
    """
    weight = projection.synapse.weight
    mode = sign_mode(weight)
    limit = MIXED_MAX if mode == "mixed" else SINGLE_SIGN_MAX
    largest = float(np.max(np.abs(weight), initial=0.0)) * scale
    exponent = EXPONENT_MIN
    if largest > 0:
        # The relative slack keeps 254.0000001 from needing one more bit.
        exponent = max(int(np.ceil(np.log2(largest / limit * (1 - 1e-9)))), EXPONENT_MIN)
    if exponent > EXPONENT_MAX:
        return Problem(
            f"the weights need an exponent of {exponent}; the limit is {EXPONENT_MAX}",
            f"projection {projection.name}",
            "bring the weights of the projections into one population closer together",
        )
    unit = 2 if mode == "mixed" else 1
    mantissa = unit * np.rint(weight * (scale / 2.0**exponent / unit))
    if largest > 0 and not mantissa.any():
        return Problem(
            f"all weights would round to zero beside the other projections into "
            f"{projection.target}",
            f"projection {projection.name}",
            "bring the weights of the projections into one population closer together",
        )
    synapse = replace(
        projection.synapse,
        weight=np.clip(mantissa, -limit, limit).astype(np.int16),
        exponent=exponent,
        sign_mode=mode,
    )
    return replace(projection, synapse=synapse)


def sign_mode(weight: Array) -> SignMode:
    """Excitatory where no weight is negative, inhibitory where none is positive, else mixed."""
    if np.min(weight, initial=0.0) >= 0:
        return "excitatory"
    return "inhibitory" if np.max(weight, initial=0.0) <= 0 else "mixed"


def quantise_neuron(population: Population, scale: float) -> CubaLif | Problem:
    """Threshold, decays and bias at that scale, or what does not fit."""
    neuron = population.neuron
    finite = np.isfinite(neuron.threshold)
    scaled = np.rint(np.where(finite, neuron.threshold, 0) * scale)
    threshold = np.where(finite, scaled, THRESHOLD_MAX)
    highest = float(threshold[finite].max(initial=0.0))
    if highest > THRESHOLD_MAX:
        return Problem(
            f"the threshold would be {highest:.0f}; the limit is {THRESHOLD_MAX}",
            f"population {population.name}",
            f"a scale smaller by {highest / THRESHOLD_MAX:.3g} would do",
        )
    bias = neuron.bias_mantissa * scale * 2**STATE_SHIFT
    if population.kind == "bias":
        bias = np.ones(1)
    exponent = 0
    while np.rint(np.abs(bias).max() / 2**exponent) > BIAS_MANTISSA_MAX:
        exponent += 1
    if exponent > BIAS_EXPONENT_MAX:
        return Problem(
            f"the bias would need an exponent of {exponent}; the limit is {BIAS_EXPONENT_MAX}",
            f"population {population.name}",
            "use smaller biases beside the weights",
        )
    current = np.rint(neuron.current_decay * 4096) - 1
    return CubaLif(
        current_decay=np.clip(current, 0, NO_MEMORY).astype(np.int64),
        voltage_decay=np.clip(np.rint(neuron.voltage_decay * 4096), 0, 4095).astype(np.int64),
        bias_mantissa=np.rint(bias / 2**exponent).astype(np.int64),
        threshold=threshold.astype(np.int64),
        initial_voltage=_initial_voltage(neuron.initial_voltage * scale * 2**STATE_SHIFT),
        bias_exponent=exponent,
        onset=neuron.onset,
    )
