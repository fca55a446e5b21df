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
from ..routes import TRAFFIC, core_counts, link_loads, message_bytes, routes_of
from ..targets import Target
from .incidence import Incidence
from .load import Rates, full_rates
from .placement import Placement

Array = npt.NDArray[Any]


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
    routes = routes_of(program, placement, target)
    grid, did = routes.grid, core_counts(routes, known)
    inside = [p.name for p in program.populations]
    by_source = {name: known[name] @ routes.columns[name] for name in inside}
    messages = dict(zip(TRAFFIC, np.sum(list(by_source.values()), axis=0), strict=True))
    other_chip = TRAFFIC.index("messages_other_chip")
    work = did.syn_ops + did.neurons * program.run_steps(program.steps)
    shares = {name: used / target.core[name].value for name, used in placement.used.items()}
    names = list(shares)
    largest = np.argmax(np.stack([shares[name] for name in names]), axis=0)
    return Metrics(
        cores=routes.cores,
        chips=len(np.unique(grid.chip)),
        tiles=len(np.unique(grid.tile)),
        cores_of={name: len(np.unique(of)) for name, of in routes.homes.items()},
        utilisation={
            name: (float(share.mean()), float(share.min()), float(share.max()))
            for name, share in shares.items()
        },
        binding=tuple(names[i] for i in largest),
        messages=float(messages["messages"]),
        same_core=float(messages["messages_same_core"]),
        same_tile=float(messages["messages_same_tile"]),
        hops=float(messages["hops_east_west"] + messages["hops_north_south"]),
        busiest_link=float(link_loads(routes, known).messages.max(initial=0.0)),
        other_chip=float(messages["messages_other_chip"]),
        chip_bytes=float(
            sum(message_bytes(program, name) * by_source[name][other_chip] for name in inside)
        ),
        busiest_core=float(work.max()),
        imbalance=float(work.max() / work.mean()),
        replication=replication(routes.incidence),
        memory_overhead=memory_overhead(program, placement, target),
    )


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
