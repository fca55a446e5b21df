"""The last stage of a training: fine-tuning in the integers of the target."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import FileError, Problem
from ..quantised.changes import Changes
from ..quantised.deployable import deployable, measure_scales
from ..quantised.grid import values_of
from .checkpoint import weights_of
from .data import Loaded
from .inputs import Fields, see
from .learners import Network
from .loop import evaluate
from .outcome import calibration
from .recipe import Quantise, Recipe


class Quantised(Network):
    """A student that answers as its compiled Program does; `network` has its weights."""

    def __init__(self, changes: Changes, like: Network) -> None:
        super().__init__(changes.network, like.sees, like.chosen, like.steps)
        self.changes = changes

    def forward(self, fields: Fields) -> Tensor:
        """Logits (N, classes)."""
        (x,) = see(fields, self.sees, self.chosen, self.steps)
        return self.changes(x)


def load_start(student: Network, start: Path, seed: int) -> Path:
    """Load the weights to begin with; the file or folder they were found in.

    Raises:
        FileError: there are none, or of another network.
    """
    own = start / f"seed-{seed}"
    path = own if own.is_dir() else start
    try:
        student.network.load_state_dict(weights_of(path))
    except RuntimeError as error:
        told = f"the weights are not those of the recipe's network ({error})"
        remedy = "quantise.start: a training in floating point of the same [network]"
        raise FileError(Problem(told, str(path), remedy)) from error
    return path


def quantised(student: Network, recipe: Recipe, loaded: Loaded) -> Quantised:
    """The student in integers: gates and batch norm folded, activations measured.

    Args:
        student: trained in floating point; not changed.
        recipe: with [quantise].
        loaded: its training items are what activations and gates are measured on.

    Raises:
        ModelError: layers that have no integer form.
        DataError: ReLUs that are never active.
    """
    assert recipe.quantise is not None
    seen = calibration(student, loaded.splits["train"])
    pictures = torch.as_tensor(seen)
    made = deployable(student.network, [pictures])
    measure_scales(made, pictures)
    shape = tuple(pictures.shape[1:])
    changes = Changes(made, values_of(seen), shape, recipe.quantise.weight_bits)
    return Quantised(changes, student)


def before_and_after(
    chosen: Quantise, start: Path, student: Network, rounded: Network, items: Any, fabric: Any
) -> dict[str, Any]:
    """What stands beside the figures of the fine-tuned student.

    Args:
        chosen: the recipe's table.
        start: where its weights were found.
        student: in floating point.
        rounded: the same on the grid, before it is fine-tuned.
        items: of the test split.
        fabric: of the training.
    """
    found: dict[str, Any] = {**asdict(chosen), "start": str(start)}
    for name, network in (("float", student), ("rounded", rounded)):
        score, _ = evaluate(network.to(fabric.device), items, fabric)
        found[name] = {key: getattr(score, key) for key in ("war", "uar", "f1", "loss")}
    return dict(json.loads(json.dumps(found)))
