"""`slipway doctor`: what is installed, what is missing, and how to install it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import EXIT_DONE, EXIT_MISSING_OPTIONAL, UsageError
from .desk import Desk, Result
from .packages import DISTRIBUTION, FEATURES, INSTALL, Feature
from .tables import table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb()
def doctor(
    desk: Desk,
    feature: Annotated[
        str | None,
        typer.Argument(help="core, export, norse, train or lava: exit 3 if it cannot be used."),
    ] = None,
) -> Result:
    """Say what is installed and how to install the rest."""
    import platform

    from .. import __version__

    chosen = [f for f in FEATURES if feature in (None, f.name)]
    if not chosen:
        raise UsageError(
            f"unknown feature {feature!r}",
            remedy=f"choose from {', '.join(f.name for f in FEATURES)}",
        )
    features = {f.name: _examine(f) for f in chosen}
    facts = {
        "slipway": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "features": features,
    }
    lacking = feature is not None and not all(f["usable"] for f in features.values())
    return Result(
        facts,
        lambda console: _show(console, facts),
        EXIT_MISSING_OPTIONAL if lacking else EXIT_DONE,
    )


def _examine(feature: Feature) -> dict[str, Any]:
    """Versions of the packages of a feature, without importing them."""
    versions = {name: _version(name) for name in feature.packages}
    missing = [name for name, version in versions.items() if version is None]
    commands = dict.fromkeys(
        INSTALL.get(name, f"python -m pip install {name}") for name in missing
    )
    return {
        "purpose": feature.purpose,
        "usable": not missing,
        "packages": versions,
        "missing": missing,
        "install": list(commands),
    }


def _version(package: str) -> str | None:
    from importlib import metadata, util

    if util.find_spec(package) is None:
        return None
    try:
        return metadata.version(DISTRIBUTION.get(package, package))
    except metadata.PackageNotFoundError:
        return "unknown version"


def _show(console: Console, facts: dict[str, Any]) -> None:
    console.print(f"slipway {facts['slipway']}, Python {facts['python']}, {facts['platform']}")
    rows = [
        (
            name,
            "ok" if f["usable"] else "missing: " + ", ".join(f["missing"]),
            f["purpose"],
            ", ".join(f"{p} {v}" for p, v in f["packages"].items() if v),
        )
        for name, f in facts["features"].items()
    ]
    console.print(table("", ("feature", "state", "needed for", "installed"), rows))
    for name, found in facts["features"].items():
        for command in found["install"]:
            console.print(f"{name}: {command}", markup=False, soft_wrap=True)
