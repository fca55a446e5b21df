"""A partition made better: the busiest cores give away what others have room for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .usage import usage_of

if TYPE_CHECKING:
    from .placer import Problem

Array = npt.NDArray[Any]
Index = dict[str, Array]

MOVES = 60
"""Times that the busiest core gives something away."""
LIGHTEST = 4
"""Cores with the least load that are tried as receivers, where cores may be shared."""
WORTH = 0.02
"""Share of its load that a move must take from the busiest core."""


def refined(problem: Problem, index: Index, most: int) -> Index:
    """Split the busiest cores while there are free ones; then even out where cores are shared.

    Every step is counted exactly and kept only if no limit is exceeded.

    Args:
        problem: what is placed.
        index: population -> part of each neuron; not changed.
        most: cores that may be used.
    """
    loads = _part_loads(problem, index)
    given_up: set[int] = set()
    for _ in range(MOVES):
        open_ones = [part for part in range(loads.size) if part not in given_up]
        if not open_ones:
            break
        busiest = max(open_ones, key=lambda part: loads[part])
        if loads[busiest] < loads.max() * (1 - WORTH):
            break  # a busier one cannot give anything away
        for receiver in _receivers(problem, index, loads, busiest, most):
            other = 0.0 if receiver == loads.size else float(loads[receiver])
            wanted = (float(loads[busiest]) - other) / 2
            if wanted < WORTH * loads[busiest]:
                continue
            moved = _moved(problem, index, busiest, receiver, wanted)
            if moved is None:
                continue
            after = _part_loads(problem, moved)
            if after[[busiest, receiver]].max() < loads[busiest] * (1 - WORTH) and _legal(
                problem, moved, after.size
            ):
                index, loads = moved, after
                break
        else:
            given_up.add(busiest)
    return index


def _part_loads(problem: Problem, index: Mapping[str, Array]) -> Array:
    parts = 1 + max(int(of.max()) for of in index.values())
    total = np.zeros(parts)
    for name, of in index.items():
        total += np.bincount(of, problem.loads[name], parts)
    return total


def _receivers(
    problem: Problem, index: Index, loads: Array, busiest: int, most: int
) -> list[int]:
    """A free core, if there is one; else the cores with the least load that may be shared."""
    if loads.size < most:
        return [loads.size]
    if problem.target.layers_share_cores:
        return [int(part) for part in np.argsort(loads)[:LIGHTEST] if part != busiest]
    here = [of for of in index.values() if (of == busiest).any()]
    if len(here) != 1:
        return []
    alike = np.unique(here[0])
    return [int(part) for part in alike[np.argsort(loads[alike])][:LIGHTEST] if part != busiest]


def _moved(
    problem: Problem, index: Index, busiest: int, receiver: int, wanted: float
) -> Index | None:
    """About that much load from the end of the heaviest piece; None: it is one neuron."""
    held = {name: np.flatnonzero(of == busiest) for name, of in index.items()}
    name = max(held, key=lambda n: float(problem.loads[n][held[n]].sum()))
    cut = problem.cuts[name][0]
    there = cut.order[index[name][cut.order] == busiest]
    if there.size < 2:
        return None
    ends = np.cumsum(problem.loads[name][there])
    keep = int(np.searchsorted(ends, max(float(ends[-1]) - wanted, 0.0)))
    keep = min(max(keep, 1), there.size - 1)
    changed = index[name].copy()
    changed[there[keep:]] = receiver
    return index | {name: changed}


def _legal(problem: Problem, index: Index, parts: int) -> bool:
    used = usage_of(problem.program, problem.target, index, parts).used
    capacity = problem.target.capacity
    return all(amounts.max() <= capacity(resource) for resource, amounts in used.items())
