"""The proven bounds hold for every input, and the worst input reaches them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from slipway.deploy.bounds import Bounds, population_bounds, problems
from slipway.deploy.formats import CURRENT, STATE, WeightFormat, sign_mode_of
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.arithmetic import decay
from slipway.deploy.neurons.bounds import spikes
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.first_spike import FirstSpike
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.neurons.ternary_lif import TernaryLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.reference import execute
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.trace import Raster, Stimulus
from slipway.errors import Problem, UnsupportedNode

from ..conformance.networks import random_case
from .neuron_cases import constant, network, one, random_network, responses

MODELS = ("cuba", "ternary", "adaptive", "resonator")
SEEDS = st.integers(0, 2**32 - 1)


def of(program: Program, *, quiet: bool = False) -> Bounds:
    steps = program.run_steps(program.steps)
    return population_bounds(program, program.populations[0], steps, quiet=quiet)


def run(program: Program, stimulus: Stimulus) -> Raster:
    return execute(program, stimulus, record=True).rasters["p"]


def before_spike(neuron: Any, raster: Raster) -> np.ndarray[Any, Any]:
    """v before clipping, spike and reset, from the states of the step before (no clearing)."""
    v, u = raster.states["v"], raster.states["u"]
    start = np.broadcast_to(neuron.initial_voltage, v[:, :1].shape)
    last = np.concatenate([start, v[:, :-1]], axis=1)
    bias = neuron.bias_mantissa << neuron.bias_exponent
    pushed: np.ndarray[Any, Any] = decay(last, neuron.voltage_decay) + u + bias
    return pushed


def inside(bounds: Bounds, raster: Raster) -> None:
    for name, (low, high) in bounds.states.items():
        limit = STATE.maximum if name in ("v", "real", "imaginary") else 2**62  # clipped or not
        values = raster.states[name]
        assert max(low, -limit) <= values.min(), name
        assert values.max() <= min(high, limit), name


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
@example(seed=180)  # cleared, so that two steps alike do not mean that nothing moves
def test_no_state_leaves_its_bounds(model: str, seed: int) -> None:
    program = random_network(seed, model)
    bounds = of(program)
    rng = np.random.default_rng(seed)
    low, high = int(program.inputs[0].minimum), int(program.inputs[0].maximum)
    shape = (8, program.steps, program.inputs[0].size)
    values = rng.integers(low, high + 1, shape) * (rng.random(shape) < rng.random())
    neuron = program.populations[0].neuron
    stimuli = [Stimulus({"input": values.astype(np.int32)}, program.steps)]
    if model != "resonator":
        places = {e.neuron for pair in bounds.reach.states.values() for e in pair}
        stimuli += [constant(program, place, sign) for place in places for sign in (-1, 1)]
    for stimulus in stimuli:
        raster = run(program, stimulus)
        inside(bounds, raster)
        if isinstance(neuron, CubaLif) and not neuron.onset and not neuron.reset_interval:
            pushed, (bottom, top) = before_spike(neuron, raster), bounds.states["v"]
            assert bottom <= pushed.min()
            assert pushed.max() <= top


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_no_state_of_a_whole_network_leaves_its_bounds(seed: int) -> None:
    program, stimulus = random_case(seed)[:2]
    trace = execute(program, stimulus, record=True)
    for population in program.populations:
        if isinstance(population.neuron, SigmaDelta | FirstSpike):
            continue  # tests of the neural codes
        try:
            bounds = population_bounds(program, population, program.run_steps(program.steps))
        except UnsupportedNode:  # graded messages in a loop
            continue
        inside(bounds, trace.rasters[population.name])
        if bounds.proven_steps is None and not problems(population, bounds):
            assert trace.saturated[population.name].sum() == 0


@pytest.mark.parametrize("model", ["cuba", "ternary", "adaptive"])
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_the_worst_input_reaches_u_and_the_lowest_v_exactly(model: str, seed: int) -> None:
    program = random_network(seed, model)
    bounds, neuron = of(program), program.populations[0].neuron
    assert bounds.proven_steps is None or bounds.proven_steps > 0
    for side, sign in ((0, -1), (1, 1)):
        extreme = bounds.reach.states["u"][side]
        raster = run(program, constant(program, extreme.neuron, sign))
        reached = raster.states["u"][0, :, extreme.neuron]
        assert sign * max(0, (sign * reached).max()) == extreme.value
        free = model == "adaptive" or (isinstance(neuron, CubaLif) and not spikes(neuron))
        extreme = bounds.reach.states["v"][side]
        if not free or abs(extreme.value) > STATE.maximum:
            continue
        raster = run(program, constant(program, extreme.neuron, sign))
        reached = raster.states["v"][0, :, extreme.neuron]
        assert sign * max(0, (sign * reached).max()) == extreme.value
    if (
        isinstance(neuron, CubaLif)
        and neuron.reset != "value"
        and neuron.bias_mantissa.max() <= 0
    ):
        # What is only driven down does not spike.
        extreme = bounds.reach.states["v"][0]
        raster = run(program, constant(program, extreme.neuron, -1))
        reached = raster.states["v"][0, :, extreme.neuron].min(initial=0)
        assert reached == max(extreme.value, -STATE.maximum)


def resonating(seed: int) -> Program:
    """A resonator without reset; each input element drives one of its parts."""
    rng = np.random.default_rng(seed)
    parts = []
    for index, port in enumerate(("real", "imaginary")):
        weight = 2 * rng.integers(-100, 101, (18, 9))
        weight[:, index::2] = 0
        synapse = Dense(weight.astype(np.int16), WeightFormat(8, int(rng.integers(0, 3))))
        parts.append(Projection(f"input->p{port}", "input", "p", synapse, 0, (), port))
    neuron = random_network(seed, "resonator").populations[0].neuron
    assert isinstance(neuron, Resonator)
    low = -2 if seed % 3 == 0 else 0
    return network(replace(neuron, reset="none"), tuple(parts), 1 + seed % 3, low)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_messages_in_time_with_a_resonator_reach_its_bounds(seed: int) -> None:
    program = resonating(seed)
    neuron = program.populations[0].neuron
    assert isinstance(neuron, Resonator)
    bounds, spec, steps = of(program), program.inputs[0], program.run_steps(program.steps)
    rotation = (int(neuron.cosine[0]) + 1j * int(neuron.sine[0])) / 4096
    weight = [responses(program, port).sum(axis=0) for port in ("real", "imaginary")]
    for name, part in (("real", np.real), ("imaginary", np.imag)):
        for extreme, sign in zip(bounds.reach.states[name], (-1, 1), strict=True):
            driven = weight[0][extreme.neuron] + 1j * weight[1][extreme.neuron]
            values = np.zeros((1, program.steps, spec.size), np.int32)
            for t in range(1, program.steps + 1):  # arrives at t + 1, turns until the last step
                push = sign * part(rotation ** (steps - t - 1) * driven)
                values[0, t - 1] = np.where(push > 0, spec.maximum, spec.minimum) * (push != 0)
            raster = run(program, Stimulus({"input": values}, program.steps))
            inside(bounds, raster)
            reached = (sign * raster.states[name][0, :, extreme.neuron]).max()
            # A run clips what the bounds place beyond 24 bits.
            assert reached >= 0.99 * min(abs(extreme.value), STATE.maximum)


def lif(threshold: int, du: int = 4095, dv: int = 0, **changes: Any) -> CubaLif:
    zero = one(0)
    return replace(CubaLif(one(du), one(dv), zero, one(threshold), zero), **changes)


def small(weight: list[int], neuron: Any, top: int = 1, steps: int = 6) -> Program:
    """One neuron behind a row of weights."""
    row = np.array([weight], np.int16)
    synapse = Dense(row, WeightFormat(8, 0, sign_mode_of(row)))
    projection = Projection("input->p", "input", "p", synapse)
    return network(neuron, (projection,), top, 0, steps, (1,), (len(weight),))


@pytest.mark.parametrize(
    "neuron",
    [
        lif(300),
        lif(300, reset="value", reset_voltage=one(0)),
        lif(300, reset="value", reset_voltage=one(-640)),
        lif(300, reset="subtract"),
        lif(300, reset="zero", refractory=3),
        lif(300, reset="subtract", refractory=2),
        TernaryLif(one(4095), one(0), one(0), one(300), one(-300), one(0)),
    ],
)
def test_a_spiking_membrane_reaches_its_highest_value_before_the_spike(neuron: Any) -> None:
    program = small([100], neuron, steps=30)
    bounds = of(program)
    raster = run(program, Stimulus({"input": np.array([[1]], np.int32)}, 30))
    # Three spikes bring v to the threshold, which is no spike yet; the fourth goes beyond.
    assert bounds.states["v"][1] == (300 + 100) * 64 == before_spike(neuron, raster).max()
    assert raster.s.any()


def test_a_ternary_membrane_reaches_its_lowest_value_before_the_spike() -> None:
    neuron = TernaryLif(one(4095), one(0), one(0), one(131071), one(-200), one(0))
    program = small([-100], neuron, steps=12)
    raster = run(program, Stimulus({"input": np.array([[1]], np.int32)}, 12))
    assert of(program).states["v"][0] == -(200 + 100) * 64 == before_spike(neuron, raster).min()
    assert of(program).proven_steps is None


def test_soft_reset_that_falls_behind_its_input_grows_without_end() -> None:
    program = small([100], lif(50, reset="subtract"), steps=50)
    raster = run(program, Stimulus({"input": np.array([[1]], np.int32)}, 50))
    low, high = of(program).states["v"]
    assert low == 0
    assert high == before_spike(program.populations[0].neuron, raster).max()
    assert high == (50 * 50 + 50) * 64


def test_an_adaptive_neuron_reaches_its_highest_thresholds() -> None:
    # r forgets all but 1 / 4096, theta keeps: a spike at each step raises theta until it is v.
    neuron = AdaptiveLif(one(4095), one(4095), one(0), one(4095), one(10), one(1), one(0), 0)
    program = small([250] * 4, neuron, steps=1100)
    raster = run(program, Stimulus({"input": np.ones((1, 4), np.int32)}, 1100))
    bounds = of(program)
    assert bounds.states["v"][1] == raster.states["v"].max()
    for name in ("theta", "r"):
        high = bounds.states[name][1]
        assert 0.99 * high <= raster.states[name].max() <= high


def test_current_and_accumulator_are_those_of_the_worst_message() -> None:
    program = small([100, -60, 40], lif(131071, du=2047), top=3)
    bounds = of(program)
    assert tuple(e.value for e in bounds.current) == (-180, 420)
    assert bounds.accumulator == 420
    raster = run(program, Stimulus({"input": np.array([[3, 0, 3]], np.int32)}, 6))
    assert bounds.states["u"][1] == raster.states["u"].max()
    assert bounds.states["v"][1] == raster.states["v"].max()


def broken(program: Program) -> list[Problem]:
    return problems(program.populations[0], of(program))


def test_too_large_a_current_is_named_with_its_limit() -> None:
    (found,) = broken(small([254] * 4, lif(1000), top=255))
    reach = 254 * 4 * 255
    assert f"the current of one step can reach {reach}; the limit is 131071" in found.what
    assert (
        "every source that feeds a positive weight of neuron 0 sending its largest message in "
        "one step would break it" in found.what
    )
    assert found.where == "population p"
    assert "a scale smaller by 1.98 would do (0.5059 units per unit of current)" in found.remedy
    assert reach > CURRENT.maximum


def test_a_u_that_can_overflow_is_named_with_neuron_and_steps() -> None:
    neuron, steps = lif(1000, du=1), 400
    weight = np.zeros((6, 2), np.int16)
    weight[3] = -254
    projection = Projection("input->p", "input", "p", Dense(weight, WeightFormat()))
    program = network(neuron, (projection,), 127, 0, steps, (2, 1, 3), (2,))
    (found,) = broken(program)
    assert "u can reach " in found.what
    assert "the limit is 8388607" in found.what
    assert (
        "every source that feeds a negative weight of neuron (0, 0) of channel 1 sending its "
        "largest message at every step for 401 steps would break it" in found.what
    )
    # The factor is right: weights smaller by it do not break anything.
    factor = -of(program).states["u"][0] / STATE.maximum
    assert f"a scale smaller by {factor:.3g} would do" in found.remedy
    legal = Dense((np.trunc(weight / factor / 2) * 2).astype(np.int16), WeightFormat())
    milder = replace(program, projections=(replace(projection, synapse=legal),))
    assert not [p for p in broken(milder) if "u can reach" in p.what]


def test_a_readout_that_could_spike_is_named() -> None:
    (found,) = broken(small([254] * 4, lif(131071), top=100))
    assert "the membrane potential of a readout can reach" in found.what
    assert f"the limit is {131071 << 6}" in found.what


def test_sums_beyond_the_accumulator_of_the_target_are_named() -> None:
    program = small([254] * 4000, lif(131071), top=127)
    assert "a sum of weights can reach" not in str(broken(program))
    (found, *_) = broken(replace(program, target="loihi1"))
    assert f"a sum of weights can reach {254 * 4000 * 127}; the limit is 1048575" in found.what
    assert "reduce the fan-in or the range of the input" in found.remedy


def test_a_resonator_that_can_overflow_is_named() -> None:
    neuron = Resonator(one(4000), one(800), one(100), "none", 6)
    weight = Dense(np.full((1, 9), 254, np.int16), WeightFormat(8, 2))
    projection = Projection("input->p", "input", "p", weight, 0, (), "real")
    program = network(neuron, (projection,), 3, 0, 90, (1,), (9,))
    found = broken(program)
    assert any("real can reach" in p.what for p in found)
    assert any("imaginary can reach" in p.what for p in found)
    assert "messages in time with the oscillation of neuron 0 for" in found[0].what


def test_clipping_from_below_is_proven_for_some_steps_only() -> None:
    program = small([-255], lif(1000), top=255, steps=1000)
    proven = of(program).proven_steps
    assert proven == (STATE.maximum) // (255 * 255 * 64) + 1  # nothing arrives in the first
    frame = {"input": np.array([[255]], np.int32)}
    trace = execute(program, Stimulus(frame, proven - 1))
    assert trace.saturated["p"].sum() == 0
    assert execute(program, Stimulus(frame, proven)).saturated["p"].sum() > 0


def test_a_thousand_silent_steps_cost_no_proof() -> None:
    program = small([-2, 2], lif(1000, dv=400), steps=10**6)
    assert of(program).proven_steps is None
    assert of(program).states["v"][0] > -STATE.maximum


def test_populations_alike_are_followed_once() -> None:
    program = random_network(5, "cuba")
    population = program.populations[0]
    many = Population("p", "LIF", population.shape, population.neuron, 1)
    assert of(replace(program, populations=(many,))) == of(program)


def test_a_graded_message_beyond_the_payload_is_refused() -> None:
    single = np.ones(1, np.int64)
    neuron = SigmaDelta(0 * single, single, ceiling=9_000_000 * single)
    population = Population("p", "IF", (1,), neuron, 1)
    synapse = Dense(np.array([[200]], np.int16), WeightFormat(8, 7, "excitatory"))
    program = Program(
        "fixed",
        1e-3,
        4,
        (Input("in", (1,), True, 1.0, 0, 255, delta=True),),
        (population,),
        (Projection("in->p", "in", "p", synapse),),
        (Output("out", "p", "last"),),
        target="loihi2-netx",
    )
    (found,) = problems(population, population_bounds(program, population, 5))
    assert found.what == "a message can reach 6528001; the limit is 32767"
    on_chip = replace(program, target="loihi2")
    assert not problems(population, population_bounds(on_chip, population, 5))
