"""Runs and cost models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import PurePath
from typing import Any

from .accuracy import label
from .costs import CostModel
from .counts import counts_of
from .figures import short
from .terms import Estimate

COUNTED = ("spikes", "synops", "neuron_updates", "messages", "hops")


def labels_of(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each run: the fewest of its parts that tell all runs apart.

    Parts: neural code, engine and precision, program file, target, samples. Runs that are
    alike in all of them are numbered.
    """
    if len(runs) == 1:
        return [label(runs[0])]
    parts = [[part(run) for run in runs] for part in _PARTS]
    telling = [words for words in parts if len(set(words)) > 1] or [list(map(label, runs))]
    for size in range(1, len(telling) + 1):
        for chosen in combinations(telling, size):
            names = [", ".join(filter(None, words)) for words in zip(*chosen, strict=True)]
            if len(set(names)) == len(names) and all(names):
                return names
    return [f"{name} ({number})" for number, name in enumerate(names, start=1)]


def _code(run: Mapping[str, Any]) -> str:
    report, provenance = run.get("compile") or {}, run.get("provenance") or {}
    for place in (report, provenance, run):
        if isinstance(place.get("code"), str):
            return short(place["code"], 30)
    return ""


def _program(run: Mapping[str, Any]) -> str:
    program = (run.get("provenance") or {}).get("program")
    file = program.get("file") if isinstance(program, Mapping) else None
    return short(PurePath(file).name, 40) if isinstance(file, str) else ""


def _target(run: Mapping[str, Any]) -> str:
    return short(run.get("target") or "no target", 30)


def _samples(run: Mapping[str, Any]) -> str:
    return f"{run['samples']:,} samples"


_PARTS = (_code, label, _program, _target, _samples)


def comparison_of(
    runs: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    priced: Sequence[Sequence[tuple[CostModel, Estimate]]],
) -> list[dict[str, Any]]:
    """A row a run; `priced` holds the estimates of each run.

    Keys: label, target, code, program, samples, executed_steps, accuracy, cores; `counts`
    per inference; `energy` and `latency` by cost model; `ratio`, each figure over the same of
    the first run (null where either is missing or the first is 0; of energy and time also
    where one of the two runs was placed and the other was not: then they cannot be compared).
    """
    rows = [
        _row(run, name, found) for run, name, found in zip(runs, names, priced, strict=True)
    ]
    for row, run in zip(rows, runs, strict=True):
        alike = bool(run.get("placement")) == bool(runs[0].get("placement"))
        row["comparable"] = alike
        row["ratio"] = {
            "counts": {
                key: _ratio(value, rows[0]["counts"][key])
                for key, value in row["counts"].items()
            },
            "energy": _ratios(row, rows[0], "energy", "nominal_joule_per_inference", alike),
            "latency": _ratios(row, rows[0], "latency", "nominal_second_per_inference", alike),
        }
    return rows


def _row(
    run: Mapping[str, Any], name: str, priced: Sequence[tuple[CostModel, Estimate]]
) -> dict[str, Any]:
    counts, traffic = counts_of(run), run.get("traffic") or {}
    totals = {
        "spikes": sum(layer.spikes for layer in counts.layers),
        "synops": sum(stream.synops for stream in counts.streams),
        "neuron_updates": sum(layer.updates for layer in counts.layers),
        "messages": traffic.get("messages"),
        "hops": traffic.get("hops"),
    }
    return {
        "label": name,
        "target": run.get("target"),
        "code": _code(run) or None,
        "program": _program(run) or None,
        "samples": run["samples"],
        "executed_steps": run["executed_steps"],
        "accuracy": run.get("accuracy"),
        "cores": (run.get("placement") or {}).get("cores_used"),
        "counts": {
            key: None if value is None else value / run["samples"]
            for key, value in totals.items()
        },
        "energy": {
            model.name: {
                **estimate.total.as_json("_joule_per_inference"),
                "dynamic_nominal_joule_per_inference": estimate.dynamic.nominal,
                "partial": not all(term.priced for term in estimate.terms.values()),
                "grade": estimate.grade,
                "kind": "estimate",
            }
            for model, estimate in priced
        },
        "latency": {
            model.name: estimate.latency.inference.as_json("_second_per_inference")
            if estimate.latency
            else {"nominal_second_per_inference": None}
            for model, estimate in priced
        },
    }


def _ratios(
    row: Mapping[str, Any], first: Mapping[str, Any], part: str, key: str, alike: bool
) -> dict[str, float | None]:
    return {
        model: _ratio(found[key], first[part][model][key]) if alike else None
        for model, found in row[part].items()
    }


def _ratio(value: float | None, first: float | None) -> float | None:
    return value / first if value is not None and first else None


__all__ = ["comparison_of", "labels_of"]
