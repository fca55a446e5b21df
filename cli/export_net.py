"""`slipway export-net`: a program for lava-dl, and through it for the chip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .desk import Desk, Result
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb("Write the network to this file.", writes="file", required=True)
def export_net(
    desk: Desk,
    program: Annotated[Path, typer.Argument(help="A program in fixed point.")],
) -> Result:
    """Write a program as a network file of lava-dl.

    lava-dl 0.6.0's netx loads it and spikes as slipway does. Whatever it could not say or
    would do otherwise is refused.
    """
    assert desk.output is not None  # -o is required

    from ..deploy.netx import write_net
    from ..deploy.storage import load_program

    told = write_net(load_program(program), desk.output)
    facts: dict[str, Any] = {
        "file": str(desk.output),
        "arguments": told.arguments,
        "notes": list(told.notes),
    }

    def show(console: Console) -> None:
        given = "".join(f", {name}={value}" for name, value in told.arguments.items())
        for note in told.notes:
            console.print(f"note: {note}", markup=False)
        console.print(f"network: {desk.output}", markup=False)
        console.print(
            f"load it with lava.lib.dl.netx.hdf5.Network({str(desk.output)!r}{given})",
            markup=False,
            soft_wrap=True,
        )

    return Result(facts, show)
