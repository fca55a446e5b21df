"""Cost models: data files with the price of each operation and where the price is from."""

from __future__ import annotations

import difflib
import hashlib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import FileError, Problem, UsageError
from .terms import EVIDENCE, TERMS, Band

FORMAT = 1
UNITS = ("joule", "second", "watt")
SCOPES = ("per_term", "all_in")
_FOLDER = "costs"

# Constants that a method needs; those of time are optional, but only together.
REQUIRED = {
    "events": ("synop", "neuron_active", "neuron_inactive"),
    "operations": ("accumulate", "multiply_accumulate_message", "multiply_accumulate_state"),
}
TIMES = ("time_synop", "time_neuron_active", "time_neuron_inactive", "time_barrier")
# Terms that a method can price from the counts that a run has today.
PRICED = {"events": ("synapse", "neuron"), "operations": ("synapse", "neuron")}


@dataclass(frozen=True, slots=True)
class Constant:
    """One price.

    Attributes:
        value, low, high: in `unit`; 0 <= low <= value <= high.
        unit: "joule", "second" or "watt".
        term: the term of the breakdown that it prices, or "latency".
        scope: "per_term" or "all_in"; an all-in figure is never multiplied with counts.
        evidence: one of EVIDENCE.
        grade: how the figure was read: primary, secondary quote, computed, unverified.
        voltage, source: as the source states them.
        band: where low and high come from, with the word "assumed" where they are.
    """

    value: float
    low: float
    high: float
    unit: str
    term: str
    scope: str
    evidence: str
    grade: str
    voltage: str
    source: str
    band: str

    @property
    def price(self) -> Band:
        """Low, nominal and high."""
        return Band(self.low, self.value, self.high)


@dataclass(frozen=True, slots=True)
class CostModel:
    """A cost model as its file states it.

    Attributes:
        name: the file's name without ".toml".
        title: one line.
        device: the target that it prices; compared with the run's target.
        process: technology node.
        method: how counts are priced: "events" or "operations".
        constants: by name.
        unpriced: term (or other omission) -> reason.
        layout: neurons_per_core and cores_per_chip; empty if the model has no time.
        neuron_operations: neuron kind -> operations of one update (method "operations").
        badges: short words beside every headline figure.
        uncertainty: how far the figures may be off, in words.
        assumptions: one sentence each.
        file: path or name of the file.
        sha256: of the file's content.
    """

    name: str
    title: str
    device: str
    process: str
    method: str
    constants: Mapping[str, Constant]
    unpriced: Mapping[str, str]
    layout: Mapping[str, int] = field(default_factory=dict)
    neuron_operations: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    badges: tuple[str, ...] = ()
    uncertainty: str = ""
    assumptions: tuple[str, ...] = ()
    file: str = ""
    sha256: str = ""

    @property
    def timed(self) -> bool:
        """Whether the model has a time of an inference."""
        return all(name in self.constants for name in TIMES)


def list_cost_models() -> tuple[str, ...]:
    """Names of the cost models that slipway ships."""
    home = resources.files(__package__) / _FOLDER
    names = [path.name for path in home.iterdir()]
    return tuple(sorted(n.removesuffix(".toml") for n in names if n.endswith(".toml")))


def load_cost_model(name_or_path: str | Path) -> CostModel:
    """A shipped cost model by name, or any by the path of its .toml file.

    Raises:
        UsageError: no cost model of that name; lists the known ones.
        FileError: the file cannot be read or is no cost model; names each wrong key.
    """
    text = str(name_or_path)
    known = list_cost_models()
    if text in known:
        path = resources.files(__package__) / _FOLDER / f"{text}.toml"
        return _parse(path.read_bytes(), name=text, where=path.name)
    if not text.endswith(".toml"):
        near = difflib.get_close_matches(text, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"unknown cost model {text!r}",
            remedy=f"{hint}known are {', '.join(known)}; or give the path of a .toml file",
        )
    try:
        content = Path(text).read_bytes()
    except OSError as error:
        raise FileError(
            f"cannot read the cost model: {error.strerror}",
            where=text,
            remedy=f"check the path, or choose from {', '.join(known)}",
        ) from error
    return _parse(content, name=Path(text).stem, where=text)


def _parse(content: bytes, *, name: str, where: str) -> CostModel:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        values = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # also UnicodeDecodeError
        raise FileError(
            f"is no TOML: {error}", where=where, remedy="repair the line that it names"
        ) from error
    reader = _Reader(where)
    model = reader.model(values, name, hashlib.sha256(content).hexdigest())
    if reader.problems:
        raise FileError(*reader.problems)
    return model


class _Reader:
    """Reads the tables of one file and collects what is wrong with them."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []

    def model(self, values: dict[str, Any], name: str, sha256: str) -> CostModel:
        if values.get("format") != FORMAT:
            self.wrong("format", f"must be {FORMAT}, is {values.get('format')!r}")
        method = self.word(values, "method", choices=tuple(REQUIRED))
        constants = {
            key: self.constant(f"constants.{key}", entry)
            for key, entry in self.table(values, "constants").items()
        }
        for key in REQUIRED.get(method, ()):
            if key not in constants:
                self.wrong(f"constants.{key}", f"is missing; method {method!r} needs it")
        unpriced = self.words(values, "unpriced")
        times = [key for key in TIMES if key in constants]
        if times and len(times) < len(TIMES):
            lacking = [key for key in TIMES if key not in constants]
            self.wrong(f"constants.{lacking[0]}", f"is missing; {times[0]} is there")
        priced = set(PRICED.get(method, ()))
        if method == "events" and times and "static_power" in constants:
            priced.add("static")
        self.cover(priced, unpriced)
        return CostModel(
            name=name,
            title=self.word(values, "title"),
            device=self.word(values, "device"),
            process=self.word(values, "process"),
            method=method,
            constants=constants,
            unpriced=unpriced,
            layout=self.layout(values) if times else {},
            neuron_operations=self.operations(values) if method == "operations" else {},
            badges=self.lines(values, "badges"),
            uncertainty=self.word(values, "uncertainty"),
            assumptions=self.lines(values, "assumptions"),
            file=self.where,
            sha256=sha256,
        )

    def constant(self, key: str, entry: Any) -> Constant:
        """One price, with all its fields."""
        if not isinstance(entry, dict):
            self.wrong(key, f"must be a table, is {entry!r}")
            entry = {}
        value, low, high = (
            self.number(entry, f"{key}.{part}", part) for part in ("value", "low", "high")
        )
        if not low <= value <= high:
            self.wrong(key, f"must have low <= value <= high, has {low} {value} {high}")
        scope = self.word(entry, "scope", key, choices=SCOPES)
        if scope == "all_in":
            self.wrong(
                f"{key}.scope",
                "is all_in: such a figure holds at one operating point and must not be "
                "multiplied with counts",
            )
        return Constant(
            value=value,
            low=low,
            high=high,
            unit=self.word(entry, "unit", key, choices=UNITS),
            term=self.word(entry, "term", key),
            scope=scope,
            evidence=self.word(entry, "evidence", key, choices=EVIDENCE),
            grade=self.word(entry, "grade", key),
            voltage=self.word(entry, "voltage", key),
            source=self.word(entry, "source", key),
            band=self.word(entry, "band", key),
        )

    def number(self, entry: dict[str, Any], key: str, part: str) -> float:
        value = entry.get(part)
        if value is None:
            self.wrong(key, "is missing")
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            self.wrong(key, f"must be a number, is {value!r}")
        elif not math.isfinite(value) or value < 0:
            self.wrong(key, f"must be finite and not negative, is {value}")
        else:
            return float(value)
        return 0.0

    def word(
        self, entry: dict[str, Any], part: str, key: str = "", choices: tuple[str, ...] = ()
    ) -> str:
        value = entry.get(part)
        name = f"{key}.{part}" if key else part
        if value is None:
            self.wrong(name, "is missing")
        elif not isinstance(value, str) or not value.strip():
            self.wrong(name, f"must be text, is {value!r}")
        elif choices and value not in choices:
            self.wrong(name, f"is {value!r}; known are {', '.join(choices)}")
        else:
            return value
        return ""

    def words(self, values: dict[str, Any], key: str) -> dict[str, str]:
        table = self.table(values, key)
        return {part: self.word(table, part, key) for part in table}

    def lines(self, values: dict[str, Any], key: str) -> tuple[str, ...]:
        found = values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(line, str) for line in found):
            self.wrong(key, "must be a list of texts")
            return ()
        return tuple(found)

    def table(self, values: dict[str, Any], key: str, name: str = "") -> dict[str, Any]:
        found = values.get(key)
        if isinstance(found, dict):
            return found
        self.wrong(
            name or key, "is missing" if found is None else f"must be a table, is {found!r}"
        )
        return {}

    def count(self, table: dict[str, Any], key: str, part: str, least: int) -> int:
        value = table.get(part)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.wrong(f"{key}.{part}", f"must be an integer from {least}, is {value!r}")
            return least
        return value

    def layout(self, values: dict[str, Any]) -> dict[str, int]:
        table = self.table(values, "layout")
        parts = ("neurons_per_core", "cores_per_chip")
        return {part: self.count(table, "layout", part, 1) for part in parts}

    def operations(self, values: dict[str, Any]) -> dict[str, dict[str, int]]:
        key = "neuron_operations"
        table = self.table(values, key)
        if table and "default" not in table:
            self.wrong(f"{key}.default", "is missing")
        parts = ("accumulate", "multiply_accumulate")
        found = {}
        for kind in table:
            entry = self.table(table, kind, f"{key}.{kind}")
            found[kind] = {part: self.count(entry, f"{key}.{kind}", part, 0) for part in parts}
        return found

    def cover(self, priced: set[str], unpriced: Mapping[str, str]) -> None:
        """Each term has a price or a reason, and not both."""
        for term in TERMS:
            if term not in priced and term not in unpriced:
                self.wrong(f"unpriced.{term}", "is missing: the term has no price, say why")
            if term in priced and term in unpriced:
                self.wrong(f"unpriced.{term}", "the term has a price, too")

    def wrong(self, key: str, what: str) -> None:
        self.problems.append(
            Problem(f"{key} {what}", self.where, "see the cost models that slipway ships")
        )
