"""What the page draws of steps and cores: the busiest core, rates, rasters, maps, capacity."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import ceil
from typing import Any

from markupsafe import Markup

from . import figures
from .charts import Heat, Raster, Series, Span, columns, core_maps, heat, rasters, spreads
from .cores import core_name
from .names import TRAFFIC, binding, words

MOST_STEP_COLUMNS = 64
MOST_STEP_CELLS = 3000
MOST_STEP_ROWS = 256
STEP_COLOURS = {"synapse": "s1", "neuron": "s2", "message": "s3", "barrier": "s5"}


def timeline(report: Mapping[str, Any]) -> list[Markup]:
    """Time of each step by what it is spent on, and the busiest core against the mean."""
    found = []
    model = report["main_model"]
    line = report["timeline"][model]
    if line:
        found.append(_step_times(model, line, report["placement"]))
    recorded = report["recorded"]
    if recorded and recorded["busiest"]:
        found.append(_busiest(recorded["busiest"], report["placement"]))
    return found


def _step_times(model: str, line: Mapping[str, Any], placement: Mapping[str, Any]) -> Markup:
    parts = {key: values for key, values in line["parts"].items() if any(values)}
    seconds = line["seconds"]["nominal"]
    peak = seconds.index(max(seconds))
    core = placement["cores"][line["busiest_core"][peak]]
    place = core_name(core, placement["chips_used"])
    height = [0.0] * len(seconds)
    series: list[Series] = []
    for key, values in parts.items():
        height = [h + value for h, value in zip(height, values, strict=True)]
        # Behind the part below it: only what it adds is seen.
        series.insert(0, Series(STEP_COLOURS[key], binding(key).capitalize(), height))
    told = [
        f"longest is step {peak + 1}, {figures.quantity(seconds[peak], 's')}, on {place}, "
        f"bound by {binding(line['binding'][peak])}",
        f"mean {figures.quantity(_mean(seconds), 's')}",
    ]
    return columns(
        f"Time of each step on its busiest core, {figures.short(model, 30)}: at most "
        f"{figures.quantity(seconds[peak], 's')}, in step {peak + 1} on {place}",
        series,
        told,
        ends=_step_ends(len(seconds)),
    )


def _busiest(busiest: Mapping[str, Any], placement: Mapping[str, Any]) -> Markup:
    most, mean = busiest["syn_ops"], busiest["mean_syn_ops"]
    peak = most.index(max(most))
    core = placement["cores"][busiest["core"][peak]]
    place = core_name(core, placement["chips_used"])
    told = [
        f"largest in step {peak + 1}, on {place}: {figures.number(most[peak])} synops",
        f"mean core in that step: {figures.number(mean[peak])}",
        f"sum over steps of the busiest: {figures.number(float(sum(most)))}",
    ]
    return columns(
        f"Synops of the busiest core in each step: at most {figures.number(most[peak])}, in "
        f"step {peak + 1} on {place}",
        [Series("most", "busiest core", most), Series("mean", "mean core", mean)],
        told,
        ends=_step_ends(len(most)),
    )


def time_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Of each step: time, busiest core, what binds it, synops of the busiest and mean core."""
    line, recorded = report["timeline"][report["main_model"]], report["recorded"]
    if not line or not recorded or not recorded["busiest"]:
        return []
    cores, chips = report["placement"]["cores"], report["placement"]["chips_used"]
    seconds, busiest = line["seconds"], recorded["busiest"]
    return [
        (
            str(step + 1),
            figures.quantity(seconds["nominal"][step], "s"),
            figures.span(seconds["low"][step], seconds["high"][step], "s"),
            core_name(cores[line["busiest_core"][step]], chips),
            binding(line["binding"][step]),
            figures.number(busiest["syn_ops"][step]),
            figures.number(busiest["mean_syn_ops"][step]),
        )
        for step in range(min(recorded["steps"], MOST_STEP_ROWS))
    ]


def _step_ends(steps: int) -> tuple[str, str, str]:
    return "step 1", str((steps + 1) // 2) if steps > 8 else "", str(steps)


def placed(placement: Mapping[str, Any], traffic: Mapping[str, Any] | None) -> dict[str, Any]:
    """Maps of the cores, capacity and balance, by the names that the templates use."""
    capacity = placement["capacity"]
    loads = sorted((c["load"].get("syn_ops", 0.0) for c in placement["cores"]), reverse=True)
    mean = sum(loads) / len(loads) if loads else 0.0
    rows = [
        Span(
            words(row["resource"]),
            (row["minimum"] / row["limit"], row["mean"] / row["limit"], row["share"]),
            f"{figures.number(row['maximum'])} of {figures.number(row['limit'])}",
        )
        for row in capacity
        if row["limit"]
    ]
    ratio = loads[0] / mean if mean else None
    told = [
        f"busiest {figures.number(loads[0] if loads else None)}",
        f"mean {figures.number(mean)}, the busiest does {figures.ratio(ratio)} the mean",
        f"least {figures.number(loads[-1] if loads else None)}",
    ]
    return {
        "maps": core_maps(placement),
        "fullest": max((core["utilisation"] for core in placement["cores"]), default=0.0),
        "capacity": spreads(
            "Use of each resource: least to most of a core, the dot is the mean core", rows
        ),
        "balance": columns(
            "Synops per inference of each core, busiest first",
            [Series("most", "a core", loads)],
            told,
            ends=("busiest", "", "least busy"),
            level=(mean, f"mean of all cores, {figures.number(mean)}"),
        )
        if len(loads) > 1
        else "",
        "traffic_keys": [k for k in TRAFFIC if traffic and k in traffic["per_inference"]],
    }


def stepwise(recorded: Mapping[str, Any], drawn: Collection[str]) -> dict[str, Any]:
    """Rates over the steps and rasters, by the names that the templates use.

    Args:
        recorded: of the report.
        drawn: names of the layers that the charts show; the table has all.
    """
    rates = recorded["rates"]
    rows = [
        Heat(row["name"], row["rates"], figures.percent(_mean(row["rates"])))
        for row in rates
        if row["name"] in drawn
    ]
    seen = [row for row in rates if row["neurons"] < row["of"]]
    width = max(1, ceil(recorded["steps"] / MOST_STEP_COLUMNS))
    most = max(1, MOST_STEP_CELLS // ceil(recorded["steps"] / width))
    starts = range(0, recorded["steps"], width)
    note = ""
    if width > 1:
        note = f"Means over {width} steps; --json has each."
    if len(rates) > most:
        note += f" The first {most} of {len(rates)} layers."
    if seen:
        note += (
            f" From the neurons of the raster, not from all: "
            f"{len(seen)} of {len(rates)} layers."
        )
    shown = [
        Raster(
            row["name"],
            len(row["neurons"]),
            row["spikes"],
            f"{len(row['spikes']):,} spikes of {len(row['neurons']):,}"
            + (f" in {row['of']:,}" if len(row["neurons"]) < row["of"] else " neurons"),
        )
        for row in recorded["raster"]
        if row["name"] in drawn
    ]
    return {
        "heat": heat("Spikes per neuron in each step, by layer; right: mean", rows),
        "raster": rasters(
            f"Raster of sample {recorded['sample']}: a dash is a spike, a line a neuron",
            shown,
            recorded["steps"],
        ),
        "panels": len(shown),
        "rates_of": min((row["of_samples"] for row in rates), default=0),
        "step_names": [str(start + 1) for start in starts],
        "step_rows": [
            {
                "name": r["name"],
                "mean": _mean(r["rates"]),
                "rates": [_mean(r["rates"][s : s + width]) for s in starts],
            }
            for r in rates[:most]
        ],
        "step_note": note.strip(),
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
