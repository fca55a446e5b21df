"""The number formats, and what quantisation may and may not change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy.bounds import population_bounds, problems
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.divergence import by_itself
from slipway.deploy.onset import spikes_early
from slipway.deploy.program import Program, Projection
from slipway.deploy.quantise import exact_levels, quantise_weights, sign_mode
from slipway.deploy.reference import execute
from slipway.deploy.rounding import compensated
from slipway.deploy.synapses.dense import Dense
from slipway.errors import CapacityExceeded, UsageError

from .nir_graphs import Builder, random_graph


def compiled(seed: int, precision: Any = "fixed") -> tuple[Program, np.ndarray[Any, Any]]:
    graph, _, x = random_graph(seed)
    return compile_graph(graph, precision=precision, calibration=x[None]), x[None]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_compiled_network_is_legal(seed: int) -> None:
    program, _ = compiled(seed)
    for projection in program.projections:
        synapse = projection.synapse
        weight = synapse.weight
        assert weight.dtype == np.int16
        assert -7 <= synapse.exponent <= 7
        if synapse.sign_mode == "mixed":
            assert not (weight % 2).any()
            assert weight.min() >= -256
            assert weight.max() <= 254
        elif synapse.sign_mode == "excitatory":
            assert 0 <= weight.min() <= weight.max() <= 255
        else:
            assert -255 <= weight.min() <= weight.max() <= 0
    for population in program.populations:
        neuron = population.neuron
        for values, low, high in (
            (neuron.current_decay, 0, 4095),
            (neuron.voltage_decay, 0, 4095),
            (neuron.bias_mantissa, -4096, 4095),
            (neuron.threshold, 0, 131071),
        ):
            assert low <= values.min() <= values.max() <= high
        assert 0 <= neuron.bias_exponent <= 7
        bounds = population_bounds(program, population, program.run_steps(program.steps))
        early = any(spikes_early(p, fixed=True) for p in program.populations)
        if early:
            assert not problems(population, bounds)
        assert (
            program.report["populations"][population.name]["bounds"]["current_limit"] == 131071
        )


def test_fixed_point_spikes_like_floating_point() -> None:
    agreement, spikes = 0, 0
    for seed in range(60):
        fixed, x = compiled(seed)
        floating, _ = compiled(seed, "float")
        one = execute(floating, encode(floating, x)[0], record=True)
        other = execute(fixed, encode(fixed, x)[0], record=True)
        for name in one.rasters:
            agreement += int((one.rasters[name].s & other.rasters[name].s).sum())
            spikes += int((one.rasters[name].s | other.rasters[name].s).sum())
    assert spikes > 2000
    assert agreement / spikes > 0.9


def test_a_weight_matrix_of_each_sign_mode() -> None:
    assert sign_mode(np.array([[0.0, 1.0]])) == "excitatory"
    assert sign_mode(np.array([[0.0, -1.0]])) == "inhibitory"
    assert sign_mode(np.array([[-1.0, 1.0]])) == "mixed"
    assert sign_mode(np.zeros((1, 2))) == "excitatory"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-6, 6))
def test_weights_are_within_half_a_unit(seed: int, magnitude: float) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(3, 5)) * 2.0**magnitude
    weight = [weight, np.abs(weight), -np.abs(weight)][seed % 3]
    result = quantise_weights(Projection("a->b", "a", "b", Dense(weight)), 100.0)
    assert isinstance(result, Projection)
    synapse = result.synapse
    unit = (2 if synapse.sign_mode == "mixed" else 1) * 2.0**synapse.exponent
    error = np.abs(synapse.weight * 2.0**synapse.exponent - weight * 100.0)
    assert error.max() <= unit / 2 * (1 + 1e-6)
    if synapse.exponent > -7:  # the least exponent that fits: one less would not
        assert np.abs(weight).max() * 100.0 / 2.0 ** (synapse.exponent - 1) > 254


def test_weights_beyond_the_exponent_are_refused_with_the_number() -> None:
    projection = Projection("a->b", "a", "b", Dense(np.array([[1e9, -1.0]])))
    problem = quantise_weights(projection, 1.0)
    assert "the weights need an exponent of 22; the limit is 7" in str(problem)
    assert "projection a->b" in str(problem)
    tiny = Projection("a->b", "a", "b", Dense(np.array([[1e-9, -1e-9]])))
    assert "all weights would round to zero" in str(quantise_weights(tiny, 1.0))


def test_pixels_are_sent_on_their_own_grid() -> None:
    assert exact_levels(np.arange(17) / 16, 255) == 16
    assert exact_levels(np.arange(256) / 255, 255) == 255
    assert exact_levels(np.array([0.0, 1.0]), 255) == 1
    assert exact_levels(np.random.default_rng(0).random(50), 255) == 255


def test_compensated_rounding_keeps_the_currents() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(8, 60)) * 40
    weight[:, 3] = 0
    x = rng.random((500, 12)) @ rng.random((12, 60))  # inputs that vary together, as pixels do
    mantissa = compensated(weight, x.T @ x / len(x), 2, 254)
    nearest = 2 * np.rint(weight / 2)
    assert not (mantissa % 2).any()
    assert not mantissa[:, 3].any()
    before = np.linalg.norm((nearest - weight) @ x.T)
    after = np.linalg.norm((mantissa - weight) @ x.T)
    assert after < 0.75 * before


def test_values_need_calibration() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(3)
    build.neuron(("LIF",))
    graph = build.graph({"dt": 1e-3, "steps": 4, "input_encoding": "current"})
    with pytest.raises(UsageError, match=r"the range of the input values is unknown"):
        compile_graph(graph)
    graph.metadata["input_encoding"] = "spikes"
    assert compile_graph(graph).precision == "fixed"


def test_a_population_that_cannot_fit_is_refused_with_numbers() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(3)
    build.neuron(("LIF",))
    graph = build.graph({"dt": 1e-3, "steps": 4, "input_encoding": "spikes"})
    lif = graph.nodes[build.end]
    lif.v_threshold = np.full(3, 1e9)
    with pytest.raises(CapacityExceeded, match=r"threshold would be \d+; the limit is 131071"):
        compile_graph(graph)
    lif.v_threshold, lif.v_leak = np.full(3, 0.5), np.full(3, -1e9)
    with pytest.raises(
        CapacityExceeded, match=r"would need an exponent of \d+; the limit is 7"
    ):
        compile_graph(graph)


def test_the_report_says_what_it_measured() -> None:
    program, x = compiled(4)
    report = program.report
    assert report["calibration_samples"] == len(x)
    for entry in report["populations"].values():
        assert 0 <= entry["error"]["raster_cosine"] <= 1
        assert 0 <= entry["added"]["raster_cosine"] <= 1
        assert entry["saturated"] == 0
    for entry in report["projections"].values():
        assert entry["weight_error_relative"] < 0.1


def test_a_population_by_itself_is_what_it_does_among_integer_sources() -> None:
    for seed in range(12):  # the fixed network's own rasters, fed back: the same spikes again
        program, x = compiled(seed)
        stimulus, _ = encode(program, x)
        trace = execute(program, stimulus, record=True)
        for population in program.populations:
            alone = by_itself(program, population, stimulus, trace)
            np.testing.assert_array_equal(alone.s, trace.rasters[population.name].s)
            np.testing.assert_array_equal(alone.v, trace.rasters[population.name].v)


def test_a_coarse_threshold_is_a_warning() -> None:
    build = Builder(np.random.default_rng(0), (4,))
    build.affine(3)
    build.neuron(("LIF",))
    graph = build.graph({"dt": 1e-3, "steps": 400, "input_encoding": "spikes"})
    graph.nodes[build.end].v_threshold = np.full(3, 1e-4)
    warnings = compile_graph(graph).report["warnings"]
    assert any("the threshold is only" in w for w in warnings) or not warnings
    source = compile_graph(graph, precision="float")
    assert replace(source, steps=1).steps == 1
