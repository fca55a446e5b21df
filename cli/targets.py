"""`slipway targets`: what can be compiled for."""

from __future__ import annotations

from typing import Annotated

import typer

from .desk import Desk, Result
from .tomls import listing, one
from .verb import verb


@verb()
def targets(
    desk: Desk,
    name: Annotated[str | None, typer.Argument(help="Show all limits of this target.")] = None,
) -> Result:
    """List the targets, or the limits of one."""
    return listing("deploy", "targets") if name is None else one("deploy", "targets", name)
