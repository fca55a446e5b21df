"""`slipway inspect`: what is in a graph, a program or the result of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from .desk import Desk, Result
from .tables import print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb()
def inspect(
    desk: Desk,
    file: Annotated[
        Path, typer.Argument(help="GRAPH.nir, LAYERS.net, PROGRAM.slip or RUN.json.")
    ],
) -> Result:
    """Show what is in a graph, a program or a result."""
    readers = {".nir": _graph, ".net": _net, ".slip": _program, ".json": _run}
    if file.suffix not in readers:
        raise UsageError(
            f"cannot tell what {file.name!r} is",
            where=str(file),
            remedy="the name of the file must end with .nir, .net, .slip or .json",
        )
    return readers[file.suffix](file)


def _graph(path: Path) -> Result:
    from ..converters.read import read_graph
    from .graphs import describe_graph, show_graph

    facts = describe_graph(read_graph(path))
    return Result(facts, lambda console: show_graph(console, facts))


def _net(path: Path) -> Result:
    from .graphs import describe_net, show_net

    facts = describe_net(path)
    return Result(facts, lambda console: show_net(console, facts))


def _run(path: Path) -> Result:
    from ..profiles.run_file import load_run
    from .run import show_run

    facts = load_run(path)
    return Result(facts, lambda console: show_run(console, facts))


def _program(path: Path) -> Result:
    from ..deploy.storage import as_json, load_program

    facts = as_json(load_program(path))
    return Result(facts, lambda console: _show_program(console, facts))


def _show_program(console: Console, facts: dict[str, Any]) -> None:
    console.print(
        f"{facts['precision']} program for {facts['target']}, {facts['steps']} steps of "
        f"{facts['dt_second']:g} s, latency {facts['latency_steps']}"
    )
    for name, fed in facts["inputs"].items():
        kind = f"graded, scale {fed['scale']:g}" if fed["graded"] else "spikes"
        console.print(f"input {name}: {' x '.join(map(str, fed['shape']))}, {kind}")
    populations = [
        (name, p["kind"], p["model"], p["shape"], p["neurons"], p["depth"])
        for name, p in facts["populations"].items()
    ]
    columns = ("population", "kind", "model", ">shape", ">neurons", ">depth")
    print_table(console, columns, populations)
    made = [
        (name, p["kind"], *_format(p["format"]), p["longest_delay"], ", ".join(p["folded"]))
        for name, p in facts["projections"].items()
    ]
    heads = ("projection", "kind", ">bits", ">exponent", "signs", ">delay", "made of")
    print_table(console, heads, made)
    for name, out in facts["outputs"].items():
        console.print(f"output {name}: {out['readout']} of {out['population']}")


def _format(weights: dict[str, Any] | None) -> tuple[Any, Any, Any]:
    """Bits, exponent and signs of weights; a `float` program has no format."""
    if weights is None:
        return None, None, None
    return weights["bits"], weights["exponent"], weights["sign_mode"]
