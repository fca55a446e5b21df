"""`slipway costs`: the cost models and every constant in them, with its source."""

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
def costs(
    desk: Desk,
    name: Annotated[
        str | None, typer.Argument(help="Show all constants of this model, or of a .toml file.")
    ] = None,
) -> Result:
    """List the cost models, or the constants of one."""
    from ..profiles.costs import list_cost_models, load_cost_model

    if name is not None:
        model = asdict(load_cost_model(name))
        return Result(model, lambda console: _show(console, model))
    models = {each: load_cost_model(each) for each in list_cost_models()}
    titles = {each: {"title": model.title} for each, model in models.items()}
    rows = [(each, model.device, model.title) for each, model in models.items()]
    return Result(
        titles, lambda console: print_table(console, ("cost model", "device", "title"), rows)
    )


def _show(console: Console, model: dict[str, Any]) -> None:
    console.print(f"{model['title']} ({model['name']})", markup=False)
    rows = [
        (name, c["value"], c["low"], c["high"], c["unit"], c["grade"], c["source"])
        for name, c in model["constants"].items()
    ]
    columns = ("constant", ">value", ">low", ">high", "unit", "grade", "source")
    print_table(console, columns, rows)
    for term, reason in model["unpriced"].items():
        console.print(f"not priced: {term}, {reason}", markup=False)
    for text in (model["uncertainty"], *model["assumptions"]):
        console.print(text, markup=False)
