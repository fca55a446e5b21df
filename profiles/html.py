"""The report as one page that needs nothing else: no network, no script, no font."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from importlib import resources
from typing import Any

from markupsafe import Markup

from . import figures
from .charts import MOST_ROWS, Bar, Span, bars, spans

# What the terms of the breakdown are called on the page.
TERM_NAMES = {
    "synapse": "Synapses",
    "neuron": "Neurons",
    "axon_out": "Axons out",
    "noc": "Network on chip",
    "barrier": "Barrier",
    "io": "Input and output",
    "static": "Static power",
    "encoding": "Encoding",
    "reset": "Reset of states",
    "memory": "Memory",
    "memory_fetch": "Memory fetch",
    "leakage": "Leakage",
}


def render_html(report: Mapping[str, Any]) -> str:
    """The page of a report that `build_report` made.

    Names from the user's network are escaped; the page loads nothing and runs no script.
    """
    from jinja2 import Environment, StrictUndefined

    source = resources.files(__package__) / "templates" / "report.html"
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        plain=figures.plain,
        number=figures.number,
        percent=figures.percent,
        share=figures.share,
        accuracy=figures.accuracy,
        joule=lambda value: figures.quantity(value, "J"),
        second=lambda value: figures.quantity(value, "s"),
        joule_second=lambda value: figures.quantity(value, "J s"),
        watt=lambda value: figures.quantity(value, "W"),
        short=figures.short,
        si=_si,
        cell=_cell,
        term=term_name,
    )
    template = environment.from_string(source.read_text(encoding="utf-8"))
    page = template.render(r=report, charts=_charts(report), command=_command, most=MOST_ROWS)
    return page.lstrip()


def term_name(key: str) -> str:
    """The name of a term for people."""
    return TERM_NAMES.get(key, figures.plain(key).replace("_", " ").capitalize())


def _charts(report: Mapping[str, Any]) -> dict[str, Any]:
    layers = report["layers"]
    rate_limit = report["break_even"]["spike_rate_limits"][1]
    samples = report["run"]["samples"]
    return {
        "energy": {
            model: _energy_chart(f"energy-{n}", model, terms, report["energy"][model])
            for n, (model, terms) in enumerate(report["breakdown"].items())
        },
        "synops": bars(
            "synops",
            "Synaptic operations into each layer, per inference",
            [_mean_bar(row["name"], row["synops"] / samples) for row in layers],
        ),
        "layers": {
            model: _layer_chart(f"layers-{n}", model, layers)
            for n, model in enumerate(report["energy"])
        },
        "rate": bars(
            "rate",
            "Spikes per neuron and step, by layer",
            [
                Bar(
                    row["name"],
                    row["rate"] if row["spiking"] else None,
                    figures.percent(row["rate"]) if row["spiking"] else _no_rate(row),
                )
                for row in layers
            ],
            mark=(rate_limit, f"break-even {figures.percent(rate_limit, 2)}"),
        ),
        "accuracy": bars(
            "accuracy",
            "Accuracy of each run",
            [
                Bar(
                    f"{row['label']}, {figures.number(row['samples'])} samples",
                    row["accuracy"],
                    figures.accuracy(row["accuracy"]),
                )
                for row in report["accuracy"]
            ],
            most=1.0,
            letters=42,
        ),
    }


def _no_rate(row: Mapping[str, Any]) -> str:
    return "sends values" if row["graded"] else "does not spike"


def _energy_chart(
    key: str, model: str, terms: Mapping[str, Any], energy: Mapping[str, Any]
) -> Markup:
    bands = {term_name(name): term for name, term in terms.items() if term["priced"]}
    ends = ("low", "nominal", "high")
    rows = [Span(name, *_band([term[end] for end in ends])) for name, term in bands.items()]
    total = [energy[f"{end}_joule_per_inference"] for end in ends]
    rows.append(Span("Total, partial" if energy["partial"] else "Total", *_band(total)))
    title = f"Energy per inference by term, {model}, low to high on a logarithmic axis"
    return spans(key, title, rows, "J")


def _band(values: list[float]) -> tuple[tuple[float, float, float], str]:
    low, nominal, high = values
    return (low, nominal, high), figures.quantity(nominal, "J")


def _mean_bar(name: str, value: float) -> Bar:
    return Bar(name, value, figures.number(value))


def _layer_chart(key: str, model: str, layers: list[Mapping[str, Any]]) -> Markup:
    rows = []
    for row in layers:
        energy = row["energy"][model]
        text = f"{figures.quantity(energy['nominal'], 'J')}, {figures.share(energy['share'])}"
        rows.append(Bar(row["name"], energy["nominal"], text))
    return bars(key, f"Dynamic energy per inference by layer, {model}", rows)


def _clean(value: Any) -> Any:
    """No control characters in any text of the page, wherever it comes from."""
    text = isinstance(value, str) and not isinstance(value, Markup)
    return figures.plain(value) if text else value


def _si(value: float, unit: str) -> str:
    """A constant in its unit: joule, second or watt."""
    return figures.quantity(value, {"joule": "J", "second": "s", "watt": "W"}[unit], 3)


def _cell(value: Any) -> str:
    """Whatever a compile report holds, short."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, (int, float)):
        return figures.number(value)
    if isinstance(value, (list, tuple)) and len(value) <= 8:
        cells = [_cell(item) for item in value]
        if len(cells) == 2:
            return cells[0] if cells[0] == cells[1] else f"{cells[0]} to {cells[1]}"
        return " x ".join(cells)
    if isinstance(value, str):
        return figures.short(value, 60)
    return figures.short(json.dumps(value, default=str), 60)


def _command(value: Any) -> str:
    """A command line as one types it."""
    if isinstance(value, (list, tuple)):
        return figures.plain(shlex.join(map(str, value)))
    return figures.plain(value or "")
