"""What the page draws: the charts of a report, and words that go with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from markupsafe import Markup

from . import figures
from .charts import (
    Bar,
    Heat,
    Part,
    Range,
    Raster,
    Series,
    Span,
    bars,
    columns,
    core_maps,
    heat,
    ranges,
    rasters,
    spans,
    stacks,
)
from .charts.frame import LogAxis, legend
from .cores import core_name
from .names import TRAFFIC, binding, term, words

ENDS = ("low", "nominal", "high")
MOST_STEP_COLUMNS = 64
MOST_STEP_CELLS = 3000
STEP_COLOURS = {"synapse": "s1", "neuron": "s2", "message": "s3", "barrier": "s5"}


def drawings(report: Mapping[str, Any]) -> dict[str, Any]:
    """Charts and words by the names that the templates use."""
    model = report["main_model"]
    term_names = [
        key
        for key in next(iter(report["breakdown"].values()))
        if any(terms[key] for terms in report["breakdown"].values())
    ]
    placement = report["placement"]
    found: dict[str, Any] = {
        "term_names": term_names,
        "models": _models(report),
        "terms": _terms(report),
        "sensitivity": _sensitivity(report),
        "waits": {m: _waits(t) for m, t in report["latency"].items()},
        "timeline": _timeline(report),
        "layers": _layers(report, model),
        "elsewhere": any(e["nominal"] > 0 for e in report["elsewhere"].values()),
        "rate": _rate(report),
        "accuracy": _accuracy(report),
        "break_even": _break_even(report["break_even"]),
        "baseline": _baseline(report),
        "runs": _runs(report),
    }
    if placement:
        found |= _placement(placement, report["traffic"])
    if report["recorded"]:
        found |= _steps(report["recorded"])
    return found


def _joule(values: Mapping[str, Any], suffix: str = "") -> tuple[float, float, float]:
    low, nominal, high = (values[f"{end}{suffix}"] for end in ENDS)
    return low, nominal, high


def _models(report: Mapping[str, Any]) -> Markup:
    rows = []
    for model, energy in report["energy"].items():
        band = _joule(energy, "_joule_per_inference")
        text = figures.quantity(band[1], "J") + (", partial" if energy["partial"] else "")
        rows.append(Span(model, band, text))
    return spans("Total energy per inference, by cost model", rows, "J")


def _terms(report: Mapping[str, Any]) -> dict[str, Markup]:
    """A chart a model, all on one axis."""
    every = {
        model: {k: _joule(t) for k, t in terms.items() if t["priced"]}
        for model, terms in report["breakdown"].items()
    }
    totals = {m: _joule(e, "_joule_per_inference") for m, e in report["energy"].items()}
    values = [v for bands in every.values() for band in bands.values() for v in band]
    axis = LogAxis.over([*values, *(v for band in totals.values() for v in band)])
    found = {}
    for model, bands in every.items():
        rows = [
            Span(term(k), band, figures.quantity(band[1], "J")) for k, band in bands.items()
        ]
        name = "Total, partial" if report["energy"][model]["partial"] else "Total"
        total = totals[model]
        rows.append(Span(name, total, figures.quantity(total[1], "J"), "dot other"))
        found[model] = spans(figures.short(model, 40), rows, "J", scale=axis)
    return found


def _sensitivity(report: Mapping[str, Any]) -> dict[str, Markup]:
    found = {}
    for model, entries in report["sensitivity"].items():
        if not entries:
            continue
        rows = []
        for entry in entries[:8]:
            low, nominal, high = _joule(entry, "_joule_per_inference")
            rows.append(
                Range(words(entry["constant"]), low, high, figures.span(low, high, "J"))
            )
        title = f"{figures.short(model, 40)}: total per inference"
        found[model] = ranges(title, nominal, rows, "J")
    return found


def _waits(time: Mapping[str, Any]) -> str:
    """Where the time of a step goes, in words."""
    if time["nominal_second_per_inference"] is None:
        return str(time["reason"])
    cores, chips = time["cores"], time["chips"]
    place = f"{_count(cores, 'core')} on {_count(chips, 'chip')}"
    text = (
        f"the busiest core holds {figures.short(time['busiest'], 60)}; "
        f"{binding(time['binding'])}: {figures.share(time['binding_share'])} of a mean step. "
    )
    if not time["placed"]:
        text += f"Not placed: the least that holds all neurons is {place}."
    else:
        text += f"In use are {place}."
    return text


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _timeline(report: Mapping[str, Any]) -> list[Markup]:
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
    series = []
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


def _step_ends(steps: int) -> tuple[str, str, str]:
    return "step 1", str((steps + 1) // 2) if steps > 8 else "", str(steps)


def _baseline(report: Mapping[str, Any]) -> Markup:
    """Spiking and dense network under the same memories and arithmetic."""
    found = report["baseline"]
    rows = []
    for name, part, style in (
        ("this network", found["spiking"], "dot"),
        (f"dense, {found['dense']['bits']} bits", found["dense"], "dot other"),
    ):
        band = _joule(part["joule"])
        rows.append(Span(name, band, figures.quantity(band[1], "J"), style))
    title = "Energy per inference of this network and of the same layers, dense"
    return spans(title, rows, "J")


def _layers(report: Mapping[str, Any], model: str) -> Markup:
    """Dynamic energy by layer, split into what it is spent on."""
    rows = report["layers"]
    parts = list(dict.fromkeys(k for row in rows for k in row["energy"][model]["terms"]))
    shown = [
        Part(
            row["name"],
            [row["energy"][model]["terms"].get(key, 0.0) for key in parts],
            f"{figures.quantity(row['energy'][model]['nominal'], 'J')}, "
            f"{figures.share(row['energy'][model]['share'])}",
        )
        for row in rows
    ]
    title = f"Dynamic energy per inference by layer, {figures.short(model, 40)}"
    return stacks(title, [term(key) for key in parts], shown)


def _rate(report: Mapping[str, Any]) -> Markup:
    limit = report["break_even"]["spike_rate_limits"][1]
    rows = [
        Bar(
            row["name"],
            row["rate"] if row["spiking"] else None,
            figures.percent(row["rate"])
            if row["spiking"]
            else "sends values"
            if row["graded"]
            else "does not spike",
        )
        for row in report["layers"]
    ]
    return bars(
        "Spikes per neuron and step, by layer",
        rows,
        mark=(limit, f"break-even {figures.percent(limit, 2)}"),
    )


def _accuracy(report: Mapping[str, Any]) -> Markup:
    rows = [
        Bar(
            f"{row['label']}, {figures.number(row['samples'])} samples"
            if "samples" not in row["label"]
            else row["label"],
            row["accuracy"],
            figures.accuracy(row["accuracy"]),
        )
        for row in report["accuracy"]
    ]
    return bars("Accuracy of each run", rows, most=1.0, letters=48)


def _break_even(found: Mapping[str, Any]) -> Markup:
    """Two gauges: this network, and the stretch where authors found equality."""
    keys = legend((("dot", "this network"), ("zone", "published break-even")))
    charts = []
    if found["spike_rate"]:
        rate = 100 * found["spike_rate"]
        low, high = (100 * limit for limit in found["spike_rate_limits"])
        row = Span("Mean rate", (rate, rate, rate), figures.percent(found["spike_rate"]))
        charts.append(
            spans("Spikes per neuron and step", [row], "%", zone=(low, high), keys=keys)
        )
    value = found["spikes_per_synapse"]
    if value:
        low, high = found["spikes_per_synapse_limits"]
        row = Span("Mean", (value, value, value), figures.number(value))
        charts.append(
            spans("Spikes per synapse and inference", [row], "", zone=(low, high), keys=keys)
        )
    cells = Markup("").join(Markup("<section>{}</section>").format(c) for c in charts)
    return Markup('<div class="pair">{}</div>').format(cells)


def _runs(report: Mapping[str, Any]) -> Markup | str:
    rows = report["comparison"]
    if len(rows) < 2:
        return ""
    shown = []
    for model in report["energy"]:
        for number, row in enumerate(rows):
            band = _joule(row["energy"][model], "_joule_per_inference")
            text = figures.quantity(band[1], "J")
            if number:
                text += f", {figures.ratio(row['ratio']['energy'][model])}"
            label = f"{row['label']}, {model}" if len(report["energy"]) > 1 else row["label"]
            shown.append(Span(label, band, text, "dot" if not number else "dot other"))
    return spans(
        "Energy per inference by run and cost model",
        shown,
        "J",
        letters=48,
        keys=legend((("dot", "this report"), ("other", "beside it"))),
    )


def _placement(
    placement: Mapping[str, Any], traffic: Mapping[str, Any] | None
) -> dict[str, Any]:
    capacity = placement["capacity"]
    loads = sorted((c["load"].get("syn_ops", 0.0) for c in placement["cores"]), reverse=True)
    mean = sum(loads) / len(loads) if loads else 0.0
    rows = [
        Bar(
            words(row["resource"]),
            row["share"],
            f"{figures.number(row['maximum'])} of {figures.number(row['limit'])}",
        )
        for row in capacity
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
        "capacity": bars("Most used of each resource, on any core", rows, most=1.0),
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


def _steps(recorded: Mapping[str, Any]) -> dict[str, Any]:
    rates = recorded["rates"]
    rows = [
        Heat(row["name"], row["rates"], figures.percent(_mean(row["rates"]))) for row in rates
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
            f" From the neurons of the raster, not all, where layers share a core: "
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
    ]
    return {
        "heat": heat("Spikes per neuron in each step, by layer; right: mean", rows),
        "raster": rasters(
            f"Raster of sample {recorded['sample']}: a dash is a spike, a line a neuron",
            shown,
            recorded["steps"],
        ),
        "step_names": [str(start + 1) for start in starts],
        "step_rows": [
            {"name": r["name"], "rates": [_mean(r["rates"][s : s + width]) for s in starts]}
            for r in rates[:most]
        ],
        "step_note": note.strip(),
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
