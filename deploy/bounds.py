"""What no input can exceed: worst-case currents and states of a fixed-point Program.

Every message takes its largest legal value at every step, all positive weights on one side,
all negative ones on the other. Integer arithmetic, so that the proof is not itself rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Problem
from .neurons.cuba_lif import (
    CURRENT_MAX,
    DECAY_UNITY,
    STATE_LIMIT,
    STATE_SHIFT,
    CubaLif,
)
from .program import Population, Program, Projection
from .reference import shift
from .synapses.conv2d import Conv2d

Array = npt.NDArray[Any]

ACCUMULATOR_MAX = 2**31 - 1
PROOF_STEPS = 4096
"""State bounds are followed step by step up to this many steps."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Worst case of one population over the Program's steps; integers.

    Attributes:
        accumulator: largest absolute sum of one projection before its exponent.
        current: (lowest, highest) current that arrives in a step; limit +-131071.
        u: (lowest, highest) u; limit +-(2**23 - 1).
        v: (lowest, highest) v before clipping and spike; +-(2**23 - 1) clips.
        v_proven_steps: steps up to which v cannot be clipped from below; None: for all.
    """

    accumulator: int
    current: tuple[int, int]
    u: tuple[int, int]
    v: tuple[int, int]
    v_proven_steps: int | None


def message_range(program: Program, source: str) -> tuple[int, int]:
    """(lowest, highest) value of a message of that input or population."""
    if source == program.input.name:
        return int(program.input.minimum), int(program.input.maximum)
    return 0, 1


def projection_range(projection: Projection, low: int, high: int) -> tuple[Array, Array, int]:
    """Lowest and highest current at each target channel or neuron, and the largest raw sum.

    Returns:
        Two int64 arrays of the target's size, after the exponent, and the largest absolute
        sum before it.
    """
    synapse = projection.synapse
    weight = synapse.weight.astype(np.int64)
    rows = weight.reshape(weight.shape[0], -1)
    positive = np.where(rows > 0, rows, 0).sum(axis=1)
    negative = np.where(rows < 0, rows, 0).sum(axis=1)
    top = positive * max(high, 0) + negative * min(low, 0)
    bottom = negative * max(high, 0) + positive * min(low, 0)
    if isinstance(synapse, Conv2d):
        positions = prod(synapse.output_shape[1:])
        top, bottom = np.repeat(top, positions), np.repeat(bottom, positions)
    largest = int(max(top.max(initial=0), -bottom.min(initial=0)))
    return shift(bottom, synapse.exponent), shift(top, synapse.exponent), largest


def population_bounds(
    program: Program, population: Population, steps: int, *, quiet: bool = False
) -> Bounds:
    """Bounds of a population of a `fixed` Program that runs for that many steps.

    Args:
        program: where the population's projections are found.
        population: the population.
        steps: steps that are executed.
        quiet: it is known that nothing spikes before the first input has arrived, so that no
            current reaches a population before its onset.
    """
    low = np.zeros(population.size, np.int64)
    high = np.zeros(population.size, np.int64)
    accumulator = 0
    for projection in program.into(population.name):
        bottom, top, largest = projection_range(
            projection, *message_range(program, projection.source)
        )
        low, high = low + np.minimum(bottom, 0), high + np.maximum(top, 0)
        accumulator = max(accumulator, largest)
    neuron = population.neuron
    u_low, v_low, proven = follow(neuron, low, steps, -1, quiet)
    u_high, v_high, above_proven = follow(neuron, high, steps, 1, quiet)
    if spikes(neuron):
        # A spike returns v to 0, so at most one step's gain lies above the threshold.
        bias = int(np.max(neuron.bias_mantissa)) << neuron.bias_exponent
        above = (int(np.max(neuron.threshold)) << STATE_SHIFT) + u_high + max(bias, 0)
        v_high = min(v_high, above)
    else:
        proven = _earlier(proven, above_proven)
    return Bounds(
        accumulator=accumulator,
        current=(int(low.min()), int(high.max())),
        u=(u_low, u_high),
        v=(v_low, v_high),
        v_proven_steps=proven,
    )


def spikes(neuron: CubaLif) -> bool:
    """Whether the threshold can be reached at all."""
    return bool(np.all(neuron.threshold < CURRENT_MAX))


def follow(
    neuron: CubaLif, current: Array, steps: int, sign: int, quiet: bool
) -> tuple[int, int, int | None]:
    """Extreme u and v if `current` arrives at every step, and the steps until v would clip.

    Rounding towards zero only brings the states nearer to zero, so the exact recursion with
    rounding away from zero is a bound.
    """
    start = np.broadcast_to(neuron.initial_voltage, current.shape).astype(np.int64)
    if not neuron.onset:
        return _follow(neuron, current, steps, sign, start)
    early = np.zeros_like(current) if quiet else current
    before = min(neuron.onset - 1, steps)
    u, v, clipped = _follow(neuron, early, before, sign, start)
    u_after, v_after, later = _follow(
        neuron, current, steps - before, sign, np.zeros_like(start)
    )
    if clipped is None and later is not None:
        clipped = before + later
    extreme = min if sign < 0 else max
    return extreme(u, u_after), extreme(v, v_after), clipped


def _follow(
    neuron: CubaLif, current: Array, steps: int, sign: int, start: Array
) -> tuple[int, int, int | None]:
    du = np.broadcast_to(neuron.current_decay, current.shape).astype(np.int64) + 1
    dv = np.broadcast_to(neuron.voltage_decay, current.shape).astype(np.int64)
    bias = np.broadcast_to(neuron.bias_mantissa, current.shape).astype(np.int64)
    bias = sign * (bias << neuron.bias_exponent)
    gain = sign * (current << STATE_SHIFT)
    u, v = np.zeros_like(gain), np.maximum(sign * start, 0)
    largest_v, clipped = v, None
    for step in range(1, min(steps, PROOF_STEPS) + 1):
        u = _keep(u, du) + gain
        v = np.maximum(_keep(v, dv) + u + bias, 0)
        largest_v = np.maximum(largest_v, v)
        if clipped is None and v.max() >= STATE_LIMIT:
            clipped = step - 1
        if v.max() > 2**40:
            break
    return sign * int(u.max()), sign * int(largest_v.max()), clipped


def _keep(state: Array, decay: Array) -> Array:
    kept: Array = -((-state * (DECAY_UNITY - decay)) // DECAY_UNITY)
    return kept


def _earlier(first: int | None, second: int | None) -> int | None:
    known = [step for step in (first, second) if step is not None]
    return min(known) if known else None


def problems(population: Population, bounds: Bounds) -> list[Problem]:
    """Which hard limits the bounds break; v of a spiking population may saturate (counted)."""
    found = []
    where = f"population {population.name}"
    largest = max(abs(bounds.current[0]), bounds.current[1])
    if bounds.accumulator > ACCUMULATOR_MAX:
        found.append(
            Problem(
                f"a sum of weights can reach {bounds.accumulator}; "
                f"the limit is {ACCUMULATOR_MAX}",
                where,
                "reduce the fan-in or the range of the input",
            )
        )
    if largest > CURRENT_MAX:
        found.append(
            Problem(
                f"the current of one step can reach {largest}; the limit is {CURRENT_MAX}",
                where,
                f"a scale smaller by {largest / CURRENT_MAX:.3g} would do",
            )
        )
    u = max(abs(bounds.u[0]), bounds.u[1])
    if u >= STATE_LIMIT:
        found.append(
            Problem(
                f"u can reach {u}; the limit is {STATE_LIMIT - 1}",
                where,
                "use a shorter synaptic time constant or a smaller scale",
            )
        )
    if not spikes(population.neuron):
        reach = max(abs(bounds.v[0]), bounds.v[1])
        limit = (CURRENT_MAX << STATE_SHIFT) - 1
        if reach > limit:
            found.append(
                Problem(
                    f"the membrane potential of a readout can reach {reach}; "
                    f"the limit is {limit}",
                    where,
                    f"a scale smaller by {reach / limit:.3g} would do",
                )
            )
    return found
