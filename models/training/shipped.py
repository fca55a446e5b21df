"""A student that comes trained, put into a folder as if it had been trained here."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ...errors import FileError, Problem
from ...files import make_folder, write_text
from .. import shipped
from ..quantised.changes import Changes
from ..quantised.grid import values_of
from . import draws
from .checkpoint import weights_of
from .data import Loaded, load
from .learners import SEES, Network
from .loop import evaluate
from .outcome import calibration, write_builder, write_metrics, write_samples, write_weights
from .quantising import Quantised
from .reading import load as load_recipe
from .recipe import Quantise, Recipe
from .run import COMPARED, make_fabric, summary_of
from .stage import Progress, fill


def unpack(
    name: str,
    out_dir: Path,
    *,
    changes: tuple[str, ...] = (),
    data_dir: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Weights, builder, samples, card and figures of a student that comes with slipway.

    The same files that its training left, on this machine's data: the figures of the test
    split are computed here, those of the training stand beside them under "shipped".

    Args:
        name: the recipe; see models.shipped.names.
        out_dir: made if it is missing.
        changes: of the recipe's tables [data] and [training], as for a training.
        data_dir: folder that holds the data sets.
        progress: told how far it is.

    Returns:
        What train_recipe returns.

    Raises:
        UsageError: no such student comes with slipway.
        FileError: data are missing, or the folder holds a training.
    """
    begun = time.monotonic()
    known, origin, out = shipped.facts(name), shipped.folder(name), Path(out_dir)
    recipe = load_recipe(name, changes)
    quantise = known["settings"].get("quantise")
    recipe = replace(recipe, quantise=Quantise(**quantise) if quantise else None)
    if (out / "metrics.json").exists() or (out / "checkpoint.pt").exists():
        told = "the folder holds a training"
        raise FileError(Problem(told, str(out), "name another folder"))
    make_folder(out)

    def report(fraction: float, text: str) -> None:
        if progress is not None:
            progress(fraction, text)

    fabric = make_fabric(recipe, "cpu", 1)
    sees = SEES[recipe.network.name]
    with draws.repeatable(recipe.training.threads, strict=True):
        loaded = load(recipe.data, frozenset({sees}), data_dir, report, recipe.training.workers)
        student = Network(shipped.built(known), sees, recipe.input, recipe.data.steps)
        weights = weights_of(origin)
        fill(student, weights, origin)
        report(0.8, "evaluating")
        found, _ = evaluate(_answering(student, recipe, loaded), loaded.splits["test"], fabric)
        score = found.as_json(loaded.classes)
        metrics = {
            **known,
            **score,
            "shipped": {key: known[key] for key in score},
            "evaluated_seconds": round(time.monotonic() - begun, 2),
            "samples": write_samples(out, student, loaded),
        }
        write_weights(out, weights)
        write_builder(out, recipe, shipped.options_of(known))
        write_text(out / "model-card.md", (origin / "model-card.md").read_text("utf-8"))
        metrics = write_metrics(out, metrics)
    run = {
        "seed": known["seed"],
        "folder": str(out),
        "student": {key: metrics[key] for key in (*COMPARED, "loss", "items")},
        "metrics": metrics,
        "ended": "shipped",
    }
    return summary_of(recipe, loaded, [run], None)


def _answering(student: Network, recipe: Recipe, loaded: Loaded) -> Network:
    """The student as its training scored it: in integers, where it was fine-tuned in them."""
    if recipe.quantise is None:
        return student
    seen = calibration(student, loaded.splits["train"])
    shape = tuple(torch.as_tensor(seen).shape[1:])
    bits = recipe.quantise.weight_bits
    return Quantised(Changes(student.network, values_of(seen), shape, bits), student)
