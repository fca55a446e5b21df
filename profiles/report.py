"""The report: one dict of JSON values that feeds the page, the terminal and other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .accuracy import accuracies
from .costs import CostModel, load_cost_model
from .counts import Counts, counts_of
from .estimate import estimate, sensitivity
from .layers import Priced, layer_rows, projection_rows
from .remarks import (
    ABSENT,
    RATE_LIMIT,
    RATE_LIMIT_STRICT,
    SPIKES_PER_SYNAPSE,
    warnings_of,
)
from .run_file import check_run
from .terms import Estimate, Latency, weakest

FORMAT = 1
BADGE = "estimate, not a measurement"


def build_report(
    runs: Sequence[Mapping[str, Any]],
    cost_models: Sequence[str | Path] = ("loihi1_davies", "ops45"),
) -> dict[str, Any]:
    """Price the first run with each cost model; further runs stand beside its accuracy.

    Args:
        runs: contents of run.json files, at least one.
        cost_models: names of shipped models or paths of .toml files.

    Raises:
        FileError: a run or a cost model is malformed; names every wrong key.
        UsageError: no run, no cost model, an unknown one, or two of one name.
    """
    if not runs:
        raise UsageError("there is no run to report on", remedy="give at least one run.json")
    checked = [check_run(run, where=f"run {n}") for n, run in enumerate(runs, start=1)]
    models = _models(cost_models)
    main = checked[0]
    counts = counts_of(main)
    priced = [(model, estimate(main, model)) for model in models]
    rate = _spike_rate(counts)
    entries = accuracies(checked)
    return {
        "format": FORMAT,
        "kind": "estimate",
        "badge": BADGE,
        "grade": weakest(e.grade for _, e in priced),
        "run": _run_facts(main),
        "totals": _totals(counts),
        "energy": {m.name: _energy(m, e, counts.steps) for m, e in priced},
        "latency": {m.name: _latency(e) for m, e in priced},
        "breakdown": {m.name: _breakdown(e) for m, e in priced},
        "sensitivity": {m.name: _sensitivity(main, m, e) for m, e in priced},
        "layers": layer_rows(main, counts, priced),
        "projections": projection_rows(main, counts, priced),
        "accuracy": entries,
        "break_even": _break_even(counts, rate),
        "compile": main.get("compile") or {},
        "unpriced": _unpriced(priced),
        "absent": list(ABSENT),
        "assumptions": [
            {"model": m.name, "text": text} for m, e in priced for text in e.assumptions
        ],
        "warnings": warnings_of(checked, priced, spike_rate=rate, entries=entries),
        "provenance": _provenance(checked, priced),
    }


def _models(wanted: Sequence[str | Path]) -> list[CostModel]:
    if not wanted:
        raise UsageError("there is no cost model", remedy="name one; see slipway costs")
    models = [load_cost_model(name) for name in dict.fromkeys(map(str, wanted))]
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            files = ", ".join(m.file for m in models if m.name == name)
            raise UsageError(
                f"two cost models are called {name!r}: {files}", remedy="rename one file"
            )
    return models


def _run_facts(run: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        *("engine", "precision", "target", "samples", "steps", "executed_steps"),
        *("latency_steps", "dt_second", "clipped", "seconds", "sample_steps_per_second"),
    )
    return {
        **{key: run.get(key) for key in keys},
        "inputs": run.get("inputs") or {},
        "outputs": _outputs(run),
    }


def _outputs(run: Mapping[str, Any]) -> dict[str, Any]:
    """What is read where; the predictions of every sample are left out."""
    return {
        name: {key: entry.get(key) for key in ("population", "readout")}
        for name, entry in (run.get("outputs") or {}).items()
    }


def _totals(counts: Counts) -> dict[str, Any]:
    """Exact integers over all samples, and their means; `spikes` includes graded messages."""
    totals = {
        "spikes": sum(layer.spikes for layer in counts.layers),
        "graded_messages": sum(layer.spikes for layer in counts.layers if layer.graded),
        "synops": sum(stream.synops for stream in counts.streams),
        "synops_all": sum(stream.synops_all for stream in counts.streams),
        "neuron_updates": sum(layer.updates for layer in counts.layers),
    }
    return {
        **totals,
        # One message per destination core, one hop per link: they need a placement.
        "messages": None,
        "hops": None,
        "neurons": sum(layer.neurons for layer in counts.layers),
        "synapses": sum(stream.synapses for stream in counts.streams),
        "synapses_all": sum(stream.synapses_all for stream in counts.streams),
        "per_inference": {key: value / counts.samples for key, value in totals.items()},
    }


def _energy(model: CostModel, estimate: Estimate, steps: int) -> dict[str, Any]:
    partial = not all(term.priced for term in estimate.terms.values())
    static = estimate.terms["static"].energy
    facts: dict[str, Any] = {
        **estimate.total.as_json("_joule_per_inference"),
        **estimate.total.scaled(1 / steps).as_json("_joule_per_step"),
        "dynamic": estimate.dynamic.as_json("_joule_per_inference"),
        "static": static.as_json("_joule_per_inference") if static else None,
        "kind": "estimate",
        "grade": estimate.grade,
        "partial": partial,
        "badges": [BADGE, "counts simulated", *model.badges, *(["partial"] if partial else [])],
        "band": "lows and highs of all priced terms summed",
        "uncertainty": model.uncertainty,
        "title": model.title,
        "device": model.device,
    }
    if estimate.latency is not None:
        time = estimate.latency.inference
        energy_delay = estimate.total.times(time)
        facts["energy_delay_product_joule_second"] = energy_delay.as_json()
        seconds = time.nominal
        watts = {
            "dynamic": estimate.dynamic.nominal / seconds if seconds else None,
            "static": static.nominal / seconds if static and seconds else None,
            "total": estimate.total.nominal / seconds if seconds else None,
        }
        facts["nominal_power_watt"] = watts
    return facts


def _latency(estimate: Estimate) -> dict[str, Any]:
    found: Latency | None = estimate.latency
    if found is None:
        return {"nominal_second_per_inference": None, "reason": estimate.no_latency}
    nominal = found.inference.nominal
    return {
        **found.inference.as_json("_second_per_inference"),
        **found.step.as_json("_second_per_step"),
        "nominal_inference_per_second": 1 / nominal if nominal else None,
        "cores": found.cores,
        "chips": found.chips,
        "busiest": found.busiest,
        "binding": found.binding,
        "binding_share": found.share,
        "reason": "estimate, placement not yet known",
    }


def _breakdown(estimate: Estimate) -> dict[str, Any]:
    """Joule per inference, by term; null where there is no price."""
    nothing = {"low": None, "nominal": None, "high": None}
    return {
        key: {
            **(term.energy.as_json() if term.energy else nothing),
            "grade": term.grade,
            "priced": term.priced,
            **({} if term.priced else {"reason": term.reason}),
        }
        for key, term in estimate.terms.items()
    }


def _sensitivity(
    run: Mapping[str, Any], model: CostModel, nominal: Estimate
) -> list[dict[str, Any]]:
    """Nominal total with one constant at its low and at its high, largest effect first."""
    return [
        {
            "constant": name,
            "low_joule_per_inference": low,
            "nominal_joule_per_inference": nominal.total.nominal,
            "high_joule_per_inference": high,
        }
        for name, (low, high) in sensitivity(run, model).items()
    ]


def _spike_rate(counts: Counts) -> float | None:
    """Spikes per neuron and step over all populations that can spike."""
    spiking = [layer for layer in counts.layers if layer.spiking]
    updates = sum(layer.updates for layer in spiking)
    return sum(layer.spikes for layer in spiking) / updates if updates else None


def _break_even(counts: Counts, rate: float | None) -> dict[str, Any]:
    synapses = sum(s.synapses for s in counts.streams if not s.graded)
    synops = sum(s.synops for s in counts.streams if not s.graded)
    per_synapse = synops / (synapses * counts.samples) if synapses else None
    low, high = SPIKES_PER_SYNAPSE
    return {
        "spike_rate": rate,
        "spike_rate_limits": [RATE_LIMIT_STRICT, RATE_LIMIT],
        "spike_rate_side": _side(rate, RATE_LIMIT_STRICT, RATE_LIMIT),
        "spikes_per_synapse": per_synapse,
        "spikes_per_synapse_limits": [low, high],
        "spikes_per_synapse_side": _side(per_synapse, low, high),
    }


def _side(value: float | None, low: float, high: float) -> str | None:
    if value is None:
        return None
    return "below" if value < low else "within" if value <= high else "above"


def _unpriced(priced: Priced) -> list[dict[str, str]]:
    found = []
    for model, priced_by in priced:
        reasons = {k: t.reason for k, t in priced_by.terms.items() if not t.priced}
        reasons |= {k: v for k, v in model.unpriced.items() if k not in priced_by.terms}
        found += [{"model": model.name, "term": k, "reason": v} for k, v in reasons.items()]
    return found


def _provenance(runs: Sequence[Mapping[str, Any]], priced: Priced) -> dict[str, Any]:
    from .. import __version__

    return {
        "slipway": __version__,
        "runs": [{**(run.get("provenance") or {}), "engine": run["engine"]} for run in runs],
        "cost_models": {
            model.name: {
                "file": model.file,
                "sha256": model.sha256,
                "title": model.title,
                "device": model.device,
                "process": model.process,
                "method": model.method,
                "layout": dict(model.layout),
                "neuron_operations": {k: dict(v) for k, v in model.neuron_operations.items()},
                "constants": {
                    name: {**asdict(constant), "used": name in found.used}
                    for name, constant in model.constants.items()
                },
            }
            for model, found in priced
        },
    }


__all__ = ["BADGE", "build_report"]
