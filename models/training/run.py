"""`slipway train RECIPE`: teacher, student and baseline, for each seed, in one folder."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

from ...errors import FileError, Problem, UsageError
from ...files import make_folder, write_text
from ..needs import require
from . import draws
from .card import write_card
from .checkpoint import weights_of
from .data import Loaded, load
from .learners import SEES, Ensemble, Network
from .loop import evaluate
from .reading import load as load_recipe
from .recipe import Recipe
from .stage import Meter, Progress, Setting, fill, make_network, train_stage
from .teaching import Teaching, ways_of

Device: TypeAlias = Literal["auto", "cpu", "gpu"]
COMPARED = ("war", "uar", "f1")


def train_recipe(
    name: str,
    out_dir: Path,
    *,
    seeds: tuple[int, ...] = (),
    changes: tuple[str, ...] = (),
    data_dir: Path | None = None,
    teacher: Path | None = None,
    resume: bool = False,
    max_seconds: float | None = None,
    device: Device = "auto",
    devices: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a recipe's student: its teacher first, where it has none yet, its baseline after.

    In out_dir: student.pt, student.py (builds the network), calibrate.npz, test.npz,
    metrics.json, model-card.md, tensorboard/; the same in seed-N/ where there are several
    seeds; teacher/ and baseline/ beside them; summary.json, which is what is returned. While a
    training runs, its checkpoint.pt.

    Args:
        name: a recipe that comes with slipway, or a .toml file.
        out_dir: made if it is missing.
        seeds: in place of the recipe's.
        changes: `table.key=value`, in place of what the recipe says; `teacher.table.key=value`
            for the teacher's recipe.
        data_dir: folder that holds the data sets.
        teacher: weights or folder of a teacher that is trained already; where that was
            trained with several seeds, all of them teach together.
        resume: go on with what is in out_dir.
        max_seconds: stop after this time; with `resume` it goes on another time.
        device: what to train on.
        devices: how many of them.
        progress: told how far it is.

    Raises:
        UsageError: recipe, changes or arguments are wrong.
        FileError: data, checkpoint or teacher are missing, damaged or do not fit.
        MissingDependency: a package that training needs is not installed.
    """
    start = time.monotonic()
    own, for_teacher = _sorted_changes(changes)
    recipe = load_recipe(name, own)
    if seeds:
        recipe = replace(recipe, seeds=seeds)
    taught = _teacher_recipe(recipe, for_teacher)
    _check(recipe, max_seconds, device, devices)
    report = _reporter(progress)
    out = Path(out_dir)
    if is_first_process():
        _begin(out, resume)
    fabric = make_fabric(recipe, device, devices)
    deadline = None if max_seconds is None else start + max_seconds
    stages = 2 if recipe.quantise is not None and not recipe.quantise.start else 1
    count = len(recipe.seeds) * (1 + recipe.baseline) * stages
    count += len(taught.seeds) if taught is not None else 0
    setting = Setting(fabric, out, resume, deadline, Meter(report, count))
    sees = {SEES[each.network.name] for each in (recipe, taught) if each is not None}
    if recipe.method.name == "ckd":
        sees.add("picture")
    training = recipe.training
    with draws.repeatable(training.threads, strict=fabric.device.type == "cpu"):
        loaded = load(recipe.data, frozenset(sees), data_dir, report, training.workers)
        known, figures = None, None
        if taught is not None:
            known, figures = _teach(setting, taught, loaded, teacher, recipe)
            if known is None:
                return _summary(setting, recipe, loaded, [], figures)
        runs = []
        for seed in recipe.seeds:
            runs.append(_runs_of_seed(setting, recipe, seed, loaded, known))
            if runs[-1]["ended"] == "time":
                break
        return _summary(setting, recipe, loaded, runs, figures)


def is_first_process() -> bool:
    """Whether the user started this process; Fabric starts one more for each further device."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def make_fabric(recipe: Recipe, device: Device, devices: int) -> Any:
    """Lightning Fabric: devices, precision, and the processes of several GPUs.

    Raises:
        MissingDependency: it is not installed.
        UsageError: there is no such device.
    """
    fabric = require("lightning_fabric", "train a recipe")
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    if device == "gpu" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise UsageError("there is no GPU that torch can use", remedy="--device cpu")
    strategy: Any = "auto"
    if devices > 1:
        from lightning_fabric.strategies.ddp import DDPStrategy

        # CKD's second head and its weights of the steps are left out by some of its options.
        strategy = DDPStrategy(find_unused_parameters=recipe.method.name == "ckd")
    made = fabric.Fabric(
        accelerator=device,
        devices=devices,
        strategy=strategy,
        precision=recipe.training.precision,
    )
    made.launch()
    return made


def _check(recipe: Recipe, max_seconds: float | None, device: Device, devices: int) -> None:
    problems = []
    if max_seconds is not None and not max_seconds > 0:
        problems.append(Problem(f"max_seconds is {max_seconds}", remedy="above 0, or none"))
    if devices < 1:
        problems.append(Problem(f"{devices} devices", remedy="at least 1"))
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    if recipe.training.precision == "16-mixed" and on_cpu:
        told = "precision 16-mixed needs a GPU"
        problems.append(Problem(told, "training.precision", "bf16-mixed or 32-true"))
    if problems:
        raise UsageError(*problems)
    for package in ("norse.torch", "lightning_fabric", "torchmetrics", "tensorboard"):
        require(package, "train a recipe")


def _reporter(progress: Progress | None) -> Progress:
    if progress is None or not is_first_process():
        return lambda fraction, message: None
    return progress


def _sorted_changes(changes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Changes of the recipe, and those of its teacher's: `teacher.table.key=value`."""
    own, others = [], []
    for change in changes:
        key = change.partition("=")[0]
        if key.startswith("teacher.") and key.count(".") == 2:
            others.append(change.removeprefix("teacher."))
        else:
            own.append(change)
    return tuple(own), tuple(others)


def _teacher_recipe(recipe: Recipe, changes: tuple[str, ...]) -> Recipe | None:
    """The teacher's recipe, on the student's data; None where no term needs a teacher."""
    if recipe.teacher is None or not recipe.method.needs_teacher:
        return None
    beside = Path(recipe.file).parent
    read = load_recipe(recipe.teacher.recipe, changes, beside)
    sees, wanted = SEES[read.network.name], SEES[recipe.network.name]
    fits = {"ckd": ("picture",), "mskd": ("clip", "frames")}.get(
        recipe.method.name, (wanted, "picture", "clip")
    )
    if sees not in fits:
        raise UsageError(
            f"the teacher {read.network.name} sees {sees}, the method {recipe.method.name} "
            f"needs one that sees {' or '.join(fits)}",
            where=f"{beside.name}, teacher.recipe",
            remedy="another teacher",
        )
    return replace(read, data=recipe.data, teacher=None, baseline=False)


def _begin(out: Path, resume: bool) -> None:
    """Make the folder; refuse one that holds a training, unless it goes on."""
    make_folder(out)
    held = [
        path.relative_to(out)
        for name in ("checkpoint.pt", "metrics.json")
        for path in (*out.glob(name), *out.glob(f"*/{name}"), *out.glob(f"*/*/{name}"))
    ]
    if held and not resume:
        raise FileError(
            Problem(
                f"the folder holds a training ({', '.join(map(str, held[:3]))})",
                str(out),
                "--resume goes on with it; name another folder to begin anew",
            )
        )


def _teach(
    setting: Setting, taught: Recipe, loaded: Loaded, given: Path | None, recipe: Recipe
) -> tuple[Teaching | None, dict[str, float] | None]:
    """The teacher, trained where there are no weights of it, and its figures on the test split.

    None where time ran out.
    """
    assert recipe.teacher is not None
    if given is None and recipe.teacher.checkpoint:
        given = Path(recipe.file).parent / recipe.teacher.checkpoint
    data = loaded.pictures() if SEES[taught.network.name] == "picture" else loaded
    folder = setting.out / "teacher"
    if given is None:
        for seed in taught.seeds:
            place = folder if len(taught.seeds) == 1 else folder / f"seed-{seed}"
            metrics = train_stage(setting, taught, seed, data, None, place, "teacher")
            if metrics["ended"] == "time":
                return None, None
        given = folder
    network = _teacher(taught, data, given)
    teaching = Teaching(network, setting.fabric)
    setting.report(0.0, "the teacher answers the test items")
    found, _ = evaluate(network, data.splits["test"], setting.fabric)
    figures = {name: float(getattr(found, name)) for name in COMPARED}
    ways = ways_of(recipe)
    if ways is not None:
        items = (loaded.pictures() if recipe.method.name == "ckd" else loaded).splits["train"]
        teaching.remember(items, ways, loaded.digest, folder / "answers.pt", setting.report)
    return teaching, figures


def _teacher(taught: Recipe, data: Loaded, given: Path) -> Network | Ensemble:
    """What teaches: the network of these weights, or all in the folder of several seeds."""
    several = sorted(given.glob("seed-*/student.pt"))
    members = []
    for path in several or [given]:
        network, _ = make_network(taught, data, taught.seeds[0])
        fill(network, weights_of(path), path)
        members.append(network)
    return Ensemble(members) if several else members[0]


def _train(
    setting: Setting,
    recipe: Recipe,
    seed: int,
    loaded: Loaded,
    teaching: Teaching | None,
    folder: Path,
    stage: str,
) -> dict[str, Any]:
    """A student's training: with [quantise] in floating point first, in integers then."""
    if recipe.quantise is None:
        return train_stage(setting, recipe, seed, loaded, teaching, folder, stage)
    start = Path(recipe.quantise.start)
    if not recipe.quantise.start:
        start, plain = folder / "float", replace(recipe, quantise=None)
        found = train_stage(setting, plain, seed, loaded, teaching, start, "float")
        if found["ended"] == "time":
            return found
    tuned = recipe.fine_tuning()
    return train_stage(setting, tuned, seed, loaded, teaching, folder, stage, start)


def _runs_of_seed(
    setting: Setting, recipe: Recipe, seed: int, loaded: Loaded, teaching: Teaching | None
) -> dict[str, Any]:
    """Student and baseline of one seed: their figures."""
    folder = setting.out if len(recipe.seeds) == 1 else setting.out / f"seed-{seed}"
    student = _train(setting, recipe, seed, loaded, teaching, folder, "student")
    run: dict[str, Any] = {"seed": seed, "folder": str(folder)}
    run["student"] = {name: student[name] for name in (*COMPARED, "loss", "items")}
    run["metrics"] = student
    if "quantise" in student:
        run |= {name: student["quantise"][name] for name in ("float", "rounded")}
    run["ended"] = student["ended"]
    if recipe.baseline and student["ended"] != "time":
        alone = _train(
            setting,
            recipe.without_teacher(),
            seed,
            loaded,
            None,
            folder / "baseline",
            "baseline",
        )
        run["ended"] = alone["ended"]
        if alone["ended"] == "time":
            return run  # half a baseline is none
        run["baseline"] = {name: alone[name] for name in (*COMPARED, "loss", "items")}
        run["gain"] = {name: student[name] - alone[name] for name in COMPARED}
        if setting.fabric.global_rank == 0:
            told = ", ".join(f"{k.upper()} {alone[k]:.4f}" for k in COMPARED)
            write_card(folder, student, [f"the same student without a teacher: {told}"])
    return run


def _summary(
    setting: Setting,
    recipe: Recipe,
    loaded: Loaded,
    runs: list[dict[str, Any]],
    teacher: dict[str, float] | None,
) -> dict[str, Any]:
    """What came of all seeds, also as summary.json."""
    result = summary_of(recipe, loaded, runs, teacher)
    if setting.fabric.global_rank == 0:
        write_text(setting.out / "summary.json", json.dumps(result, indent=2) + "\n")
    return result


def summary_of(
    recipe: Recipe,
    loaded: Loaded,
    runs: list[dict[str, Any]],
    teacher: dict[str, float] | None,
) -> dict[str, Any]:
    """What came of all seeds.

    Args:
        recipe: of all of them.
        loaded: its data.
        runs: of each seed that got so far: its figures, by kind.
        teacher: its figures, where there is one.
    """
    ended = runs[-1]["ended"] if runs else "time"
    result: dict[str, Any] = {
        "recipe": recipe.name,
        "paper": recipe.paper,
        "network": recipe.network.name,
        "method": recipe.method.name,
        "data": loaded.name,
        "simulated": loaded.simulated,
        "ended": ended,
        "teacher": teacher,
    }
    for kind in ("float", "rounded", "student", "baseline", "gain"):
        there = [run[kind] for run in runs if kind in run]
        if there:
            result[kind] = {name: spread([each[name] for each in there]) for name in COMPARED}
    result["runs"] = runs
    return result


def spread(values: list[float]) -> dict[str, float]:
    """Mean, standard deviation (of the sample; 0 for one), smallest and largest."""
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        "minimum": min(values),
        "maximum": max(values),
    }
