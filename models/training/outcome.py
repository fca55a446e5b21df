"""What a training leaves behind: weights, samples and figures; card.py has the model card."""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...files import write_bytes, write_text
from ..files import write_arrays
from .data import Loaded, Samples
from .inputs import see
from .learners import Network
from .loop import Fitted
from .metrics import DEFINITIONS, Score
from .recipe import Recipe

CALIBRATION_SAMPLES = 256
_TEST_BYTES = 2**28
_PACKAGES = ("torch", "norse", "numpy", "lightning-fabric", "torchmetrics")


def figures(
    recipe: Recipe,
    seed: int,
    stage: str,
    loaded: Loaded,
    fitted: Fitted,
    test: Score,
    validation: Score | None,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """All that is to be known of one training, as plain values.

    Args:
        recipe: what was done.
        seed: with which seed.
        stage: "student", "baseline" or "teacher".
        loaded: the data.
        fitted: what became of it.
        test: score of the weights that are kept.
        validation: the same on validation, where there is one.
        settings: device, parameters, and what else the caller knows.
    """
    course = fitted.course
    return {
        "recipe": recipe.name,
        "stage": stage,
        "paper": recipe.paper,
        "network": recipe.network.name,
        "method": recipe.method.name,
        "seed": seed,
        "data": loaded.name,
        "simulated": loaded.simulated,
        "ended": fitted.ended,
        "epochs": course.epoch,
        "best_epoch": course.best_epoch,
        **test.as_json(loaded.classes),
        "validation": validation and validation.as_json(loaded.classes),
        "definitions": DEFINITIONS,
        "classes": list(loaded.classes),
        "data_facts": dict(loaded.facts),
        "data_notes": list(loaded.notes),
        "data_digest": loaded.digest,
        **settings,
        "seconds": round(course.seconds, 2),
        "resumed": course.resumed,
        "threads": fitted.threads,
        "channels_last": fitted.channels_last,
        "versions": _versions(),
        "settings": recipe.as_dict(),
        "deviations": list(recipe.deviations),
        "history": course.history,
    }


def write_weights(folder: Path, weights: Mapping[str, Any]) -> None:
    """student.pt, a state_dict; atomically. Raises FileError."""
    buffer = io.BytesIO()  # torch writes a file's name into the archive, and that is temporary
    torch.save(dict(weights), buffer)
    write_bytes(folder / "student.pt", buffer.getbuffer())


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """metrics.json, written last: it says that all is there. Returns what a reader finds."""
    text = json.dumps(metrics, indent=2) + "\n"
    write_text(folder / "metrics.json", text)
    return dict(json.loads(text))


def write_samples(folder: Path, student: Network, loaded: Loaded) -> dict[str, int]:
    """calibrate.npz and test.npz: what the student sees, unvaried, in a fixed random order.

    x is (N, C, H, W), or (N, T, C, H, W) for clips and events; y the labels. Currents are
    float32, event counts bytes. test.npz holds at most 256 MiB.

    Returns:
        Items in each.
    """
    random, written = np.random.default_rng(0), {}
    chosen = (("calibrate", loaded.splits["train"]), ("test", loaded.splits["test"]))
    for name, samples in chosen:
        order = random.permutation(len(samples))
        one = _seen(student, samples, order[:1]).nbytes
        most = CALIBRATION_SAMPLES if name == "calibrate" else max(1, _TEST_BYTES // one)
        rows = order[:most]
        arrays = {"x": _seen(student, samples, rows), "y": samples.labels.numpy()[rows]}
        write_arrays(folder / f"{name}.npz", arrays, pack=True)
        written[name] = len(rows)
    return written


def _seen(student: Network, samples: Samples, rows: NDArray[Any]) -> NDArray[Any]:
    blocks = []
    for start in range(0, len(rows), CALIBRATION_SAMPLES):
        fields = samples.at(torch.as_tensor(rows[start : start + CALIBRATION_SAMPLES]))
        steady = student.sees == "frames" and "picture" in fields
        kind = "picture" if steady else student.sees  # a still picture is stored once
        (x,) = see(fields, kind, student.chosen, student.steps)
        x = x if kind == "picture" else x.transpose(0, 1)
        counted = kind == "events" and bool(x.max() <= 255)
        blocks.append((x.to(torch.uint8) if counted else x).numpy())
    return np.ascontiguousarray(np.concatenate(blocks))


def calibration(student: Network, samples: Samples) -> NDArray[Any]:
    """What calibrate.npz will hold as x, of the training items."""
    order = np.random.default_rng(0).permutation(len(samples))
    return _seen(student, samples, order[:CALIBRATION_SAMPLES])


def write_builder(folder: Path, recipe: Recipe, options: Mapping[str, Any]) -> None:
    """student.py, which builds the network: what `slipway export --model` asks for."""
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    made, more = f"networks.build({recipe.network.name!r}{given})", ""
    if recipe.quantise is not None:
        made = f"deployable({made})"
        more = "from slipway.models.quantised.deployable import deployable\n"
    text = f'''"""The network of {recipe.name}, for `slipway export --model student:build`."""

from slipway.models import networks
{more}from torch import nn


def build() -> nn.Module:
    """Make it with fresh weights; those that were trained are in student.pt."""
    return {made}
'''
    write_text(folder / "student.py", text)


def _versions() -> dict[str, str]:
    from ... import __version__

    return {
        "slipway": __version__,
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in _PACKAGES},
    }
