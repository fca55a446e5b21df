"""The proven bounds hold for every input, and the worst input reaches them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy.bounds import population_bounds, problems
from slipway.deploy.neurons.cuba_lif import CURRENT_MAX, STATE_LIMIT, CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.reference import execute
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.trace import Stimulus
from slipway.errors import Problem

from ..conformance.networks import random_case


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_state_leaves_its_bounds(seed: int) -> None:
    program, stimulus = random_case(seed)
    trace = execute(program, stimulus, record=True)
    for population in program.populations:
        bounds = population_bounds(program, population, program.run_steps(program.steps))
        raster = trace.rasters[population.name]
        assert bounds.u[0] <= raster.u.min()
        assert raster.u.max() <= bounds.u[1]
        assert raster.v.max() <= max(bounds.v[1], 0)
        assert raster.v.min() >= max(bounds.v[0], 1 - STATE_LIMIT)
        assert abs(raster.u).max() < STATE_LIMIT
        if bounds.v_proven_steps is None and not population.neuron.initial_voltage.any():
            assert trace.saturated[population.name].sum() == 0


def network(weight: list[int], neuron: CubaLif, top: int = 1, steps: int = 6) -> Program:
    return Program(
        "fixed",
        1e-3,
        steps,
        Input("input", (len(weight),), top > 1, 1.0, 0, top),
        (Population("p", "LIF", (1,), neuron, 1),),
        (Projection("input->p", "input", "p", Dense(np.array([weight], np.int16))),),
        Output("output", "p", "last"),
    )


def lif(threshold: int, du: int = 4095, dv: int = 0) -> CubaLif:
    zero = np.array([0])
    return CubaLif(np.array([du]), np.array([dv]), zero, np.array([threshold]), zero)


def broken(program: Program, steps: int) -> list[Problem]:
    population = program.populations[0]
    return problems(population, population_bounds(program, population, steps))


def test_the_worst_input_reaches_the_bounds() -> None:
    program = network([100, -60, 40], lif(131071, du=2047), top=3)
    bounds = population_bounds(program, program.populations[0], 7)
    excite = np.array([[3, 0, 3]], np.int32)
    inhibit = np.array([[0, 3, 0]], np.int32)
    for frame, low_or_high in ((inhibit, 0), (excite, 1)):
        raster = execute(program, Stimulus(frame, 6), record=True).rasters["p"]
        # Step 1 brings no current yet, so the bound over 7 steps is one step ahead of the run.
        ahead = population_bounds(program, program.populations[0], 6)
        reached = raster.u.min() if low_or_high == 0 else raster.u.max()
        assert abs(reached - ahead.u[low_or_high]) <= 6
        voltage = raster.v.min() if low_or_high == 0 else raster.v.max()
        assert abs(voltage - ahead.v[low_or_high]) <= 40
    assert bounds.current == (-180, 420)
    assert bounds.accumulator == 420


def test_too_large_a_current_is_named_with_its_limit() -> None:
    program = network([254] * 4, lif(1000), top=255)
    found = problems(
        program.populations[0], population_bounds(program, program.populations[0], 6)
    )
    text = str(found[0])
    assert (
        f"the current of one step can reach {254 * 4 * 255}; the limit is {CURRENT_MAX}" in text
    )
    assert "population p" in text
    assert "a scale smaller by 1.98 would do" in text


def test_a_u_that_can_overflow_is_named() -> None:
    program = network([254] * 4, lif(1000, du=1), top=127)
    found = problems(
        program.populations[0], population_bounds(program, program.populations[0], 400)
    )
    assert any("u can reach" in p.what and "the limit is 8388607" in p.what for p in found)


def test_a_readout_that_could_spike_is_named() -> None:
    program = network([254] * 4, lif(131071), top=100)
    found = problems(
        program.populations[0], population_bounds(program, program.populations[0], 4)
    )
    assert any("the membrane potential of a readout can reach" in p.what for p in found)


def test_clipping_from_below_is_proven_for_some_steps_only() -> None:
    program = network([-255], lif(1000), top=255)
    population = program.populations[0]
    bounds = population_bounds(program, population, 1000)
    proven = bounds.v_proven_steps
    assert proven == (STATE_LIMIT - 1) // (255 * 255 * 64)
    frame = np.array([[255]], np.int32)
    long = replace(program, steps=1000)
    trace = execute(long, Stimulus(frame, proven), record=True)
    assert trace.saturated["p"].sum() == 0
    assert execute(long, Stimulus(frame, proven + 2)).saturated["p"].sum() > 0
