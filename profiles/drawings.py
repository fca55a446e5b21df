"""What the page draws: the charts of a report, and words that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from . import figures
from .charts import Bar, Part, Range, Span, bars, ranges, spans, stacks
from .charts.frame import MOST_ROWS, LogAxis, legend
from .names import binding, term, words
from .step_drawings import placed, stepwise, time_rows, timeline

ENDS = ("low", "nominal", "high")
# Of the total: constants that move it less are not drawn.
LEAST_EFFECT = 0.005
# The kind of neurons that a compiler adds to carry a bias.
BIAS = "bias"


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
        "timeline": timeline(report),
        "time_rows": time_rows(report),
        "layers": _layers(report, model),
        "left_out": _left_out(report),
        "elsewhere": any(e["nominal"] > 0 for e in report["elsewhere"].values()),
        "rate": _rate(report),
        "accuracy": _accuracy(report),
        "break_even": _break_even(report["break_even"]),
        "baseline": _baseline(report),
        "runs": _runs(report),
    }
    if placement:
        found |= placed(placement, report["traffic"])
    if report["recorded"]:
        found |= stepwise(report["recorded"], {row["name"] for row in drawn_layers(report)})
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
        title = f"Energy per inference by term, {figures.short(model, 40)}"
        found[model] = spans(title, rows, "J", scale=axis)
    return found


def _sensitivity(report: Mapping[str, Any]) -> dict[str, Markup]:
    found = {}
    for model, entries in report["sensitivity"].items():
        if not entries:
            continue
        bands = [
            (entry["constant"], *_joule(entry, "_joule_per_inference")) for entry in entries
        ]
        nominal = bands[0][2]
        moving = [band for band in bands if band[3] - band[1] > LEAST_EFFECT * nominal][:8]
        rows = [
            Range(words(name), low, high, figures.span(low, high, "J"))
            for name, low, _, high in moving or bands[:1]
        ]
        title = f"{figures.short(model, 40)}: total per inference"
        if len(rows) < len(bands):
            title += f"; {len(bands) - len(rows)} more constants move it less"
        found[model] = ranges(title, nominal, rows, "J")
    return found


def _waits(time: Mapping[str, Any]) -> str:
    """Where the time of a step goes, in words."""
    if time["nominal_second_per_inference"] is None:
        return str(time["reason"])
    cores, chips = time["cores"], time["chips"]
    place = f"{figures.counted(cores, 'core')} on {figures.counted(chips, 'chip')}"
    text = (
        f"the busiest core holds {figures.short(time['busiest'], 60)}; "
        f"{binding(time['binding'])}: {figures.share(time['binding_share'])} of a mean step. "
    )
    if not time["placed"]:
        text += f"Not placed: the least that holds all neurons is {place}."
    else:
        text += f"In use: {place}."
    return text


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


def drawn_layers(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The layers of the charts: at most MOST_ROWS, those that cost most, in their order.

    Bias neurons, which always spike, are left out where there is anything else.
    """
    layers: list[Mapping[str, Any]] = list(report["layers"])
    rows = [row for row in layers if row["kind"] != BIAS] or layers
    if len(rows) <= MOST_ROWS:
        return rows
    model = report["main_model"]
    costs = sorted((row["energy"][model]["nominal"] for row in rows), reverse=True)
    return [r for r in rows if r["energy"][model]["nominal"] >= costs[MOST_ROWS - 1]][
        :MOST_ROWS
    ]


def _left_out(report: Mapping[str, Any]) -> str:
    """Which layers are in the table and in no chart."""
    layers = report["layers"]
    bias = sum(row["kind"] == BIAS for row in layers)
    words = []
    if len(layers) - bias > MOST_ROWS:
        words.append(f"show the {MOST_ROWS} layers that cost most")
    if 0 < bias < len(layers):
        words.append(f"leave out {figures.counted(bias, 'bias neuron')}")
    if not words:
        return ""
    return f"The charts {' and '.join(words)}; the table has all {len(layers):,} layers."


def _layers(report: Mapping[str, Any], model: str) -> Markup:
    """Dynamic energy by layer, split into what it is spent on."""
    rows = drawn_layers(report)
    priced = {key for row in rows for key in row["energy"][model]["terms"]}
    parts = [key for key in report["breakdown"][model] if key in priced]
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
        for row in drawn_layers(report)
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
            if number and row["ratio"]["energy"][model] is not None:
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
