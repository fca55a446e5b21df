"""Which cores the messages of each source element go to, and how many synapses wait there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Program, Projection
from .kernels import count_fans, merge_destinations
from .order import sources, target_order
from .placement import Placement
from .tables import longest_list, tables

Array = npt.NDArray[Any]

ROOM = 2**20
"""Entries that a call of the kernel has room for, at least."""


@dataclass(frozen=True, slots=True)
class Fans:
    """Synapses of one projection by source element and destination core.

    Attributes:
        indptr: int64 (n + 1,): the entries of element i are indptr[i] to indptr[i + 1] - 1.
        core: int32 (e,), index into the placement's `cores`, ascending within an element.
        nonzero, all: int64 (e,), synapses with non-zero weights, and all that are stored in
            the Program.
    """

    indptr: Array
    core: Array
    nonzero: Array
    all: Array


@dataclass(frozen=True, slots=True)
class Destinations:
    """The distinct cores that each element of one source sends a message to.

    Attributes:
        indptr: int64 (n + 1,), as for `Fans`.
        core: int32 (e,), index into the placement's `cores`, ascending within an element.
    """

    indptr: Array
    core: Array


@dataclass(frozen=True, slots=True)
class Incidence:
    """All projections' fans, and all sources' destinations, inputs included."""

    projections: Mapping[str, Fans]
    destinations: Mapping[str, Destinations]


def incidence(program: Program, placement: Placement) -> Incidence:
    """Visit every synapse once; exact.

    A core is a destination of an element if at least one synapse with a non-zero weight leads
    from the element to a neuron there, over all projections that leave the element.

    Args:
        program: at any precision.
        placement: of this program.
    """
    index = core_indices(placement.core_of, placement.cores)
    return incidence_of(program, index, placement.cores.size)


def core_indices(core_of: Mapping[str, Array], cores: Array) -> dict[str, Array]:
    """Population -> index into `cores` of each neuron's core, int32."""
    return {name: np.searchsorted(cores, of).astype(np.int32) for name, of in core_of.items()}


def incidence_of(program: Program, index: Mapping[str, Array], cores: int) -> Incidence:
    """The same for cores that are numbered from 0 to `cores` - 1."""
    fans = {p.name: fans_of(program, p, index[p.target], cores) for p in program.projections}
    destinations = {}
    for source in sources(program):
        leaving = [p.name for p in program.projections if p.source == source.name]
        union = _nowhere(source.size)
        for position, name in enumerate(leaving):
            found = reached(fans[name])
            union = found if position == 0 else merged(union, found)
        destinations[source.name] = union
    return Incidence(fans, destinations)


def fans_of(program: Program, projection: Projection, index: Array, cores: int) -> Fans:
    """Fans of one projection; `index`: core of each target neuron, in C, H, W order."""
    n = program.source(projection.source).size
    core_at = index[target_order(program, projection)].astype(np.int32)
    indptr = np.zeros(n + 1, np.int64)
    parts: list[tuple[Array, Array]] = []
    filled = 0
    for first, ends, core, counts in _counted(program, projection, core_at, cores):
        indptr[first + 1 : first + 1 + ends.size] = filled + ends
        filled += core.size
        parts.append((core, counts))
    core = np.concatenate([core for core, _ in parts]) if parts else np.zeros(0, np.int32)
    counts = (
        np.concatenate([counts for _, counts in parts], axis=1)
        if parts
        else np.zeros((2, 0), np.int64)
    )
    return Fans(indptr, core, counts[0], counts[1])


def _counted(
    program: Program, projection: Projection, core_at: Array, cores: int
) -> Iterator[tuple[int, Array, Array, Array]]:
    """First element, ends, cores and counts of each piece of work that fits into the room."""
    room = max(ROOM, 4 * cores)
    core, counts = np.empty(room, np.int32), np.empty((2, room), np.int64)
    longest = longest_list(projection.synapse)
    target, weight, delay = (np.empty(longest, np.int32) for _ in range(3))
    slot = np.full(cores, -1, np.int64)
    for table, rows in tables(program, projection):
        elements = np.arange(rows.start, rows.stop, dtype=np.int64)
        ends = np.zeros(elements.size, np.int64)
        begin = 0
        while begin < elements.size:
            work = (table, elements, begin, core_at, target, weight, delay)
            done = count_fans(*work, slot, ends, core, counts)
            filled = int(ends[done - 1])
            yield (
                rows.start + begin,
                ends[begin:done].copy(),
                core[:filled].copy(),
                counts[:, :filled].copy(),
            )
            begin = done


def _nowhere(n: int) -> Destinations:
    return Destinations(np.zeros(n + 1, np.int64), np.zeros(0, np.int32))


def reached(fans: Fans) -> Destinations:
    """Without the cores where all weights are zero."""
    kept = fans.nonzero > 0
    if kept.all():
        return Destinations(fans.indptr, fans.core)
    before = np.concatenate(([0], np.cumsum(kept)))
    return Destinations(before[fans.indptr], fans.core[kept])


def merged(a: Destinations, b: Destinations) -> Destinations:
    """Cores that at least one of both lists holds, element by element."""
    ends = np.zeros(a.indptr.size - 1, np.int64)
    core = np.empty(a.core.size + b.core.size, np.int32)
    merge_destinations(a.indptr, a.core, b.indptr, b.core, ends, core)
    return Destinations(
        np.concatenate(([0], ends)), core[: ends[-1] if ends.size else 0].copy()
    )
