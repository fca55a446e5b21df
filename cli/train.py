"""`slipway train`: a student recipe to a checkpoint and data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .desk import Desk, Result
from .tables import cell
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb("Write checkpoint, data and metrics to this folder.", writes="folder", required=True)
def train(
    desk: Desk,
    student: Annotated[str, typer.Argument(help="Name of a recipe, e.g. digits.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    data: Annotated[
        Path | None, typer.Option(help="Folder with the recipe's data, where it needs one.")
    ] = None,
) -> Result:
    """Train a student network.

    Checkpoint, data sets and metrics land in the folder of -o.
    """
    assert desk.output is not None  # -o is required

    from ..models.train import train as train_student

    with desk.progress(f"training {student}") as progress:
        metrics: dict[str, Any] = train_student(
            student, desk.output, seed=seed, data_dir=data, progress=progress
        )

    def show(console: Console) -> None:
        for name, value in metrics.items():
            console.print(f"{name}: {cell(value)}", markup=False)
        console.print(f"folder: {desk.output}")

    return Result(metrics, show)
