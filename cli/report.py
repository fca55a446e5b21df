"""`slipway report`: from counts to energy and time, with the band of each figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .desk import Desk, Result
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console

Sample = Annotated[
    int, typer.Option("--sample", min=0, help="Which of the recorded samples the raster shows.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse a total that lacks a term for want of a price.")
]


@verb(
    "Write the report here: a page, JSON or a table, as the name ends: .html, .json, .csv.",
    writes="file",
)
def report(
    desk: Desk,
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Results of `slipway run`; the others are compared with the first."
        ),
    ],
    cost_model: options.CostModels = None,
    sample: Sample = 0,
    strict: Strict = False,
) -> Result:
    """Estimate energy and time of runs, side by side."""
    from ..profiles.notebook import Report
    from ..profiles.text import render_text

    made = Report.of(*runs, cost_models=cost_model, sample=sample, strict=strict)
    if desk.output is not None:
        made.save(desk.output)

    def show(console: Console) -> None:
        console.print(render_text(made.facts))
        if desk.output is not None:
            console.print(f"report: {desk.output}")

    return Result(made.facts, show)
