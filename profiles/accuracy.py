"""Accuracy of the main run and of those beside it, and whether they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .figures import short

_ENGINES = {"fast": "fast engine", "lava": "Lava", "reference": "NumPy reference"}
_PRECISIONS = {"fixed": "fixed point", "float": "floating point"}


def accuracies(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a run; the first is the main one, the others are compared with it.

    Keys: label, engine, precision, samples, accuracy, main, same_samples (true, false, or
    null where the files do not say), agreement (share of equal predictions, or null).
    """
    entries = []
    for index, run in enumerate(runs):
        same = True if index == 0 else same_samples(runs[0], run)
        entries.append(
            {
                "label": label(run),
                "engine": run["engine"],
                "precision": run["precision"],
                "samples": run["samples"],
                "accuracy": run.get("accuracy"),
                "main": index == 0,
                "same_samples": same,
                "agreement": _agreement(runs[0], run) if same and index else None,
            }
        )
    return entries


def label(run: Mapping[str, Any]) -> str:
    """Engine and precision in words."""
    engine, precision = run["engine"], run["precision"]
    names = _ENGINES.get(engine, engine), _PRECISIONS.get(precision, precision)
    return ", ".join(short(name, 40) for name in names)


def same_samples(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool | None:
    """Whether two runs saw the same samples; None if the files do not say."""
    if one["samples"] != other["samples"]:
        return False
    hashes = [_data_hash(run) for run in (one, other)]
    if all(hashes):
        return hashes[0] == hashes[1]
    labels = [run.get("labels") for run in (one, other)]
    if all(isinstance(found, list) for found in labels) and labels[0] != labels[1]:
        return False
    return None


def _data_hash(run: Mapping[str, Any]) -> str | None:
    data = (run.get("provenance") or {}).get("data")
    found = data.get("sha256") if isinstance(data, Mapping) else None
    return found if isinstance(found, str) else None


def _agreement(one: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    first, second = one.get("predictions"), other.get("predictions")
    if not isinstance(first, list) or not isinstance(second, list):
        return None
    if not first or len(first) != len(second):
        return None
    equal = sum(1 for a, b in zip(first, second, strict=True) if a == b)
    return equal / len(first)
