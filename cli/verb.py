"""What every verb shares: the common options, the result on stdout, errors and exit codes."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .desk import Desk, Result
from .errors import guarded
from .outputs import Writes, json_text, prepare

_COMMON: dict[str, Any] = {
    "json": Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="Details on stderr.")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")],
    "no_color": Annotated[
        bool, typer.Option("--no-color", help="Plain text; NO_COLOR does the same.")
    ],
}


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb: the function that does it, and the command that typer shows."""

    function: Callable[..., Result]
    command: Callable[..., None]


def verb(
    output: str = "Also write the result to this file, as JSON.",
    *,
    writes: Writes = "json",
    required: bool = False,
) -> Callable[[Callable[..., Result]], Verb]:
    """Make a verb of a function `(desk, **own options) -> Result`.

    Args:
        output: help text of -o.
        writes: "json": the wrapper writes the result to -o; "file", "folder": the function
            writes what -o names, after it was found writable.
        required: -o must be given.
    """

    def decorate(function: Callable[..., Result]) -> Verb:
        def command(**given: Any) -> None:
            # Arguments that typer fills from the signature below.
            common = {name: given.pop(name) for name in (*_COMMON, "output")}
            raise typer.Exit(
                guarded(
                    lambda: _perform(function, writes, given, common),
                    debug=common["debug"],
                    json=common["json"],
                )
            )

        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        shared = [*_output(output, required), *_switches()]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *shared)]
        command.__doc__ = function.__doc__
        command.__name__ = function.__name__
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return Verb(function, command)

    return decorate


def _output(text: str, required: bool) -> list[inspect.Parameter]:
    option = typer.Option("--output", "-o", help=text)
    annotation: Any = Annotated[Path, option] if required else Annotated[Path | None, option]
    default = inspect.Parameter.empty if required else None
    return [_keyword("output", annotation, default)]


def _switches() -> list[inspect.Parameter]:
    return [_keyword(name, annotation, False) for name, annotation in _COMMON.items()]


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _perform(
    function: Callable[..., Result],
    writes: Writes,
    given: Mapping[str, Any],
    common: Mapping[str, Any],
) -> int:
    """Check -o, do the work, and put the result where it belongs."""
    path: Path | None = common["output"]
    if path is not None:
        prepare(path, writes, _paths(given))
    desk = Desk(
        output=path,
        json=common["json"],
        quiet=common["quiet"],
        verbose=common["verbose"],
        color=not common["no_color"] and not os.environ.get("NO_COLOR"),
    )
    result = function(desk, **given)
    if path is not None and writes == "json":
        from ..files import write_text

        write_text(path, json_text(result.json) + "\n")
    if desk.json:
        print(json_text(result.json))
    else:
        result.show(desk.console(sys.stdout))
    return result.exit_code


def _paths(given: Mapping[str, Any]) -> list[Path]:
    """The input files among the arguments."""
    lists = [value if isinstance(value, (list, tuple)) else [value] for value in given.values()]
    return [item for items in lists for item in items if isinstance(item, Path)]
