"""Placements of random networks keep every limit, by an independent checker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.placement import Placement, naive, place
from slipway.deploy.program import Input, Output, Population, Program, Projection, Synapse
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import from_matrix
from slipway.deploy.targets import Target, load_target
from slipway.errors import CapacityExceeded

from ..random_programs import random_case
from .checker import illegal, used_by

CHUNKS = 20


def small(target: Target, rng: np.random.Generator) -> Target:
    """The same chip with tiny cores, so that small networks are cut into many parts."""
    scale = {
        "neurons": int(rng.integers(6, 40)),
        "input_axons": int(rng.integers(30, 120)),
        "output_axons": int(rng.integers(60, 300)),
        "synaptic_memory": int(rng.integers(100, 600))
        * (64 if "axon_words" in target.core else 4),
    }
    core = {n: replace(x, value=scale.get(n, x.value)) for n, x in target.core.items()}
    mesh = replace(target.mesh, cores_per_chip=16, cores_reserved=1, columns=2, rows=2)
    return replace(target, core=core, mesh=mesh)


def check(program: Program, target: Target, placement: Placement) -> None:
    """Legal, and what it says of itself is true."""
    core_of = dict(placement.core_of)
    assert illegal(program, target, core_of) == []
    counted = used_by(program, target, core_of)
    for resource, amounts in placement.used.items():
        found = dict(zip(placement.cores.tolist(), amounts.tolist(), strict=True))
        assert found == counted[resource], resource


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_500_random_networks(name: str, chunk: int) -> None:
    """500 networks on each chip; every second one on a chip with tiny cores."""
    refusals: list[tuple[Placement | None, CapacityExceeded]] = []
    for seed in range(chunk * 25, chunk * 25 + 25):
        program, _ = random_case(seed)
        target = load_target(name)
        if seed % 2:
            target = small(target, np.random.default_rng(seed))
        try:
            plain = naive(program, target)
        except CapacityExceeded:
            plain = None
        try:
            placed = place(program, target, seed=seed)
        except CapacityExceeded as error:
            refusals.append((plain, error))
            continue
        check(program, target, placed)
        if plain is not None:
            check(program, target, plain)
            assert placed.cores.size <= plain.cores.size
    assert len(refusals) <= 12, "hardly anything was placed"
    for other, refusal in refusals:
        assert other is None, "the naive splitter can place it"
        assert all(p.where and p.remedy and "limit" in p.what for p in refusal.problems)


def network(seed: int) -> Program:
    """Some thousand neurons: a convolution, one with groups, sparse, dense, and a loop."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> Any:
        drawn = 2 * rng.integers(-60, 60, shape)
        return np.where(rng.random(shape) < rng.uniform(0.3, 1), drawn, 0).astype(np.int16)

    side, channels = int(rng.integers(8, 15)), 2 * int(rng.integers(2, 6))
    form = WeightFormat(int(rng.choice([4, 8])))
    first = Conv2d(weights(channels, 2, 3, 3), (2, side, side), (1, 1), (1, 1), format=form)
    second = Conv2d(
        weights(2 * channels, channels // 2, 3, 3),
        first.output_shape,
        (2, 2),
        (1, 1),
        (1, 1),
        2,
        form,
    )
    hidden = int(rng.integers(50, 200))
    matrix = weights(hidden, second.out_size)
    matrix[rng.random(matrix.shape) < 0.9] = 0
    delay = rng.integers(0, 9, matrix.shape)
    synapses: list[Synapse] = [
        first,
        second,
        from_matrix(matrix, form, delay),
        Dense(weights(10, hidden), form),
    ]
    shapes = [first.output_shape, second.output_shape, (hidden,), (10,)]
    neuron = CubaLif(
        np.array([4095]),
        np.array([100]),
        np.zeros(1, np.int64),
        np.array([500]),
        np.zeros(1, np.int64),
        reset="subtract" if seed % 2 else "zero",
    )
    names = ["in", "a", "b", "c", "d"]
    populations = tuple(
        Population(n, "LIF", s, neuron, k)
        for k, (n, s) in enumerate(zip(names[1:], shapes, strict=True), 1)
    )
    projections = [
        Projection(f"{a}->{b}", a, b, s)
        for a, b, s in zip(names, names[1:], synapses, strict=False)
    ]
    projections.append(Projection("c->c", "c", "c", Dense(weights(hidden, hidden), form)))
    return Program(
        "fixed",
        1e-3,
        8,
        (Input("in", (2, side, side), False, 1.0, 0, 1),),
        populations,
        tuple(projections),
        (Output("out", "d", "count"),),
    )


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
@pytest.mark.parametrize("seed", range(4))
def test_larger_networks(name: str, seed: int) -> None:
    program, target = network(seed), load_target(name)
    plain, placed = naive(program, target), place(program, target, seed=seed)
    check(program, target, plain)
    check(program, target, placed)
    assert placed.cores.size <= plain.cores.size


def test_what_cannot_be_placed_is_named() -> None:
    program = network(0)
    target = load_target("loihi1")
    core = target.core | {"input_axons": replace(target.core["input_axons"], value=20)}
    with pytest.raises(CapacityExceeded) as refused:
        place(program, replace(target, core=core))
    named = {problem.where: problem for problem in refused.value.problems}
    assert set(named) >= {"population b", "population c"}, "all of them at once"
    problem = named["population b"]
    assert "a single neuron does not fit: input axons:" in problem.what
    assert "limit 20" in problem.what
    assert "reduce the fan-in" in problem.remedy


def test_a_board_can_be_too_small() -> None:
    target = load_target("loihi1")
    mesh = replace(target.mesh, cores_per_chip=4, columns=1, rows=1, chips=1)
    core = target.core | {"neurons": replace(target.core["neurons"], value=100)}
    for method in (naive, place):
        with pytest.raises(CapacityExceeded, match=r"the largest board has 1 chips"):
            method(network(1), replace(target, core=core, mesh=mesh))


def test_a_board_that_is_too_small_for_the_naive_splitter_may_do() -> None:
    program, target = network(1), load_target("loihi1")
    core = target.core | {"neurons": replace(target.core["neurons"], value=150)}
    target = replace(target, core=core)
    cores = naive(program, target).cores.size - 1
    mesh = replace(target.mesh, cores_reserved=target.mesh.cores_per_chip - cores, chips=1)
    board = replace(target, mesh=mesh)
    with pytest.raises(CapacityExceeded, match=r"the largest board has 1 chips"):
        naive(program, board)
    check(program, board, place(program, board))


def test_a_ceiling_leaves_a_margin() -> None:
    program, target = network(2), load_target("loihi1")
    tight = place(program, replace(target, utilisation_ceiling=0.5))
    for resource, amounts in tight.used.items():
        assert amounts.max() <= 0.5 * target.core[resource].value
