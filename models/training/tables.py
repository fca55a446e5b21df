"""TOML tables as dataclasses; unknown keys and wrong values are collected, with their place."""

from __future__ import annotations

import difflib
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ...errors import FileError, Problem, SlipwayError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def limited(default: Any, least: float, most: float = float("inf")) -> Any:
    """A field whose numbers must lie from `least` to `most`."""
    return field(default=default, metadata={"limits": (least, most)})


def parse_file(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises FileError: not there, or no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        told = f"cannot read the recipe ({error.strerror})"
        raise FileError(told, where=str(path), remedy="name a file that exists") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError(
            f"the recipe is no TOML ({error})", where=str(path), remedy="correct the line"
        ) from error


def parse_value(text: str) -> Any:
    """A value as TOML writes it; what is none is a text: `mskd-student` needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def read_table(
    kind: type[T], table: object, file: str, section: str, problems: list[Problem]
) -> T | None:
    """Make a dataclass of a table.

    Args:
        kind: its fields are the keys, its annotations say which values they take.
        table: what the file holds at this place.
        file: for the problems.
        section: name of the table, "" for the file's top level.
        problems: what is wrong is appended here.

    Returns:
        The object; None where it could not be made.
    """
    if not isinstance(table, Mapping):
        problems.append(Problem(f"[{section}] is {table!r}", file, "write a table"))
        return None
    hints = get_type_hints(kind)
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    before = len(problems)
    values: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{file}, {section}.{key}" if section else f"{file}, {key}"
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            told = f"there is no key {key!r}"
            problems.append(Problem(told, place, f"{hint}keys: {', '.join(known)}"))
            continue
        limits = known[key].metadata.get("limits")
        found, wrong = _convert(hints[key], value, limits)
        if wrong:
            problems.append(Problem(f"{key} is {value!r}", place, f"give {wrong}"))
        else:
            values[key] = found
    for name, each in known.items():
        needed = each.default is MISSING and each.default_factory is MISSING
        if needed and name not in table:
            place = f"{file}, [{section}]" if section else file
            told = f"the key {name!r} is missing"
            problems.append(Problem(told, place, f"give {_wanted(hints[name])}"))
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except SlipwayError as error:
        problems += [Problem(p.what, f"{file}, [{section}]", p.remedy) for p in error.problems]
        return None


def _convert(hint: Any, value: Any, limits: tuple[float, float] | None) -> tuple[Any, str]:
    """(value, "") where it fits, else (None, what would fit)."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        for each in get_args(hint):
            found, wrong = _convert(each, value, limits)
            if not wrong:
                return found, ""
        return None, _wanted(hint)
    if origin is Literal:
        return (value, "") if value in get_args(hint) else (None, _wanted(hint))
    if origin is tuple:
        return _convert_list(hint, value, limits)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        return None, _wanted(hint)
    if limits and not limits[0] <= value <= limits[1]:
        return None, f"a number {_range(limits)}"
    return value, ""


def _convert_list(hint: Any, value: Any, limits: Any) -> tuple[Any, str]:
    kinds = get_args(hint)
    if not isinstance(value, list):
        return None, _wanted(hint)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        return None, f"a list of {len(kinds)}"
    made = [_convert(kind, each, limits) for kind, each in zip(kinds, value, strict=True)]
    for _, wrong in made:
        if wrong:
            return None, f"a list of which each is {wrong}"
    return tuple(found for found, _ in made), ""


def _wanted(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if origin is tuple:
        return "a list"
    if origin in (Union, types.UnionType):
        return " or ".join(_wanted(each) for each in get_args(hint))
    return _KINDS.get(hint, str(hint))


def _range(limits: tuple[float, float]) -> str:
    least, most = limits
    return f"from {least:g} on" if most == float("inf") else f"from {least:g} to {most:g}"
