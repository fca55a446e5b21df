"""Reading run.json: what `slipway run` counted, checked before anything is priced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import FileError, Problem
from .placed_file import wrong_geometry, wrong_placement

FORMAT = 1
_REMEDY = "make one with: slipway run PROGRAM.slip --data DATA.npz -o run.json"

_TEXTS = ("engine", "precision")
_POPULATION = ("neurons", "spikes", "neuron_updates")
_PROJECTION = ("synapses", "synapses_all", "synops", "synops_all")


def load_run(path: Path) -> dict[str, Any]:
    """The JSON that `slipway run -o` wrote.

    Raises:
        FileError: unreadable, no JSON, another format, or keys missing; names all of them.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(
            f"cannot read: {error.strerror}", where=str(path), remedy=_REMEDY
        ) from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"is no JSON: {error}", where=str(path), remedy=_REMEDY) from error
    return check_run(value, where=str(path))


def check_run(value: Any, *, where: str) -> dict[str, Any]:
    """The value itself, if a report can be built from it.

    Raises:
        FileError: it is no result of a run; names every key that is wrong.
    """
    if not isinstance(value, Mapping):
        raise FileError("is no result of `slipway run`", where=where, remedy=_REMEDY)
    wrong: list[str] = []
    if value.get("format") != FORMAT:
        found = value.get("format")
        wrong.append(f"format is {found!r}, this version of slipway reads {FORMAT}")
    wrong += [f"{key} is missing" for key in _TEXTS if not isinstance(value.get(key), str)]
    wrong += _counts(value, "", ("samples", "steps", "executed_steps"), least=1)
    populations = _tables(value, "populations", wrong)
    projections = _tables(value, "projections", wrong)
    for name, entry in populations.items():
        wrong += _counts(entry, f"populations.{name}.", _POPULATION)
    for name, entry in projections.items():
        key = f"projections.{name}."
        wrong += _counts(entry, key, _PROJECTION)
        if not isinstance(entry.get("graded"), bool):
            wrong.append(f"{key}graded must be true or false, is {entry.get('graded')!r}")
        if not isinstance(entry.get("target"), str) or entry["target"] not in populations:
            wrong.append(f"{key}target is {entry.get('target')!r}, which is no population")
        if not isinstance(entry.get("source"), str):
            wrong.append(f"{key}source is missing")
    wrong += _accuracy(value)
    wrong += _optional(value)
    wrong += wrong_geometry(projections)
    wrong += wrong_placement(value)
    if wrong:
        *others, last = wrong
        problems = [Problem(text, where) for text in others]
        raise FileError(*problems, Problem(last, where, _REMEDY))
    return dict(value)


def _tables(value: Mapping[str, Any], key: str, wrong: list[str]) -> dict[str, Any]:
    found = value.get(key)
    if not isinstance(found, Mapping) or not found:
        wrong.append(f"{key} is missing" if found is None else f"{key} must be a table")
        return {}
    for name, entry in found.items():
        if not isinstance(entry, Mapping):
            wrong.append(f"{key}.{name} must be a table, is {entry!r}")
    return {name: entry for name, entry in found.items() if isinstance(entry, Mapping)}


def _counts(
    value: Mapping[str, Any], prefix: str, keys: tuple[str, ...], least: int = 0
) -> list[str]:
    wrong = []
    for key in keys:
        found = value.get(key)
        if found is None:
            wrong.append(f"{prefix}{key} is missing")
        elif isinstance(found, bool) or not isinstance(found, int) or found < least:
            wrong.append(f"{prefix}{key} must be an integer from {least}, is {found!r}")
    return wrong


def _accuracy(value: Mapping[str, Any]) -> list[str]:
    found = value.get("accuracy")
    number = isinstance(found, (int, float)) and not isinstance(found, bool)
    if found is None or (number and 0 <= found <= 1):
        return []
    return [f"accuracy must be null or from 0 to 1, is {found!r}"]


def _optional(value: Mapping[str, Any]) -> list[str]:
    """Tables that need not be there, but must be tables if they are."""
    wrong: list[str] = []
    for key in ("compile", "provenance", "inputs", "outputs"):
        _table(value, key, key, wrong)
    for key in ("inputs", "outputs"):
        for name, entry in _table(value, key, "", []).items():
            _table({name: entry}, name, f"{key}.{name}", wrong)
            if key == "inputs" and isinstance(entry, Mapping):
                wrong += _counts(entry, f"inputs.{name}.", ("neurons", "messages"))
    report = value.get("compile")
    if isinstance(report, Mapping):
        for part in ("populations", "projections"):
            name = f"compile.{part}"
            for entry, found in _table(report, part, name, wrong).items():
                _table({entry: found}, entry, f"{name}.{entry}", wrong)
        for name, entry in _table(report, "populations", "", []).items():
            for part in ("bounds", "error") if isinstance(entry, Mapping) else ():
                _table(entry, part, f"compile.populations.{name}.{part}", wrong)
        if not isinstance(report.get("warnings") or [], list):
            wrong.append("compile.warnings must be a list")
    for name, entry in _table(value, "populations", "", []).items():
        if isinstance(entry, Mapping):
            key = "spikes_per_sample"
            _table(entry, key, f"populations.{name}.{key}", wrong)
    return wrong


def _table(
    value: Mapping[str, Any], key: str, name: str, wrong: list[str]
) -> Mapping[str, Any]:
    found = value.get(key)
    if found is None or isinstance(found, Mapping):
        return found or {}
    wrong.append(f"{name} must be a table, is {found!r:.60}")
    return {}
