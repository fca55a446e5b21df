"""Targets and cost models are TOML files of the package: list them, show one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileError, UsageError
from .desk import Result
from .tables import cell, print_table

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from rich.console import Console

_PACKAGE = __name__.rpartition(".cli.")[0]


def listing(package: str, folder: str) -> Result:
    """Names and descriptions of all files of the folder."""
    found = {name: _read(path) for name, path in sorted(_files(package, folder).items())}
    facts = {name: _headline(values) for name, values in found.items()}

    def show(console: Console) -> None:
        print_table(console, ("name", "description"), facts.items())

    return Result(facts, show)


def one(package: str, folder: str, name: str) -> Result:
    """Everything that one file says. Raises UsageError for an unknown name."""
    files = _files(package, folder)
    path = Path(name)
    if name in files:
        values = _read(files[name])
    elif path.suffix == ".toml":
        values = _read(path)
    else:
        import difflib

        near = difflib.get_close_matches(name, files, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"{name!r} is not among the {folder}",
            remedy=f"{hint}choose from {', '.join(sorted(files))}, or give a .toml file",
        )
    rows = list(_flat(values))

    def show(console: Console) -> None:
        print_table(console, ("key", "value"), rows)

    return Result({"name": name, **values}, show)


def _files(package: str, folder: str) -> dict[str, Traversable]:
    from importlib import resources

    home = resources.files(f"{_PACKAGE}.{package}") / folder
    found = [path for path in home.iterdir() if path.name.endswith(".toml")]
    return {path.name.removesuffix(".toml"): path for path in found}


def _read(path: Traversable) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot read: {error.strerror}", where=str(path)) from error
    except ValueError as error:
        raise FileError(f"is no TOML: {error}", where=str(path)) from error


def _headline(values: Mapping[str, Any]) -> str:
    """The description, wherever the file keeps it."""
    for key in ("title", "description", "summary"):
        if isinstance(values.get(key), str):
            return str(values[key])
    nested = [value for value in values.values() if isinstance(value, Mapping)]
    return next((text for text in map(_headline, nested) if text), "")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value):
                yield from _flat({str(number): item}, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", repr(value) if isinstance(value, float) else cell(value)
