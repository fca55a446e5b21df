"""`slipway train`: a student recipe to a checkpoint and data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .desk import Desk, Result
from .tables import cell, percent, print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console

_SHARES = ("accuracy", "uar", "accuracy_without_twins")


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
        metrics = train_student(
            student, desk.output, seed=seed, data_dir=data, progress=progress
        )

    return Result(metrics, lambda console: _show(console, metrics, desk.output))


def _show(console: Console, metrics: dict[str, Any], folder: Path | None) -> None:
    """The figures; what the recipe deviates in, in full, is in metrics.json."""
    figures = [
        (name, percent(float(value)) if name in _SHARES else cell(value))
        for name, value in metrics.items()
        if isinstance(value, (int, float, str))
    ]
    print_table(console, ("", ">"), figures)
    for name, rate in metrics.get("spike_rates", {}).items():
        console.print(f"spikes per neuron and step, {name}: {cell(rate)}", markup=False)
    console.print(f"student.pt, calibrate.npz, test.npz, metrics.json: in {folder}")
