"""The executors on random networks, one after the other: what they disagree in."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

from slipway.deploy import reference
from slipway.deploy.engine import execute as fast
from slipway.deploy.lava import execute_many

from .compare import first_difference
from .coverage import Coverage
from .networks import random_case

TIMEOUT = 3600.0
"""Seconds for one batch on Lava: a batch that hangs, not one on a busy machine."""


@dataclass
class Result:
    """What a batch of networks gave.

    Attributes:
        differences: seed and first difference of each network in which something differed.
        coverage: of all of them.
    """

    differences: list[tuple[int, str]] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)


def compare_all(seeds: Sequence[int], *, engine: bool = True, lava: bool = True) -> Result:
    """reference == engine == Lava on the network of each seed, in every value."""
    result = Result()
    cases = [random_case(seed) for seed in seeds]
    norms = [reference.execute(*case, record=True) for case in cases]
    for case, norm in zip(cases, norms, strict=True):
        result.coverage.add(case[0], norm)
    if engine:
        for seed, case, norm in zip(seeds, cases, norms, strict=True):
            difference = first_difference(norm, fast(*case, record=True))
            if difference:
                result.differences.append((seed, f"engine: {difference}"))
    if lava:
        # Lava's Conv wherever it computes the same: "auto" finds it too slow for small images.
        traces = execute_many(cases, record=True, timeout=TIMEOUT, convolution="conv")
        for seed, norm, trace in zip(seeds, norms, traces, strict=True):
            difference = first_difference(norm, trace)
            if difference:
                result.differences.append((seed, f"Lava: {difference}"))
    return result


def attempt(seeds: Sequence[int]) -> tuple[Sequence[int], Result]:
    """The same, and what went wrong where it cannot be compared at all."""
    try:
        return seeds, compare_all(seeds)
    except Exception:
        failed = f"failed, or one of the {len(seeds)} from it on:\n{traceback.format_exc()}"
        return seeds, Result([(seeds[0], failed)])
