"""`slipway verify`: the same program on several engines, value by value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import EXIT_DONE, EXIT_NOT_DEPLOYABLE
from . import options
from .desk import Desk, Result
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb()
def verify(
    desk: Desk,
    program: Annotated[Path, typer.Argument(help="A compiled program.")],
    data: options.Data,
    engines: Annotated[
        str, typer.Option(help="Which engines to compare, e.g. reference,fast,lava.")
    ] = "reference,fast",
    samples: options.Samples = None,
    timeout: options.Timeout = None,
) -> Result:
    """Compare the engines, value by value.

    Every spike, current and potential of every step. Exit code 1 at any difference.
    """
    names = options.engines(engines, least=2)
    options.positive(timeout, "--timeout")

    from ..deploy.storage import load_program
    from ..deploy.verify import verify as compare
    from .inputs import provenance, take

    compiled = load_program(program)
    given = take(data, samples)
    with desk.progress(f"comparing {', '.join(names)} over {len(given.x)} samples"):
        outcome = compare(compiled, given.x, engines=names, timeout=timeout)
    facts = {**outcome.as_json(), "provenance": provenance(program, given)}
    code = EXIT_DONE if facts["mismatches"] == 0 else EXIT_NOT_DEPLOYABLE
    return Result(facts, lambda console: show_verification(console, facts), code)


def show_verification(console: Console, facts: dict[str, Any]) -> None:
    """How much was compared, and the first difference."""
    console.print(
        f"{' = '.join(facts['engines'])}: {facts['compared']:,} values compared, "
        f"{facts['mismatches']:,} mismatches"
    )
    first = facts.get("first_mismatch")
    if first:
        told = ", ".join(f"{key} {_told(value)}" for key, value in first.items())
        console.print(f"first mismatch: {told}", markup=False)


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return " / ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return " / ".join(map(str, value))
    return str(value)
