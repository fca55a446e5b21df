"""Where the messages of a placed Program go: by sample, core and link.

Exact for counted messages; for mean rates the same sums in floating point.

A message is one spike (or one graded value) sent to one distinct core; hops are counted in
the grid of tiles, chips side by side, first along x, then along y. Inputs lie on the host:
what they send enters the chip and takes no hops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .neurons.models import model_of
from .placement import Placement
from .placement.geometry import tile_of
from .program import Program
from .targets import Mesh, Target, load_target

if TYPE_CHECKING:
    from .placement.incidence import Incidence

Array = npt.NDArray[Any]

TRAFFIC = (
    "messages",
    "messages_same_core",
    "messages_same_tile",
    "messages_other_chip",
    "hops_east_west",
    "hops_north_south",
)
"""What a message of an element may be counted as; `same_tile` is another core of that tile."""


BYTES = {"spike": 8, "graded": 12}
"""Bytes of a message between chips: a link of 8 bit x 800 MHz takes 67 million graded and
about 100 million binary ones a second (Intel's script for a VPX board; unverified)."""


def message_bytes(program: Program, population: str) -> int:
    """Bytes of one message of a population to another chip."""
    graded = model_of(program.population(population).neuron).message == "graded"
    return BYTES["graded" if graded else "spike"]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where cores lie, arrays (c,) in the order of `Placement.cores`.

    Attributes:
        chip: number of the chip.
        core: number on that chip.
        tile: number of the tile among those of all chips.
        x, y: of the tile, in the grid of all chips.
    """

    chip: Array
    core: Array
    tile: Array
    x: Array
    y: Array


def grid_of(cores: Array, mesh: Mesh) -> Grid:
    """Coordinates of cores by their numbers."""
    chip, core = np.divmod(cores.astype(np.int64), mesh.cores_per_chip)
    x, y = tile_of(mesh, cores.astype(np.int64))
    tile = chip * mesh.columns * mesh.rows + core // mesh.cores_per_tile
    return Grid(chip, core, tile, x, y)


@dataclass(frozen=True, slots=True)
class Flow:
    """Every pair of an element and a core that its messages reach, arrays (pairs,).

    Attributes:
        element: of the source.
        core: index into `Placement.cores`.
        home: index of the element's own core; -1 for an input.
    """

    element: Array
    core: Array
    home: Array


@dataclass(frozen=True, slots=True)
class Routes:
    """A placed Program, ready to be counted.

    Attributes:
        program, placement: what lies where.
        mesh: of the target.
        incidence: which core each synapse lies on.
        grid: where the cores are.
        homes: population -> (n,), index of each neuron's core.
        flows: source -> its pairs of element and core.
        columns: source -> int64 (n, 6), one message of each element as TRAFFIC counts it.
    """

    program: Program
    placement: Placement
    mesh: Mesh
    incidence: Incidence
    grid: Grid
    homes: Mapping[str, Array]
    flows: Mapping[str, Flow]
    columns: Mapping[str, Array]

    @property
    def cores(self) -> int:
        """Cores in use."""
        return len(self.placement.cores)


def routes_of(program: Program, placement: Placement, target: Target | None = None) -> Routes:
    """Prepare a placed Program for counting; `target`: None is the placement's.

    Raises:
        UsageError: the placement names an unknown target.
    """
    from .placement.incidence import incidence  # brings numba

    mesh = (target or load_target(placement.target)).mesh
    found = incidence(program, placement)
    grid = grid_of(placement.cores, mesh)
    homes = {
        name: np.searchsorted(placement.cores, cores)
        for name, cores in placement.core_of.items()
    }
    flows, columns = {}, {}
    for source, reached in found.destinations.items():
        count = len(reached.indptr) - 1
        element = np.repeat(np.arange(count), np.diff(reached.indptr))
        home = homes[source][element] if source in homes else np.full(len(element), -1)
        flows[source] = Flow(element, reached.core.astype(np.int64), home)
        columns[source] = _columns(flows[source], grid, count)
    return Routes(program, placement, mesh, found, grid, homes, flows, columns)


def _columns(flow: Flow, grid: Grid, count: int) -> Array:
    """int64 (n, 6) of TRAFFIC."""
    there, home = flow.core, flow.home
    inside = home >= 0
    same_core = inside & (there == home)
    same_tile = inside & (grid.tile[there] == grid.tile[home]) & ~same_core
    weights = (
        np.ones(len(there)),
        same_core,
        same_tile,
        inside & (grid.chip[there] != grid.chip[home]),
        np.where(inside, np.abs(grid.x[there] - grid.x[home]), 0),
        np.where(inside, np.abs(grid.y[there] - grid.y[home]), 0),
    )
    sums = [np.bincount(flow.element, weight, minlength=count) for weight in weights]
    return np.stack(sums, axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class CoreCounts:
    """Totals of each core in use, (c,); names as in Lava's hardware profiler.

    Attributes:
        syn_ops: synaptic operations of non-zero weights stored there.
        syn_ops_all: of all stored weights.
        neurons: that lie there.
        spikes: non-zero messages that they sent, each counted once.
        axon_out: messages sent, one for each distinct destination core.
        spikes_in: messages received, those of the host included.
    """

    syn_ops: Array
    syn_ops_all: Array
    neurons: Array
    spikes: Array
    axon_out: Array
    spikes_in: Array


def core_counts(routes: Routes, elements: Mapping[str, Array]) -> CoreCounts:
    """What each core did.

    Args:
        routes: the placed Program.
        elements: source -> (n,), non-zero messages of each of its elements: int64, or float64
            for means.
    """
    cores = routes.cores
    kind = np.result_type(np.int64, *elements.values())
    counts = CoreCounts(*(np.zeros(cores, kind) for _ in fields(CoreCounts)))
    for name, home in routes.homes.items():
        counts.neurons[:] += np.bincount(home, minlength=cores)
        _add(counts.spikes, home, elements[name])
    for source, flow in routes.flows.items():
        sent = elements[source][flow.element]
        _add(counts.spikes_in, flow.core, sent)
        inside = flow.home >= 0
        _add(counts.axon_out, flow.home[inside], sent[inside])
    for projection in routes.program.projections:
        fans = routes.incidence.projections[projection.name]
        sent = np.repeat(elements[projection.source], np.diff(fans.indptr))
        _add(counts.syn_ops, fans.core, sent * fans.nonzero)
        _add(counts.syn_ops_all, fans.core, sent * fans.all)
    return counts


def _add(total: Array, index: Array, values: Array) -> None:
    """Exact at any size, as bincount, which sums in floating point, is not."""
    np.add.at(total, index, values)


@dataclass(frozen=True, slots=True)
class Links:
    """Messages over each link of the grid of tiles that carried any, arrays (links,).

    Attributes:
        x, y: tile at which the link begins.
        to_x, to_y: tile at which it ends, a neighbour.
        messages: that went over it.
    """

    x: Array
    y: Array
    to_x: Array
    to_y: Array
    messages: Array


def link_loads(routes: Routes, elements: Mapping[str, Array]) -> Links:
    """Messages over each link under XY routing; they sum to the hops.

    Args:
        routes: the placed Program.
        elements: as for `core_counts`.
    """
    start, end, sent = [], [], []
    for source, flow in routes.flows.items():
        inside = flow.home >= 0
        start.append(flow.home[inside])
        end.append(flow.core[inside])
        sent.append(elements[source][flow.element[inside]])
    parts = (np.concatenate(part) for part in (start, end, sent))
    return links_between(routes.grid, *parts)


def links_between(grid: Grid, start: Array, end: Array, sent: Array) -> Links:
    """Messages over each link; arrays (pairs,).

    Args:
        grid: where the cores lie.
        start: index of the core that sends, of each pair.
        end: of the core that receives.
        sent: messages from one to the other, int64 or float64.
    """
    width, height = int(grid.x.max()) + 1, int(grid.y.max()) + 1
    # What begins and ends at each tile, so that a sum along the way is the load of a link.
    east, west = (np.zeros((height, width + 1), sent.dtype) for _ in range(2))
    south, north = (np.zeros((width, height + 1), sent.dtype) for _ in range(2))
    row, column = grid.y[start], grid.x[end]  # first along x, then along y
    for ahead, back, line, a, b in (
        (east, west, row, grid.x[start], grid.x[end]),
        (south, north, column, grid.y[start], grid.y[end]),
    ):
        for way, chosen, first, last in ((ahead, a < b, a, b), (back, a > b, b, a)):
            np.add.at(way, (line[chosen], first[chosen]), sent[chosen])
            np.add.at(way, (line[chosen], last[chosen]), -sent[chosen])
    found = []
    for loads, step, along_x in (
        (east, 1, True),
        (west, -1, True),
        (south, 1, False),
        (north, -1, False),
    ):
        line, at = np.nonzero(loads := np.cumsum(loads, axis=1))
        begin, end = (at, at + 1) if step > 0 else (at + 1, at)
        ends = (begin, line, end, line) if along_x else (line, begin, line, end)
        found.append((*ends, loads[line, at]))
    return Links(*(np.concatenate(part) for part in zip(*found, strict=True)))
