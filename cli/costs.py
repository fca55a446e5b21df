"""`slipway costs`: cost models, every constant in them, and how they fare on measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .desk import Desk, Result
from .tables import print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console

VALIDATE = "validate"


@verb()
def costs(
    desk: Desk,
    name: Annotated[
        str | None,
        typer.Argument(
            help="Show all constants of this model, or of a .toml file; or validate: compare "
            "estimates with published measurements."
        ),
    ] = None,
    rows: Annotated[
        list[Path] | None,
        typer.Argument(help="Of validate: files of rows, in place of those that ship."),
    ] = None,
    cost_model: options.CostModels = None,
) -> Result:
    """List the cost models, or the constants of one; or validate them."""
    from ..errors import UsageError
    from ..profiles.costs import list_cost_models, load_cost_model

    if name == VALIDATE:
        return _validate(desk, rows or [], cost_model or [])
    if rows or cost_model:
        raise UsageError(
            "files of rows and --cost-model belong to: slipway costs validate",
            remedy="slipway costs validate [ROW.toml ...] [--cost-model NAME]",
        )
    if name is not None:
        model = asdict(load_cost_model(name))
        return Result(model, lambda console: _show(console, model))
    models = {each: load_cost_model(each) for each in list_cost_models()}
    titles = {each: {"title": model.title} for each, model in models.items()}
    lines = [(each, model.device, model.title) for each, model in models.items()]
    return Result(
        titles, lambda console: print_table(console, ("cost model", "device", "title"), lines)
    )


def _show(console: Console, model: dict[str, Any]) -> None:
    console.print(f"{model['title']} ({model['name']})", markup=False)
    _figures(console, "constant", model["constants"])
    if model["orientation"]:
        console.print("For orientation, never multiplied with counts:")
        _figures(console, "figure", model["orientation"])
    for term, reason in model["unpriced"].items():
        console.print(f"not priced: {term}, {reason}", markup=False)
    for text in (model["uncertainty"], *model["assumptions"]):
        console.print(text, markup=False)


def _figures(console: Console, title: str, constants: Mapping[str, Mapping[str, Any]]) -> None:
    if not constants:
        return
    rows = [
        (name, c["value"], c["low"], c["high"], c["unit"], c["counts"], c["grade"], c["source"])
        for name, c in constants.items()
    ]
    columns = (title, ">value", ">low", ">high", "unit", "counts", "grade", "source")
    print_table(console, columns, rows)


def _validate(desk: Desk, paths: Sequence[Path], models: Sequence[str]) -> Result:
    from ..errors import EXIT_DONE, EXIT_NOT_DEPLOYABLE
    from ..profiles.validate import validate
    from ..profiles.validation_rows import select_rows

    rows = select_rows(paths)
    with desk.progress(f"comparing with {len(rows)} published measurements") as move:
        found = validate(rows, models, move)

    def show(console: Console) -> None:
        _rows(console, found["rows"])
        for name, summary in found["models"].items():
            console.print(
                f"{name}: estimate / measurement {summary['geometric_mean_ratio']:.2f} in the "
                f"geometric mean of {summary['rows']} gated rows, spread x"
                f"{summary['geometric_spread']:.2f}, {summary['least_ratio']:.2f} to "
                f"{summary['greatest_ratio']:.2f}; {summary['within']} within the gate",
                markup=False,
            )

    code = EXIT_DONE if found["passed"] else EXIT_NOT_DEPLOYABLE
    return Result(found, show, code)


def _rows(console: Console, entries: Sequence[Mapping[str, Any]]) -> None:
    """The table, then row by row what had to be assumed."""
    from ..profiles.figures import quantity

    lines = [
        (
            entry["name"],
            entry["kind"],
            entry["cost_model"],
            quantity(entry["estimate_joule"], "J", 3),
            quantity(entry["measured_joule"], "J", 3),
            _ratio(entry),
            entry["status"],
        )
        for entry in entries
    ]
    columns = ("row", "kind", "cost model", ">estimate", ">measured", ">ratio", "status")
    print_table(console, columns, lines)
    said: set[tuple[str, ...]] = set()
    for entry in entries:
        texts = (*entry["assumptions"], *entry.get("notes", ()))
        if texts in said:  # members of a family
            continue
        said.add(texts)
        console.print(f"{entry['name']}, {entry['cost_model']}:", markup=False)
        if entry.get("reason"):
            console.print(f"  not run: {entry['reason']}", markup=False)
        for text in entry["assumptions"]:
            console.print(f"  assumed: {text}", markup=False)
        unpriced = ", ".join(term["term"] for term in entry.get("unpriced", ()))
        if unpriced:
            console.print(f"  not in the estimate: {unpriced}", markup=False)
        for check in entry.get("checks", ()):
            console.print(f"  {_check(check)}", markup=False)
        for text in entry.get("notes", ()):
            console.print(f"  {text}", markup=False)
        console.print()


def _ratio(entry: Mapping[str, Any]) -> str:
    if entry["ratio"] is not None:
        return f"{entry['ratio']:.2f}"
    implied = entry.get("implied")
    if implied and implied["rate"] is not None:
        return f"rate {implied['rate']:.3f}"
    return "-"


def _check(check: Mapping[str, Any]) -> str:
    if check["estimate"] is None:
        return f"{check['what']}: measured {check['measured']:.4g}, no estimate"
    return (
        f"{check['what']}: estimate {check['estimate']:.4g}, measured {check['measured']:.4g}, "
        f"ratio {check['ratio']:.2f}"
    )
