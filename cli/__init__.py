"""The command line: one file a verb. Importing this package costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `slipway`; leaves by SystemExit with the exit code of the verb."""
    from .app import run

    run(sys.argv[1:] if arguments is None else list(arguments), "slipway")


def nirexport(arguments: Sequence[str] | None = None) -> None:
    """Run `nirexport`, which is `slipway export` under its own name."""
    from .app import run

    run(sys.argv[1:] if arguments is None else list(arguments), "nirexport", verb="export")
