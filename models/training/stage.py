"""One training from its data to its folder: the network, the loop, the files."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from ...errors import FileError, Problem, UsageError
from ...files import make_folder
from .. import networks
from ..counting import parameters_of
from . import draws
from .card import write_card
from .data import Loaded, Samples
from .learners import SEES, Network
from .loop import Job, comparable, evaluate, fit
from .outcome import (
    figures,
    write_builder,
    write_metrics,
    write_samples,
    write_weights,
)
from .quantising import Quantised, before_and_after, load_start, quantised
from .reading import builder_options
from .recipe import Recipe
from .teaching import Teaching

Progress: TypeAlias = Callable[[float, str], object]
_ON_DEVICE = 2**32


@dataclass(slots=True)
class Meter:
    """How far the whole command is: `stages` trainings, `done` of which are over."""

    report: Progress
    stages: int
    done: int = 0

    def __call__(self, fraction: float, text: str) -> None:
        """Tell how far the present one is."""
        self.report(min(1.0, (self.done + fraction) / self.stages), text)


@dataclass(frozen=True, slots=True)
class Setting:
    """What all trainings of a command share; `deadline` as of time.monotonic()."""

    fabric: Any
    out: Path
    resume: bool
    deadline: float | None
    report: Meter


def train_stage(
    setting: Setting,
    recipe: Recipe,
    seed: int,
    loaded: Loaded,
    teaching: Teaching | None,
    folder: Path,
    stage: str,
    start: Path | None = None,
) -> dict[str, Any]:
    """One training, unless it is done: its figures, which are also in metrics.json.

    With `start`, weights in floating point, it is the fine-tuning of [quantise].
    """
    done = _done(folder, recipe, seed, loaded) if setting.resume else None
    if done is not None:
        setting.report.done += 1
        return done
    fabric = setting.fabric
    if fabric.global_rank == 0:
        make_folder(folder)
    fabric.barrier()
    student, options = make_network(recipe, loaded, seed)
    if recipe.training.patience and "validation" not in loaded.splits:
        raise UsageError(
            f"patience is {recipe.training.patience}, and there is no validation split",
            where=f"{recipe.name}, training.patience",
            remedy="data.validation = 0.1 takes one from train; or patience = 0",
        )
    begun: tuple[Network, Quantised] | None = None
    if start is not None:
        start = load_start(student, start, seed)
        begun = student, quantised(student, recipe, loaded)
        student = copy.deepcopy(begun[1])
    splits = {name: _placed(samples, fabric) for name, samples in loaded.splits.items()}
    report = setting.report

    def told(fraction: float, text: str) -> None:
        report(fraction, f"{stage}, seed {seed}: {text}")

    job = Job(
        recipe=recipe,
        seed=seed,
        student=student,
        train=splits["train"],
        validation=splits.get("validation"),
        teaching=teaching,
        folder=folder,
        digest=loaded.digest,
        deadline=setting.deadline,
        report=told,
    )
    fitted = fit(job, fabric)
    student.network.load_state_dict(fitted.weights)
    weights = fitted.weights
    if isinstance(student, Quantised):
        student.changes.snap()
        state = student.network.state_dict()
        weights = {name: each.detach().cpu() for name, each in state.items()}
    test, _ = evaluate(student, splits["test"], fabric)
    held = splits.get("validation")
    validation = evaluate(student, held, fabric)[0] if held is not None else None
    settings = {
        "compared": comparable(recipe),
        "parameters": parameters_of(student.network),
        "sample_shape": list(getattr(student.network, "sample_shape", ())),
        "time_steps": getattr(student.network, "time_steps", None),
        "device": str(fabric.device),
        "devices": fabric.world_size,
    }
    metrics = figures(recipe, seed, stage, loaded, fitted, test, validation, settings)
    if begun is not None and start is not None and recipe.quantise is not None:
        items = splits["test"]
        metrics["quantise"] = before_and_after(recipe.quantise, start, *begun, items, fabric)
    if fabric.global_rank == 0:
        write_weights(folder, weights)
        if stage == "student":
            metrics["samples"] = write_samples(folder, student.cpu(), loaded)
            write_builder(folder, recipe, options)
            write_card(folder, metrics, [])
        metrics = write_metrics(folder, metrics)
        if fitted.ended != "time":
            with contextlib.suppress(OSError):
                (folder / "checkpoint.pt").unlink()
    setting.report.done += 1
    fabric.barrier()
    return metrics


def _done(folder: Path, recipe: Recipe, seed: int, loaded: Loaded) -> dict[str, Any] | None:
    """The figures of a training that has ended; None if there is none."""
    path = folder / "metrics.json"
    if not path.is_file():
        return None
    metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if metrics.get("ended") == "time":
        return None
    now = json.loads(json.dumps(comparable(recipe)))
    same = metrics.get("compared") == now and metrics.get("data_digest") == loaded.digest
    if not same or metrics.get("seed") != seed:
        raise FileError(
            Problem(
                "the folder holds a finished training of another recipe, seed or data",
                str(path),
                "train into another folder",
            )
        )
    return metrics


def make_network(recipe: Recipe, loaded: Loaded, seed: int) -> tuple[Network, dict[str, Any]]:
    """A recipe's network with fresh weights of that seed, and its builder's options."""
    options = dict(recipe.network.options)
    if "classes" in builder_options(recipe.network.name):
        options.setdefault("classes", len(loaded.classes))
    if options.get("classes", len(loaded.classes)) != len(loaded.classes):
        raise UsageError(
            f"the network has {options['classes']} classes, the data {len(loaded.classes)}",
            where=f"{recipe.name}, network.classes",
            remedy="leave it out",
        )
    sees = SEES[recipe.network.name]
    if sees in ("frames", "events") and "time_steps" in builder_options(recipe.network.name):
        options.setdefault("time_steps", recipe.data.steps)
    torch.manual_seed(draws.seed_of(seed, draws.WEIGHTS))
    network = networks.build(recipe.network.name, **options)
    return Network(network, sees, recipe.input, recipe.data.steps), options


def fill(network: Network, weights: Mapping[str, Any], path: Path) -> None:
    """Load weights into a network; `path` names them in the error. Raises FileError."""
    try:
        network.network.load_state_dict(weights)
    except RuntimeError as error:
        raise FileError(
            Problem(
                f"the weights are not those of the teacher's network ({error})",
                str(path),
                "give the checkpoint of the recipe that [teacher] names",
            )
        ) from error


def _placed(samples: Samples, fabric: Any) -> Samples:
    """On a GPU, where there is room: bytes are copied once, not at each update."""
    if fabric.device.type == "cpu" or samples.bytes > _ON_DEVICE:
        return samples
    return samples.to(fabric.device)
