"""`slipway train`: a recipe to a checkpoint, data sets and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import Problem, UsageError
from .desk import Desk, Result
from .tables import cell, percent, print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console

_SHARES = ("accuracy", "uar", "accuracy_without_twins")


@verb("Write checkpoint, data and metrics to this folder.", writes="folder")
def train(
    desk: Desk,
    recipe: Annotated[
        str | None, typer.Argument(help="Name of a recipe, e.g. digits, or a .toml file.")
    ] = None,
    all_recipes: Annotated[
        bool, typer.Option("--list", help="List the recipes: paper, parameters, data.")
    ] = False,
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Seed of all random numbers; several train several times."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder with the recipe's data, where it needs one.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training in the folder of -o.")
    ] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change the recipe: table.key=value. Any number of times."),
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Weights, or folder, of a teacher already trained.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="Stop after this time; --resume goes on.")
    ] = None,
    shipped: Annotated[
        bool,
        typer.Option(
            "--shipped", help="Do not train: take the weights that come with slipway."
        ),
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "gpu"], typer.Option(help="What to train on.")
    ] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="How many of them.")] = 1,
) -> Result:
    """Train a student network, with its teacher and without.

    Checkpoint, data sets and metrics land in the folder of -o.
    """
    if all_recipes:
        return _list(recipe, desk)
    if recipe is None or desk.output is None:
        raise UsageError(
            "no recipe is named" if recipe is None else "there is no folder for the result",
            remedy="slipway train RECIPE -o FOLDER; slipway train --list shows the recipes",
        )
    if shipped:
        unused = {
            "--seed": seed,
            "--resume": resume,
            "--teacher": teacher,
            "--max-seconds": max_seconds,
            "--device": device != "auto",
            "--devices": devices != 1,
        }
        return _shipped(desk, recipe, data, tuple(changes or ()), unused)
    from ..models import STUDENTS

    if recipe in STUDENTS or not _is_recipe(recipe):
        if resume:
            desk.note(f"{recipe} keeps no checkpoints: it begins anew, with the same result")
        used = {
            "--set": changes,
            "--teacher": teacher,
            "--device": device != "auto",
            "--devices": devices != 1,
        }
        return _student(desk, recipe, seed or [], data, max_seconds, used)
    from ..models.training.run import is_first_process, train_recipe

    with desk.progress(f"training {recipe}") as progress:
        result = train_recipe(
            recipe,
            desk.output,
            seeds=tuple(seed or ()),
            changes=tuple(changes or ()),
            data_dir=data,
            teacher=teacher,
            resume=resume,
            max_seconds=max_seconds,
            device=device,
            devices=devices,
            progress=progress,
        )
    if not is_first_process():
        raise SystemExit(0)  # the first one tells the result
    return Result(result, lambda console: _show_runs(console, result, desk.output))


def _shipped(
    desk: Desk,
    recipe: str,
    data: Path | None,
    changes: tuple[str, ...],
    unused: dict[str, Any],
) -> Result:
    """The files of a training, with weights that were trained before."""
    if wrong := [option for option, value in unused.items() if value]:
        raise UsageError(f"--shipped trains nothing, and {', '.join(wrong)} is of a training")
    from ..models.shipped import folder

    folder(recipe)  # before torch is imported
    from ..models.training.shipped import unpack

    assert desk.output is not None
    with desk.progress(f"unpacking {recipe}") as progress:
        result = unpack(recipe, desk.output, changes=changes, data_dir=data, progress=progress)
    return Result(result, lambda console: _show_runs(console, result, desk.output))


def _is_recipe(name: str) -> bool:
    from ..models.training.catalogue import find

    return find(name) is not None


def _student(
    desk: Desk,
    name: str,
    seeds: list[int],
    data: Path | None,
    max_seconds: float | None,
    used: dict[str, Any],
) -> Result:
    """One of the students with a recipe of their own, in models/students."""
    from ..models import student
    from ..models.train import train as train_student
    from ..models.training.catalogue import names

    assert desk.output is not None
    try:
        student(name)
    except UsageError as error:
        told = error.problems[0]
        remedy = f"{told.remedy}; recipes: {', '.join(names())}"
        raise UsageError(Problem(told.what, told.where, remedy)) from error
    wrong = [option for option, value in used.items() if value]
    if wrong or len(seeds) > 1:
        what = ", ".join(wrong) or "more than one --seed"
        raise UsageError(
            f"{name} does not take {what}", remedy="leave it out, or take another recipe"
        )
    with desk.progress(f"training {name}") as progress:
        metrics = train_student(
            name,
            desk.output,
            seed=seeds[0] if seeds else 0,
            data_dir=data,
            progress=progress,
            max_seconds=max_seconds,
        )
    return Result(metrics, lambda console: _show(console, metrics, desk.output))


def _list(recipe: str | None, desk: Desk) -> Result:
    if recipe is not None:
        raise UsageError(f"--list and the recipe {recipe!r}", remedy="give one of them")
    from ..models.training.listing import listing

    recipes = dict(listing())

    def show(console: Console) -> None:
        columns = ("recipe", ">parameters", "data", "method", "what it trains")
        rows = [
            (
                name,
                facts["parameters"],
                facts["data"] + (", simulated" if facts["simulated"] else ""),
                facts["method"],
                f"{facts['about']} ({facts['paper']})",
            )
            for name, facts in recipes.items()
        ]
        print_table(console, columns, rows)

    result = {"recipes": recipes}
    if desk.output is not None:
        raise UsageError("--list writes no folder", remedy="leave -o out; --json prints it")
    return Result(result, show)


def _show(console: Console, metrics: dict[str, Any], folder: Path | None) -> None:
    """The figures; what the recipe deviates in, in full, is in metrics.json."""
    figures = [
        (name, percent(float(value)) if name in _SHARES else cell(value))
        for name, value in metrics.items()
        if isinstance(value, (int, float, str))
    ]
    print_table(console, ("", ">"), figures)
    for name, rate in metrics.get("spike_rates", {}).items():
        console.print(f"spikes per neuron and step, {name}: {cell(rate)}", markup=False)
    console.print(f"student.pt, calibrate.npz, test.npz, metrics.json: in {folder}")


def _show_runs(console: Console, result: dict[str, Any], folder: Path | None) -> None:
    """Student against baseline, over the seeds; what the names mean; and how to go on."""
    if result["simulated"]:
        console.print("SIMULATED events, recorded by no camera", markup=False)
    if not result["runs"]:
        console.print("time ran out in the teacher's training: --resume goes on")
        return
    many = len(result["runs"]) > 1
    rows = [
        (kind, *(_share(result[kind][name], many) for name in ("war", "uar", "f1")))
        for kind in ("float", "rounded", "student", "baseline", "gain")
        if kind in result
    ]
    if result["teacher"] is not None:
        figures = [percent(result["teacher"][name]) for name in ("war", "uar", "f1")]
        rows.insert(0, ("teacher", *figures))
    print_table(console, ("test split", ">WAR", ">UAR", ">F1"), rows)
    metrics = result["runs"][0]["metrics"]
    for name in ("war", "uar", "f1"):
        console.print(f"{name.upper()}: {metrics['definitions'][name]}", markup=False)
    if many:
        console.print(f"mean and standard deviation over {len(result['runs'])} seeds")
    for run in result["runs"]:
        epochs, ended = run["metrics"]["epochs"], run["metrics"]["ended"]
        told = f"seed {run['seed']}: {epochs} epochs, ended by {ended}, in {run['folder']}"
        console.print(told, markup=False)
    if result["ended"] == "time":
        console.print("stopped by --max-seconds: --resume goes on")
    shape = ",".join(map(str, metrics["sample_shape"]))
    console.print(f"next: cd {result['runs'][0]['folder']} && ", end="", markup=False)
    console.print(
        "slipway export student.pt --model student:build "
        f"--sample-shape {shape} --calibrate calibrate.npz -o student.nir",
        markup=False,
    )
    console.print(f"metrics.json, model-card.md, tensorboard: in {folder}", markup=False)


def _share(value: dict[str, float], many: bool) -> str:
    told = percent(value["mean"])
    return f"{told} +- {100 * value['std']:.2f}" if many else told
