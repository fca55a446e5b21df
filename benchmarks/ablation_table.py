"""Ablations as numbers and a table: what a term brings, and whether it is more than noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

FULL = "everything"
LEVEL = 0.95
HELPS, HARMS, NOISE = "helps", "does not help", "within the noise"


def spread(values: list[float]) -> tuple[float, float]:
    """Mean, and standard deviation of the sample."""
    return float(np.mean(values)), float(np.std(values, ddof=1))


def effect(full: list[float], without: list[float]) -> dict[str, Any]:
    """What a term brings: WAR with it less WAR without it, in pairs of one seed.

    d_s = full_s - without_s; the interval is mean(d) -+ t sd(d) / sqrt(n), t the quantile of
    Student's distribution with n - 1 degrees of freedom that holds 95 % of it. The verdict is
    "helps" where the interval lies above 0, "does not help" where it lies below (the student is
    better without the term), else "within the noise": no effect was shown.

    Args:
        full: one number a seed, at least two seeds.
        without: the same seeds in the same order.
    """
    pairs = [a - b for a, b in zip(full, without, strict=True)]
    mean, deviation = spread(pairs)
    t = float(stats.t.ppf(0.5 + LEVEL / 2, len(pairs) - 1))
    half = t * deviation / len(pairs) ** 0.5
    low, high = mean - half, mean + half
    verdict = HELPS if low > 0 else HARMS if high < 0 else NOISE
    return {"mean": mean, "std": deviation, "interval": [low, high], "verdict": verdict}


def effects(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each variant: WAR's mean and deviation, and what its term brings."""
    wars = {(run["variant"], run["seed"]): float(run["war"]) for run in record["runs"]}
    rows: dict[str, dict[str, Any]] = {}
    for variant in record["variants"]:
        own = [wars[variant, seed] for seed in record["seeds"]]
        mean, deviation = spread(own)
        rows[variant] = {"war": {"mean": mean, "std": deviation}}
        if variant != FULL:
            full = [wars[FULL, seed] for seed in record["seeds"]]
            rows[variant]["brings"] = effect(full, own)
    return rows


def table(record: Mapping[str, Any]) -> str:
    """An ablation's results in Markdown, under a heading that says SIMULATED."""
    data, items = record["data"], record["data"]["items"]
    seeds = ", ".join(map(str, record["seeds"]))
    lines = [
        f"## {record['title']}, SIMULATED: {data['name']}",
        "",
        f"{items['train']} training and {items['test']} test items; {data['classes']} classes, "
        f"the largest with {100 * data['largest_class']:.1f} % of the test items; WAR of the "
        f"teacher {100 * record['teacher']['war']:.1f} %; seeds {seeds}.",
        "",
        "| left out | WAR, % | what it brings, points | 95 % interval | verdict |",
        "|---|---|---|---|---|",
    ]
    for variant, row in effects(record).items():
        war = f"{100 * row['war']['mean']:.1f} ± {100 * row['war']['std']:.1f}"
        told = record["variants"][variant]["told"]
        if variant == FULL:
            lines.append(f"| {told} | {war} | | | |")
            continue
        found = row["brings"]
        low, high = (100 * each for each in found["interval"])
        lines.append(
            f"| {told} | {war} "
            f"| {100 * found['mean']:+.1f} ± {100 * found['std']:.1f} "
            f"| {low:+.1f} to {high:+.1f} | {found['verdict']} |"
        )
    return "\n".join(lines) + "\n"
