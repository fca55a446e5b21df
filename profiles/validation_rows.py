"""Rows of the validation: published measurements as files."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import FileError, UsageError
from .cost_reader import GRADES
from .tables import Tables, parsed

FORMAT = 1
KINDS = ("rebuilt", "structural", "assumed input", "consistency", "bound")
GATE = (0.5, 2.0)
COUNTERS = ("syn_ops", "neuron_updates", "dendrite_updates", "spikes", "axon_out")
REMEDY = "see docs/energy.md, Validation rows"
_FOLDER = "validation"
_WORKLOADS = ("workload", "rebuild", "run")
_KEYS = (
    *("format", "name", "title", "kind", "device", "source", "grade", "gate", "cost_models"),
    *("measurement", "assumptions", "notes", "family", *_WORKLOADS),
)
_MEASUREMENT = (
    *("value", "unit", "per", "of", "rate", "seconds", "low", "high", "source", "grade"),
    *("instrument", "board", "voltage", "subtracted", "repeats", "counters", "step_second"),
)


class DataAbsent(FileError):
    """Data that a row needs are not here: the row is not run, which is no mistake."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, per unit of work.

    Attributes:
        joule: of one unit of work.
        of: "dynamic", "static" or "total" energy.
        seconds: of one unit of work, where measured.
        counters: counts of the hardware, by the names of COUNTERS.
        step_second: of one step, where measured.
        facts: instrument, board, voltage, ... as the row states them.
    """

    joule: float
    of: str
    seconds: float | None
    counters: Mapping[str, float]
    step_second: float | None
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something that the source does not say.

    Attributes:
        text: what is assumed.
        variants: label -> changes of the row, dotted key -> value.
        not_varied: why there are none.
    """

    text: str
    variants: Mapping[str, Mapping[str, Any]]
    not_varied: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as its file states it; `values` are the tables of the file."""

    name: str
    title: str
    kind: str
    device: str
    source: str
    grade: str
    gate: tuple[float, float] | None
    cost_models: tuple[str, ...]
    measurement: Measurement | None
    assumptions: tuple[Assumption, ...]
    notes: tuple[str, ...]
    values: Mapping[str, Any] = field(repr=False)
    where: str = ""
    folder: Path | None = None


def shipped_rows() -> list[Row]:
    """The rows that slipway ships, by name."""
    home = resources.files(__package__) / _FOLDER
    files = [path for path in home.iterdir() if path.name.endswith(".toml")]
    rows = [_read(path.read_bytes(), path.name, None) for path in files]
    return sorted(rows, key=lambda row: (list(KINDS).index(row.kind), len(row.name), row.name))


def load_row(path: Path) -> Row:
    """A row of a file.

    Raises:
        FileError: it cannot be read or is no row; names each wrong key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(
            f"cannot read the row: {error.strerror}", where=str(path), remedy="check the path"
        ) from error
    return _read(content, str(path), path.parent)


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a row with some values set: "workload.layers.hidden.rate" -> 0.1.

    A part of a key names a table's key, or in a list of tables the one of that name; of
    projections "source->target".

    Raises:
        KeyError: no table of that name.
    """
    found: dict[str, Any] = copy.deepcopy(dict(values))
    for key, value in changes.items():
        *parts, last = key.split(".")
        table: Any = found
        for part in parts:
            table = _inside(table, part)
        if not isinstance(table, dict):
            raise KeyError(key)
        table[last] = value
    return found


def _inside(table: Any, part: str) -> Any:
    if isinstance(table, list):
        for entry in table:
            ends = f"{entry.get('source')}->{entry.get('target')}"
            if part in (entry.get("name"), ends):
                return entry
        raise KeyError(part)
    return table[part]


def find_data(name: str, beside: Path | None) -> Path:
    """A data file: beside the row, in $SLIPWAY_DATA, else in ../shared/data.

    Raises:
        DataAbsent: it is nowhere; says where it was looked for.
    """
    variable = os.environ.get("SLIPWAY_DATA")
    shared = Path("shared", "data")
    roots = [Path(variable)] if variable else []
    if not variable:
        roots = [Path(__file__).resolve().parents[2] / shared, Path.cwd().parent / shared]
    if beside is not None:
        roots.insert(0, beside)
    places = list(dict.fromkeys(root / name for root in roots))
    for place in places:
        if place.is_file():
            return place
    raise DataAbsent(
        f"there is no {name}",
        where=", ".join(map(str, places)),
        remedy="set SLIPWAY_DATA to the folder that holds it",
    )


def _read(content: bytes, where: str, folder: Path | None) -> Row:
    reader = _Reader(where, REMEDY)
    row = reader.row(parsed(content, where), folder)
    if reader.problems:
        raise FileError(*reader.problems)
    return row


class _Reader(Tables):
    """Reads the tables of a row."""

    def row(self, values: dict[str, Any], folder: Path | None) -> Row:
        """All of them, but for the workload, which is read when it is priced."""
        self.known(values, "", _KEYS)
        if values.get("format") != FORMAT:
            self.wrong("format", f"must be {FORMAT}, is {values.get('format')!r}")
        kind = self.word(values, "kind", choices=KINDS)
        given = [key for key in _WORKLOADS if key in values]
        if len(given) != 1:
            said = " and ".join(given) or "none"
            self.wrong("workload", f"must be one of {', '.join(_WORKLOADS)}; there is {said}")
        family = kind == "consistency"
        if family != ("family" in values):
            self.wrong("family", "belongs to rows of the kind consistency, and only to them")
        return Row(
            name=self.word(values, "name"),
            title=self.word(values, "title"),
            kind=kind,
            device=self.word(values, "device"),
            source=self.word(values, "source"),
            grade=self.word(values, "grade", choices=GRADES),
            gate=None if kind in ("consistency", "bound") else self.gate(values),
            cost_models=self.lines(values, "cost_models"),
            measurement=None if family else self.measurement(values),
            assumptions=self.assumptions(values),
            notes=self.lines(values, "notes"),
            values=values,
            where=self.where,
            folder=folder,
        )

    def gate(self, values: dict[str, Any]) -> tuple[float, float]:
        """Least and most estimate / measurement."""
        found = values.get("gate", list(GATE))
        numbers = isinstance(found, list) and all(isinstance(v, (int, float)) for v in found)
        if not numbers or len(found) != 2 or not 0 < found[0] < found[1]:
            self.wrong("gate", f"must be two numbers, 0 < least < most, is {found!r}")
            return GATE
        return float(found[0]), float(found[1])

    def measurement(self, values: dict[str, Any]) -> Measurement:
        """Joule of one unit of work, from energy or power."""
        key = "measurement"
        table = self.table(values, key)
        self.known(table, key, _MEASUREMENT)
        value = self.number(table, key, "value")
        unit = self.word(table, "unit", key, choices=("joule", "watt"))
        per = (
            self.word(table, "per", key, choices=("work", "step")) if "per" in table else "work"
        )
        if not value:
            self.wrong(f"{key}.value", "must be above 0: dynamic power of 0 is I/O-bound")
        joule = value
        if unit == "watt":
            rate = self.number(table, key, "rate")
            if not rate:
                self.wrong(
                    f"{key}.rate", "must be units of work per second, to turn watt into joule"
                )
            joule = value / (rate or 1)
        elif per == "step":
            joule = value * self.steps(values)
        counters = (
            self.table(table, "counters", f"{key}.counters") if "counters" in table else {}
        )
        self.known(counters, f"{key}.counters", COUNTERS)
        texts = ("instrument", "board", "voltage", "subtracted", "repeats", "source", "grade")
        optional = {
            part: self.number(table, key, part) if part in table else None
            for part in ("seconds", "step_second")
        }
        return Measurement(
            joule=joule,
            of=self.word(table, "of", key, choices=("dynamic", "static", "total")),
            seconds=optional["seconds"],
            counters={k: self.number(counters, f"{key}.counters", k) for k in counters},
            step_second=optional["step_second"],
            facts={part: self.word(table, part, key) for part in texts if part in table},
        )

    def steps(self, values: dict[str, Any]) -> int:
        """Steps of one unit of work of a structure."""
        workload = values.get("workload")
        found = workload.get("steps") if isinstance(workload, dict) else None
        if isinstance(found, int) and found > 0:
            return found
        self.wrong("measurement.per", "is step; that needs workload.steps")
        return 1

    def assumptions(self, values: dict[str, Any]) -> tuple[Assumption, ...]:
        """Each with its variants, or the reason why there are none."""
        entries = values.get("assumptions", [])
        if not isinstance(entries, list):
            self.wrong("assumptions", "must be a list of tables [[assumptions]]")
            entries = []
        found = []
        for n, given in enumerate(entries):
            key = f"assumptions[{n}]"
            entry = self.entry(key, given)
            self.known(entry, key, ("text", "variants", "not_varied"))
            if ("variants" in entry) == ("not_varied" in entry):
                self.wrong(key, "needs either variants or not_varied, the reason for none")
            variants = self.entry(f"{key}.variants", entry.get("variants", {}))
            for label, changes in variants.items():
                self.variant(values, f"{key}.variants.{label}", changes)
            reason = self.word(entry, "not_varied", key) if "not_varied" in entry else ""
            found.append(Assumption(self.word(entry, "text", key), variants, reason))
        return tuple(found)

    def variant(self, values: dict[str, Any], key: str, changes: Any) -> None:
        """Whether its keys are there to be changed."""
        for name, value in self.entry(key, changes).items():
            try:
                changed(values, {name: value})
            except (KeyError, TypeError, AttributeError):
                self.wrong(key, f"changes {name}, which is not in this row")


def select_rows(paths: Sequence[Path]) -> list[Row]:
    """The rows of some files; all that slipway ships where there are none.

    Raises:
        FileError: a file cannot be read or is no row.
        UsageError: two rows of one name.
    """
    rows = [load_row(path) for path in paths] if paths else shipped_rows()
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two rows are called {name!r}", remedy="rename one of them")
    return rows
