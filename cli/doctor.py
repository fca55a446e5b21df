"""`slipway doctor`: what is installed, what is missing, and how to install it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import EXIT_DONE, EXIT_MISSING_OPTIONAL, UsageError
from .desk import Desk, Result
from .tables import print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console

# Feature -> the packages that it needs. Whether Lava can run is more than that it is there.
FEATURES: dict[str, tuple[str, ...]] = {
    "core": ("numpy", "nir", "h5py", "numba", "safetensors", "typer", "rich", "jinja2"),
    "export": ("torch",),
    "norse": ("torch", "norse", "nirtorch"),
    "train": (
        "torch",
        "norse",
        "nirtorch",
        "scikit-learn",
        "pillow",
        "lightning-fabric",
        "torchmetrics",
        "tensorboard",
    ),
    "lava": ("lava-nc", "scipy", "networkx", "asteval"),
}


@verb()
def doctor(
    desk: Desk,
    feature: Annotated[
        str | None,
        typer.Argument(help="core, export, norse, train or lava: exit 3 if it cannot be used."),
    ] = None,
) -> Result:
    """Say what is installed and how to install the rest."""
    if feature is not None and feature not in FEATURES:
        raise UsageError(
            f"there is no feature {feature!r}", remedy="use one of " + ", ".join(FEATURES)
        )
    from .. import __version__
    from ..deploy.lava.environment import probe

    found = probe().as_json()
    packages = found["packages"]
    features = {
        name: {"missing": [p for p in needs if packages[p]["version"] is None]}
        for name, needs in FEATURES.items()
    }
    usable = {
        name: found["lava_usable"] if name == "lava" else not facts["missing"]
        for name, facts in features.items()
    }
    facts = {
        "slipway": __version__,
        **found,
        "features": {name: {"usable": usable[name], **features[name]} for name in FEATURES},
    }
    code = EXIT_DONE if feature is None or usable[feature] else EXIT_MISSING_OPTIONAL
    return Result(facts, lambda console: _show(console, facts), code)


def _show(console: Console, facts: dict[str, Any]) -> None:
    console.print(f"slipway {facts['slipway']}, Python {facts['python']}, {facts['platform']}")
    rows = [
        (name, package["version"] or "missing", package["purpose"])
        for name, package in facts["packages"].items()
    ]
    print_table(console, ("package", "version", "for"), rows)
    for name, feature in facts["features"].items():
        state = "ok" if feature["usable"] else "not usable"
        told = f" ({facts['lava_reason']})" if name == "lava" else ""
        console.print(f"{name}: {state}{told}", markup=False)
    for command in _commands(facts):
        console.print(f"to install: {command}", markup=False, soft_wrap=True)


def _commands(facts: dict[str, Any]) -> list[str]:
    """The commands that install all that is missing, each once."""
    packages = facts["packages"].values()
    lacking = [package["install"] for package in packages if package["version"] is None]
    return list(dict.fromkeys(lacking))
