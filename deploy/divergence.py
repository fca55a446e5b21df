"""What quantisation changed: each population's spikes and membranes, float beside fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .bounds import Bounds
from .data import encode
from .engine import execute
from .neurons.cuba_lif import CURRENT_MAX, STATE_SHIFT, step_fixed
from .program import Population, Program
from .quantise import COARSE_THRESHOLD, Calibration
from .reference import shift
from .trace import Raster, Stimulus, Trace

Array = npt.NDArray[Any]

RASTER_ELEMENTS = 10**7
"""Neuron steps recorded for the comparison; limits the samples taken from the calibration."""
SATURATION_LIMIT = 1e-3
"""Share of neuron steps with a clipped v above which a compile is refused."""


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
        "warnings": list(fixed.report.get("warnings", [])),
        "calibration_samples": 0,
    }
    if calibration is not None:
        _measure(fixed, calibration, report)
    for name, entry in report["populations"].items():
        report["warnings"] += _warnings(name, entry)
    return report


def _population(fixed: Population, source: Population, bounds: Bounds) -> dict[str, Any]:
    return {
        "kind": fixed.kind,
        "neurons": fixed.size,
        "scale": fixed.scale,
        "threshold": [int(fixed.neuron.threshold.min()), int(fixed.neuron.threshold.max())],
        "voltage_decay_error": _decay_error(
            source.neuron.voltage_decay, fixed.neuron.voltage_decay / 4096
        ),
        "current_decay_error": _decay_error(
            source.neuron.current_decay, (fixed.neuron.current_decay + 1) / 4096
        ),
        "bounds": {
            "accumulator": bounds.accumulator,
            "current": list(bounds.current),
            "current_limit": CURRENT_MAX,
            "u": list(bounds.u),
            "v": list(bounds.v),
            "v_proven_steps": bounds.v_proven_steps,
        },
        "error": None,
        "added": None,
        "saturated": None,
    }


def _decay_error(wanted: Array, got: Array) -> float:
    """Largest relative error of a decay constant."""
    wanted, got = np.broadcast_arrays(wanted, got)
    used = wanted > 0
    return float(np.max(np.abs(got[used] - wanted[used]) / wanted[used])) if used.any() else 0.0


def _projections(
    source: Program, fixed: Program, current_errors: Mapping[str, float]
) -> dict[str, Any]:
    entries = {}
    for before, after in zip(source.projections, fixed.projections, strict=True):
        scale = fixed.population(after.target).scale / fixed.input.message_scale(after.source)
        weight = before.synapse.weight
        got = after.synapse.weight.astype(np.float64) * 2.0**after.synapse.exponent / scale
        size = float(np.sqrt(np.mean(weight**2)))
        entries[after.name] = {
            "exponent": after.synapse.exponent,
            "sign_mode": after.synapse.sign_mode,
            "delay": after.delay,
            "folded": list(after.folded),
            "weight_error_relative": float(np.sqrt(np.mean((got - weight) ** 2))) / size
            if size
            else 0.0,
            "current_error_relative": current_errors.get(after.name),
            "weights_rounded_to_zero": int(np.count_nonzero((got == 0) & (weight != 0))),
        }
    return entries


def calibrate(source: Program, x: Array) -> Calibration:
    """Run the float Program on as many samples as can be recorded."""
    neurons = sum(p.size for p in source.populations)
    steps = source.run_steps(source.steps)
    samples = int(np.clip(RASTER_ELEMENTS // (neurons * steps), 4, 256))
    # Evenly spread, because data often come class by class.
    shown = x[np.unique(np.linspace(0, len(x) - 1, samples).astype(int))]
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
        entry["saturated_share"] = clipped / after.rasters[name].v.size
        window = slice(population.depth, population.depth + stimulus.steps)
        scale = population.scale
        floats = _during(before.rasters[name], window)
        entry["error"] = difference(floats, _during(after.rasters[name], window), scale)
        alone = by_itself(fixed, population, stimulus.part(0, few), before)
        added = difference(_first(floats, few), _during(alone, window), scale)
        entry["added"] = {key: added[key] for key in ("rate_cosine", "raster_cosine")}


def by_itself(
    fixed: Program, population: Population, stimulus: Stimulus, before: Trace
) -> Raster:
    """One population in integers among sources that spike as the float Program's did.

    Args:
        fixed: the fixed Program.
        population: of it.
        stimulus: encoded for it.
        before: what the float Program did with the same samples, or more of them.
    """
    samples, steps = stimulus.samples, before.executed_steps
    currents = np.zeros((samples, steps, population.size), np.int64)
    for projection in fixed.into(population.name):
        late = 1 + projection.delay
        if projection.source == fixed.input.name:
            sent = np.stack([stimulus.at(t) for t in range(1, steps + 1 - late)], axis=1)
        else:
            sent = before.rasters[projection.source].s[:samples, : steps - late]
        # Sums of integers are exact in float64, and a matrix product of floats is fast.
        total = np.rint(projection.synapse.accumulate(sent.astype(np.float64)))
        currents[:, late:] += shift(total.astype(np.int64), projection.synapse.exponent)
    neuron = population.neuron
    u = np.zeros((samples, population.size), np.int64)
    v = np.broadcast_to(neuron.initial_voltage, u.shape).astype(np.int64)
    frames = []
    for t in range(1, steps + 1):
        u, v, spikes = step_fixed(neuron, t, u, v, currents[:, t - 1])
        frames.append((spikes, u, v))
    return Raster(*(np.stack(column, axis=1) for column in zip(*frames, strict=True)))


def _during(raster: Raster, window: slice) -> Raster:
    return Raster(raster.s[:, window], raster.u[:, window], raster.v[:, window])


def _first(raster: Raster, samples: int) -> Raster:
    return Raster(raster.s[:samples], raster.u[:samples], raster.v[:samples])


def difference(before: Raster, after: Raster, scale: float) -> dict[str, Any]:
    """Spike and membrane differences of one population while it sees the sample.

    Returns:
        rate_cosine: cosine between the spike counts per sample and neuron; raster_cosine:
        between the rasters; both 1 where neither spikes. membrane_rms: root mean square of
        the membrane difference in the graph's units.
    """
    counts = before.s.sum(axis=1).astype(np.float64), after.s.sum(axis=1).astype(np.float64)
    both = float(np.count_nonzero(before.s & after.s))
    spikes = float(np.count_nonzero(before.s)), float(np.count_nonzero(after.s))
    membrane = after.v / (scale * 2**STATE_SHIFT) - before.v
    return {
        "rate_cosine": _cosine(
            float(np.sum(counts[0] * counts[1])),
            float(np.sum(counts[0] ** 2)),
            float(np.sum(counts[1] ** 2)),
        ),
        "raster_cosine": _cosine(both, *spikes),
        "spikes_float": int(spikes[0]),
        "spikes_fixed": int(spikes[1]),
        "membrane_rms": float(np.sqrt(np.mean(membrane**2))),
    }


def _cosine(product: float, first: float, second: float) -> float:
    if first == 0 and second == 0:
        return 1.0
    return product / float(np.sqrt(first * second)) if first and second else 0.0


def _warnings(name: str, entry: dict[str, Any]) -> list[str]:
    found = []
    if entry["kind"] not in ("bias",) and entry["threshold"][0] < COARSE_THRESHOLD:
        found.append(
            f"{name}: the threshold is only {entry['threshold'][0]} integer units, so that "
            "rounding shifts spikes; weights are large beside the threshold"
        )
    for decay in ("voltage_decay_error", "current_decay_error"):
        if entry[decay] > 0.01:
            found.append(
                f"{name}: 12 bits miss the {decay.split('_')[0]} decay by "
                f"{100 * entry[decay]:.2g} %"
            )
    proven = entry["bounds"]["v_proven_steps"]
    if proven is not None:
        found.append(
            f"{name}: that v is never clipped is proven for {proven} steps only; clipping is "
            "counted in every run"
        )
    return found
