"""`slipway report`: from counts to energy and time, with the band of each figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import FileError
from . import options
from .desk import Desk, Result
from .outputs import json_text
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console

# Keys without which a file is no result of `slipway run`.
_RUN_KEYS = ("engine", "samples", "populations", "projections")


@verb("Write the report here: HTML, or JSON if the name ends with .json.", writes="file")
def report(
    desk: Desk,
    runs: Annotated[list[Path], typer.Argument(help="Results of `slipway run`.")],
    cost_model: options.CostModels = None,
) -> Result:
    """Estimate energy and time of runs, side by side."""
    results = [read_run(path) for path in runs]

    from ..profiles.html import render_html
    from ..profiles.report import build_report
    from ..profiles.text import render_text

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


def read_run(path: Path) -> dict[str, Any]:
    """The JSON of `slipway run`. Raises FileError."""
    remedy = "make one with: slipway run PROGRAM.slip --data D.npz -o run.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(
            f"cannot read: {error.strerror}", where=str(path), remedy=remedy
        ) from error
    except ValueError as error:
        raise FileError(f"is no JSON: {error}", where=str(path), remedy=remedy) from error
    missing = [key for key in _RUN_KEYS if not isinstance(value, dict) or key not in value]
    if missing:
        raise FileError(
            f"is no result of `slipway run`: {', '.join(missing)} missing",
            where=str(path),
            remedy=remedy,
        )
    return dict(value)
