"""What no input can exceed: worst-case sums, currents and states of a fixed-point Program.

Every message takes its largest legal value at every step, all positive weights on one side,
all negative ones on the other. Integer arithmetic, so that the proof is not itself rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Problem, UnsupportedNode
from .formats import ACCUMULATOR, CURRENT, STATE, shift
from .neurons.bounds import BOUNDS, spikes
from .neurons.coded import sigma_delta_sum
from .neurons.cuba_lif import CubaLif
from .neurons.first_spike import FirstSpike
from .neurons.models import model_of
from .neurons.reach import Drive, Extreme, Part, Reach
from .neurons.sigma_delta import SigmaDelta
from .program import Input, Population, Program, Projection, Synapse
from .synapses.sparse import Sparse
from .targets import Target, load_target
from .weights import row_sums, together

__all__ = ["Bounds", "population_bounds", "problems", "spikes"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Worst case of one population over the Program's steps; integers.

    Attributes:
        accumulator: largest absolute sum of one projection before its exponent.
        accumulator_limit: int32, or what the target has.
        current: (lowest, highest) current that arrives in a step; limit +-131071.
        reach: what the states can become.
        message_limit: largest graded message of the target.
    """

    accumulator: int
    accumulator_limit: int
    current: tuple[Extreme, Extreme]
    reach: Reach
    message_limit: int = STATE.maximum

    @property
    def states(self) -> Mapping[str, tuple[int, int]]:
        """State -> (lowest, highest); a membrane before clipping and spike."""
        return {k: (low.value, high.value) for k, (low, high) in self.reach.states.items()}

    @property
    def proven_steps(self) -> int | None:
        """Steps up to which the membrane cannot be clipped; None: for all."""
        return self.reach.proven_steps


Ranges = dict[str, tuple[int, int]]
"""Ranges of graded messages that are known: else each path of a residual network is walked."""


def message_range(
    program: Program, name: str, ahead: tuple[str, ...] = (), known: Ranges | None = None
) -> tuple[int, int]:
    """(lowest, highest) message of that input or population.

    Args:
        program: in integers.
        name: of an input or population.
        ahead: populations whose bounds are being computed from this one.
        known: ranges of this Program; what is found is added.

    Raises:
        UnsupportedNode: graded messages that run in a loop.
    """
    source = program.source(name)
    if isinstance(source, Input):
        low, high = int(source.minimum), int(source.maximum)
        # The first change starts at 0.
        return (min(low - high, low), max(high - low, high)) if source.delta else (low, high)
    kind = model_of(source.neuron).message
    if kind != "graded":
        return (-1, 1) if kind == "ternary" else (0, 1)
    if name in ahead:
        raise UnsupportedNode(
            "graded messages run in a loop, so that no bound of them can be proven",
            where=f"population {name}",
            remedy="use spiking neurons in recurrent layers",
        )
    known = {} if known is None else known
    if name not in known:
        steps, ahead = program.run_steps(program.steps), (*ahead, name)
        bounds = population_bounds(program, source, steps, ahead=ahead, known=known)
        known[name] = bounds.reach.message
    return known[name]


def sum_range(program: Program, name: str, steps: int, one: tuple[int, int]) -> tuple[int, int]:
    """(lowest, highest) sum of the messages of one source element up to any step.

    Args:
        program: in integers.
        name: of an input or population.
        steps: steps that are executed.
        one: range of a single message.
    """
    source = program.source(name)
    if isinstance(source, Input):
        low, high = int(source.minimum), int(source.maximum)
        times = 1 if source.delta else program.steps
        return min(low, 0) * times, max(high, 0) * times
    neuron = source.neuron
    if isinstance(neuron, SigmaDelta):
        known = sigma_delta_sum(neuron)
        if known is not None:
            return known
    times = steps
    if isinstance(neuron, FirstSpike):
        times = 1 if neuron.ticks else 0
    elif isinstance(neuron, CubaLif) and neuron.refractory:
        times = -(-steps // (neuron.refractory + 1))
    return one[0] * times, one[1] * times


def synapse_range(synapse: Synapse, low: int, high: int) -> tuple[Array, Array]:
    """Lowest and highest sum at each target neuron before the exponent, int64 (n_out,)."""
    weight = synapse.weight.astype(np.int64)
    positive = row_sums(synapse, np.maximum(weight, 0))
    negative = row_sums(synapse, np.minimum(weight, 0))
    top = positive * max(high, 0) + negative * min(low, 0)
    bottom = negative * max(high, 0) + positive * min(low, 0)
    return bottom, top


def population_bounds(
    program: Program,
    population: Population,
    steps: int,
    *,
    quiet: bool = False,
    ahead: tuple[str, ...] = (),
    known: Ranges | None = None,
) -> Bounds:
    """Bounds of a population of a `fixed` Program that runs for that many steps.

    Args:
        program: where the population's projections and their sources are found.
        population: the population.
        steps: steps that are executed.
        quiet: it is known that nothing spikes before the first input has arrived, so that no
            current reaches a population before its onset.
        ahead: populations whose bounds are being computed from this one.
        known: message ranges of this Program; what is found is added.
    """
    parts: list[Part] = []
    known = {} if known is None else known
    accumulator = 0
    incoming = program.into(population.name)
    for projection in incoming:
        edges = message_range(program, projection.source, ahead, known)
        for _, synapse in _bins(projection):
            bottom, top = synapse_range(synapse, *edges)
            accumulator = max(accumulator, int(top.max(initial=0)), -int(bottom.min(initial=0)))
    for projection in together(incoming):
        low, high = message_range(program, projection.source, ahead, known)
        sums = sum_range(program, projection.source, steps, (low, high))
        first, last = _sends(program, projection.source, steps, quiet)
        for own, synapse in _bins(projection):
            bottom, top = synapse_range(synapse, low, high)
            late = 1 + projection.delay + own
            sides = (bottom, top, *synapse_range(synapse, *sums))
            reach = (shift(np.asarray(side), projection.exponent) for side in sides)
            parts.append(Part(projection.port, first + late, last + late, *reach))
    drive = Drive(population.size, tuple(parts))
    limits = _target(program.target).limits
    limit = limits["accumulator"].value if "accumulator" in limits else ACCUMULATOR.maximum
    return Bounds(
        accumulator,
        int(min(limit, ACCUMULATOR.maximum)),
        (_current(drive, population, -1), _current(drive, population, 1)),
        BOUNDS[type(population.neuron)](population.neuron, drive, steps),
        int(limits["message"].value) if "message" in limits else STATE.maximum,
    )


@cache
def _target(name: str) -> Target:
    return load_target(name)


def _bins(projection: Projection) -> list[tuple[int, Synapse]]:
    """Own delay and synapses of each sum that is shifted by itself."""
    synapse = projection.synapse
    return list(synapse.bins()) if isinstance(synapse, Sparse) else [(0, synapse)]


def _sends(program: Program, name: str, steps: int, quiet: bool) -> tuple[int, int]:
    """First and last step in which that source can send."""
    source = program.source(name)
    if isinstance(source, Input):
        return 1, max(steps - program.latency, 1)
    return (source.depth + 1 if quiet else 1), steps


def _current(drive: Drive, population: Population, sign: int) -> Extreme:
    found = []
    for port in model_of(population.neuron).ports:
        current = drive.extreme(sign, port)
        at = int(np.argmax(sign * current))
        found.append(Extreme(int(current[at]), at, 0))
    return max(found, key=lambda extreme: sign * extreme.value)


def describe(population: Population, neuron: int) -> str:
    """That neuron of the population, as people count it in its shape."""
    index = np.unravel_index(neuron, population.shape)
    if len(index) < 2:
        return f"neuron {neuron}"
    place = ", ".join(str(int(i)) for i in index[1:])
    return f"neuron ({place}) of channel {int(index[0])}"


def breaking_input(population: Population, extreme: Extreme, sign: int) -> str:
    """Which input drives a state of that neuron there."""
    neuron = describe(population, extreme.neuron)
    if type(population.neuron).__name__ == "Resonator":
        return f"messages in time with the oscillation of {neuron} for {extreme.step} steps"
    side = "positive" if sign > 0 else "negative"
    duration = f"at every step for {extreme.step} steps" if extreme.step else "in one step"
    return (
        f"every source that feeds a {side} weight of {neuron} sending its largest message "
        f"{duration}"
    )


def current_limit(population: Population) -> int:
    """Most that may arrive in a step: 24 bits, less the shift where the model has one."""
    own = isinstance(population.neuron, SigmaDelta | FirstSpike)
    return STATE.maximum if own else CURRENT.maximum


def problems(population: Population, bounds: Bounds) -> list[Problem]:
    """Which hard limits the bounds break; v of a spiking population may saturate (counted)."""
    found = []
    where = f"population {population.name}"
    message = max(abs(value) for value in bounds.reach.message)
    if message > bounds.message_limit:
        found.append(
            Problem(
                f"a message can reach {message}; the limit is {bounds.message_limit}",
                where,
                "use a larger state exponent, or a smaller range of the activation",
            )
        )
    if bounds.accumulator > bounds.accumulator_limit:
        found.append(
            Problem(
                f"a sum of weights can reach {bounds.accumulator}; "
                f"the limit is {bounds.accumulator_limit}",
                where,
                "reduce the fan-in or the range of the input",
            )
        )
    largest = max(bounds.current, key=lambda extreme: abs(extreme.value))
    limit = current_limit(population)
    if abs(largest.value) > limit:
        found.append(_problem("the current of one step", largest, limit, population, where))
        return found  # what such a current does to the states says nothing more
    for name, pair in bounds.reach.states.items():
        most = bounds.reach.limits.get(name)
        worst = max(pair, key=lambda extreme: abs(extreme.value))
        if most is not None and abs(worst.value) > most:
            title = "the membrane potential of a readout" if name == "v" else name
            found.append(_problem(title, worst, most, population, where))
    return found


def _problem(
    title: str, extreme: Extreme, limit: int, population: Population, where: str
) -> Problem:
    reached, sign = abs(extreme.value), 1 if extreme.value > 0 else -1
    return Problem(
        f"{title} can reach {reached}; the limit is {limit}; "
        f"{breaking_input(population, extreme, sign)} would break it",
        where,
        f"{smaller(population, reached / limit)}; or use fewer steps, a shorter time constant "
        "or smaller weights",
    )


def smaller(population: Population, factor: float) -> str:
    """The scale that would do."""
    scale = float(np.max(population.scale)) / factor
    return f"a scale smaller by {factor:.3g} would do ({scale:.4g} units per unit of current)"
