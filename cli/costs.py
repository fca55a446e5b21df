"""`slipway costs`: the cost models and every constant in them, with its source."""

from __future__ import annotations

from typing import Annotated

import typer

from .desk import Desk, Result
from .tomls import listing, one
from .verb import verb


@verb()
def costs(
    desk: Desk,
    name: Annotated[
        str | None, typer.Argument(help="Show all constants of this model, or of a .toml file.")
    ] = None,
) -> Result:
    """List the cost models, or the constants of one."""
    return listing("profiles", "costs") if name is None else one("profiles", "costs", name)
