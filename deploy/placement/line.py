"""Populations one behind the other on a line of cores, so that neighbours share a core.

A population takes as much of the line as its load or its largest resource needs. One that is
short of load and one that is short of room are laid over each other, so that each core has
something of both.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .usage import usage_of

if TYPE_CHECKING:
    from .cuts import Cut
    from .placer import Problem

Array = npt.NDArray[Any]

ROUNDS = 8
"""Attempts to make room where a core overflows."""


def lay_out(problem: Problem, bound: float, most: int) -> dict[str, Array] | None:
    """Part of each neuron with at most `bound` load a core; None if `most` cores do not do."""
    room = {name: _room(problem, name) for name in problem.cuts}
    alone: set[str] = set()
    for _ in range(ROUNDS):
        groups = _grouped(problem, room, bound, most, alone)
        if groups is None:
            return None
        index, total = _laid(problem, groups, room, bound, alone)
        if total > most:
            return None
        used = usage_of(problem.program, problem.target, index, total, sample=True).used
        crowded = _crowded(problem, index, used)
        if not crowded:
            return index
        alone |= _apart(
            problem, groups, {name for name, (_, axons) in crowded.items() if axons}
        )
        for name, (excess, _) in crowded.items():
            room[name] = room[name] * float(np.clip(excess**0.5, 1.02, 1.3)) + 0.02
    return None


def _cut(problem: Problem, name: str) -> Cut:
    """The finest cut of those that need hardly more parts than the best."""
    fewest = problem.cuts[name][0].fewest
    near = [cut for cut in problem.cuts[name] if cut.fewest <= max(1.5 * fewest, fewest + 1)]
    return min(near, key=lambda cut: (cut.groups > 1, cut.sizes.size < 64, cut.fewest))


def _apart(problem: Problem, groups: list[list[str]], crowded: set[str]) -> set[str]:
    """Populations that must not share cores: of each crowded group the one with most axons."""
    found = set()
    for group in groups:
        there = [name for name in group if name in crowded]
        if there:
            found.add(max(there, key=lambda name: _cut(problem, name).axons))
    return found


def _room(problem: Problem, name: str) -> float:
    """Cores that a population takes for its resources alone."""
    cut = _cut(problem, name)
    return max(cut.fewest - 1 + 1e-3, cut.fewest * cut.fill) if cut.fewest > 1 else cut.fill


def _length(problem: Problem, names: list[str], room: dict[str, float], bound: float) -> float:
    load = sum(float(problem.loads[name].sum()) for name in names)
    return max(load / bound, sum(room[name] for name in names))


def _grouped(
    problem: Problem, room: dict[str, float], bound: float, most: int, alone: set[str]
) -> list[list[str]] | None:
    """Populations that are laid over each other, so that all of them fit on the line."""
    groups = [[name] for name in problem.cuts]
    mixable = {
        name for name, cuts in problem.cuts.items() if cuts[0].groups == 1 and name not in alone
    }

    def length(group: list[str]) -> float:
        return _length(problem, group, room, bound)

    while sum(map(length, groups)) > most:
        pairs = [
            (length(a) + length(b) - length(a + b), i)
            for i, (a, b) in enumerate(pairwise(groups))
            if set(a + b) <= mixable
        ]
        saved, i = max(pairs, default=(0.0, 0))
        if saved <= 1e-9:
            return None
        groups[i : i + 2] = [groups[i] + groups[i + 1]]
    return groups


def _laid(
    problem: Problem,
    groups: list[list[str]],
    room: dict[str, float],
    bound: float,
    alone: set[str],
) -> tuple[dict[str, Array], int]:
    """Part of each neuron, and how many parts there are."""
    index: dict[str, Array] = {}
    at = 0.0
    for group in groups:
        length = _length(problem, group, room, bound)
        whole = any(_cut(problem, n).groups > 1 or n in alone for n in group)
        if whole:
            at, length = float(np.ceil(at - 1e-6)), float(np.ceil(length - 1e-6))
        spare = _spare(problem, group, length)
        for name in group:
            cut, load = _cut(problem, name), problem.loads[name]
            if whole:
                index[name] = cut.whole(load, int(length)) + np.int32(at)
            else:
                index[name] = cut.within(load, at, at + length, spare)
        at += length
    used = np.unique(np.concatenate(list(index.values())))
    index = {name: np.searchsorted(used, of).astype(np.int32) for name, of in index.items()}
    return index, int(used.size)


def _spare(problem: Problem, group: list[str], length: float) -> float:
    """How much more neurons than on the average a core has room for."""
    if len(group) == 1:
        return np.inf
    taken = sum(_cut(problem, n).order.size / _cut(problem, n).most for n in group) / length
    return max(0.0, 0.97 / taken - 1)


def _crowded(
    problem: Problem, index: dict[str, Array], used: dict[str, Array]
) -> dict[str, tuple[float, bool]]:
    """Populations on cores that overflow, by how much, and whether with input axons."""
    found: dict[str, tuple[float, bool]] = {}
    for resource, amounts in used.items():
        over = amounts / problem.target.capacity(resource)
        for name, of in index.items():
            excess = float(over[of].max())
            if excess > 1:
                most, axons = found.get(name, (1.0, False))
                found[name] = max(most, excess), axons or resource == "input_axons"
    return found
