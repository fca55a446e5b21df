"""Placement: populations are cut into parts, parts are given cores, all limits are kept.

There are at most as many cores as the naive splitter takes, or as are asked for. What is
minimised is the square of the busiest core's load times the spike-weighted hops: bounds on the
load are tried one after the other; for each, every population takes the cut with the fewest
messages that the number of cores leaves room for; the parts are then annealed on the mesh, and
the best of all is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import CapacityExceeded, SlipwayError
from ..program import Program
from ..synapses.conv2d import Conv2d
from ..targets import Target, load_target
from .assign import Traffic, assign, hops_of, traffic_of
from .cuts import Cut, cuts_of, estimate
from .geometry import physical
from .incidence import incidence_of
from .line import lay_out
from .load import Rates, full_rates, neuron_loads
from .placement import Placement
from .refine import refined
from .splitter import crowded_senders, equal_parts, finished

Array = npt.NDArray[Any]

CEILINGS = (1.0, 0.97, 0.9)
"""Shares of the limits that are aimed at, one after the other, until a placement fits."""
MEASURED = 3
"""Placements that are measured exactly for each."""
BOUNDS = 6
"""Bounds on the load that are tried."""
FEW = ((1e8, 1), (2e7, 2))
"""Synapses from which on only so many are."""
REFINED = 2e7
"""Synapses up to which the best partition is refined."""
MESSAGE_SHARE = 0.02
"""What a message counts beside a hop: decides where there are no hops."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is placed.

    Attributes:
        program, target: what, and where.
        rates: source -> messages of each element per inference.
        loads: population -> operations of each neuron per inference.
        cuts: population -> ways to cut it.
        memory: what was measured of them.
    """

    program: Program
    target: Target
    rates: Mapping[str, Array]
    loads: Mapping[str, Array]
    cuts: Mapping[str, list[Cut]]
    memory: dict[Any, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Part of each neuron, core of each part, and what is minimised."""

    index: dict[str, Array]
    core: Array
    score: float


def place(
    program: Program,
    target: Target | None = None,
    *,
    rates: Rates | None = None,
    seed: int = 0,
    cores: int | None = None,
) -> Placement:
    """Place a Program; the same for the same arguments.

    Args:
        program: at any precision.
        target: a chip; None: the one that the Program was compiled for.
        rates: source -> (n,) mean messages per element and inference, from a run; sources
            that are missing are assumed to send in a tenth of the steps.
        seed: of the annealing.
        cores: at most so many; None: as many as the naive splitter takes. Fewer cores mean
            fewer hops and a busier one.

    Raises:
        CapacityExceeded: it does not fit; names the population, the resource, the value, the
            limit and a remedy.
        DataError: rates that do not fit the Program.
    """
    started = time.perf_counter()
    chip = target or load_target(program.target)
    known = full_rates(program, rates)
    refused: SlipwayError | None = None
    plain: dict[str, Array] | None = None
    order = np.zeros(0, np.int64)
    try:
        plain, order = equal_parts(program, chip)
    except CapacityExceeded as error:
        refused = error
    board = chip.mesh.chips * chip.mesh.usable
    if plain is not None and order.size <= min(cores or board, board):
        cores = int(order.size)
    elif plain is not None:
        plain, cores = None, min(cores or board, board)
    loads = neuron_loads(program, known)
    size = sum(int(p.synapse.fan_out(nonzero=False).sum()) for p in program.projections)
    for share in CEILINGS:
        squeezed = replace(chip, utilisation_ceiling=chip.utilisation_ceiling * share)
        names = [p.name for p in program.populations]
        cuts = {name: cuts_of(program, squeezed, name, loads[name]) for name in names}
        problem = Problem(program, squeezed, known, loads, cuts, {})
        made: list[Candidate] = []
        if all(cuts.values()):
            found = partitions(problem, cores, size)
            made = [_scored(problem, index, seed) for index in found]
        if plain is not None:
            made.append(_scored(problem, plain, seed))
        if made and size < REFINED:
            first = min(made, key=lambda candidate: candidate.score)
            better = refined(problem, first.index, cores or first.core.size)
            made.append(_scored(problem, better, seed))
        for best in sorted(made, key=lambda candidate: candidate.score)[:MEASURED]:
            try:  # convolutions were estimated by some of their channels
                return finished(program, chip, "place", seed, started, best.index, best.core)
            except CapacityExceeded as error:
                refused = refused or error
    if plain is not None:
        return finished(
            program, chip, "place", seed, started, plain, physical(chip.mesh, order)
        )
    fewest = sum(min((cut.fewest for cut in some), default=0) for some in cuts.values())
    raise refused or CapacityExceeded(
        f"{cores} cores are too few: about {fewest} are needed; the largest board has "
        f"{chip.mesh.chips} chips of {chip.mesh.usable} cores",
        where=f"target {chip.name}",
        remedy="make the network smaller, choose a larger target, or allow more cores",
    )


def _scored(problem: Problem, index: dict[str, Array], seed: int) -> Candidate:
    """Put on the mesh, and what it is worth."""
    program, target = problem.program, problem.target
    parts = 1 + max(int(of.max()) for of in index.values())
    found = incidence_of(program, index, parts)
    traffic = traffic_of(program, found, index, problem.rates)
    core = assign(target, traffic, parts, seed)
    return Candidate(index, core, _score(problem, index, traffic, core))


def _score(
    problem: Problem, index: Mapping[str, Array], traffic: Traffic, core: Array
) -> float:
    """Twice the logarithm of the busiest core's load times the chips, and that of the hops.

    Static energy grows with the chips times the time, which the busiest core decides.
    """
    busiest = float(part_loads(problem.loads, index, core.size).max())
    busiest *= -(-core.size // problem.target.mesh.usable)
    messages = float(traffic.messages[traffic.sender != traffic.receiver].sum())
    hops = hops_of(problem.target, traffic, core) + MESSAGE_SHARE * messages
    return float(2 * np.log(max(busiest, 1e-9)) + np.log(hops + 1e-3))


def part_loads(loads: Mapping[str, Array], index: Mapping[str, Array], parts: int) -> Array:
    """Load of each part."""
    total = np.zeros(parts)
    for name, of in index.items():
        total += np.bincount(of, loads[name], parts)
    return total


def partitions(
    problem: Problem, cores: int | None, synapses: int
) -> Iterator[dict[str, Array]]:
    """Legal partitions into at most that many parts, for rising bounds on the load."""
    fewest = sum(min(cut.fewest for cut in cuts) for cuts in problem.cuts.values())
    board = problem.target.mesh.chips * problem.target.mesh.usable
    most = min(2 * fewest if cores is None else cores, board)
    total = sum(float(load.sum()) for load in problem.loads.values())
    lowest = total / most
    tried = next((few for least, few in FEW if synapses >= least), BOUNDS)
    highest = lowest * 4
    for bound in np.geomspace(lowest, highest, 2 * BOUNDS):
        if tried <= 0:
            return
        found = [separate(problem, float(bound), most)]
        if problem.target.layers_share_cores:
            found.append(lay_out(problem, float(bound), most))
        for index in found:
            if index is not None:
                yield index
        tried -= any(index is not None for index in found)


def separate(problem: Problem, bound: float, most: int) -> dict[str, Array] | None:
    """Each population on cores of its own, with the fewest messages; None if too many cores."""
    floors = {
        (name, number): cut.fewest
        for name, cuts in problem.cuts.items()
        for number, cut in enumerate(cuts)
    }
    while True:
        options = {name: _options(problem, name, bound, floors) for name in problem.cuts}
        chosen = _fitting(options, most)
        if chosen is None:
            return None
        raised = False
        for name, (parts, _, number) in chosen.items():
            legal = _legal(problem, name, number, parts)
            if legal != parts:
                floors[name, number], raised = legal, True
        if raised:
            continue
        index, total = {}, 0
        for name, (parts, _, number) in chosen.items():
            own = problem.cuts[name][number].whole(problem.loads[name], parts)
            index[name] = own + np.int32(total)
            total += parts
        known = (total, *(choice for choice in chosen.values()))
        if known in problem.memory:  # the same as for another bound
            return None
        crowded = crowded_senders(problem.program, problem.target, index, total)
        if not crowded:
            problem.memory[known] = index
            return index
        for name, (excess, _) in crowded.items():
            parts = chosen[name][0]
            for number in range(len(problem.cuts[name])):
                needed = max(parts + 1, int(parts * excess))
                floors[name, number] = max(floors[name, number], needed)


UNLIMITED = 2**31
SLACK = 0.05
"""By how much a part may exceed the bound on the load."""


def _legal(problem: Problem, name: str, number: int, parts: int) -> int:
    """The least number of parts from that one on that fits; UNLIMITED: none."""
    cut = problem.cuts[name][number]
    grains = cut.sizes.size
    first = parts
    while (name, number, first) not in problem.memory:
        if parts > grains:
            parts = UNLIMITED
            break
        index = cut.whole(problem.loads[name], parts)
        over = estimate(problem.program, problem.target, name, index, parts)[0]
        if over <= 1:
            break
        parts = min(max(parts + 1, int(parts * over**0.5)), max(grains, parts + 1))
    return int(problem.memory.setdefault((name, number, first), parts))


def _busiest(problem: Problem, name: str, number: int, parts: int) -> float:
    """Load of the busiest of that many parts, but for what whole rows make it more."""
    key = (name, number, parts, "load")
    if key not in problem.memory:
        load = problem.loads[name]
        index = problem.cuts[name][number].whole(load, parts)
        problem.memory[key] = float(np.bincount(index, load).max()) / (1 + SLACK)
    return float(problem.memory[key])


def _options(
    problem: Problem, name: str, bound: float, floors: Mapping[tuple[str, int], int]
) -> list[Choice]:
    """A choice for each cut that keeps the bound, or for the one that comes nearest to it."""
    numbers = range(len(problem.cuts[name]))
    made = [_option(problem, name, n, bound, floors[name, n]) for n in numbers]
    legal = [choice for choice in made if choice[0] < UNLIMITED]
    if not legal:
        return [(UNLIMITED, np.inf, 0)]
    busiest = [_busiest(problem, name, number, parts) for parts, _, number in legal]
    limit = max(bound, min(busiest))
    return [choice for choice, load in zip(legal, busiest, strict=True) if load <= limit]


def _option(
    problem: Problem, name: str, number: int, bound: float, floor: int
) -> tuple[int, float, int]:
    """Parts that the bound asks for, and the messages that then come in."""
    cut, load = problem.cuts[name][number], problem.loads[name]
    grains = cut.sizes.size
    if floor > grains:
        return UNLIMITED, np.inf, number
    wanted = min(int(np.ceil(float(load.sum()) / bound - 1e-9)), grains)
    parts = max(floor, wanted)
    while parts < min(grains, 2 * wanted) and _busiest(problem, name, number, parts) > bound:
        parts = min(grains, parts + max(1, parts // 16))
    axons = cut.axons
    into = problem.program.into(name)
    if parts != cut.fewest and any(isinstance(p.synapse, Conv2d) for p in into):
        key = (name, number, parts, "axons")
        if key not in problem.memory:
            index = cut.whole(load, parts)
            problem.memory[key] = estimate(problem.program, problem.target, name, index, parts)[
                1
            ]
        axons = problem.memory[key]
    sources = {p.source for p in into}
    rate = np.mean([problem.rates[s].mean() for s in sources]) if sources else 0.0
    return parts, float(parts * axons * rate), number


Choice = tuple[int, float, int]


def _fitting(options: Mapping[str, list[Choice]], most: int) -> dict[str, Choice] | None:
    """The cuts with the fewest messages for at most that many parts, by a price a part."""

    def at(price: float) -> dict[str, Choice]:
        return {
            name: min(some, key=lambda o: (o[1] + price * o[0], o[0]))
            for name, some in options.items()
        }

    def parts(chosen: Mapping[str, Choice]) -> int:
        return sum(option[0] for option in chosen.values())

    if parts(at(0.0)) <= most:
        return at(0.0)
    cheap, dear = 0.0, 1e12
    if parts(at(dear)) > most:
        return None
    for _ in range(60):
        middle = (cheap * dear) ** 0.5 if cheap else min(dear / 16, 1e6)
        if parts(at(middle)) <= most:
            dear = middle
        else:
            cheap = middle
        if cheap and dear / cheap < 1.01:
            break
        if not cheap and dear < 1e-9:
            break
    return at(dear)
