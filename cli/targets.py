"""`slipway targets`: what can be compiled for."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .desk import Desk, Result
from .tables import print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb()
def targets(
    desk: Desk,
    name: Annotated[str | None, typer.Argument(help="Show all of this target.")] = None,
) -> Result:
    """List the targets, or what is legal and the limits of one."""
    from ..deploy.targets import list_targets, load_target

    if name is None:
        titles = {each: {"title": load_target(each).title} for each in list_targets()}
        rows = [(each, facts["title"]) for each, facts in titles.items()]
        return Result(titles, lambda console: print_table(console, ("target", "title"), rows))
    target = asdict(load_target(name))
    return Result(target, lambda console: _show(console, target))


def _show(console: Console, target: dict[str, Any]) -> None:
    messages = "spikes or values" if target["graded_messages"] else "spikes only"
    console.print(f"{target['title']} ({target['name']}); messages carry {messages}")
    bits = ", ".join(map(str, target["weight_bits"]))
    shared = "" if target["thresholds_per_neuron"] else "not "
    console.print(f"weights of {bits} bits; thresholds may {shared}differ within a population")
    legal = [
        (name.replace("_", " "), "yes" if row["legal"] else "no", row["note"], row["grade"])
        for name, row in target["neurons"].items()
    ]
    print_table(console, ("neurons", "legal", "note", "grade"), legal)
    rows = [
        (name, limit["value"], limit["unit"], limit["grade"], limit["source"])
        for name, limit in target["limits"].items()
    ]
    print_table(console, ("limit", ">value", "unit", "grade", "source"), rows)
    cores = [
        (name.replace("_", " "), limit["value"], limit["unit"], limit["grade"], limit["source"])
        for name, limit in target["core"].items()
    ]
    print_table(console, ("of a core", ">value", "unit", "grade", "source"), cores)
    mesh, memory = target["mesh"], target["memory"]
    tiles = f"{mesh['columns']} x {mesh['rows']} tiles of {mesh['cores_per_tile']} cores"
    shared = "may" if target["layers_share_cores"] else "never"
    console.print(
        f"{mesh['cores_per_chip']} cores a chip, {mesh['cores_reserved']} of them reserved; "
        f"{tiles} ({mesh['grade']}); two populations {shared} share a core; synaptic memory by "
        f"the formula {memory['formula']} ({memory['grade']})"
    )
    facts = [
        (name.replace("_", " "), fact["value"], fact["unit"], fact["grade"], fact["source"])
        for name, fact in target["facts"].items()
    ]
    print_table(console, ("also known", ">value", "unit", "grade", "source"), facts)
    boards = [
        (name, b["chips"], b["grade"], b["source"]) for name, b in target["boards"].items()
    ]
    print_table(console, ("board", ">chips", "grade", "source"), boards)
