"""`slipway report`: from counts to energy and time, with the band of each figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .desk import Desk, Result
from .outputs import json_text
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb("Write the report here: HTML, or JSON if the name ends with .json.", writes="file")
def report(
    desk: Desk,
    runs: Annotated[list[Path], typer.Argument(help="Results of `slipway run`.")],
    cost_model: options.CostModels = None,
) -> Result:
    """Estimate energy and time of runs, side by side."""
    from ..profiles.html import render_html
    from ..profiles.report import build_report
    from ..profiles.run_file import load_run
    from ..profiles.text import render_text

    results = [load_run(path) for path in runs]

    models = {"cost_models": tuple(cost_model)} if cost_model else {}
    facts = build_report(results, **models)
    if desk.output is not None:
        from ..files import write_text

        as_json = desk.output.suffix == ".json"
        write_text(desk.output, json_text(facts) + "\n" if as_json else render_html(facts))

    def show(console: Console) -> None:
        console.print(render_text(facts))
        if desk.output is not None:
            console.print(f"report: {desk.output}")

    return Result(facts, show)
