"""What a placement is worth: the figures by which placements are compared.

All messages and loads are means per inference, from the rates that are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import WEIGHT_BITS_MAX
from ..program import Program
from ..targets import Mesh, Target
from .assign import Traffic, hops_of, traffic_of
from .geometry import chip_of, tile_of
from .incidence import Incidence, core_indices, incidence_of
from .load import Rates, full_rates, neuron_loads
from .placement import Placement

Array = npt.NDArray[Any]

BINARY_BYTES, GRADED_BYTES = 4, 12
"""Of a message between chips. Source: Intel's VPX profiling script for the graded one."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures of one placement.

    Attributes:
        cores, chips, tiles: in use.
        cores_of: population -> cores that hold some of it.
        utilisation: resource -> (mean, least, greatest) share of the limit over the cores.
        binding: resource with the largest share, by core.
        messages: spikes times distinct destination cores, inputs left out.
        same_core, same_tile: of these, within a core; to another core of the tile.
        hops: messages times the distance of their tiles.
        busiest_link: most messages over one link between neighbouring tiles, XY routing.
        other_chip: messages to another chip.
        chip_bytes: what these take.
        busiest_core: largest synaptic operations plus neuron updates of a core.
        imbalance: that over the mean; 1 is balanced.
        replication: mean destination cores of an element that has any.
        memory_overhead: bits stored over the bits of all non-zero weights, each once a kernel.
    """

    cores: int
    chips: int
    tiles: int
    cores_of: Mapping[str, int]
    utilisation: Mapping[str, tuple[float, float, float]]
    binding: tuple[str, ...]
    messages: float
    same_core: float
    same_tile: float
    hops: float
    busiest_link: float
    other_chip: float
    chip_bytes: float
    busiest_core: float
    imbalance: float
    replication: float
    memory_overhead: float


def metrics(
    program: Program, placement: Placement, target: Target, rates: Rates | None = None
) -> Metrics:
    """Work out all figures.

    Args:
        program: what was placed.
        placement: of it.
        target: the placement's.
        rates: as for `place`.

    Raises:
        DataError: rates that do not fit the Program.
    """
    known = full_rates(program, rates)
    index = core_indices(placement.core_of, placement.cores)
    found = incidence_of(program, index, placement.cores.size)
    traffic = traffic_of(program, found, index, known)
    mesh, cores = target.mesh, placement.cores
    a, b = cores[traffic.sender], cores[traffic.receiver]
    tile_a, tile_b = a // mesh.cores_per_tile, b // mesh.cores_per_tile
    away = chip_of(mesh, a) != chip_of(mesh, b)
    loads = core_loads(program, known, index, cores.size)
    shares = {name: used / target.core[name].value for name, used in placement.used.items()}
    names = list(shares)
    largest = np.argmax(np.stack([shares[name] for name in names]), axis=0)
    graded = {p.name for p in program.populations if p.message_scale != 1.0}
    price = GRADED_BYTES if graded else BINARY_BYTES
    messages = traffic.messages
    return Metrics(
        cores=int(cores.size),
        chips=int(np.unique(chip_of(mesh, cores)).size),
        tiles=int(np.unique(cores // mesh.cores_per_tile).size),
        cores_of={name: int(np.unique(of).size) for name, of in index.items()},
        utilisation={
            name: (float(share.mean()), float(share.min()), float(share.max()))
            for name, share in shares.items()
        },
        binding=tuple(names[i] for i in largest),
        messages=float(messages.sum()),
        same_core=float(messages[a == b].sum()),
        same_tile=float(messages[(tile_a == tile_b) & (a != b)].sum()),
        hops=hops_of(target, traffic, cores),
        busiest_link=max(float(links.max()) for links in link_loads(mesh, traffic, cores)),
        other_chip=float(messages[away].sum()),
        chip_bytes=price * float(messages[away].sum()),
        busiest_core=float(loads.max()),
        imbalance=float(loads.max() / loads.mean()),
        replication=replication(found),
        memory_overhead=memory_overhead(program, placement, target),
    )


def core_loads(
    program: Program, rates: Mapping[str, Array], index: Mapping[str, Array], cores: int
) -> Array:
    """Synaptic operations with non-zero weights, and neuron updates, of each core."""
    total = np.zeros(cores)
    for name, load in neuron_loads(program, rates).items():
        total += np.bincount(index[name], load, cores)
    return total


def link_loads(mesh: Mesh, traffic: Traffic, cores: Array) -> tuple[Array, Array, Array, Array]:
    """Messages over each link: east, west [y, x], south, north [y, x], from tile (x, y) on.

    A message goes along its row first, then along its column.
    """
    x, y = (np.asarray(axis, np.int64) for axis in tile_of(mesh, cores))
    shape = (int(y.max(initial=0)) + 2, int(x.max(initial=0)) + 2)
    from_x, from_y = x[traffic.sender], y[traffic.sender]
    to_x, to_y = x[traffic.receiver], y[traffic.receiver]
    east, west, south, north = (np.zeros(shape) for _ in range(4))
    _walk(east, (from_y, from_x), (from_y, to_x), traffic.messages, to_x > from_x)
    _walk(west, (from_y, to_x + 1), (from_y, from_x + 1), traffic.messages, to_x < from_x)
    _walk(south, (from_y, to_x), (to_y, to_x), traffic.messages, to_y > from_y)
    _walk(north, (to_y + 1, to_x), (from_y + 1, to_x), traffic.messages, to_y < from_y)
    return east.cumsum(1), west.cumsum(1), south.cumsum(0), north.cumsum(0)


def _walk(
    total: Array,
    first: tuple[Array, Array],
    last: tuple[Array, Array],
    messages: Array,
    chosen: Array,
) -> None:
    """Mark where the messages begin and cease to pass; summing up gives the loads."""
    np.add.at(total, (first[0][chosen], first[1][chosen]), messages[chosen])
    np.add.at(total, (last[0][chosen], last[1][chosen]), -messages[chosen])


def replication(found: Incidence) -> float:
    """Mean number of destination cores of the elements that have any."""
    fans = np.concatenate([np.diff(d.indptr) for d in found.destinations.values()])
    return float(fans[fans > 0].mean()) if (fans > 0).any() else 0.0


def memory_overhead(program: Program, placement: Placement, target: Target) -> float:
    """Bits stored over the bits of the weights alone."""
    stored = float(placement.used["synaptic_memory"].sum()) * target.memory.unit_bits
    weights = sum(
        np.count_nonzero(p.synapse.weight)
        * (p.synapse.format.bits if p.synapse.format else WEIGHT_BITS_MAX)
        for p in program.projections
    )
    return stored / weights if weights else 0.0
