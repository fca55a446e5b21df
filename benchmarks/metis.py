"""A placement by METIS, to compare with: `make bench-placement`.

Each population is cut into clusters, several to a core. Where populations may share cores,
METIS divides the graph of clusters, whose edges are the messages between them; where they may
not, it divides each population, whose clusters are joined by the messages that both receive.
The number of cores grows until every limit is kept. The parts are put on the mesh as ours are.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pymetis
from slipway.deploy.placement import Placement
from slipway.deploy.placement.assign import assign, traffic_of
from slipway.deploy.placement.cuts import cuts_of
from slipway.deploy.placement.incidence import incidence_of
from slipway.deploy.placement.load import full_rates, neuron_loads
from slipway.deploy.placement.splitter import finished, worst
from slipway.deploy.placement.usage import usage_of
from slipway.deploy.program import Program
from slipway.deploy.targets import Target
from slipway.errors import CapacityExceeded

Array = npt.NDArray[Any]

CLUSTERS = 6
"""Clusters of a core, on the average."""
ATTEMPTS = 14
GROWTH = 1.15
SCALE = 1e6
"""METIS takes whole numbers: the sum of all weights becomes this."""
PAIRED = 40
"""Destinations of an element that are paired: more would take long, and say little."""


def metis(
    program: Program, target: Target, rates: Mapping[str, Array], seed: int = 0
) -> Placement:
    """Place with METIS: from clusters of the finest cuts, and of those with the fewest parts.

    Raises:
        CapacityExceeded: no legal partition was found with up to seven times the fewest cores.
    """
    found, refused = [], CapacityExceeded("no cuts")
    for finest in (True, False):
        try:
            found.append(_divided(program, target, rates, seed, finest))
        except CapacityExceeded as error:
            refused = error
    if not found:
        raise refused
    return min(found, key=lambda placement: placement.cores.size)


def _divided(
    program: Program, target: Target, rates: Mapping[str, Array], seed: int, finest: bool
) -> Placement:
    started = time.perf_counter()
    known = full_rates(program, rates)
    loads = neuron_loads(program, known)
    cuts = {
        p.name: cuts_of(program, target, p.name, loads[p.name]) for p in program.populations
    }
    fewest = {name: some[0].fewest for name, some in cuts.items()}
    clusters, owner, first = {}, [], 0
    for name, some in cuts.items():
        near = [cut for cut in some if cut.fewest <= 2 * fewest[name]]
        cut = max(near, key=lambda cut: cut.sizes.size) if finest else some[0]
        count = min(cut.sizes.size, max(CLUSTERS * cut.fewest, 8))
        clusters[name] = cut.whole(loads[name], count) + np.int32(first)
        owner += [name] * count
        first += count
    weight = np.zeros(first)
    for name, of in clusters.items():
        weight += np.bincount(of, loads[name], first)
    found = incidence_of(program, clusters, first)
    traffic = traffic_of(program, found, clusters, known)
    names = np.array(owner)
    if target.layers_share_cores:
        edges = traffic.sender, traffic.receiver, traffic.messages
        groups = {"": np.arange(first)}
    else:
        edges = _together(found, known, clusters, first)
        groups = {name: np.flatnonzero(names == name) for name in cuts}
    parts = {key: sum(fewest.values()) if key == "" else fewest[key] for key in groups}
    for _ in range(ATTEMPTS):
        part_of, total = np.zeros(first, np.int64), 0
        for key, members in groups.items():
            part_of[members] = total + _divide(members, edges, weight, parts[key], seed)
            total += parts[key]
        used_parts, numbers = np.unique(part_of, return_inverse=True)
        index = {name: numbers[of].astype(np.int32) for name, of in clusters.items()}
        usage = usage_of(program, target, index, used_parts.size)
        if worst(target, usage.used) <= 1:
            moved = traffic_of(
                program, incidence_of(program, index, used_parts.size), index, known
            )
            core = assign(target, moved, used_parts.size, seed)
            return finished(program, target, "metis", seed, started, index, core)
        over = np.zeros(used_parts.size, bool)
        for resource, amounts in usage.used.items():
            over |= amounts > target.capacity(resource)
        for key, members in groups.items():
            if over[numbers[members]].any():
                grown = max(parts[key] + 1, int(np.ceil(GROWTH * parts[key])))
                parts[key] = min(members.size, grown)
    raise CapacityExceeded(
        f"METIS found no legal partition with up to {sum(parts.values())} cores",
        where=f"target {target.name}",
    )


def _together(
    found: Any, rates: Mapping[str, Array], clusters: Mapping[str, Array], count: int
) -> tuple[Array, Array, Array]:
    """Pairs of clusters that receive the same messages, and how many."""
    pairs: dict[int, float] = {}
    for source, destinations in found.destinations.items():
        fan = np.diff(destinations.indptr)
        for size in np.unique(fan[(fan > 1) & (fan <= PAIRED)]).tolist():
            chosen = np.flatnonzero(fan == size)
            at = destinations.indptr[chosen][:, None] + np.arange(size)
            cores = destinations.core[at].astype(np.int64)
            a, b = np.triu_indices(size, 1)
            key = (cores[:, a] * count + cores[:, b]).reshape(-1)
            unique, inverse = np.unique(key, return_inverse=True)
            total = np.bincount(inverse, np.repeat(rates[source][chosen], a.size))
            for k, value in zip(unique.tolist(), total.tolist(), strict=True):
                pairs[k] = pairs.get(k, 0.0) + value
    keys = np.array(list(pairs), np.int64)
    return keys // count, keys % count, np.array(list(pairs.values()))


def _divide(
    members: Array, edges: tuple[Array, Array, Array], weight: Array, parts: int, seed: int
) -> Array:
    """METIS's partition of the clusters `members`: the part of each."""
    if parts < 2:
        return np.zeros(members.size, np.int64)
    if 2 * parts > members.size:  # METIS fails with hardly more clusters than parts
        return np.arange(members.size) * min(parts, members.size) // members.size
    local = np.full(weight.size, -1)
    local[members] = np.arange(members.size)
    a, b = local[edges[0]], local[edges[1]]
    inside = (a >= 0) & (b >= 0) & (a != b)
    a, b, value = a[inside], b[inside], edges[2][inside]
    key = np.concatenate([a * members.size + b, b * members.size + a])
    unique, inverse = np.unique(key, return_inverse=True)
    total = np.bincount(inverse, np.tile(value, 2), unique.size)
    scaled = np.maximum(1, np.rint(total / max(total.sum(), 1e-9) * SCALE)).astype(int)
    counts = np.bincount(unique // members.size, minlength=members.size)
    start = np.concatenate(([0], np.cumsum(counts)))
    loads = np.maximum(1, np.rint(weight[members] / weight[members].sum() * SCALE)).astype(int)
    with _silent():
        done = pymetis.part_graph(
            parts,
            xadj=start.tolist(),
            adjncy=(unique % members.size).tolist(),
            vweights=loads.tolist(),
            eweights=scaled.tolist(),
            recursive=False,
            options=pymetis.Options(seed=seed, ufactor=30),
        )
    return np.asarray(done.vertex_part, np.int64)


@contextmanager
def _silent() -> Iterator[None]:
    """METIS prints that it retries small graphs; that is C's output, not Python's."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)
