"""The report in a few sentences: what an inference costs, and what decides that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .figures import accuracy, percent, quantity, share, short, span, times
from .names import binding, term

# Runs that the sentence on the other runs names.
MOST_OTHERS = 3


def summary_of(report: Mapping[str, Any]) -> list[str]:
    """One sentence a finding, from the main cost model."""
    return [
        sentence
        for sentence in (
            *(_cost(report), _shares(report), _time(report), _layer(report)),
            *(_dense(report), _others(report)),
        )
        if sentence
    ]


def _cost(report: Mapping[str, Any]) -> str:
    model = report["main_model"]
    energy, time = report["energy"][model], report["latency"][model]
    low, nominal, high = (
        energy[f"{end}_joule_per_inference"] for end in ("low", "nominal", "high")
    )
    text = f"By {short(model, 40)} an inference costs about {quantity(nominal, 'J')}"
    text += f", {span(low, high, 'J')} with the bands of all prices" if low < high else ""
    seconds = time["nominal_second_per_inference"]
    if seconds is not None:
        text += f", and takes about {quantity(seconds, 's')}"
    missing = [key for key, t in report["breakdown"][model].items() if not t["priced"]]
    if missing:
        text += f". Not in it, for want of a price: {', '.join(map(_lower, missing))}"
    return f"{text}."


def _shares(report: Mapping[str, Any]) -> str:
    model = report["main_model"]
    terms = report["breakdown"][model]
    energy = report["energy"][model]
    total, dynamic = (e["nominal_joule_per_inference"] for e in (energy, energy["dynamic"]))
    if not total or not dynamic:
        return ""
    parts = {k: t["nominal"] for k, t in terms.items() if t["priced"] and k != "static"}
    first, *others = sorted(parts, key=lambda key: -parts[key])
    text = f"{term(first)} take {percent(parts[first] / dynamic, 2)} of the dynamic energy"
    if others and parts[others[0]]:
        text += f", {_lower(others[0])} {percent(parts[others[0]] / dynamic, 2)}"
    static = terms["static"]["nominal"]
    if static:
        text += f"; static power is {percent(static / total, 2)} of the total"
    return f"{text}."


def _time(report: Mapping[str, Any]) -> str:
    time = report["latency"][report["main_model"]]
    if time["nominal_second_per_inference"] is None:
        return ""
    text = (
        f"A step lasts as long as its busiest core, which holds {short(time['busiest'], 50)}; "
        f"{binding(time['binding'])} take {share(time['binding_share'])} of the step"
    )
    if time["binding"] == "barrier":
        text = text.replace(" take ", " takes ")
    load = report["placement"] and report["placement"]["balance"]["syn_ops"]
    if load and load["ratio"]:
        text += (
            f". The core with most synops does {times(load['ratio'])} those of the mean core"
        )
    return f"{text}."


def _layer(report: Mapping[str, Any]) -> str:
    model = report["main_model"]
    rows = report["layers"]
    if len(rows) < 2:
        return ""
    row = max(rows, key=lambda entry: entry["energy"][model]["share"])
    part = row["energy"][model]["share"]
    return (
        f"Of {len(rows)} layers {short(row['name'], 40)} takes most of the dynamic energy, "
        f"{percent(part, 2)}."
        if part
        else ""
    )


def _dense(report: Mapping[str, Any]) -> str:
    found, limits = report["baseline"], report["break_even"]
    if not found["ratio"]:
        return ""
    text = (
        f"Under one memory model this network needs {times(found['ratio'])} the energy of the "
        f"same layers as a dense network of {found['dense']['bits']} bits"
    )
    if limits["spike_rate"] is not None:
        text += (
            f"; the mean spike rate, {percent(limits['spike_rate'])}, is "
            f"{limits['spike_rate_side']} the published break-even of 5.7 to 6.4 %"
        )
    return f"{text}."


def _others(report: Mapping[str, Any]) -> str:
    """The other runs, against the first: accuracy, and energy where it can be compared."""
    model = report["main_model"]
    rows = report["comparison"]
    parts = []
    for row in rows[1 : MOST_OTHERS + 1]:
        part = f"{short(row['label'], 50)} reaches {accuracy(row['accuracy'])}"
        needed = row["ratio"]["energy"][model]
        if needed is not None:
            part += f" with {times(needed)} the energy"
        parts.append(part)
    if not parts:
        return ""
    first = f"Beside {accuracy(rows[0]['accuracy'])} of {short(rows[0]['label'], 50)}"
    more = len(rows) - 1 - len(parts)
    return f"{first}, {', '.join(parts)}{f'; {more} more runs are below' if more else ''}."


def _lower(key: str) -> str:
    words = term(key)
    return words[0].lower() + words[1:]


__all__ = ["summary_of"]
