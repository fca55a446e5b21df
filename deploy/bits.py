"""Bits of each projection's weights, so that all of them fit into the target's memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CapacityExceeded, Problem, UsageError
from .formats import WEIGHT_BITS_MAX, WeightFormat, sign_mode_of
from .program import Program, Projection
from .rounding import current_power
from .targets import load_target
from .weights import meant, quantise_weights, stored_bits

Array = npt.NDArray[Any]
Seen = Mapping[str, "list[Array] | None"]


TWO_PARTS = 2 * WEIGHT_BITS_MAX
"""Bits of weights that are the sum of a high and a low part (`weights.two_parts`)."""


def allocate(
    program: Program, wanted: int | None, memory: float | None, seen: Seen | None
) -> dict[str, int]:
    """Projection -> bits of its weights: 1 to 8, or 16 for two parts of 8.

    A loop amplifies every difference: 8 bits leave hardly a spike of a recurrent network where
    it was. Projections into populations on a loop or behind one therefore get two parts.

    Args:
        program: in floating point.
        wanted: bits of all weights; None: as said above, and fewer where the memory is
            exceeded, of the widths that the target has.
        memory: bits that the target can store; None: as many as are needed.
        seen: projection -> second moments of the messages it sees (`rounding.moments`);
            None without calibration data.

    Raises:
        UsageError: `wanted` is not 1 to 8 or 16, or 1 with weights of mixed signs.
        CapacityExceeded: even the fewest bits do not fit.
    """
    if wanted is not None:
        bits = _uniform(program, wanted)
    else:
        fine = behind_loops(program)
        bits = {
            p.name: TWO_PARTS if p.target in fine else WEIGHT_BITS_MAX
            for p in program.projections
        }
        if memory is not None:
            bits = _within(program, bits, memory, seen)
    used = memory_used(program, bits)
    if memory is not None and used > memory:
        raise CapacityExceeded(
            f"the weights need {used} bit; the limit is {memory:.0f} bit",
            where=f"target {program.target}",
            remedy="use fewer --weight-bits, a smaller network, or a larger target",
        )
    return bits


def behind_loops(program: Program) -> set[str]:
    """Populations of spikes on a loop of projections, and those that such a one reaches."""
    after: dict[str, set[str]] = {}
    for projection in program.projections:
        after.setdefault(projection.source, set()).add(projection.target)
    reached = {p.name: _reached(p.name, after) for p in program.populations}
    looped = [name for name, targets in reached.items() if name in targets]
    return set().union(*(reached[name] for name in looped))


def _reached(start: str, after: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for follower in after.get(waiting.pop(), set()) - seen:
            seen.add(follower)
            waiting.append(follower)
    return seen


def memory_used(program: Program, bits: Mapping[str, int]) -> int:
    """Bits of all weights at these formats."""
    return sum(stored_bits(p.synapse, bits[p.name]) for p in program.projections)


def fewest(projection: Projection) -> int:
    """1, or 2 where signs are mixed: one bit would hold -256 and 0 only."""
    mode = sign_mode_of(projection.synapse.weight)
    return 1 if WeightFormat(1, 0, mode).largest else 2


def _uniform(program: Program, wanted: int) -> dict[str, int]:
    if wanted != TWO_PARTS and not 1 <= wanted <= WEIGHT_BITS_MAX:
        raise UsageError(
            f"weights of {wanted} bits do not exist; there are 1 to {WEIGHT_BITS_MAX}, and "
            f"{TWO_PARTS} in two parts",
            remedy=f"use --weight-bits from 1 to {WEIGHT_BITS_MAX}",
        )
    refused = [
        Problem(
            f"{wanted} bit cannot hold weights of both signs: what is left is "
            f"{WeightFormat(wanted).mantissa.minimum} and 0",
            f"projection {p.name}",
            f"use --weight-bits {fewest(p)} or more, or train this layer with weights of one "
            "sign",
        )
        for p in program.projections
        if fewest(p) > wanted
    ]
    if refused:
        raise UsageError(*refused)
    return {p.name: wanted for p in program.projections}


def _within(
    program: Program, bits: dict[str, int], memory: float, seen: Seen | None
) -> dict[str, int]:
    """Fewer bits, one at a time, where each bit that is saved costs the least.

    The cost is the current error added, over the power of all currents into the target;
    without calibration data all projections go down together.
    """
    widths = load_target(program.target).weight_bits
    floors = {p.name: min(w for w in widths if w >= fewest(p)) for p in program.projections}
    costs: dict[tuple[str, int], float] = {}
    while memory_used(program, bits) > memory:
        open_ones = [p for p in program.projections if bits[p.name] > floors[p.name]]
        if not open_ones:
            return bits
        if seen is None:
            most = fewer(max(bits[p.name] for p in open_ones), widths)
            for projection in open_ones:
                bits[projection.name] = min(bits[projection.name], most)
            continue

        def price(projection: Projection, seen: Seen = seen) -> float:
            name, now = projection.name, bits[projection.name]
            for count in (now, fewer(now, widths)):
                if (name, count) not in costs:
                    costs[name, count] = _error(program, projection, count, seen)
            least = fewer(now, widths)
            added = costs[name, least] - costs[name, now]
            return added / max(stored_bits(projection.synapse, now - least), 1)

        cheapest = min(open_ones, key=price)
        bits[cheapest.name] = fewer(bits[cheapest.name], widths)
    return bits


def fewer(bits: int, widths: tuple[int, ...]) -> int:
    """The next smaller one of the target's widths; from two parts it leads to one."""
    return max(width for width in widths if width < bits)


def _error(program: Program, projection: Projection, bits: int, seen: Seen) -> float:
    """Power of the current error at that many bits over that of all currents of the target.

    Where the messages are not known (a silent source, a huge fan-in), of the weights alone.
    """
    weight, moment = projection.synapse.weight, seen[projection.name]
    if bits == TWO_PARTS or not weight.any():
        return 0.0
    scale = np.array([WeightFormat().largest / float(np.max(np.abs(weight)))])
    quantised = quantise_weights(projection, scale, bits)
    assert isinstance(quantised, Projection)
    error = weight - meant((quantised,), scale)
    if moment is None:
        return float(np.sum(error**2) / np.sum(weight**2))
    power = 0.0
    for other in program.into(projection.target):
        known = seen[other.name]
        if known is not None:
            power += current_power(other, other.synapse.weight, known)
    return current_power(projection, error, moment) / power if power else 0.0
