"""What parts of one population use, each part on a core of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Program, Projection
from ..targets import Target
from .incidence import Destinations, fans_of, merged, reached
from .lists import stored_of
from .order import image_shape, storage_order
from .usage import compartments, rank_within

Array = npt.NDArray[Any]


def parts_usage(
    program: Program,
    target: Target,
    population: str,
    index: Array,
    parts: int,
    sample: bool = False,
) -> dict[str, Array]:
    """Resource -> int64 (parts,), but for what leaves the neurons; input axons always.

    Args:
        program: what is placed.
        target: whose formulas are used.
        population: whose neurons are divided.
        index: int32 (n,), part of each neuron.
        parts: how many there are.
        sample: estimate convolutions by a few of their channels.
    """
    order = storage_order(image_shape(program, population))
    held = np.bincount(index, minlength=parts)
    rank = rank_within(index, order, np.zeros(parts, np.int64))
    memory, longest = np.zeros(parts, np.int64), np.zeros(parts, np.int64)
    axons = np.zeros(parts, np.int64)
    into = program.into(population)
    for source in dict.fromkeys(p.source for p in into):
        together = [p for p in into if p.source == source]
        most = np.zeros(parts, np.int64)
        for projection in together:
            stored = stored_of(program, projection, target, index, rank, held, sample)
            memory += stored.bits
            longest = np.maximum(longest, stored.longest)
            most = np.maximum(most, stored.axons)
        if len(together) == 1 or sample:
            axons += most
        else:
            axons += _distinct_axons(program, together, index, parts)
    return {
        "neurons": held * compartments(program.population(population), target),
        "synaptic_memory": memory // target.memory.unit_bits,
        "axon_words": longest // 64,
        "input_axons": axons,
    }


def _distinct_axons(
    program: Program, projections: list[Projection], index: Array, parts: int
) -> Array:
    """Source elements that reach each part by at least one of several projections."""
    union: Destinations | None = None
    for projection in projections:
        found = reached(fans_of(program, projection, index, parts))
        union = found if union is None else merged(union, found)
    assert union is not None
    return np.bincount(union.core, minlength=parts)
