"""What each term of MSKD's and CKD's losses brings, on SIMULATED data: `make ablations`.

Each method's student is trained with everything on, and with one thing left out (or put in the
place of another) at a time, with the same seeds and by the same teacher. Runs that
benchmarks/ablations.json holds are not repeated: a command that was killed goes on. The tables
that it prints stand in docs/ablations.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from slipway.files import make_folder, write_text
from slipway.models.training import draws
from slipway.models.training.checkpoint import weights_of
from slipway.models.training.data import Loaded, load
from slipway.models.training.learners import METHODS, SEES
from slipway.models.training.loop import comparable
from slipway.models.training.reading import load as load_recipe
from slipway.models.training.recipe import Recipe
from slipway.models.training.run import make_fabric
from slipway.models.training.stage import Meter, Setting, fill, make_network, train_stage
from slipway.models.training.teaching import Teaching

from .ablation_table import FULL, table

HERE = Path(__file__).parent
WORK = Path("out/ablations")
FILE = HERE / "ablations.json"
SEEDS = (0, 1, 2)
FORMAT = 1
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to train a student.

    Attributes:
        name: in the file.
        told: what is left out, in words.
        changes: of the recipe, as `slipway train --set` takes them.
        method: in place of the recipe's whole [method], which is then this one's defaults.
    """

    name: str
    told: str
    changes: tuple[str, ...] = ()
    method: str = ""


@dataclass(frozen=True, slots=True)
class Ablation:
    """A method's runs.

    Attributes:
        recipe: one that comes with slipway.
        changes: of all its runs; `teacher.table.key=value` of the teacher's recipe.
        variants: beside everything on.
    """

    recipe: str
    changes: tuple[str, ...]
    variants: tuple[Variant, ...]


COMMON = ("training.keep=last", "training.patience=0", "training.threads=1")
"""No validation: nothing is chosen among epochs, and no time is spent on it."""

ABLATIONS: dict[str, Ablation] = {
    "mskd": Ablation(
        "mskd-student-simulated",
        (
            "data.limit=3000",
            "data.crop=[0,0,48,48]",
            "data.film_size=24",
            "network.size=24",
            "network.channels=[16,32,64]",
            "network.norm=batch",
            "optimiser.learning_rate=5e-3",
            "training.epochs=8",
            "teacher.network.size=24",
            "teacher.network.channels=[16,32,64]",
            "teacher.network.stem=small",
            "teacher.optimiser.learning_rate=3e-3",
            "teacher.training.epochs=8",
        ),
        (
            Variant("hit", "L_HCKD", ("method.hit=0.0",)),
            Variant("temporal", "L_TCKD", ("method.temporal=0.0",)),
            Variant("teacher", "the teacher: L_cls alone", method="none"),
            Variant(
                "similarity", "L_TCKD on logits, for similarities", ("method.form=similarity",)
            ),
            Variant("hits", "both, for plain KD: every item counts alike", method="kd"),
        ),
    ),
    "ckd": Ablation(
        "ckd-vgg-snn-small",
        ("data.steps=4", "training.epochs=8", "teacher.training.epochs=8"),
        (
            Variant("distillation", "L_KD: no teacher", ("method.distillation=0.0",)),
            Variant("alignment", "L_DA", ("method.alignment=0.0",)),
            Variant("static", "L_cls-s", ("method.static=0.0",)),
            Variant("events", "L_cls-e", ("method.events=0.0",)),
            Variant("replacement", "sliding replacement", ("method.replacement=0.0",)),
            Variant(
                "switch",
                "the phased switch: w = 1 to the end",
                ("method.switch_steepness=0.0",),
            ),
            Variant("learned_steps", "the steps' weights c_t", ("method.learned_steps=false",)),
            Variant(
                "per_step", "TET, for cross-entropy of the mean", ("method.per_step=false",)
            ),
            Variant("pictures", "all but events and their labels", method="none"),
        ),
    ),
}


def main() -> int:
    """Train what is missing, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m slipway.benchmarks.ablations")
    parser.add_argument("--methods", default=",".join(ABLATIONS))
    parser.add_argument("--data", type=Path, help="the folder that holds the data sets")
    given = parser.parse_args()
    result: Record = {"format": FORMAT, "methods": {}}
    if FILE.exists():
        result = json.loads(FILE.read_text(encoding="utf-8"))
    for name in given.methods.split(","):

        def keep(record: Record, name: str = name) -> None:
            result["methods"][name] = record
            write_text(FILE, json.dumps(result, indent=2) + "\n")

        known = result["methods"].get(name)
        done = ablate(name, ABLATIONS[name], SEEDS, known, WORK / name, keep, given.data)
        print(table(done), flush=True)
    return 0


def ablate(
    name: str,
    ablation: Ablation,
    seeds: tuple[int, ...],
    known: Record | None,
    work: Path,
    keep: Callable[[Record], None],
    root: Path | None = None,
) -> Record:
    """All runs of a method, seed by seed, but for those that are known.

    Args:
        name: of the method.
        ablation: what to train.
        seeds: each variant is trained with each.
        known: what an earlier call kept; taken as far as settings and teacher are the same.
        work: folder of the trainings, which go on where they were cut.
        keep: called with the record after each run.
        root: folder that holds the data sets.
    """
    recipe, taught = recipes_of(ablation)
    variants = {
        FULL: recipe,
        **{each.name: varied(ablation, each) for each in ablation.variants},
    }
    settings = {"student": comparable(recipe), "teacher": comparable(taught)}
    keys = {
        (variant, seed): _digest(comparable(made), comparable(taught), seed)
        for variant, made in variants.items()
        for seed in seeds
    }
    record: Record = {
        "method": name,
        "recipe": ablation.recipe,
        "changes": [*ablation.changes],
        "seeds": [*seeds],
        "variants": {FULL: "-", **{each.name: each.told for each in ablation.variants}},
        "settings": json.loads(json.dumps(settings)),
        "runs": [],
    }
    if known is not None:
        wanted = set(keys.values())
        runs = [run for run in known["runs"] if run["key"] in wanted]
        if len(runs) == len(wanted):
            return known | record | {"runs": runs}
        record = known | record | {"runs": runs}
    with draws.repeatable(1, strict=True):
        loaded = _data(recipe, taught, root)
        fabric = make_fabric(recipe, "cpu", 1)
        make_folder(work)
        setting = Setting(fabric, work, True, None, Meter(lambda part, text: None, 1))
        teaching, found = _teach(setting, taught, recipe, loaded)
        if record.get("teacher", found)["weights"] != found["weights"]:
            print(f"{name}: another teacher, all runs anew", flush=True)
            record["runs"] = []
        record |= {"teacher": found, "data": facts_of(loaded)}
        done = {run["key"] for run in record["runs"]}
        for seed in seeds:
            for variant, made in variants.items():
                key = keys[variant, seed]
                if key in done:
                    continue
                folder = work / f"{variant}-{seed}-{key[:8]}-{found['weights'][:8]}"
                began = time.process_time()
                needs = made.method.needs_teacher
                metrics = train_stage(
                    setting,
                    made,
                    seed,
                    loaded,
                    teaching if needs else None,
                    folder,
                    "student's",
                )
                run = {"variant": variant, "seed": seed}
                run |= {figure: metrics[figure] for figure in ("war", "uar", "f1", "epochs")}
                run |= {"terms": metrics["history"][-1]["loss"], "key": key}
                run |= {"processor_seconds": round(time.process_time() - began, 1)}
                record["runs"].append(run)
                keep(record)
                print(f"{name}, {variant}, seed {seed}: WAR {run['war']:.4f}", flush=True)
    return record


def recipes_of(ablation: Ablation) -> tuple[Recipe, Recipe]:
    """The student's recipe with everything on, and its teacher's on the same data."""
    own = tuple(each for each in ablation.changes if not each.startswith("teacher."))
    others = (each for each in ablation.changes if each.startswith("teacher."))
    recipe = load_recipe(ablation.recipe, (*own, *COMMON))
    assert recipe.teacher is not None
    changes = (*(each.removeprefix("teacher.") for each in others), *COMMON)
    taught = load_recipe(recipe.teacher.recipe, changes)
    return recipe, replace(taught, data=recipe.data, teacher=None, baseline=False)


def varied(ablation: Ablation, variant: Variant) -> Recipe:
    """The student's recipe of a variant."""
    recipe, _ = recipes_of(replace(ablation, changes=(*ablation.changes, *variant.changes)))
    if not variant.method:
        return recipe
    method = METHODS[variant.method]()
    kept = {"alpha", "temperature", "label_smoothing"} & set(method.__slots__)
    known = {key: getattr(recipe.method, key) for key in kept if hasattr(recipe.method, key)}
    return replace(recipe, method=replace(method, **known))


def facts_of(loaded: Loaded) -> Record:
    """What the tables say of the data."""
    labels = loaded.splits["test"].labels.numpy()
    return {
        "name": loaded.name,
        "simulated": loaded.simulated,
        "notes": list(loaded.notes),
        "classes": len(loaded.classes),
        "items": {split: len(samples) for split, samples in loaded.splits.items()},
        "largest_class": float(np.bincount(labels).max() / len(labels)),
        "digest": loaded.digest,
    }


def _data(recipe: Recipe, taught: Recipe, root: Path | None) -> Loaded:
    """Train and test."""
    sees = {SEES[recipe.network.name], SEES[taught.network.name]}
    if recipe.method.name == "ckd":
        sees.add("picture")
    loaded = load(recipe.data, frozenset(sees), root, lambda part, text: None)
    return replace(loaded, splits={name: loaded.splits[name] for name in ("train", "test")})


def _teach(
    setting: Setting, taught: Recipe, recipe: Recipe, loaded: Loaded
) -> tuple[Teaching, Record]:
    """The teacher of all runs, trained where it is not there yet, and its figures."""
    data = loaded.pictures() if SEES[taught.network.name] == "picture" else loaded
    folder = setting.out / f"teacher-{_digest(comparable(taught), data.digest)[:8]}"
    metrics = train_stage(setting, taught, taught.seeds[0], data, None, folder, "teacher")
    weights = weights_of(folder)
    network, _ = make_network(taught, data, taught.seeds[0])
    fill(network, weights, folder)
    teaching = Teaching(network, setting.fabric)
    assert recipe.teacher is not None
    if recipe.augmentation.mirrors_only or recipe.teacher.sees == "original":
        file, items = folder / "answers.pt", data.splits["train"]
        flip = recipe.augmentation.flip
        teaching.remember(items, flip, loaded.digest, file, setting.report)
    sums = hashlib.sha256()
    for key, values in weights.items():
        sums.update(key.encode() + values.numpy().tobytes())
    found = {figure: metrics[figure] for figure in ("war", "uar", "f1", "epochs")}
    return teaching, found | {"weights": sums.hexdigest()}


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
