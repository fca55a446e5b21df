"""The report: one dict of JSON values that feeds the page, the terminal and other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import Problem, UsageError
from .accuracy import accuracies
from .baseline import baseline_of
from .comparison import comparison_of, labels_of
from .cores import placement_of, traffic_of
from .costs import CostModel, list_cost_models, load_cost_model
from .counts import Counts, counts_of
from .estimate import estimate
from .layers import Priced, elsewhere, layer_rows, projection_rows
from .priced import (
    BADGE,
    breakdown_of,
    energy_of,
    latency_json,
    sensitivity_of,
    unpriced_of,
)
from .recorded import recorded_of
from .remarks import (
    RATE_LIMIT,
    RATE_LIMIT_STRICT,
    SPIKES_PER_SYNAPSE,
    fits,
    warnings_of,
)
from .run_file import check_run
from .summary import summary_of
from .terms import weakest
from .timeline import timeline_of

FORMAT = 1
# Beside the models of the chip itself: arithmetic alone never stands alone.
BESIDE = ("ops45", "lemaire22")
WITHOUT_TARGET = "loihi1_davies"


def build_report(
    runs: Sequence[Mapping[str, Any]],
    cost_models: Sequence[str | Path] | None = None,
    *,
    sample: int = 0,
    strict: bool = False,
) -> dict[str, Any]:
    """Price runs with each cost model; the first is reported on, the others compared with it.

    Args:
        runs: contents of run.json files, at least one.
        cost_models: names of shipped models or paths of .toml files; the models of the first
            run's target, and beside them those of arithmetic and memory, if not given.
        sample: which of the recorded samples the raster shows, from 0.
        strict: refuse a total that lacks a term.

    Raises:
        FileError: a run or a cost model is malformed; names every wrong key.
        UsageError: no run, no cost model, an unknown one, or two of one name; the sample was
            not recorded; with `strict`, a model does not price everything.
    """
    if not runs:
        raise UsageError("there is no run to report on", remedy="give at least one run.json")
    checked = [check_run(run, where=f"run {n}") for n, run in enumerate(runs, start=1)]
    main = checked[0]
    target = main.get("target")
    models = _models(default_models(target) if cost_models is None else cost_models)
    recorded = recorded_of(main, sample)
    every = [[(model, estimate(run, model)) for model in models] for run in checked]
    priced = every[0]
    if strict:
        _refuse_partial(priced)
    counts = counts_of(main)
    rate = _spike_rate(counts)
    labels = labels_of(checked)
    entries = accuracies(checked, labels)
    placement = placement_of(main)
    baseline = baseline_of(main, models)
    facts = {
        "format": FORMAT,
        "kind": "estimate",
        "badge": BADGE,
        "grade": weakest(e.grade for _, e in priced),
        "main_model": models[0].name,
        "run": _run_facts(main),
        "totals": _totals(counts, main),
        "energy": {m.name: energy_of(m, e, counts.steps) for m, e in priced},
        "latency": {m.name: latency_json(e) for m, e in priced},
        "breakdown": {m.name: breakdown_of(e) for m, e in priced},
        "sensitivity": {m.name: sensitivity_of(main, m, e) for m, e in priced},
        "layers": layer_rows(main, counts, priced),
        "elsewhere": elsewhere(counts, priced),
        "projections": projection_rows(main, counts, priced),
        "placement": placement,
        "traffic": traffic_of(main),
        "recorded": recorded,
        "accuracy": entries,
        "comparison": comparison_of(checked, labels, every),
        "baseline": baseline,
        "timeline": {m.name: timeline_of(main, m) for m in models},
        "break_even": _break_even(counts, rate),
        "compile": main.get("compile") or {},
        "unpriced": unpriced_of(priced),
        "absent": _absent(placement, recorded),
        "assumptions": [
            {"model": m.name, "text": text} for m, e in priced for text in e.assumptions
        ],
        "warnings": warnings_of(
            checked,
            priced,
            spike_rate=rate,
            entries=entries,
            placement=placement,
            baseline=baseline,
        ),
        "provenance": _provenance(checked, labels, priced),
    }
    return {**facts, "summary": summary_of(facts)}


def default_models(target: str | None) -> tuple[str, ...]:
    """The shipped models of a target, and beside them those of arithmetic and memory."""
    shipped = list_cost_models()
    own = [name for name in shipped if fits(load_cost_model(name).device, target)]
    own = [name for name in own if name not in BESIDE] or [WITHOUT_TARGET]
    return (*own, *(name for name in BESIDE if name in shipped))


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


def _refuse_partial(priced: Priced) -> None:
    """Raises UsageError that names every term without a price."""
    problems = []
    for model, found in priced:
        missing = [key for key, term in found.terms.items() if not term.priced]
        if missing:
            text = f"the total of {model.name} lacks {', '.join(missing)}"
            problems.append(
                Problem(text, "--strict", "leave --strict out, or choose another --cost-model")
            )
    if problems:
        raise UsageError(*problems)


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


def _totals(counts: Counts, run: Mapping[str, Any]) -> dict[str, Any]:
    """Exact integers over all samples, and their means; `spikes` includes graded messages.

    Messages (one per destination core) and hops (one per link) need a placement: null without.
    """
    traffic = run.get("traffic") or {}
    totals = {
        "spikes": sum(layer.spikes for layer in counts.layers),
        "graded_messages": sum(layer.spikes for layer in counts.layers if layer.graded),
        "synops": sum(stream.synops for stream in counts.streams),
        "synops_all": sum(stream.synops_all for stream in counts.streams),
        "neuron_updates": sum(layer.updates for layer in counts.layers),
        "messages": traffic.get("messages"),
        "hops": traffic.get("hops"),
    }
    return {
        **totals,
        "neurons": sum(layer.neurons for layer in counts.layers),
        "synapses": sum(stream.synapses for stream in counts.streams),
        "synapses_all": sum(stream.synapses_all for stream in counts.streams),
        "per_inference": {
            key: None if value is None else value / counts.samples
            for key, value in totals.items()
        },
    }


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


def _absent(placement: Any, recorded: Any) -> list[str]:
    """Parts of a complete report that this run has no data for."""
    found = []
    if placement is None:
        found.append("the cores: this run was not placed (its target has none, or it is older)")
    if recorded is None:
        found.append("single steps: this run recorded no sample")
    return found


def _provenance(
    runs: Sequence[Mapping[str, Any]], labels: Sequence[str], priced: Priced
) -> dict[str, Any]:
    from .. import __version__

    return {
        "slipway": __version__,
        "runs": [
            {**(run.get("provenance") or {}), "engine": run["engine"], "label": label}
            for run, label in zip(runs, labels, strict=True)
        ],
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


__all__ = ["BADGE", "build_report", "default_models"]
