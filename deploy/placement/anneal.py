"""Simulated annealing of where each part lies on the mesh, compiled by numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from ..engine.compiled import kernel


@register_jitable
def _random(state: Any) -> Any:
    """The next number of a xorshift generator, 0 to 2**32 - 1."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return np.int64(x >> np.uint64(32))


@register_jitable
def _distance(geometry: Any, a: int, b: int, crossing: float) -> Any:
    """Hops between two slots, and the price of a link between chips."""
    hops = abs(geometry[0, a] - geometry[0, b]) + abs(geometry[1, a] - geometry[1, b])
    return hops + (crossing if geometry[2, a] != geometry[2, b] else 0.0)


@register_jitable
def _cost_at(
    part: int,
    slot: int,
    other: int,
    other_slot: int,
    indptr: Any,
    neighbour: Any,
    traffic: Any,
    slot_of: Any,
    geometry: Any,
    crossing: float,
) -> float:
    """Of a part's messages if it lay in `slot`, and `other` in `other_slot`."""
    total = 0.0
    for k in range(indptr[part], indptr[part + 1]):
        b = neighbour[k]
        at = other_slot if b == other else slot_of[b]
        total += traffic[k] * _distance(geometry, slot, at, crossing)
    return total


@kernel
def anneal(
    indptr: Any,
    neighbour: Any,
    traffic: Any,
    geometry: Any,
    slots_of_tile: Any,
    crossing: float,
    slot_of: Any,
    part_at: Any,
    moves: int,
    hot: float,
    cold: float,
    state: Any,
) -> float:
    """Swap parts, or move them to empty slots, while the temperature falls; the total change.

    Args:
        indptr: int64 (parts + 1,), neighbours of each part, both directions added.
        neighbour: int64, the parts.
        traffic: float64, messages between both.
        geometry: int64 (4, slots): x and y of the tile, the chip, number of the tile.
        slots_of_tile: int64 (tiles, cores of a tile), -1 where there are fewer.
        crossing: hops that a link between chips counts for.
        slot_of: int64 (parts,), changed in place.
        part_at: int64 (slots,), -1: empty; changed in place.
        moves: how many are tried.
        hot: first temperature.
        cold: last temperature; the last tenth of the moves only goes down.
        state: uint64 (1,), of the generator, not 0.
    """
    parts, slots = slot_of.size, part_at.size
    falling = (cold / hot) ** (1.0 / max(1, moves))
    temperature, changed = hot, 0.0
    per_tile = slots_of_tile.shape[1]
    for move in range(moves):
        temperature *= falling
        a = _random(state) % parts
        to = _random(state) % slots
        links = indptr[a + 1] - indptr[a]
        if links > 0 and _random(state) % 4 != 0:  # beside a neighbour
            b = neighbour[indptr[a] + _random(state) % links]
            near = slots_of_tile[geometry[3, slot_of[b]], _random(state) % per_tile]
            if near >= 0:
                to = near
        here = slot_of[a]
        b = part_at[to]
        if to == here:
            continue
        before = _cost_at(
            a, here, b, to, indptr, neighbour, traffic, slot_of, geometry, crossing
        )
        after = _cost_at(
            a, to, b, here, indptr, neighbour, traffic, slot_of, geometry, crossing
        )
        if b >= 0:
            before += _cost_at(
                b, to, a, here, indptr, neighbour, traffic, slot_of, geometry, crossing
            )
            after += _cost_at(
                b, here, a, to, indptr, neighbour, traffic, slot_of, geometry, crossing
            )
        delta = after - before
        if delta > 0:
            if 10 * move > 9 * moves:
                continue
            if _random(state) / 2.0**32 >= np.exp(-delta / temperature):
                continue
        slot_of[a] = to
        part_at[to] = a
        part_at[here] = b
        if b >= 0:
            slot_of[b] = here
        changed += delta
    return changed
