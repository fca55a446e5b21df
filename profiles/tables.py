"""Reading TOML files that people write: every wrong key is named, not only the first."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

from ..errors import FileError, Problem


def parsed(content: bytes, where: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises FileError."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # also UnicodeDecodeError
        raise FileError(
            f"is no TOML: {error}", where=where, remedy="repair the line that it names"
        ) from error


LARGEST = 1e15
"""No count or price of these files is larger; beyond it sums would not be exact."""


class Tables:
    """Reads values of tables and collects what is wrong with them.

    Every method hands back a value of the right type, so that reading can go on.
    """

    def __init__(self, where: str, remedy: str) -> None:
        """Of the file `where`; every problem carries the remedy."""
        self.where = where
        self.remedy = remedy
        self.problems: list[Problem] = []

    def wrong(self, key: str, what: str) -> None:
        """Note a problem of a key."""
        self.problems.append(Problem(f"{key} {what}", self.where, self.remedy))

    def entry(self, key: str, value: Any) -> dict[str, Any]:
        """The value itself, if it is a table."""
        if isinstance(value, dict):
            return value
        self.wrong(key, f"must be a table, is {value!r}")
        return {}

    def table(self, values: dict[str, Any], key: str, name: str = "") -> dict[str, Any]:
        """A table that must be there."""
        if key not in values:
            self.wrong(name or key, "is missing")
            return {}
        return self.entry(name or key, values[key])

    def known(self, entry: dict[str, Any], key: str, names: Sequence[str]) -> None:
        """Note keys that nobody reads: most likely misspelt."""
        for name in entry:
            if name not in names:
                place = f"{key}.{name}" if key else name
                self.wrong(place, f"is no key of this table; known are {', '.join(names)}")

    def number(
        self, entry: dict[str, Any], key: str, part: str, default: float | None = None
    ) -> float:
        """A number that is finite and not negative."""
        value, name = entry.get(part, default), f"{key}.{part}" if key else part
        if value is None:
            self.wrong(name, "is missing")
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            self.wrong(name, f"must be a number, is {value!r}")
        elif not math.isfinite(value) or value < 0:
            self.wrong(name, f"must be finite and not negative, is {value}")
        elif value > LARGEST:
            self.wrong(name, f"must be {LARGEST:g} at most, is {value:g}")
        else:
            return float(value)
        return 0.0

    def count(self, table: dict[str, Any], key: str, part: str, least: int) -> int:
        """A whole number from `least` on."""
        value, name = table.get(part), f"{key}.{part}" if key else part
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.wrong(name, f"must be an integer from {least}, is {value!r}")
            return least
        if value > LARGEST:
            self.wrong(name, f"must be {LARGEST:g} at most, is {value:g}")
            return least
        return value

    def word(
        self, entry: dict[str, Any], part: str, key: str = "", choices: tuple[str, ...] = ()
    ) -> str:
        """A text that is not empty."""
        value, name = entry.get(part), f"{key}.{part}" if key else part
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
        """A table of texts."""
        table = self.table(values, key)
        return {part: self.word(table, part, key) for part in table}

    def lines(self, values: dict[str, Any], key: str) -> tuple[str, ...]:
        """A list of texts, which may be absent."""
        found = values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(line, str) for line in found):
            self.wrong(key, "must be a list of texts")
            return ()
        return tuple(found)
