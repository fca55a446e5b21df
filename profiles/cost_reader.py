"""Reads a cost model from its file, and says all that is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ..errors import FileError
from .costs import Constant, CostModel
from .quantities import ENERGY, TIME
from .tables import Tables, parsed
from .terms import EVIDENCE, TERMS

FORMAT = 1
UNITS = ("joule", "second", "watt")
SCOPES = ("per_term", "all_in")
GRADES = ("primary", "secondary quote", "computed", "unverified")
CORE_TIMES = ("sum", "maximum")

# Constants that a method needs by name; those of "events" name what they count.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "events": (),
    "operations": ("accumulate", "multiply_accumulate_message", "multiply_accumulate_state"),
    "memory": ("add", "multiply"),
    "orientation": (),
}
# Terms that a method prices whatever the constants.
PRICED: Mapping[str, tuple[str, ...]] = {
    "operations": ("synapse", "neuron"),
    "memory": ("synapse", "neuron", "axon_out"),
}


def read_cost_model(content: bytes, *, name: str, where: str) -> CostModel:
    """The cost model in a file's content.

    Raises:
        FileError: it is no cost model; names each wrong key.
    """
    reader = _Reader(where, "see the cost models that slipway ships and docs/energy.md")
    model = reader.model(parsed(content, where), name, hashlib.sha256(content).hexdigest())
    if reader.problems:
        raise FileError(*reader.problems)
    return model


class _Reader(Tables):
    """Reads the tables of a cost model."""

    def model(self, values: dict[str, Any], name: str, sha256: str) -> CostModel:
        """All of them."""
        if values.get("format") != FORMAT:
            self.wrong("format", f"must be {FORMAT}, is {values.get('format')!r}")
        method = self.word(values, "method", choices=tuple(REQUIRED))
        prices = self.table(values, "constants") if method != "orientation" else {}
        constants = {
            key: self.constant(f"constants.{key}", entry, method)
            for key, entry in prices.items()
        }
        for key in REQUIRED.get(method, ()):
            if key not in constants:
                self.wrong(f"constants.{key}", f"is missing; method {method!r} needs it")
        if method == "memory" and not any(c.bytes for c in constants.values()):
            self.wrong("constants", "has no access to a memory: one with a number of bytes")
        timed = method == "events" and any(c.unit == "second" for c in constants.values())
        unpriced = self.words(values, "unpriced") if method != "orientation" else {}
        if method in REQUIRED and method != "orientation":
            self.cover(self.priced(method, constants, timed), unpriced)
        figures = self.table(values, "orientation") if "orientation" in values else {}
        needs_operations = method in ("operations", "memory")
        return CostModel(
            name=name,
            title=self.word(values, "title"),
            device=self.word(values, "device"),
            process=self.word(values, "process"),
            method=method,
            constants=constants,
            unpriced=unpriced,
            layout=self.layout(values) if timed else {},
            core_time=self.word(values, "core_time", choices=CORE_TIMES) if timed else "sum",
            neuron_operations=self.operations(values) if needs_operations else {},
            orientation={
                key: self.figure(f"orientation.{key}", entry) for key, entry in figures.items()
            },
            badges=self.lines(values, "badges"),
            uncertainty=self.word(values, "uncertainty"),
            assumptions=self.lines(values, "assumptions"),
            file=self.where,
            sha256=sha256,
        )

    def figure(self, key: str, entry: Any) -> Constant:
        """One figure with all its fields."""
        entry = self.entry(key, entry)
        value, low, high = (self.number(entry, key, part) for part in ("value", "low", "high"))
        if not low <= value <= high:
            self.wrong(key, f"must have low <= value <= high, has {low} {value} {high}")
        tiles, chips, size = (
            self.count(entry, key, part, 1) if part in entry else 0
            for part in ("tiles", "chips", "bytes")
        )
        return Constant(
            value=value,
            low=low,
            high=high,
            unit=self.word(entry, "unit", key, choices=UNITS),
            term=self.word(entry, "term", key),
            scope=self.word(entry, "scope", key, choices=SCOPES),
            evidence=self.word(entry, "evidence", key, choices=EVIDENCE),
            grade=self.word(entry, "grade", key, choices=GRADES),
            voltage=self.word(entry, "voltage", key),
            source=self.word(entry, "source", key),
            band=self.word(entry, "band", key),
            counts=self.word(entry, "counts", key) if "counts" in entry else "",
            tiles=tiles,
            chips=chips,
            bytes=size,
        )

    def constant(self, key: str, entry: Any, method: str) -> Constant:
        """One price that is multiplied with a count."""
        found = self.figure(key, entry)
        if found.scope == "all_in":
            self.wrong(
                f"{key}.scope",
                "is all_in: such a figure holds at one operating point and must not be "
                "multiplied with counts; put it into [orientation]",
            )
        if method != "events":
            return found
        if found.unit == "watt":
            if found.term != "static":
                self.wrong(f"{key}.term", f"must be 'static' for a power, is {found.term!r}")
            return found
        choices = ENERGY if found.unit == "joule" else TIME
        if found.counts not in choices:
            said = f"is {found.counts!r}" if found.counts else "is missing"
            self.wrong(f"{key}.counts", f"{said}; known are {', '.join(choices)}")
        terms = [t for t in TERMS if t != "static"] if found.unit == "joule" else ["latency"]
        if found.term and found.term not in terms:
            self.wrong(f"{key}.term", f"is {found.term!r}; known are {', '.join(terms)}")
        points = bool(found.tiles) + bool(found.chips)
        if found.counts == "steps" and found.unit == "second" and points != 1:
            self.wrong(key, "must have either tiles or chips: in use at that time of a step")
        return found

    def priced(self, method: str, constants: Mapping[str, Constant], timed: bool) -> set[str]:
        """The terms that have a price."""
        if method != "events":
            return set(PRICED[method])
        units = {"joule", "watt"} if timed else {"joule"}
        return {c.term for c in constants.values() if c.unit in units}

    def layout(self, values: dict[str, Any]) -> dict[str, int]:
        """How many neurons and cores a chip has."""
        table = self.table(values, "layout")
        parts = ("neurons_per_core", "cores_per_chip")
        return {part: self.count(table, "layout", part, 1) for part in parts}

    def operations(self, values: dict[str, Any]) -> dict[str, dict[str, int]]:
        """What one update of each kind of neuron takes."""
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
