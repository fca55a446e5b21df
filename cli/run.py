"""`slipway run`: a program over a data set on one engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .desk import Desk, Result
from .tables import percent, print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb()
def run(
    desk: Desk,
    program: Annotated[Path, typer.Argument(help="A compiled program.")],
    data: options.Data,
    engine: Annotated[
        str, typer.Option(help="fast, reference (plain NumPy) or lava (Lava's simulator).")
    ] = "fast",
    samples: options.Samples = None,
    timeout: options.Timeout = None,
) -> Result:
    """Run a program over a data set on one engine.

    Counts every spike and every synaptic operation.
    """
    options.positive(timeout, "--timeout")

    from ..deploy.data import load_data
    from ..deploy.run import run as run_program
    from ..deploy.storage import load_program
    from .inputs import provenance

    compiled = load_program(program)
    given = load_data(data).first(samples)
    total = given.samples
    with desk.progress(f"running {total} samples on {engine}") as move:
        done = run_program(
            compiled,
            given.x,
            given.y,
            engine=engine,
            timeout=timeout,
            progress=lambda count: move(count / total, f"{count}/{total}"),
            provenance=provenance(program=program, data=data),
        )
    facts = done.as_json()
    return Result(facts, lambda console: show_run(console, facts))


def show_run(console: Console, facts: dict[str, Any]) -> None:
    """Counts by population and projection, accuracy and speed."""
    samples = facts["samples"]
    populations = [
        (
            name,
            f["kind"],
            f["neurons"],
            f["spikes"] / samples,
            f["spikes"] / (f["neurons"] * samples * facts["executed_steps"]),
            f["saturated"],
        )
        for name, f in facts["populations"].items()
    ]
    columns = ("population", "kind", ">neurons", ">spikes/sample", ">spikes/neuron/step")
    print_table(console, (*columns, ">saturated"), populations)
    projections = [
        (name, f["kind"], f["synapses"], f["synops"] / samples, f["delay"])
        for name, f in facts["projections"].items()
    ]
    columns = ("projection", "kind", ">synapses", ">synops/sample", ">delay")
    print_table(console, columns, projections)
    console.print(
        f"{samples} samples, {facts['steps']} steps each, engine {facts['engine']}, "
        f"{facts['precision']}, accuracy {percent(facts['accuracy'])}, "
        f"{facts['seconds']:.2f} s, {facts['sample_steps_per_second']:,.0f} sample-steps/s"
    )
    clipped = facts["clipped"]
    if clipped:
        console.print(f"warning: {clipped:,} input values were clipped to the legal range")
