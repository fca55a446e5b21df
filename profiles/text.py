"""The report on a terminal: findings, energy, layers, cores, runs, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import figures
from .cores import core_name
from .names import placer, words

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

# A terminal may know ASCII only, and a copied figure should be searchable.
_ASCII = {0x00B5: "u", 0x00A0: " ", 0x2009: " ", 0x2026: "...", 0x00D7: "x"}


def render_text(report: Mapping[str, Any]) -> Group:
    """A rich renderable of a report that `build_report` made."""
    from rich.console import Group

    parts: list[Text | Table] = [
        *_head(report),
        *(_line(f"- {sentence}") for sentence in report["summary"]),
        _line(""),
        _energy(report),
        *(_line(f"{m}: {'; '.join(e['badges'])}") for m, e in report["energy"].items()),
        _line(""),
        _layers(report),
    ]
    if report["placement"]:
        parts.append(_capacity(report["placement"]))
    if len(report["comparison"]) > 1:
        parts += [_runs(report), _accuracy(report)]
    parts += [
        _line(f"{w['level']}: {w['text']}", "yellow" if w["level"] == "warning" else "dim")
        for w in report["warnings"]
    ]
    parts += _unpriced(report)
    return Group(*parts)


def _head(report: Mapping[str, Any]) -> list[Text]:
    run, totals, main = report["run"], report["totals"], report["accuracy"][0]
    means = totals["per_inference"]
    target = run["target"] or "an unnamed target"
    lines = [
        _line(f"{main['how']}, compiled for {figures.short(target, 40)}", "bold"),
        _line(
            f"{figures.number(run['samples'])} samples, {run['steps']} steps each "
            f"({run['executed_steps']} executed); accuracy {figures.accuracy(main['accuracy'])}"
        ),
        _line(
            f"per inference: {figures.number(means['spikes'])} spikes, "
            f"{figures.number(means['synops'])} synops "
            f"({figures.number(means['synops_all'])} with zero weights), "
            f"{figures.number(means['neuron_updates'])} neuron updates{_messages(means)}; mean "
            f"rate {figures.percent(report['break_even']['spike_rate'])} per neuron and step"
        ),
        _line(
            f"in all: {totals['spikes']:,} spikes, {totals['synops']:,} synops "
            f"({totals['synops_all']:,} with zero weights), "
            f"{totals['neuron_updates']:,} neuron updates{_messages(totals)}"
        ),
    ]
    if totals["graded_messages"]:
        graded = figures.number(means["graded_messages"])
        lines.append(_line(f"of these spikes {graded} per inference carry a value (graded)"))
    return lines + [_interface(report, key) for key in ("inputs", "outputs") if run[key]]


def _messages(counts: Mapping[str, Any]) -> str:
    if counts["messages"] is None:
        return ""
    messages, hops = (figures.number(counts[key]) for key in ("messages", "hops"))
    return f", {messages} messages, {hops} hops"


def _interface(report: Mapping[str, Any], key: str) -> Text:
    """Every input with its messages per inference, or every output and what is read there."""
    run, found = report["run"], []
    for name, entry in run[key].items():
        title = figures.short(name, 40)
        if key == "inputs":
            kind = "graded messages" if entry.get("graded") else "spikes"
            found.append(f"{title} {figures.number(entry['messages'] / run['samples'])} {kind}")
        else:
            read = figures.short(str(entry["readout"] or "read"), 20)
            at = figures.short(str(entry["population"] or "an unnamed population"), 40)
            found.append(f"{title}, {read} of {at}")
    return _line(f"{key}: {'; '.join(found)}")


def _energy(report: Mapping[str, Any]) -> Table:
    rows = []
    for model, energy in report["energy"].items():
        latency = report["latency"][model]
        static = energy["static"] or {}
        rows.append(
            (
                figures.short(model, 30),
                *(_joule(energy, end) for end in ("low", "nominal", "high")),
                _joule(energy["dynamic"], "nominal"),
                _joule(static, "nominal"),
                figures.quantity(latency["nominal_second_per_inference"], "s"),
            )
        )
    columns = (">low", ">nominal", ">high", ">dynamic", ">static", ">time")
    title = f"Energy per inference: {report['badge']}"
    return _table(title, ("cost model", *columns), rows)


def _layers(report: Mapping[str, Any]) -> Table:
    """Energy by the main model only: further columns do not fit a terminal."""
    samples, model = report["run"]["samples"], report["main_model"]
    rows = [
        (
            figures.short(row["name"], 40),
            figures.number(row["neurons"]),
            figures.number(row["spikes"] / samples),
            figures.percent(row["rate"]) if row["spiking"] else figures.ABSENT,
            figures.number(row["synops"] / samples),
            figures.quantity(row["energy"][model]["nominal"], "J"),
            figures.share(row["energy"][model]["share"]),
        )
        for row in report["layers"]
    ]
    columns = ("layer", ">neurons", ">spikes", ">rate", ">synops", ">energy", ">share")
    title = f"Layers, per inference; dynamic energy by {figures.short(model, 24)}"
    return _table(title, columns, rows)


def _capacity(placement: Mapping[str, Any]) -> Table:
    chips = placement["chips_used"]
    rows = [
        (
            words(row["resource"]).lower(),
            figures.number(row["limit"]),
            figures.number(row["minimum"]),
            figures.number(row["mean"]),
            figures.number(row["maximum"]),
            figures.percent(row["share"], 2),
            core_name(row["fullest"], chips),
        )
        for row in placement["capacity"]
    ]
    title = (
        f"Cores: {placement['cores_used']:,} on {chips:,} chip{'' if chips == 1 else 's'}, "
        f"placed by {figures.short(placer(placement['method']), 30)}"
    )
    columns = (">limit", ">least", ">mean", ">most", ">of limit", "fullest core")
    return _table(title, ("resource of a core", *columns), rows)


def _runs(report: Mapping[str, Any]) -> Table:
    """Energy by the main model, and each figure's ratio to the first run."""
    model = report["main_model"]
    rows = []
    for row in report["comparison"]:
        ratio = row["ratio"]
        rows.append(
            (
                figures.short(row["label"], 40),
                figures.accuracy(row["accuracy"]),
                _joule(row["energy"][model], "nominal"),
                figures.ratio(ratio["energy"][model]),
                figures.quantity(row["latency"][model]["nominal_second_per_inference"], "s"),
                figures.ratio(ratio["latency"][model]),
                figures.number(row["counts"]["synops"]),
                figures.ratio(ratio["counts"]["synops"]),
            )
        )
    columns = (">accuracy", ">energy", ">ratio", ">time", ">ratio", ">synops", ">ratio")
    return _table(
        f"Runs, per inference, by {figures.short(model, 24)}", ("run", *columns), rows
    )


def _accuracy(report: Mapping[str, Any]) -> Table:
    rows = []
    for entry in report["accuracy"]:
        compared = entry["shared"] and not entry["main"]
        keys = ("accuracy_on_shared", "main_accuracy_on_shared")
        rows.append(
            (
                figures.short(entry["label"], 40),
                figures.accuracy(entry["accuracy"]),
                figures.number(entry["samples"]),
                _seen(entry),
                *(figures.accuracy(entry[k]) if compared else figures.ABSENT for k in keys),
                figures.percent(entry["agreement"]),
            )
        )
    columns = (
        "run",
        ">accuracy",
        ">samples",
        "same samples",
        ">there",
        ">main there",
        ">equal",
    )
    return _table("Accuracy", columns, rows)


def _seen(entry: Mapping[str, Any]) -> str:
    """Which samples a run shares with the main one."""
    if entry["main"]:
        return "this report"
    if entry["same_samples"] is None:
        return "not known"
    if entry["same_samples"]:
        return "yes"
    return f"the first {entry['shared']:,}" if entry["shared"] else "no: do not compare"


def _unpriced(report: Mapping[str, Any]) -> list[Text]:
    terms: dict[str, list[str]] = {}
    for entry in report["unpriced"]:
        terms.setdefault(entry["model"], []).append(entry["term"])
    return [_line(f"not priced by {model}: {', '.join(t)}") for model, t in terms.items()]


def _joule(values: Mapping[str, Any], end: str) -> str:
    return figures.quantity(values.get(f"{end}_joule_per_inference"), "J")


def _line(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(_ascii(text), style=style)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A plain table; a column whose name starts with '>' is set to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=Text(_ascii(title), style="bold"),
        title_justify="left",
        box=box.SIMPLE,
        pad_edge=False,
    )
    for column in columns:
        figure = column.startswith(">")
        made.add_column(
            Text(_ascii(column.removeprefix(">"))),
            justify="right" if figure else "left",
            overflow="fold",
            no_wrap=figure,
            min_width=None if figure else 10,
        )
    for row in rows:
        made.add_row(*(Text(_ascii(value)) for value in row))
    return made


def _ascii(text: str) -> str:
    return figures.plain(text).translate(_ASCII)
