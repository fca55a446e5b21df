"""What a placement uses of every resource of every core, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..features import neuron_features
from ..program import Population, Program
from ..targets import Axons, Target
from .incidence import Destinations, Incidence, incidence_of
from .lists import stored_of
from .order import image_shape, storage_order

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """What cores 0 to c - 1 hold.

    Attributes:
        used: resource of the target's `core` table -> int64 (c,).
        compression: projection -> core -> how its synapses are stored there.
    """

    used: dict[str, Array]
    compression: dict[str, dict[int, str]]


def compartments(population: Population, target: Target) -> int:
    """Neurons of the chip that one neuron of the population takes."""
    return max(target.neurons[f].compartments for f in neuron_features(population.neuron))


def ranks(program: Program, index: Mapping[str, Array], cores: int) -> dict[str, Array]:
    """Number of each neuron on its core: populations in order, then positions; int32."""
    held = np.zeros(cores, np.int64)
    result = {}
    for population in program.populations:
        order = storage_order(image_shape(program, population.name))
        result[population.name] = rank_within(index[population.name], order, held)
        held += np.bincount(index[population.name], minlength=cores)
    return result


def rank_within(index: Array, order: Array, held: Array) -> Array:
    """Consecutive numbers of the neurons of each core, those that it holds already first."""
    core = index[order]
    by_core = np.argsort(core, kind="stable")
    counts = np.bincount(core, minlength=held.size)
    first = np.concatenate(([0], np.cumsum(counts)[:-1]))
    rank = np.empty(index.size, np.int32)
    numbers = np.arange(index.size) - np.repeat(first, counts) + np.repeat(held, counts)
    rank[order[by_core]] = numbers
    return rank


def usage_of(
    program: Program,
    target: Target,
    index: Mapping[str, Array],
    cores: int,
    chip: Array | None = None,
    known: Incidence | None = None,
    sample: bool = False,
) -> Usage:
    """Count everything.

    Args:
        program: what is placed.
        target: its `core` table says which resources are counted.
        index: population -> int32 (n,), core of each neuron, 0 to `cores` - 1.
        cores: how many there are.
        chip: chip of each core; None: one chip.
        known: incidence of these cores, where it was counted before.
        sample: estimate convolutions by a few of their channels, and leave out what leaves.
    """
    neurons = np.zeros(cores, np.int64)
    held = np.zeros(cores, np.int64)
    for population in program.populations:
        counts = np.bincount(index[population.name], minlength=cores)
        held += counts
        neurons += counts * compartments(population, target)
    rank = ranks(program, index, cores)
    memory, longest = np.zeros(cores, np.int64), np.zeros(cores, np.int64)
    compression: dict[str, dict[int, str]] = {}
    axons: dict[str, Array] = {}
    for projection in program.projections:
        name = projection.target
        stored = stored_of(program, projection, target, index[name], rank[name], held, sample)
        memory += stored.bits
        longest = np.maximum(longest, stored.longest)
        reached = axons.setdefault(projection.source, np.zeros(cores, np.int64))
        axons[projection.source] = np.maximum(reached, stored.axons)
        compression[projection.name] = {c: s for c, s in enumerate(stored.compression) if s}
    used = {
        "neurons": neurons,
        "synaptic_memory": memory // target.memory.unit_bits,
        "axon_words": longest // 64,
    }
    if sample:
        used["input_axons"] = sum(axons.values(), np.zeros(cores, np.int64))
    elif {"input_axons", "output_axons"} & set(target.core):
        found = known or incidence_of(program, index, cores)
        used["input_axons"] = input_axons(found, cores)
        if target.axons is not None:
            chips = np.zeros(cores, np.int64) if chip is None else chip
            used["output_axons"] = output_axons(program, target.axons, found, index, chips)
    return Usage({name: used[name] for name in target.core if name in used}, compression)


def input_axons(found: Incidence, cores: int) -> Array:
    """Source elements that send to each core."""
    total = np.zeros(cores, np.int64)
    for destinations in found.destinations.values():
        total += np.bincount(destinations.core, minlength=cores)
    return total


def output_axons(
    program: Program, axons: Axons, found: Incidence, index: Mapping[str, Array], chip: Array
) -> Array:
    """Entries of each core's table of destinations, see `Axons`.

    Elements with one destination are charged as if they were discrete, or as shared where that
    is more: the input axons at the destination are counted one by one, too.
    """
    total = np.zeros(chip.size, np.int64)
    pairs: list[Array] = []
    for population in program.populations:
        destinations: Destinations = found.destinations[population.name]
        fan = np.diff(destinations.indptr)
        home = np.repeat(index[population.name], fan).astype(np.int64)
        several = np.repeat(fan > 1, fan)
        away = chip[home] != chip[destinations.core]
        price = axons.discrete + axons.other_chip * away[several]
        total += np.bincount(home[several], price, chip.size).astype(np.int64)
        pairs.append(home[~several] * chip.size + destinations.core[~several])
    key, count = np.unique(np.concatenate(pairs or [np.zeros(0, np.int64)]), return_counts=True)
    home, to = np.divmod(key, chip.size)
    away = axons.other_chip * (chip[home] != chip[to])
    price = np.maximum(count * (axons.discrete + away), axons.shared + away)
    total += np.bincount(home, price, chip.size).astype(np.int64)
    return total
