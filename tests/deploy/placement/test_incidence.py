"""Fans and destinations against a count by unrolled matrices, with cores drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
from slipway.deploy.placement import incidence as module
from slipway.deploy.placement import tables
from slipway.deploy.placement.incidence import incidence_of
from slipway.deploy.placement.order import sources
from slipway.deploy.program import Program

from ..random_programs import random_case
from .checker import matrices
from .test_legal import network

CORES = 5


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_equals_brute_force(seed: int) -> None:
    for each in range(seed, seed + 10):
        check(random_case(each)[0], each)


def test_work_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room for entries, and small blocks of weights."""
    monkeypatch.setattr(module, "ROOM", 1)
    monkeypatch.setattr(tables, "BLOCK", 7)
    for seed in range(20):
        check(random_case(seed)[0], seed)
    check(network(3), 3)


def check(program: Program, seed: int) -> None:
    rng = np.random.default_rng(seed)
    index = {
        p.name: rng.integers(0, CORES, p.size).astype(np.int32) for p in program.populations
    }
    found = incidence_of(program, index, CORES)
    reached = {s.name: np.zeros((CORES, s.size), bool) for s in sources(program)}
    for projection in program.projections:
        weight, count, _ = matrices(projection)
        fans = found.projections[projection.name]
        owner = np.repeat(np.arange(weight.shape[1]), np.diff(fans.indptr))
        for name, synapses in (("nonzero", weight != 0), ("all", count)):
            expected = np.zeros((CORES, weight.shape[1]), int)
            np.add.at(expected, index[projection.target], synapses.astype(int))
            counted = np.zeros_like(expected)
            counted[fans.core, owner] = getattr(fans, name)
            np.testing.assert_array_equal(counted, expected)
            if name == "nonzero":
                reached[projection.source] |= expected > 0
    for source in sources(program):
        destinations = found.destinations[source.name]
        for i in range(source.size):
            cores = destinations.core[destinations.indptr[i] : destinations.indptr[i + 1]]
            assert cores.tolist() == np.flatnonzero(reached[source.name][:, i]).tolist()
