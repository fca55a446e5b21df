"""The report as one tidy table: a row a figure, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .figures import plain

COLUMNS = (
    "run",
    "cost_model",
    "level",
    "name",
    "quantity",
    "unit",
    "low",
    "nominal",
    "high",
    "kind",
    "grade",
)
Row = tuple[Any, ...]

# What is counted of a layer and of a projection, totals over all samples.
_LAYER = ("neurons", "spikes", "neuron_updates", "synops", "synops_all", "messages", "hops")
_PROJECTION = ("synapses", "synapses_all", "synops", "synops_all")
_CORE = ("syn_ops", "syn_ops_all", "neuron_updates", "spikes", "axon_out", "spikes_in")


def csv_of(reports: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> str:
    """The table of one report a run, with the run's label in its first column.

    Levels: run, total, term, layer, projection, core, capacity. Counts are exact totals over
    all samples (kind "counted", low = nominal = high); energy is joule per inference (kind
    "estimate", or "estimate, partial" for a total that lacks a term); where there is no price
    the three figures are empty.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for report, label in zip(reports, labels, strict=True):
        for row in _rows(report):
            writer.writerow([_text(label), *map(_text, row)])
    return stream.getvalue()


def _text(value: Any) -> Any:
    """Names of the user's network without control characters; numbers in full."""
    return plain(value) if isinstance(value, str) else value


def _rows(report: Mapping[str, Any]) -> Iterator[Row]:
    yield from _run(report)
    for model in report["energy"]:
        yield from _model(report, model)
    for row in report["layers"]:
        yield from _counted("layer", row, _LAYER)
        yield from _energies("layer", row)
    for row in report["projections"]:
        yield from _counted("projection", row, _PROJECTION)
        yield from _energies("projection", row)
    if report["placement"]:
        yield from _cores(report["placement"])


def _count(level: str, name: str, quantity: str, unit: str, value: Any) -> Row:
    return ("", level, name, quantity, unit, value, value, value, "counted", "")


def _run(report: Mapping[str, Any]) -> Iterator[Row]:
    run = report["run"]
    for key in ("samples", "steps", "executed_steps"):
        yield _count("run", "", key, "", run[key])
    accuracy = report["accuracy"][0]["accuracy"]
    if accuracy is not None:
        yield _count("run", "", "accuracy", "share", accuracy)
    for key, value in report["totals"].items():
        if isinstance(value, int):
            yield _count("run", "", key, "", value)
    for key, value in ((report["traffic"] or {}).get("per_inference") or {}).items():
        yield _count("run", "", f"{key}_per_inference", "", value)


def _model(report: Mapping[str, Any], model: str) -> Iterator[Row]:
    energy, latency = report["energy"][model], report["latency"][model]
    kind = "estimate, partial" if energy["partial"] else "estimate"

    def estimate(
        level: str, name: str, unit: str, values: Mapping[str, Any], suffix: str = ""
    ) -> Row:
        ends = [values[f"{end}{suffix}"] for end in ("low", "nominal", "high")]
        quantity = "latency" if unit == "second" else "energy"
        return (model, level, name, quantity, unit, *ends, kind, energy["grade"])

    yield estimate("total", "total", "joule", energy, "_joule_per_inference")
    yield estimate("total", "dynamic", "joule", energy["dynamic"], "_joule_per_inference")
    if latency["nominal_second_per_inference"] is not None:
        yield estimate("total", "inference", "second", latency, "_second_per_inference")
        yield estimate("total", "step", "second", latency, "_second_per_step")
    for name, term in report["breakdown"][model].items():
        ends = [term[end] for end in ("low", "nominal", "high")]
        kind_of_term = "estimate" if term["priced"] else "not priced"
        grade = term["grade"] or ""
        yield (model, "term", name, "energy", "joule", *ends, kind_of_term, grade)


def _counted(level: str, row: Mapping[str, Any], keys: Sequence[str]) -> Iterator[Row]:
    for key in keys:
        if row.get(key) is not None:
            yield _count(level, row["name"], key, "", row[key])


def _energies(level: str, row: Mapping[str, Any]) -> Iterator[Row]:
    for model, energy in row["energy"].items():
        ends = [energy[end] for end in ("low", "nominal", "high")]
        yield (model, level, row["name"], "dynamic_energy", "joule", *ends, "estimate", "")


def _cores(placement: Mapping[str, Any]) -> Iterator[Row]:
    for core in placement["cores"]:
        name = f"chip {core['chip_idx']} core {core['core_idx']}"
        for key in _CORE:
            if core.get(key) is not None:
                yield _count("core", name, key, "", core[key])
        for resource, used in core["used"].items():
            yield _count("core", name, f"used_{resource}", "", used)
        yield _count("core", name, "utilisation", "share", core["utilisation"])
    for row in placement["capacity"]:
        name, unit = row["resource"], row["unit"] or ""
        ends = (row["minimum"], row["mean"], row["maximum"])
        yield ("", "capacity", name, "used_per_core", unit, *ends, "counted", "")
        yield ("", "capacity", name, "limit", unit, *[row["limit"]] * 3, "limit", row["grade"])


__all__ = ["COLUMNS", "csv_of"]
