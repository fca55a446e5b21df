"""`slipway verify`: the same program on several engines, value by value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import EXIT_DONE, EXIT_NOT_DEPLOYABLE
from . import options
from .desk import Desk, Result
from .tables import print_table
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
    options.positive(timeout, "--timeout")
    names = options.names(engines)

    from ..deploy.data import load_data
    from ..deploy.storage import load_program
    from ..deploy.verify import verify as compare
    from .inputs import provenance

    compiled = load_program(program)
    given = load_data(data).first(samples)
    with desk.progress(f"comparing {', '.join(names)} over {given.samples} samples"):
        outcome = compare(compiled, given, engines=names, timeout=timeout)
    facts = {**outcome.as_json(), "provenance": provenance(program=program, data=data)}
    code = EXIT_DONE if outcome.equal else EXIT_NOT_DEPLOYABLE
    return Result(facts, lambda console: show_verification(console, facts), code)


def show_verification(console: Console, facts: dict[str, Any]) -> None:
    """How much was compared, and the first difference."""
    rows = [
        (name, count, facts["mismatches_by_quantity"][name])
        for name, count in facts["compared_by_quantity"].items()
    ]
    print_table(console, ("quantity", ">compared", ">mismatches"), rows)
    console.print(
        f"{', '.join(facts['engines'])}: {facts['samples']} samples, {facts['steps']} steps, "
        f"{facts['compared']:,} values compared, {facts['mismatches']:,} mismatches"
    )
    first = facts["first_mismatch"]
    if first:
        one, other = first["engines"]
        left, right = first["values"]
        step = "" if first["step"] is None else f"step {first['step']}, "
        console.print(
            f"first mismatch: {one} and {other}, sample {first['sample']}, {step}"
            f"population {first['population']}, neuron {first['neuron']}, "
            f"{first['quantity']}: {one} {left:.17g}, {other} {right:.17g}",
            markup=False,
        )
