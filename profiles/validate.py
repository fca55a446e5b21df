"""Estimates beside published measurements: ratio, assumptions, and what each of them moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum, log, sqrt
from typing import Any

from ..errors import FileError, Problem
from .consistency import family_rows
from .costs import CostModel, list_cost_models, load_cost_model
from .counts import counts_of
from .estimate import price
from .terms import Band, Estimate, total
from .validation_rows import DataAbsent, Measurement, Row, changed
from .workloads import run_of_row

FORMAT = 1
# Published repeats of one workload on Loihi 2 differ by this factor in dynamic energy.
REPEATS = 1.95
Progress = Callable[[float, str], None]


def validate(
    rows: Sequence[Row],
    cost_models: Sequence[str] = (),
    progress: Progress = lambda fraction, text: None,
) -> dict[str, Any]:
    """Price every row with the cost models of its device. JSON values.

    Keys: `rows`, one entry a row and model: name, cost_model, estimate_joule, measured_joule,
    ratio (estimate / measurement; null of bound and consistency rows), assumptions, kind,
    gated, status ("within", "outside", "printed", "consistent", "inconsistent", "not run"),
    unpriced, variations, counts, checks;
    `models`: geometric mean and spread of the ratios of the gated rows; `passed`.

    Args:
        rows: see `select_rows`.
        cost_models: names or files of further models; of another device: printed, not gated.
        progress: called with the fraction done and the name of the next row.

    Raises:
        FileError: a row's workload or a cost model is malformed; names every wrong key.
        UsageError: unknown cost model.
    """
    entries: list[dict[str, Any]] = []
    for n, row in enumerate(rows):
        progress(n / len(rows), row.name)
        models = _models(row, cost_models)
        try:
            family = row.kind == "consistency"
            entries += family_rows(row, models) if family else _rows(row, models)
        except DataAbsent as absent:
            entries += [_not_run(row, model, absent) for model in models]
    return {
        "format": FORMAT,
        "rows": entries,
        "models": _summary(entries),
        "passed": all(e["status"] not in ("outside", "inconsistent") for e in entries),
    }


def _models(row: Row, wanted: Sequence[str]) -> list[CostModel]:
    """Those of the row's device, then those that the row or the caller names."""
    shipped = [load_cost_model(name) for name in list_cost_models()]
    own = [m for m in shipped if m.device == row.device and m.method == "events"]
    more = [load_cost_model(name) for name in dict.fromkeys((*row.cost_models, *wanted))]
    models = own + [m for m in more if m.name not in {o.name for o in own}]
    if not models:
        known = ", ".join(sorted({m.device for m in shipped if m.method == "events"}))
        text = f"no cost model is of the device {row.device!r}"
        raise FileError(Problem(text, row.where, f"known are {known}; or name cost_models"))
    return models


@dataclass(frozen=True, slots=True)
class Priced:
    """The estimate of what was measured, joule per unit of work."""

    energy: Band
    found: Estimate
    counts: Mapping[str, float]


def _rows(row: Row, models: Sequence[CostModel]) -> list[dict[str, Any]]:
    """An entry for every model."""
    measured = row.measurement
    assert measured is not None  # only a family has none
    run = run_of_row(row, row.values)
    variants = [
        (assumption.text, label, run_of_row(row, changed(row.values, changes)))
        for assumption in row.assumptions
        for label, changes in assumption.variants.items()
    ]
    entries = []
    for model in models:
        main = _priced(run, model, measured)
        ratio = main.energy.nominal / measured.joule
        ratios = [
            (text, label, _priced(other, model, measured)) for text, label, other in variants
        ]
        variations = [
            {
                "assumption": text,
                "label": label,
                "estimate_joule": other.energy.nominal,
                "ratio": other.energy.nominal / measured.joule,
                "counts": other.counts,
            }
            for text, label, other in ratios
        ]
        gated = row.gate is not None and model.device == row.device
        entries.append(
            {
                "name": row.name,
                "cost_model": model.name,
                "estimate_joule": main.energy.nominal,
                "measured_joule": measured.joule,
                # A bound says which side is larger, not by how much.
                "ratio": None if row.kind == "bound" else ratio,
                "assumptions": _assumptions(row, ratio, variations),
                "kind": row.kind,
                "device": row.device,
                "gated": gated,
                "status": _status(row, ratio) if gated else "printed",
                "gate": list(row.gate) if row.gate else None,
                "estimate_low_joule": main.energy.low,
                "estimate_high_joule": main.energy.high,
                "within_band": _within_band(model, main.energy, measured.joule),
                "of": measured.of,
                "unpriced": _unpriced(main.found, measured),
                "variations": variations,
                "counts": main.counts,
                "checks": _checks(main, measured),
                "measurement": dict(measured.facts),
                "source": row.source,
                "grade": row.grade,
                "notes": list(row.notes),
            }
        )
    return entries


def _status(row: Row, ratio: float) -> str:
    assert row.gate is not None
    return "within" if row.gate[0] <= ratio <= row.gate[1] else "outside"


def _within_band(model: CostModel, energy: Band, measured: float) -> bool:
    """Whether the measurement lies in the estimate's band; on Loihi 2 widened by repeats."""
    wider = REPEATS if model.device == "loihi2" else 1.0
    return energy.low / wider <= measured <= energy.high * wider


def _priced(run: Mapping[str, Any], model: CostModel, measured: Measurement) -> Priced:
    counts = counts_of(run)
    found = price(counts, model)
    static = found.terms["static"].energy or Band(0.0, 0.0, 0.0)
    if measured.seconds is not None:
        # Like with like: static power over the time that was measured.
        watts = total(c.price for c in model.constants.values() if c.unit == "watt")
        chips = counts.placed.chips if counts.placed else 1
        static = watts.scaled(measured.seconds * chips)
    parts = {
        "dynamic": found.dynamic,
        "static": static,
        "total": total((found.dynamic, static)),
    }
    updates = sum(layer.updates for layer in counts.layers) / counts.samples
    spikes = sum(layer.spikes for layer in counts.layers) / counts.samples
    messages = [t.get("messages") for t in counts.traffic.values()]
    known = len(messages) == len(counts.layers) and None not in messages
    sent = sum(m for m in messages if m is not None) / counts.samples if known else None
    told: dict[str, Any] = {
        "syn_ops": sum(s.synops for s in counts.streams) / counts.samples,
        "neuron_updates": updates,
        "dendrite_updates": 2 * updates + spikes,
        "spikes": spikes,
        "axon_out": sent,
        "steps": counts.steps,
        "parts": {s.name: s.synops / counts.samples for s in counts.streams},
    }
    return Priced(parts[measured.of], found, told)


def _unpriced(found: Estimate, measured: Measurement) -> list[dict[str, str]]:
    """Terms that the measurement contains and the estimate does not."""
    return [
        {"term": key, "reason": term.reason}
        for key, term in found.terms.items()
        if not term.priced and (key != "static" or measured.of != "dynamic")
    ]


def _checks(main: Priced, measured: Measurement) -> list[dict[str, Any]]:
    """Counters and time of a step, where the row has them: before energy, they must agree."""
    found = []
    for key, value in measured.counters.items():
        ours = main.counts.get(key)
        ratio = ours / value if ours is not None and value else None
        found.append({"what": key, "estimate": ours, "measured": value, "ratio": ratio})
    latency = main.found.latency
    if measured.step_second:
        step = latency.step.nominal if latency else None
        found.append(
            {
                "what": "step_second",
                "estimate": step,
                "measured": measured.step_second,
                "ratio": step / measured.step_second if step is not None else None,
            }
        )
    return found


def _assumptions(row: Row, ratio: float, variations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each with the ratio that its variants give."""
    texts = []
    for assumption in row.assumptions:
        told = [
            f"{v['label']}: {v['ratio']:.2f}"
            for v in variations
            if v["assumption"] == assumption.text
        ]
        moved = f"ratio {ratio:.2f}; {'; '.join(told)}" if told else assumption.not_varied
        texts.append(f"{assumption.text} ({moved})")
    return texts


def _not_run(row: Row, model: CostModel, absent: DataAbsent) -> dict[str, Any]:
    measured = row.measurement
    problem = absent.problems[0]
    return {
        "name": row.name,
        "cost_model": model.name,
        "estimate_joule": None,
        "measured_joule": measured.joule if measured else None,
        "ratio": None,
        "assumptions": [a.text for a in row.assumptions],
        "kind": row.kind,
        "device": row.device,
        "gated": False,
        "status": "not run",
        "reason": f"{problem.what} in {problem.where}: {problem.remedy}",
    }


def _summary(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Geometric mean ratio of each model over the gated rows, and its spread."""
    found = {}
    for name in dict.fromkeys(e["cost_model"] for e in entries):
        ratios = [e["ratio"] for e in entries if e["cost_model"] == name and e["gated"]]
        if not ratios:
            continue
        logs = [log(r) for r in ratios]
        mean = fsum(logs) / len(logs)
        spread = sqrt(fsum((x - mean) ** 2 for x in logs) / len(logs))
        found[name] = {
            "rows": len(ratios),
            "within": sum(
                e["status"] == "within"
                for e in entries
                if e["cost_model"] == name and e["gated"]
            ),
            "geometric_mean_ratio": exp(mean),
            "geometric_spread": exp(spread),
            "least_ratio": min(ratios),
            "greatest_ratio": max(ratios),
        }
    return found
