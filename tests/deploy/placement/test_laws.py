"""Laws that hold for every placement, on random networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy.placement import Placement, load_placement, naive, place, save_placement
from slipway.deploy.placement.assign import Traffic, hops_of
from slipway.deploy.placement.geometry import tile_of
from slipway.deploy.placement.incidence import incidence
from slipway.deploy.placement.metrics import metrics
from slipway.deploy.placement.order import sources
from slipway.deploy.program import Program
from slipway.deploy.routes import core_counts, grid_of, link_loads, links_between, routes_of
from slipway.deploy.targets import Target, load_target
from slipway.errors import CapacityExceeded, DataError

from ..random_programs import random_case
from .checker import illegal, matrices
from .test_legal import network, small

Array = np.ndarray[Any, Any]
SEEDS = st.integers(0, 2000)


def case(seed: int) -> tuple[Program, Target, Placement, dict[str, Array]]:
    """A random network on tiny cores, placed by random rates; those that fit."""
    rng = np.random.default_rng(seed)
    while True:
        program, _ = random_case(int(rng.integers(1 << 30)))
        target = small(load_target(str(rng.choice(["loihi1", "loihi2"]))), rng)
        rates = {s.name: rng.integers(0, 9, s.size).astype(float) for s in sources(program)}
        try:
            return program, target, place(program, target, rates=rates, seed=seed), rates
        except CapacityExceeded:
            continue


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_messages_and_hops(seed: int) -> None:
    program, target, placement, rates = case(seed)
    found = metrics(program, placement, target, rates)
    spikes = sum(rates[p.name].sum() for p in program.populations)
    assert found.messages <= spikes * placement.cores.size
    assert found.same_core + found.same_tile <= found.messages + 1e-9
    if placement.cores.size == 1:
        assert found.messages == found.same_core
        assert found.hops == 0
    total = link_loads(routes_of(program, placement, target), rates).messages.sum()
    assert total == pytest.approx(found.hops), "every hop is over one link"


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_work_of_the_cores_is_that_of_the_network(seed: int) -> None:
    program, target, placement, rates = case(seed)
    work = core_counts(routes_of(program, placement, target), rates).syn_ops
    operations = sum(
        float(np.count_nonzero(matrices(p)[0], axis=0) @ rates[p.source])
        for p in program.projections
    )
    assert work.sum() == pytest.approx(operations)
    figures = metrics(program, placement, target, rates)
    updates = program.run_steps(program.steps) * sum(p.size for p in program.populations)
    mean = figures.busiest_core / figures.imbalance
    assert mean * placement.cores.size == pytest.approx(operations + updates)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_every_synapse_lies_on_one_core(seed: int) -> None:
    program, _, placement, _ = case(seed)
    found = incidence(program, placement)
    for projection in program.projections:
        weight, count, _ = matrices(projection)
        fans = found.projections[projection.name]
        ends = fans.indptr[1:] - 1
        owner = np.repeat(np.arange(ends.size), np.diff(fans.indptr))
        per_element = np.bincount(owner, fans.all, ends.size)
        np.testing.assert_array_equal(per_element, count.sum(axis=0))
        assert fans.nonzero.sum() == np.count_nonzero(weight)
        assert np.unique(owner * 4096 + fans.core).size == fans.core.size


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_cores_of_a_tile_are_alike(seed: int) -> None:
    """Permuting the core numbers of one tile changes no count."""
    program, target, placement, rates = case(seed)
    per_tile = target.mesh.cores_per_tile
    rng = np.random.default_rng(seed)
    tile = int(rng.choice(placement.cores)) // per_tile
    inside = placement.cores // per_tile == tile
    free = np.arange(tile * per_tile, (tile + 1) * per_tile)
    free = free[free % target.mesh.cores_per_chip < target.mesh.usable]
    new = placement.cores.copy()
    new[inside] = rng.permutation(free)[: int(inside.sum())]
    order = np.argsort(new)
    moved = replace(
        placement,
        cores=new[order],
        core_of={
            name: new[np.searchsorted(placement.cores, of)]
            for name, of in placement.core_of.items()
        },
        used={name: amounts[order] for name, amounts in placement.used.items()},
    )
    assert illegal(program, target, dict(moved.core_of)) == []
    before = metrics(program, placement, target, rates)
    after = metrics(program, moved, target, rates)
    for figure in ("cores", "messages", "same_core", "same_tile", "hops", "busiest_link"):
        assert getattr(after, figure) == pytest.approx(getattr(before, figure)), figure
    assert after.busiest_core == pytest.approx(before.busiest_core)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_a_limit_below_the_use_makes_it_illegal(seed: int) -> None:
    program, target, placement, _ = case(seed)
    assert illegal(program, target, dict(placement.core_of)) == []
    for resource, amounts in placement.used.items():
        # Where lists are too long for one compression, another one may still do.
        if amounts.max() > 0 and resource != "axon_words":
            lower = replace(target.core[resource], value=int(amounts.max()) - 1)
            stricter = replace(target, core=target.core | {resource: lower})
            assert illegal(program, stricter, dict(placement.core_of)) != []


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_the_same_seed_places_the_same(seed: int) -> None:
    program, target, placement, rates = case(seed)
    again = place(program, target, rates=rates, seed=seed)
    for name, of in placement.core_of.items():
        np.testing.assert_array_equal(of, again.core_of[name])


def test_hops_by_hand() -> None:
    """Two chips side by side: 2 x 2 tiles of one core each; from (0, 1) to (3, 0)."""
    target = load_target("loihi1")
    mesh = replace(target.mesh, cores_per_chip=4, cores_per_tile=1, columns=2, rows=2)
    target = replace(target, mesh=mesh)
    cores = np.array([2, 5])
    assert [axis.tolist() for axis in tile_of(mesh, cores)] == [[0, 3], [1, 0]]
    moved = Traffic(np.array([0]), np.array([1]), np.array([10.0]))
    assert hops_of(target, moved, cores) == 40
    links = links_between(grid_of(cores, mesh), *(np.array([n]) for n in (0, 1, 10)))
    ends = (links.x, links.y, links.to_x, links.to_y)
    found = list(zip(*(a.tolist() for a in ends), links.messages.tolist(), strict=True))
    assert found == [(0, 1, 1, 1, 10), (1, 1, 2, 1, 10), (2, 1, 3, 1, 10), (3, 1, 3, 0, 10)]


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
def test_ours_is_not_worse_than_naive(name: str) -> None:
    """On networks of some thousand neurons: fewer hops, and no busier core."""
    target = load_target(name)
    for seed in range(3):
        program = network(seed)
        ours = metrics(program, place(program, target), target)
        plain = metrics(program, naive(program, target), target)
        assert ours.cores <= plain.cores
        score = 2 * np.log(ours.busiest_core) + np.log(ours.hops + 1)
        assert score <= 2 * np.log(plain.busiest_core) + np.log(plain.hops + 1) + 1e-6


def test_several_chips(tmp_path: Any) -> None:
    """Chips are few, and messages between them are fewer than the naive splitter's."""
    target = load_target("loihi1")
    core = target.core | {"neurons": replace(target.core["neurons"], value=64)}
    mesh = replace(target.mesh, cores_per_chip=16, columns=2, rows=2)
    target = replace(target, core=core, mesh=mesh)
    program = network(0)
    ours, plain = place(program, target), naive(program, target)
    assert illegal(program, target, dict(ours.core_of)) == []
    found, other = metrics(program, ours, target), metrics(program, plain, target)
    assert 1 < found.chips <= other.chips
    assert found.other_chip < other.other_chip
    save_placement(ours, tmp_path / "placement.json")
    again = load_placement(tmp_path / "placement.json")
    assert metrics(program, again, target) == found


def test_rates_must_fit() -> None:
    program = network(0)
    wrong = {"a": np.ones(3), "in": -np.ones(program.inputs[0].size)}
    with pytest.raises(DataError, match=r"rates of shape \(3,\); needed are") as refused:
        place(program, rates=wrong)
    assert [problem.where for problem in refused.value.problems] == ["source in", "source a"]


def test_fewer_cores_on_demand() -> None:
    program, target = network(1), load_target("loihi1")
    core = target.core | {"neurons": replace(target.core["neurons"], value=150)}
    target = replace(target, core=core)
    most = place(program, target)
    few = place(program, target, cores=most.cores.size - 1)
    assert few.cores.size < most.cores.size
    with pytest.raises(CapacityExceeded, match=r"1 cores are too few"):
        place(program, target, cores=1)
