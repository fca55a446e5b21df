"""The counts of a row: from its structure, from trained weights, or from a run of our own."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ..errors import FileError, Problem
from .rebuild import Chain, counted, read_arrays
from .run_file import load_run
from .structure import run_of
from .tables import Tables
from .validation_rows import REMEDY, Row, find_data

_REBUILD = (
    *("file", "weights", "biases", "threshold", "current_decay", "voltage_decay", "steps"),
    *("drain", "inferences", "episodes", "seed", "schedule", "input", "destination_cores"),
    "bias_destination_cores",
)


def run_of_row(row: Row, values: Mapping[str, Any]) -> dict[str, Any]:
    """A run.json of the row's workload.

    Args:
        row: for its place and device.
        values: its tables, with or without some changed.

    Raises:
        DataAbsent: weights or a run that it names are not here.
        FileError: the workload is malformed; names every wrong key.
    """
    if "run" in values:
        return _run(row, values["run"])
    tables = Tables(row.where, REMEDY)
    found: dict[str, Any] | Chain | None
    if "workload" in values:
        found = run_of(tables.table(dict(values), "workload"), tables, row.device)
    else:
        found = _chain(row, tables.table(dict(values), "rebuild"), tables)
    if tables.problems or found is None:
        raise FileError(*tables.problems)
    return counted(found) if isinstance(found, Chain) else found


def _run(row: Row, name: Any) -> dict[str, Any]:
    if not isinstance(name, str):
        raise FileError(
            Problem(f"run must be the name of a file, is {name!r}", row.where, REMEDY)
        )
    return load_run(find_data(name, row.folder))


def _chain(row: Row, table: dict[str, Any], tables: Tables) -> Chain | None:
    """The network that `rebuild` describes; None where it is malformed."""
    key = "rebuild"
    tables.known(table, key, _REBUILD)
    file = tables.word(table, "file", key)
    names = [list(tables.lines(table, part)) for part in ("weights", "biases")]
    whole = {
        part: tables.count(table, key, part, least)
        for part, least in (("steps", 1), ("drain", 0), ("inferences", 1), ("episodes", 1))
    }
    decays = {p: tables.count(table, key, p, 1) for p in ("current_decay", "voltage_decay")}
    threshold = tables.number(table, key, "threshold")
    seed = tables.count(table, key, "seed", 0)
    schedule = tables.word(table, "schedule", key, choices=("chip", "float"))
    drawn = tables.table(table, "input", f"{key}.input")
    tables.known(drawn, f"{key}.input", ("rate", "one_of"))
    rate = tables.number(drawn, f"{key}.input", "rate") if "rate" in drawn else None
    if rate is not None and rate > 1:
        tables.wrong(f"{key}.input.rate", f"must be a probability, is {rate}")
    cores = [
        _cores(tables, table, part) for part in ("destination_cores", "bias_destination_cores")
    ]
    if not names[0] or {len(names[1]), *map(len, cores)} != {len(names[0])}:
        tables.wrong(
            key, "needs as many weights as biases, destination_cores and bias_destination_cores"
        )
    if tables.problems:
        return None
    arrays = read_arrays(find_data(file, row.folder), [*names[0], *names[1]])
    weights, biases = arrays[: len(names[0])], arrays[len(names[0]) :]
    wrong = any(a.shape[0] != b.shape[1] for a, b in pairwise(weights))
    wrong |= any(w.shape[:1] != b.shape for w, b in zip(weights, biases, strict=True))
    if wrong:
        shapes = ", ".join(str(array.shape) for array in arrays)
        tables.wrong(f"{key}.file", f"holds arrays that make no chain of layers: {shapes}")
        return None
    return Chain(
        tuple(weights),
        tuple(biases),
        threshold,
        decays["current_decay"],
        decays["voltage_decay"],
        whole["steps"],
        whole["drain"],
        rate,
        _pairs(tables, drawn, weights[0].shape[1]),
        whole["inferences"],
        whole["episodes"],
        seed,
        schedule,
        tuple(cores[0]),
        tuple(cores[1]),
    )


def _cores(tables: Tables, table: dict[str, Any], part: str) -> list[int]:
    found = table.get(part)
    if isinstance(found, list) and all(isinstance(n, int) and n >= 0 for n in found):
        return found
    tables.wrong(f"rebuild.{part}", f"must be a list of whole numbers, is {found!r}")
    return []


def _pairs(tables: Tables, table: dict[str, Any], size: int) -> tuple[tuple[int, int], ...]:
    found = table.get("one_of", [])
    good = isinstance(found, list) and all(
        isinstance(p, list)
        and len(p) == 2
        and all(isinstance(n, int) and 0 <= n < size for n in p)
        for p in found
    )
    if good:
        return tuple((p[0], p[1]) for p in found)
    tables.wrong("rebuild.input.one_of", f"must be pairs of channels, is {found!r}")
    return ()
