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
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
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
from slipway.models.training.teaching import Teaching, ways_of

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
        changes: keys of the recipe's [method], and their values.
        method: another [method], which keeps what both have and the changes do not say.
    """

    name: str
    told: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""


@dataclass(frozen=True, slots=True)
class Ablation:
    """A method's runs in one setting.

    Attributes:
        title: of the table.
        recipe: one that comes with slipway.
        changes: of all its runs; `teacher.table.key=value` of the teacher's recipe.
        variants: beside everything on.
    """

    title: str
    recipe: str
    changes: tuple[str, ...]
    variants: tuple[Variant, ...]


COMMON = ("training.keep=last", "training.patience=0", "training.threads=1")
"""No validation: nothing is chosen among epochs, and no time is spent on it."""

MSKD = (
    Variant("hit", "L_HCKD", {"hit": 0.0}),
    Variant("temporal", "L_TCKD", {"temporal": 0.0}),
    Variant("teacher", "the teacher: L_cls alone", method="none"),
    Variant("similarity", "L_TCKD on logits, for similarities", {"form": "similarity"}),
    Variant("hits", "both, for plain KD: every item counts alike", method="kd"),
)
CKD = (
    Variant("distillation", "L_KD: no teacher", {"distillation": 0.0}),
    Variant("alignment", "L_DA", {"alignment": 0.0}),
    Variant("static", "L_cls-s", {"static": 0.0}),
    Variant("events", "L_cls-e", {"events": 0.0}),
    Variant("replacement", "sliding replacement", {"replacement": 0.0}),
    Variant("switch", "the phased switch: w = 1 to the end", {"switch_steepness": 0.0}),
    Variant("learned_steps", "the steps' weights c_t", {"learned_steps": False}),
    Variant("per_step", "TET, for cross-entropy of the mean", {"per_step": False}),
    Variant("pictures", "all of CKD: cross-entropy on events alone", method="none"),
)
NARROW = ("data.steps=4", "network.channels=[4,8,16]", "network.hidden=16")
"""A student that has something to learn from its teacher."""

ABLATIONS: dict[str, Ablation] = {
    "mskd": Ablation(
        "MSKD, 24 epochs",
        "mskd-student-small",
        (*NARROW, "training.epochs=24", "teacher.training.epochs=8"),
        MSKD,
    ),
    "mskd-short": Ablation(
        "MSKD, 8 epochs",
        "mskd-student-small",
        (*NARROW, "training.epochs=8", "teacher.training.epochs=8"),
        MSKD,
    ),
    "ckd": Ablation(
        "CKD, 12 epochs in batches of 32",
        "ckd-vgg-snn-small",
        ("training.epochs=12", "training.batch=32", "teacher.training.epochs=8"),
        CKD,
    ),
    "ckd-short": Ablation(
        "CKD, 8 epochs in batches of 64",
        "ckd-vgg-snn-small",
        ("training.epochs=8", "teacher.training.epochs=8"),
        CKD,
    ),
}


def main() -> int:
    """Train what is missing, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m slipway.benchmarks.ablations")
    parser.add_argument("--only", default=",".join(ABLATIONS), metavar="NAME,NAME")
    parser.add_argument("--data", type=Path, help="the folder that holds the data sets")
    given = parser.parse_args()
    for name in given.only.split(","):
        known = _read()["ablations"].get(name)
        done = ablate(name, ABLATIONS[name], SEEDS, known, WORK / name, _keep, given.data)
        _keep(done)
        print(table(done), flush=True)
    return 0


def _read() -> Record:
    if not FILE.exists():
        return {"format": FORMAT, "ablations": {}}
    result: Record = json.loads(FILE.read_text(encoding="utf-8"))
    return result


def _keep(record: Record) -> None:
    result = _read()
    result["ablations"][record["name"]] = record
    write_text(FILE, json.dumps(result, indent=2) + "\n")


def ablate(
    name: str,
    ablation: Ablation,
    seeds: tuple[int, ...],
    known: Record | None,
    work: Path,
    keep: Callable[[Record], None],
    root: Path | None = None,
) -> Record:
    """All runs of an ablation, seed by seed, but for those that are known.

    Args:
        name: of the ablation.
        ablation: what to train.
        seeds: each variant is trained with each.
        known: what an earlier call kept; taken as far as settings and teacher are the same.
        work: folder of the trainings, which go on where they were cut.
        keep: called with the record after each run.
        root: folder that holds the data sets.
    """
    recipe, taught = recipes_of(ablation)
    variants = [Variant(FULL, "nothing"), *ablation.variants]
    made = {each.name: varied(recipe, each) for each in variants}
    record: Record = {
        "name": name,
        "title": ablation.title,
        "recipe": ablation.recipe,
        "changes": [*ablation.changes],
        "seeds": [*seeds],
        "settings": _plain({"student": comparable(recipe), "teacher": comparable(taught)}),
        "variants": {
            each.name: {
                "told": each.told,
                "method": _plain(comparable(made[each.name])["method"]),
            }
            for each in variants
        },
        "runs": [],
    }
    wanted = [(seed, each.name) for seed in seeds for each in variants]
    record["runs"] = taken(known, record, wanted)
    if known is not None and len(record["runs"]) == len(wanted):
        return {**record, "teacher": known["teacher"], "data": known["data"]}
    with draws.repeatable(1, strict=True):
        loaded = _data(recipe, taught, root)
        fabric = make_fabric(recipe, "cpu", 1)
        make_folder(work)
        setting = Setting(fabric, work, True, None, Meter(lambda part, text: None, 1))
        teaching, found = _teach(setting, taught, recipe, loaded)
        if known is not None and known["teacher"]["weights"] != found["weights"]:
            record["runs"] = []  # the same teacher for all runs
        record |= {"teacher": found, "data": facts_of(loaded)}
        there = {(run["seed"], run["variant"]) for run in record["runs"]}
        for seed, variant in wanted:
            if (seed, variant) in there:
                continue
            own = made[variant]
            began = time.process_time()
            metrics = train_stage(
                setting,
                own,
                seed,
                loaded,
                teaching if own.method.needs_teacher else None,
                work / f"{variant}-{seed}-{_digest(comparable(own), found['weights'])}",
                "student's",
            )
            run = {"seed": seed, "variant": variant}
            run |= {figure: metrics[figure] for figure in ("war", "uar", "f1")}
            run |= {"terms": metrics["history"][-1]["loss"]}
            run |= {"processor_seconds": round(time.process_time() - began, 1)}
            record["runs"].append(run)
            keep(record)
            print(f"{name}, {variant}, seed {seed}: WAR {run['war']:.4f}", flush=True)
    return record


def taken(known: Record | None, now: Record, wanted: list[tuple[int, str]]) -> list[Record]:
    """The known runs that would be the same now, in the order in which they are wanted.

    An option that the file does not know came later, and is taken to leave things as they were.
    """
    if known is None or not _holds(known["settings"], now["settings"]):
        return []
    methods = {name: each["method"] for name, each in known["variants"].items()}
    runs = {
        (run["seed"], run["variant"]): run
        for run in known["runs"]
        if run["variant"] in now["variants"]
        and _holds(methods[run["variant"]], now["variants"][run["variant"]]["method"])
    }
    return [runs[each] for each in wanted if each in runs]


def _holds(known: Any, now: Any) -> bool:
    """Whether all that was known is the same now."""
    if isinstance(known, dict) and isinstance(now, dict):
        return all(key in now and _holds(each, now[key]) for key, each in known.items())
    return bool(known == now)


def _plain(value: Any) -> Any:
    """As it comes back from a file."""
    return json.loads(json.dumps(value))


def recipes_of(ablation: Ablation) -> tuple[Recipe, Recipe]:
    """The student's recipe with everything on, and its teacher's on the same data."""
    own = tuple(each for each in ablation.changes if not each.startswith("teacher."))
    others = (each for each in ablation.changes if each.startswith("teacher."))
    recipe = load_recipe(ablation.recipe, (*own, *COMMON))
    assert recipe.teacher is not None
    changes = (*(each.removeprefix("teacher.") for each in others), *COMMON)
    taught = load_recipe(recipe.teacher.recipe, changes)
    return recipe, replace(taught, data=recipe.data, teacher=None, baseline=False)


def varied(recipe: Recipe, variant: Variant) -> Recipe:
    """The student's recipe of a variant: another method, and nothing else."""
    method = recipe.method
    if variant.method:
        kind, had = METHODS[variant.method], asdict(method)
        both = {each.name for each in fields(kind)} & set(had)
        method = kind(**{key: had[key] for key in both})
    return replace(recipe, method=replace(method, **variant.changes))


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
    folder = setting.out / f"teacher-{_digest(comparable(taught), data.digest)}"
    metrics = train_stage(setting, taught, taught.seeds[0], data, None, folder, "teacher")
    weights = weights_of(folder)
    network, _ = make_network(taught, data, taught.seeds[0])
    fill(network, weights, folder)
    teaching = Teaching(network, setting.fabric)
    ways = ways_of(recipe)
    if ways is not None:
        file, items = folder / "answers.pt", data.splits["train"]
        teaching.remember(items, ways, loaded.digest, file, setting.report)
    sums = hashlib.sha256()
    for key, values in weights.items():
        sums.update(key.encode() + values.numpy().tobytes())
    found = {figure: metrics[figure] for figure in ("war", "uar", "f1")}
    return teaching, found | {"weights": sums.hexdigest()}


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


if __name__ == "__main__":
    raise SystemExit(main())
