"""C taught against C alone, over the seeds of one training: `make distillation`.

The figures are those that `slipway train mini-resemotenet-c-cpu` left in its folder: nothing is
measured here. They go into benchmarks/distillation.json and the table of docs/students.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway.files import write_text

from .ablation_table import effect, spread
from .student_table import fill, read

HERE = Path(__file__).parent
RESULTS = HERE / "distillation.json"
DOCS = HERE.parent / "docs" / "students.md"
BEGIN, END = "<!-- distillation: begin -->", "<!-- distillation: end -->"
KEPT = ("seed", "epochs", "best_epoch", "war", "uar", "f1", "seconds", "threads")
TITLES = {
    "teachers": "B, one by one: the teachers",
    "baselines": "C, taught by the labels alone",
    "students": "C, taught by the three of B together",
}
SCORES = {"war": "WAR", "uar": "UAR", "validation": "WAR of validation"}
Record = dict[str, Any]


def record_of(folder: Path, teachers: Path) -> Record:
    """What a training of several seeds with its baselines and teachers came to.

    Args:
        folder: with summary.json, seed-N, seed-N/baseline.
        teachers: with seed-N of each teacher.

    Raises:
        SystemExit: a part of it is missing.
    """
    paths = sorted(folder.glob("seed-*/metrics.json"))
    kinds = {
        "teachers": sorted(teachers.glob("seed-*/metrics.json")),
        "baselines": [path.parent / "baseline" / "metrics.json" for path in paths],
        "students": paths,
    }
    summary = folder / "summary.json"
    needed = [summary, *(path for paths in kinds.values() for path in paths)]
    missing = [str(path) for path in needed if not path.exists()]
    if missing or len(paths) < 2 or not kinds["teachers"]:
        sys.exit(f"distillation: {folder} is not a whole training; missing: {missing}")
    found = {kind: [read(path) for path in paths] for kind, paths in kinds.items()}
    first = found["students"][0]
    return {
        "format": 1,
        "recipe": first["recipe"],
        "data": first["data"],
        "digest": first["data_digest"],
        "items": first["data_facts"],
        "device": first["device"],
        "settings": first["settings"],
        "together": read(summary)["teacher"],
        **{
            kind: [
                {key: each[key] for key in KEPT} | {"validation": each["validation"]["war"]}
                for each in metrics
            ]
            for kind, metrics in found.items()
        },
    }


def gain(record: Mapping[str, Any], score: str = "war") -> dict[str, Any]:
    """What the teachers bring: see ablation_table.effect."""
    taught, alone = (
        [each[score] for each in record[kind]] for kind in ("students", "baselines")
    )
    return effect(taught, alone)


def markdown(record: Mapping[str, Any]) -> str:
    """The table, and a line on what it took."""
    seeds = [each["seed"] for each in record["students"]]
    heads = [
        "test split",
        *(f"seed {seed}" for seed in seeds),
        *SCORES.values(),
        "minutes",
    ]
    rows = [heads, ["---"] * len(heads)]
    for kind, title in TITLES.items():
        runs = record[kind]
        minutes = [each["seconds"] / 60 for each in runs]
        rows.append(
            [
                title,
                *(f"{100 * each['war']:.2f} %" for each in runs),
                *(_spread([each[score] for each in runs]) for score in SCORES),
                f"{min(minutes):.0f} to {max(minutes):.0f}",
            ]
        )
    together = record["together"]
    at_once = [f"{100 * together[score]:.2f} %" for score in ("war", "uar")]
    rows.insert(3, ["B, all together", *("" for _ in seeds), *at_once, "", ""])
    found = {score: gain(record, score) for score in SCORES}
    pairs = zip(record["students"], record["baselines"], strict=True)
    rows.append(
        [
            "what the teachers bring, points",
            *(f"{100 * (one['war'] - other['war']):+.2f}" for one, other in pairs),
            *(f"{100 * f['mean']:+.2f} ± {100 * f['std']:.2f}" for f in found.values()),
            "",
        ]
    )
    low, high = (100 * end for end in found["war"]["interval"])
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
    return (
        f"{table}\n± is the standard deviation over the seeds. 95 % interval of what the "
        f"teachers bring (Student's t, {len(seeds)} pairs): {low:+.2f} to {high:+.2f} points "
        "of WAR.\n"
    )


def _spread(values: list[float]) -> str:
    mean, deviation = spread(values)
    return f"{100 * mean:.2f} ± {100 * deviation:.2f} %"


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("training", type=Path, help="folder of slipway train")
    parser.add_argument("--teacher", type=Path, help="folder of the teachers, if not in it")
    given = parser.parse_args()
    record = record_of(given.training, given.teacher or given.training / "teacher")
    write_text(RESULTS, json.dumps(record, indent=2) + "\n")
    table = markdown(record)
    fill(DOCS, BEGIN, END, table)
    print(table)


if __name__ == "__main__":
    main()
