"""Accuracy of the main run and of those beside it, and whether they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .figures import short

_ENGINES = {"fast": "fast engine", "lava": "Lava", "reference": "NumPy reference"}
_PRECISIONS = {"fixed": "fixed point", "float": "floating point"}


def accuracies(
    runs: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> list[dict[str, Any]]:
    """One entry a run; the first is the main one, the others are compared with it.

    Keys: label, how (engine and precision in words), engine, precision, samples, accuracy,
    main; same_samples (true, false, or null where the files do not say); shared (number of
    first samples that both runs saw, where that is known); accuracy_on_shared,
    main_accuracy_on_shared, agreement (share of equal predictions), each over these samples,
    or null.
    """
    main = runs[0]
    entries = []
    for index, run in enumerate(runs):
        shared = shared_samples(main, run)
        compared = bool(index and shared)
        entries.append(
            {
                "label": labels[index],
                "how": label(run),
                "engine": run["engine"],
                "precision": run["precision"],
                "samples": run["samples"],
                "accuracy": run.get("accuracy"),
                "main": index == 0,
                "same_samples": same_samples(main, run) if index else True,
                "shared": shared if index else run["samples"],
                "accuracy_on_shared": _accuracy(run, shared) if compared else None,
                "main_accuracy_on_shared": _accuracy(main, shared) if compared else None,
                "agreement": _agreement(main, run, shared) if compared else None,
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


def shared_samples(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """How many first samples both runs saw: fewer samples are always the first of a file."""
    hashes = [_data_hash(run) for run in (one, other)]
    if not all(hashes) or hashes[0] != hashes[1]:
        return 0
    return int(min(one["samples"], other["samples"]))


def _data_hash(run: Mapping[str, Any]) -> str | None:
    data = (run.get("provenance") or {}).get("data")
    found = data.get("sha256") if isinstance(data, Mapping) else None
    return found if isinstance(found, str) else None


def _accuracy(run: Mapping[str, Any], count: int) -> float | None:
    """Accuracy over the first samples of a run."""
    if count == run["samples"]:
        found: float | None = run.get("accuracy")
        return found
    return _equal(run.get("predictions"), run.get("labels"), count)


def _agreement(one: Mapping[str, Any], other: Mapping[str, Any], count: int) -> float | None:
    return _equal(one.get("predictions"), other.get("predictions"), count)


def _equal(first: Any, second: Any, count: int) -> float | None:
    """Share of equal entries among the first ones of two lists."""
    if not isinstance(first, list) or not isinstance(second, list):
        return None
    if count < 1 or min(len(first), len(second)) < count:
        return None
    pairs = zip(first[:count], second[:count], strict=True)
    return sum(1 for a, b in pairs if a == b) / count
