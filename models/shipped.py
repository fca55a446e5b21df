"""Trained students that come with slipway: weights, figures and model cards, by recipe.

One folder each in models/checkpoints, as a training leaves it: student.pt, metrics.json,
model-card.md. `examples/ship.py` puts one there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Problem, UsageError

if TYPE_CHECKING:
    from torch import nn

FOLDER = Path(__file__).resolve().parent / "checkpoints"
FILES = ("student.pt", "metrics.json", "model-card.md")
LARGEST = 8 * 10**6
"""Bytes of one checkpoint at most: it travels with every copy of slipway."""


def names() -> list[str]:
    """Recipes of the students that come trained."""
    return sorted(path.parent.name for path in FOLDER.glob("*/metrics.json"))


def folder(name: str) -> Path:
    """The folder of a trained student. Raises UsageError if there is none of that name."""
    if name not in names():
        raise UsageError(
            Problem(
                f"no trained weights of {name!r} come with slipway",
                remedy=f"trained come {', '.join(names()) or 'none'}; others: slipway train",
            )
        )
    return FOLDER / name


def facts(name: str) -> dict[str, Any]:
    """Its metrics.json. Raises UsageError if there is none of that name."""
    found: dict[str, Any] = json.loads((folder(name) / "metrics.json").read_text("utf-8"))
    return found


def build(name: str) -> nn.Module:
    """Its network, with fresh weights; those that were trained are in student.pt.

    Raises:
        UsageError: there is none of that name.
        MissingDependency: torch or norse is not installed.
    """
    return built(facts(name))


def built(metrics: dict[str, Any]) -> nn.Module:
    """The network that a metrics.json is about, with fresh weights; see `build`."""
    from . import networks

    network = networks.build(metrics["network"], **options_of(metrics))
    if not metrics["settings"].get("quantise"):
        return network
    from .quantised.deployable import deployable

    return deployable(network)


def options_of(metrics: dict[str, Any]) -> dict[str, Any]:
    """What the builder of a trained network is called with, from its metrics.json."""
    from .training.reading import builder_options

    options = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in metrics["settings"]["network"]["options"].items()
    }
    known = builder_options(metrics["network"])
    if "classes" in known:
        options.setdefault("classes", len(metrics["classes"]))
    if "time_steps" in known and metrics.get("time_steps"):
        options.setdefault("time_steps", metrics["time_steps"])
    return options
