"""The compile report: what quantisation changed, each population float beside fixed."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from .alone import by_itself, part_of
from .bounds import Bounds, current_limit
from .data import Samples, count, encode, take
from .difference import difference
from .engine import execute
from .fit import COARSE_THRESHOLD
from .formats import STATE
from .neurons.models import model_of
from .neurons.quantise import QUANTISE
from .program import Population, Program
from .quantise import Calibration
from .trace import Raster
from .weights import clipped, low_parts, meant, stored_bits

Array = npt.NDArray[Any]

RASTER_ELEMENTS = 10**7
"""Neuron steps recorded for the comparison; limits the samples taken from the calibration."""
SATURATION_LIMIT = 1e-3
"""Share of neuron steps with a clipped v above which a compile is refused."""
DECAY_ERROR = 0.01
"""Relative error of a decay above which 12 bits are worth a warning."""


def compile_report(
    source: Program,
    fixed: Program,
    bounds: Mapping[str, Bounds],
    current_errors: Mapping[str, float],
    calibration: Calibration | None,
) -> dict[str, Any]:
    """The compile report as JSON values; see the keys in docs or `slipway compile --json`."""
    report: dict[str, Any] = {
        "populations": {
            p.name: _population(p, source.population(p.name), bounds[p.name])
            for p in fixed.populations
        },
        "projections": _projections(source, fixed, current_errors),
        "weight_memory": sum(stored_bits(p.synapse) for p in fixed.projections),
        "warnings": list(fixed.report.get("warnings", [])),
        "calibration_samples": 0,
    }
    if calibration is not None:
        _measure(fixed, calibration, report)
    for name, entry in report["populations"].items():
        report["warnings"] += _warnings(name, entry)
    return report


def _population(fixed: Population, source: Population, bounds: Bounds) -> dict[str, Any]:
    thresholds = QUANTISE[type(fixed.neuron)].thresholds(fixed.neuron)
    return {
        "kind": fixed.kind,
        "neurons": fixed.size,
        "scale": float(fixed.scale.min()),
        "scale_largest": float(fixed.scale.max()),
        "scales": int(fixed.scale.size),
        "threshold": [
            int(edge) if np.isfinite(edge) else None
            for edge in (np.min(thresholds), np.max(thresholds))
        ],
        **_decay_errors(source, fixed),
        "bounds": {
            "accumulator": bounds.accumulator,
            "accumulator_limit": bounds.accumulator_limit,
            "current": [extreme.value for extreme in bounds.current],
            "current_limit": current_limit(fixed),
            "state_limit": STATE.maximum,
            **{name: list(pair) for name, pair in bounds.states.items()},
            "v_proven_steps": bounds.proven_steps,
        },
        "error": None,
        "added": None,
        "saturated": None,
    }


def _decay_errors(source: Population, fixed: Population) -> dict[str, float]:
    """Largest relative error of each decay constant; `current_decay` counts one more."""
    errors = {}
    for name in fixed.neuron.__dataclass_fields__:
        if not name.endswith("_decay"):
            continue
        got = (getattr(fixed.neuron, name) + (name == "current_decay")) / 4096
        wanted, got = np.broadcast_arrays(getattr(source.neuron, name), got)
        used = wanted > 0
        relative = np.abs(got[used] - wanted[used]) / wanted[used]
        errors[f"{name}_error"] = float(np.max(relative, initial=0.0))
    return errors


def _projections(
    source: Program, fixed: Program, current_errors: Mapping[str, float]
) -> dict[str, Any]:
    entries = {}
    fixed_parts = {p.name: p for p in fixed.projections}
    low = low_parts(fixed.projections)
    for before in source.projections:
        after, second = fixed_parts[before.name], low.get(before.name)
        parts = (after,) if second is None else (after, second)
        scale = fixed.population(after.target).scale / fixed.message_scale(after.source)
        weight, got = before.synapse.weight, meant(parts, scale)
        size = float(np.sqrt(np.mean(weight**2))) if weight.size else 0.0
        error = float(np.sqrt(np.mean((got - weight) ** 2))) / size if size else 0.0
        for part in parts:
            layout = part.synapse.format
            assert layout is not None
            entries[part.name] = {
                "bits": layout.bits,
                "exponent": layout.exponent,
                "sign_mode": layout.sign_mode,
                "part": ("low" if part is second else "high") if second else None,
                "delay": part.delay,
                "folded": list(part.folded),
                "weight_error_relative": error,
                "current_error_relative": current_errors.get(before.name),
                "weights_clipped": clipped(before, after, scale) if second is None else 0,
                "weights_rounded_to_zero": int(np.count_nonzero((got == 0) & (weight != 0))),
            }
    return entries


def calibrate(source: Program, x: Samples) -> Calibration:
    """Run the float Program on as many samples as can be recorded."""
    neurons = sum(p.size for p in source.populations)
    steps = source.run_steps(source.steps)
    samples = int(np.clip(RASTER_ELEMENTS // (neurons * steps), 4, 256))
    # Evenly spread, because data often come class by class.
    last = count(x) - 1
    shown = take(x, np.unique(np.linspace(0, last, samples).astype(int)))
    stimulus, _ = encode(source, shown)
    return Calibration(x, shown, stimulus, execute(source, stimulus, record=True))


def _measure(fixed: Program, calibration: Calibration, report: dict[str, Any]) -> None:
    """Run the fixed Program on the recorded samples and compare population by population."""
    stimulus, _ = encode(fixed, calibration.shown)
    before, after = calibration.trace, execute(fixed, stimulus, record=True)
    report["calibration_samples"] = stimulus.samples
    few = min(stimulus.samples, max(4, RASTER_ELEMENTS // 10**6))
    for population in fixed.populations:
        entry, name = report["populations"][population.name], population.name
        clipped = int(after.saturated[name].sum())
        entry["saturated"] = clipped
        entry["saturated_share"] = clipped / prod(after.rasters[name].s.shape)
        window = slice(population.depth, population.depth + stimulus.steps)
        everything = slice(None)
        floats = part_of(before.rasters[name], everything, window)
        entry["error"] = compare(
            population, floats, part_of(after.rasters[name], everything, window)
        )
        alone, _ = by_itself(fixed, population, stimulus.part(0, few), before)
        added = compare(
            population,
            part_of(floats, slice(few), everything),
            part_of(alone, everything, window),
        )
        entry["added"] = {key: added[key] for key in ("rate_cosine", "raster_cosine")}


def compare(population: Population, before: Raster, after: Raster) -> dict[str, Any]:
    """`difference` of a population's rasters, float and fixed, in the graph's units."""
    neuron = population.neuron
    unit = QUANTISE[type(neuron)].state_unit(neuron)
    return difference(
        before,
        after,
        membrane=model_of(neuron).membrane,
        unit=population.scale * unit,
        message_scale=population.message_scale,
    )


def _warnings(name: str, entry: dict[str, Any]) -> list[str]:
    found = []
    least = entry["threshold"][0]
    if entry["kind"] != "bias" and least is not None and least < COARSE_THRESHOLD:
        found.append(
            f"{name}: the threshold is only {least} integer units, so that "
            "rounding shifts spikes; weights are large beside the threshold"
        )
    for decay, error in entry.items():
        if decay.endswith("_decay_error") and error > DECAY_ERROR:
            kind = decay.removesuffix("_decay_error")
            found.append(f"{name}: 12 bits miss the {kind} decay by {100 * error:.2g} %")
    return found
