"""Which core of the mesh each part lies on: few hops, and few messages between chips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import CapacityExceeded
from ..program import Program
from ..targets import Target
from .anneal import anneal
from .geometry import chip_of, tile_of
from .incidence import Incidence

Array = npt.NDArray[Any]

CROSSING = 16.0
"""Hops that a message to another chip counts for: the link is about 1/30 of the mesh."""
WORK = 2e8
"""Visits of a neighbour that annealing may take: one or two seconds."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages per inference between parts, from `sender` to `receiver`, own part included."""

    sender: Array
    receiver: Array
    messages: Array


def traffic_of(
    program: Program, found: Incidence, index: Mapping[str, Array], rates: Mapping[str, Array]
) -> Traffic:
    """What the populations send to each other; inputs come from outside the mesh."""
    keys, weights, cores = [], [], 1 + max(int(of.max(initial=0)) for of in index.values())
    for population in program.populations:
        destinations = found.destinations[population.name]
        fan = np.diff(destinations.indptr)
        home = index[population.name].astype(np.int64)
        key = np.repeat(home, fan) * cores + destinations.core
        unique, inverse = np.unique(key, return_inverse=True)
        keys.append(unique)
        weight = np.repeat(rates[population.name], fan)
        weights.append(np.bincount(inverse, weight, unique.size))
    key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    total = np.bincount(inverse, np.concatenate(weights), key.size)
    return Traffic(key // cores, key % cores, total)


def hops_of(target: Target, traffic: Traffic, core: Array) -> float:
    """Messages times the distance of the tiles."""
    x, y = tile_of(target.mesh, core)
    distance = np.abs(x[traffic.sender] - x[traffic.receiver]) + np.abs(
        y[traffic.sender] - y[traffic.receiver]
    )
    return float(traffic.messages @ distance)


def assign(target: Target, traffic: Traffic, parts: int, seed: int) -> Array:
    """Physical core of each part, all different; the parts are numbered along the network.

    Starts with the parts laid out in rows, and anneals. The tiles are the fewest that hold all
    parts, as near a square as the chip allows; the chips are the fewest, too.

    Raises:
        CapacityExceeded: more cores than the largest board has.
    """
    slots = _slots(target, parts)
    if parts < 2:
        return slots[:parts]
    x, y = tile_of(target.mesh, slots)
    tiles, tile = np.unique(slots // target.mesh.cores_per_tile, return_inverse=True)
    geometry = np.stack([x, y, chip_of(target.mesh, slots), tile]).astype(np.int64)
    slots_of_tile = np.full((tiles.size, target.mesh.cores_per_tile), -1, np.int64)
    for slot, t in enumerate(tile.tolist()):
        slots_of_tile[t, int(np.argmax(slots_of_tile[t] < 0))] = slot
    indptr, neighbour, messages = _neighbours(traffic, parts)
    slot_of = np.arange(parts, dtype=np.int64)
    part_at = np.full(slots.size, -1, np.int64)
    part_at[:parts] = slot_of
    if messages.size and tiles.size > 1:
        degree = messages.size / parts
        moves = int(np.clip(WORK / (2 * degree + 20), 1000, 3000 * parts + 20_000))
        hot = 2.0 * float(messages.mean()) * max(1.0, float(np.sqrt(degree)))
        state = np.array([seed * 2 + 0x9E3779B97F4A7C15], np.uint64)
        work = (indptr, neighbour, messages, geometry, slots_of_tile, CROSSING)
        anneal(*work, slot_of, part_at, moves, hot, hot * 1e-4, state)
    return slots[slot_of]


def _neighbours(traffic: Traffic, parts: int) -> tuple[Array, Array, Array]:
    """Messages between each part and each other one, both directions added, by part."""
    between = (traffic.sender != traffic.receiver) & (traffic.messages > 0)
    a, b = traffic.sender[between], traffic.receiver[between]
    key = np.concatenate([a * parts + b, b * parts + a])
    unique, inverse = np.unique(key, return_inverse=True)
    messages = np.bincount(inverse, np.tile(traffic.messages[between], 2), unique.size)
    counts = np.bincount(unique // parts, minlength=parts)
    indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return indptr, (unique % parts).astype(np.int64), messages


def _slots(target: Target, parts: int) -> Array:
    """Cores that may be used, in an order in which consecutive ones lie close together."""
    mesh = target.mesh
    chips = ceil(parts / mesh.usable)
    if chips > mesh.chips:
        raise CapacityExceeded(
            f"{parts} cores; the largest board has {mesh.chips} chips of {mesh.usable} cores",
            where=f"target {target.name}",
            remedy="make the network smaller, or choose a larger target",
        )
    tiles = ceil(parts / mesh.cores_per_tile)
    columns, rows = mesh.columns, mesh.rows
    if chips == 1:
        columns, rows = _rectangle(target, tiles)
    order = []
    for x in range(columns):  # columns up and down in turn
        for y in range(rows) if x % 2 == 0 else reversed(range(rows)):
            first = (y * mesh.columns + x) * mesh.cores_per_tile
            order += [first + c for c in range(mesh.cores_per_tile) if first + c < mesh.usable]
    chip = np.arange(chips)[:, None] * mesh.cores_per_chip
    return np.asarray((chip + np.asarray(order)[None, :]).reshape(-1), np.int64)


def _rectangle(target: Target, tiles: int) -> tuple[int, int]:
    """Columns and rows of the rectangle with the fewest steps across that holds the tiles."""
    mesh = target.mesh

    def room(columns: int, rows: int) -> int:
        index = np.arange(mesh.rows * mesh.columns).reshape(mesh.rows, mesh.columns)
        cores = index[:rows, :columns].reshape(-1, 1) * mesh.cores_per_tile
        return int(np.count_nonzero(cores + np.arange(mesh.cores_per_tile) < mesh.usable))

    legal = [
        (columns + rows, columns * rows, columns, rows)
        for columns in range(1, mesh.columns + 1)
        for rows in range(1, mesh.rows + 1)
        if room(columns, rows) >= tiles * mesh.cores_per_tile
        or (columns, rows) == (mesh.columns, mesh.rows)
    ]
    return min(legal)[2:]
