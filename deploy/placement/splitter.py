"""The naive splitter, as Lava's compiler works: the baseline of every placement.

Each population by itself is divided into equal parts, neuron by neuron in the order in which
Lava keeps them, until every register of a core fits. Two populations never share a core; the
cores are numbered in order. Source: compiler tables of public hardware runs, and the README of
OzU-CAST/LoihiScalingEfficiency @1c5a162, which says the same of it.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import CapacityExceeded, Problem
from ..program import Program
from ..targets import Target, load_target
from .geometry import chip_of, physical
from .incidence import Incidence, incidence_of
from .order import image_shape, storage_order
from .parts import parts_usage
from .placement import Placement
from .usage import output_axons, usage_of

Array = npt.NDArray[Any]


def naive(program: Program, target: Target | None = None) -> Placement:
    """Place as Lava's compiler does.

    Raises:
        CapacityExceeded: a single neuron does not fit, or the largest board is too small.
    """
    started = time.perf_counter()
    chip = target or load_target(program.target)
    index, cores = equal_parts(program, chip)
    return finished(program, chip, "naive", 0, started, index, physical(chip.mesh, cores))


def finished(
    program: Program,
    target: Target,
    method: str,
    seed: int,
    started: float,
    index: dict[str, Array],
    core: Array,
) -> Placement:
    """A placement with what it uses, checked against every limit.

    Args:
        program: what is placed.
        target: where.
        method: how.
        seed: with which it was found.
        started: time at which it began.
        index: population -> part of each neuron.
        core: physical core of each part, all different.

    Raises:
        CapacityExceeded: a limit is exceeded; names the worst population of each resource.
    """
    used = np.argsort(core)
    new = np.empty_like(used)
    new[used] = np.arange(used.size)
    cores = core[used].astype(np.int32)
    index = {name: new[of].astype(np.int32) for name, of in index.items()}
    chips = chip_of(target.mesh, cores)
    usage = usage_of(program, target, index, cores.size, chips)
    problems = violations(target, usage.used, index)
    if cores.size and int(chips.max()) >= target.mesh.chips:
        problems.append(
            Problem(
                f"{cores.size} cores; the largest board has {target.mesh.chips} chips of "
                f"{target.mesh.usable} cores",
                f"target {target.name}",
                "make the network smaller, or choose a larger target",
            )
        )
    if problems:
        raise CapacityExceeded(*problems)
    return Placement(
        target=target.name,
        method=method,
        seed=seed,
        seconds=time.perf_counter() - started,
        core_of={name: cores[of] for name, of in index.items()},
        cores=cores,
        used=usage.used,
        compression={
            projection: {int(cores[c]): how for c, how in by_core.items()}
            for projection, by_core in usage.compression.items()
        },
    )


REMEDY = {
    "neurons": "use fewer neurons in this population",
    "input_axons": "reduce the fan-in of this population: smaller kernels, fewer channels, or "
    "fewer synapses",
    "output_axons": "reduce the fan-out of this population: fewer or smaller targets",
    "synaptic_memory": "use fewer weight bits, smaller kernels, or fewer synapses",
    "axon_words": "use fewer weight bits, or fewer targets for each source element",
}
"""What a user can do about each resource."""


def violations(
    target: Target, used: dict[str, Array], index: dict[str, Array]
) -> list[Problem]:
    """The worst core of each exceeded resource, with the populations that lie there."""
    found = []
    for resource, amounts in used.items():
        if not amounts.size or amounts.max() <= target.capacity(resource):
            continue
        core = int(np.argmax(amounts))
        there = [name for name, of in index.items() if (of == core).any()]
        found.append(_problem(target, resource, int(amounts[core]), ", ".join(there)))
    return found


def _problem(target: Target, resource: str, amount: int, population: str) -> Problem:
    limit = target.core[resource]
    ceiling = target.utilisation_ceiling
    margin = "" if ceiling == 1 else f" x {ceiling:g} (utilisation ceiling)"
    return Problem(
        f"{resource.replace('_', ' ')}: {amount} used on a core, "
        f"limit {limit.value:.0f}{margin} {limit.unit}",
        f"population {population}",
        REMEDY[resource],
    )


def equal_parts(program: Program, target: Target) -> tuple[dict[str, Array], Array]:
    """Part of each neuron, parts numbered in the order of the populations; and 0, 1, ..."""
    counts: dict[str, int] = {}
    refused: list[Problem] = []
    for population in program.populations:
        try:
            counts[population.name] = _fewest(program, target, population.name)
        except CapacityExceeded as error:
            refused += error.problems
    if refused:
        raise CapacityExceeded(*refused)
    while True:
        index, total = _numbered(program, counts)
        crowded = crowded_senders(program, target, index, total)
        if not crowded:
            return index, np.arange(total)
        for name, (excess, problem) in crowded.items():
            size = program.population(name).size
            if counts[name] == size:
                raise CapacityExceeded(problem)
            counts[name] = min(size, max(counts[name] + 1, int(counts[name] * excess)))


def _numbered(program: Program, counts: dict[str, int]) -> tuple[dict[str, Array], int]:
    index, total = {}, 0
    for population in program.populations:
        parts = counts[population.name]
        index[population.name] = equal_index(program, population.name, parts) + total
        total += parts
    return index, total


def equal_index(program: Program, population: str, parts: int) -> Array:
    """Part of each neuron: equal ranges in storage order; int32."""
    order = storage_order(image_shape(program, population))
    index = np.empty(order.size, np.int32)
    index[order] = np.arange(order.size) * parts // order.size
    return index


def _fewest(program: Program, target: Target, population: str) -> int:
    """The least number of equal parts that fit, apart from what leaves them.

    Convolutions are estimated first; around what comes of it all is measured.
    """
    size = program.population(population).size

    def over(parts: int, sample: bool) -> float:
        index = equal_index(program, population, parts)
        return worst(target, parts_usage(program, target, population, index, parts, sample))

    low, high = 0, 1  # low does not fit, high does
    while (excess := over(high, True)) > 1:
        if high == size:
            break
        low, high = high, min(size, max(high + 1, int(high * min(excess, 4.0))))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if over(middle, True) <= 1 else (middle, high)
    while (excess := over(high, False)) > 1:
        if high == size:
            raise CapacityExceeded(_too_large(program, target, population))
        high = min(size, max(high + 1, int(high * min(excess, 2.0))))
    return high


def worst(target: Target, used: dict[str, Array]) -> float:
    """The largest share of a limit."""
    return max(
        float(used[name].max()) / target.capacity(name) for name in used if name in target.core
    )


def _too_large(program: Program, target: Target, population: str) -> Problem:
    """What a single neuron takes too much of."""
    size = program.population(population).size
    index = np.arange(size, dtype=np.int32)
    used = parts_usage(program, target, population, index, size)
    named = [name for name in used if name in target.core]
    largest = max(named, key=lambda name: float(used[name].max()) / target.capacity(name))
    problem = _problem(target, largest, int(used[largest].max()), population)
    return Problem(
        f"a single neuron does not fit: {problem.what}", problem.where, problem.remedy
    )


def crowded_senders(
    program: Program,
    target: Target,
    index: dict[str, Array],
    total: int,
    known: Incidence | None = None,
) -> dict[str, tuple[float, Problem]]:
    """Populations whose parts have too many destinations, and how many times too many."""
    if target.axons is None or "output_axons" not in target.core:
        return {}
    chips = chip_of(target.mesh, physical(target.mesh, np.arange(total)))
    found = known or incidence_of(program, index, total)
    used = output_axons(program, target.axons, found, index, chips)
    limit = target.capacity("output_axons")
    return {
        name: (
            float(used[of].max()) / limit,
            _problem(target, "output_axons", int(used[of].max()), name),
        )
        for name, of in index.items()
        if used[of].max() > limit
    }
