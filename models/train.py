"""Train a student by its recipe: weights, data to calibrate and to test with, and figures."""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Problem, UsageError
from ..files import make_folder, write_bytes, write_text
from . import student
from .data import DATASETS, Dataset
from .files import write_arrays
from .needs import require
from .recipe import Recipe

Progress = Callable[[float, str], object]
"""Called as progress(fraction of the training that is done, what is going on)."""

CALIBRATION_SAMPLES = 256


def train(
    name: str,
    out_dir: Path,
    *,
    seed: int = 0,
    data_dir: Path | None = None,
    progress: Progress | None = None,
    max_seconds: float | None = None,
) -> dict[str, Any]:
    """Train a student and write all that the next steps need into out_dir.

    student.pt: its state_dict. calibrate.npz: x and y of 256 training frames. test.npz: x and y
    of the whole test set, float32 in [0, 1], (N, C, H, W). metrics.json: what is returned.
    On the same machine and number of threads the same seed gives the same weights, unless the
    time budget cut the schedule short (`schedule_seconds_bound` in the metrics).

    Args:
        name: one of STUDENTS.
        out_dir: made if it is missing.
        seed: of the weights, the order and the variation of the pictures.
        data_dir: where data sets lie that are not part of a package.
        progress: told about once an epoch.
        max_seconds: end within this time, second; None: the recipe's own budget.

    Returns:
        Accuracy, unweighted average recall (UAR), spike rates, time, versions, settings.

    Raises:
        UsageError: there is no such student, or an argument is out of range.
        FileError: the data are missing or damaged, or a file cannot be written.
        MissingDependency: a package that training needs is not installed.
    """
    start = time.monotonic()
    for package in ("torch", "norse.torch", "sklearn.datasets"):
        require(package, "train a student")
    if max_seconds is not None and not max_seconds > 0:
        raise UsageError(
            Problem(f"max_seconds is {max_seconds}", remedy="give a time above 0, or none")
        )
    if not 0 <= seed < 2**32:
        raise UsageError(Problem(f"seed is {seed}", remedy="give a seed from 0 to 4294967295"))
    module, out_dir = student(name), Path(out_dir)
    recipe: Recipe = module.RECIPE
    report = progress or (lambda fraction, message: None)
    make_folder(out_dir)
    report(0.0, f"reading {recipe.dataset}")
    data = DATASETS[recipe.dataset](data_dir, out_dir)
    budget = recipe.budget_second if max_seconds is None else max_seconds

    import torch

    from .evaluate import evaluate
    from .fit import fit

    with _repeatable(seed, recipe.threads):
        model = module.Student()
        fitted = fit(model, data, recipe, seed=seed, start=start, budget=budget, report=report)
        report(1.0, f"testing on {len(data.test.y)} samples")
        answers = evaluate(model, data.frames(data.test.x))
    metrics = {
        "student": name,
        "dataset": data.name,
        "classes": list(data.classes),
        "seed": seed,
        **score(data, answers.predictions),
        "spike_rates": answers.rates,
        "spikes_per_sample": answers.spikes_per_sample,
        "time_steps": model.time_steps,
        "readout": model.readout,
        "input_encoding": model.input_encoding,
        **fitted,
        "seconds": round(time.monotonic() - start, 2),
        "threads": recipe.threads or torch.get_num_threads(),
        "versions": _versions(),
        "hyperparameters": {k: v for k, v in asdict(recipe).items() if k != "deviations"},
        "deviations": list(recipe.deviations),
    }
    # Through memory: torch writes the file's name into the archive, and that is temporary.
    weights = io.BytesIO()
    torch.save(model.state_dict(), weights)
    write_samples(data, out_dir)
    write_bytes(out_dir / "student.pt", weights.getbuffer())
    text = json.dumps(metrics, indent=2) + "\n"
    write_text(out_dir / "metrics.json", text)
    return dict(json.loads(text))


def write_samples(data: Dataset, out_dir: Path) -> None:
    """calibrate.npz (training samples) and test.npz (all test samples), in fixed random order.

    Data sets come class by class: only shuffled do the first N samples stand for all.
    """
    order = np.random.default_rng(0)
    chosen = order.permutation(len(data.train.y))[:CALIBRATION_SAMPLES]
    tested = order.permutation(len(data.test.y))
    for name, part, rows in (("calibrate", data.train, chosen), ("test", data.test, tested)):
        arrays: dict[str, Any] = {"x": data.frames(part.x[rows]), "y": part.y[rows]}
        write_arrays(out_dir / f"{name}.npz", arrays, pack=True)


def score(data: Dataset, predictions: Any) -> dict[str, Any]:
    """Accuracy and unweighted average recall on the test set, with and without twins in train.

    Args:
        data: the data set; its twins, where known, are left out for the second accuracy.
        predictions: (N test,), class indices.
    """
    from sklearn.metrics import recall_score

    truth = data.test.y
    right = predictions == truth
    alone = np.ones(len(truth), bool) if data.test_twins is None else ~data.test_twins
    uar = recall_score(truth, predictions, average="macro", zero_division=0)
    recalls = recall_score(truth, predictions, average=None, zero_division=0)
    return {
        "accuracy": float(right.mean()),
        "uar": float(uar),
        "accuracy_without_twins": float(right[alone].mean()),
        "samples_test": len(truth),
        "samples_without_twins": int(alone.sum()),
        "recall": {k: float(r) for k, r in zip(data.classes, recalls, strict=True)},
    }


@contextmanager
def _repeatable(seed: int, threads: int | None) -> Iterator[None]:
    """Seed torch, fix its threads and algorithms; the caller's settings come back."""
    import numba
    import torch

    before, walkers = torch.get_num_threads(), numba.get_num_threads()
    deterministic: Any = torch.utils.deterministic
    state, strict = torch.get_rng_state(), torch.are_deterministic_algorithms_enabled()
    fill = deterministic.fill_uninitialized_memory
    torch.manual_seed(seed)
    torch.set_num_threads(threads or before)
    numba.set_num_threads(min(threads or before, walkers))
    torch.use_deterministic_algorithms(True)
    deterministic.fill_uninitialized_memory = False  # slow, and nothing reads it
    try:
        yield
    finally:
        deterministic.fill_uninitialized_memory = fill
        torch.use_deterministic_algorithms(strict)
        torch.set_rng_state(state)
        torch.set_num_threads(before)
        numba.set_num_threads(walkers)


def _versions() -> dict[str, str]:
    from .. import __version__

    packages = ("torch", "norse", "numpy", "scikit-learn")
    return {
        "slipway": __version__,
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }
