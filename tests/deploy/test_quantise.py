"""What quantisation may and may not change, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy.alone import by_itself
from slipway.deploy.bits import TWO_PARTS, allocate, behind_loops, fewest, memory_used
from slipway.deploy.bounds import population_bounds, problems
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.formats import BIAS_EXPONENT, BIAS_MANTISSA, DECAY, THRESHOLD, WeightFormat
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.quantise import quantise_neuron
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.ternary_lif import TernaryLif
from slipway.deploy.onset import spikes_early
from slipway.deploy.program import Input, Output, Population, Program, Projection, Synapse
from slipway.deploy.quantise import Calibration, exact_levels, quantise
from slipway.deploy.reference import execute
from slipway.deploy.rounding import compensated, moments, round_to_currents
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import Sparse, from_matrix
from slipway.deploy.weights import (
    clipped,
    low_parts,
    meant,
    per_weight,
    quantise_weights,
    row_sums,
    together,
    two_parts,
)
from slipway.errors import CapacityExceeded, Problem, UsageError

from .nir_graphs import Builder, random_graph

Array = np.ndarray[Any, Any]
ONE = np.ones(1)


def compiled(seed: int, precision: Any = "fixed") -> tuple[Program, Any]:
    graph, _, x = random_graph(seed)
    samples = {name: values[None] for name, values in x.items()}
    return compile_graph(graph, precision=precision, calibration=samples), samples


def legal(program: Program) -> None:
    for projection in program.projections:
        layout = projection.synapse.format
        assert layout is not None
        assert projection.synapse.weight.dtype == np.int16
        assert layout.mantissa.holds(projection.synapse.weight)
        assert -7 <= layout.exponent <= 7
    formats = {"decay": DECAY, "bias_mantissa": BIAS_MANTISSA, "threshold": THRESHOLD}
    for population in program.populations:
        neuron = population.neuron
        for name in neuron.__dataclass_fields__:
            for end, number in formats.items():
                if name.endswith(end):
                    assert number.holds(getattr(neuron, name)), name
        assert BIAS_EXPONENT.holds(getattr(neuron, "bias_exponent", 0))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_compiled_network_is_legal_and_proven(seed: int) -> None:
    program, _ = compiled(seed)
    legal(program)
    steps = program.run_steps(program.steps)
    early = any(spikes_early(p, fixed=True) for p in program.populations)
    for population in program.populations:
        bounds = population_bounds(program, population, steps, quiet=not early)
        assert not problems(population, bounds)
        told = program.report["populations"][population.name]["bounds"]
        assert told["v_proven_steps"] == bounds.proven_steps
        assert {k: tuple(v) for k, v in told.items() if k in bounds.states} == bounds.states


def test_fixed_point_spikes_like_floating_point() -> None:
    agreement, spikes = 0, 0
    for seed in range(60):
        fixed, x = compiled(seed)
        floating, _ = compiled(seed, "float")
        one = execute(floating, encode(floating, x)[0], record=True)
        other = execute(fixed, encode(fixed, x)[0], record=True)
        for name in one.rasters:
            before, after = one.rasters[name].s != 0, other.rasters[name].s != 0
            agreement += int((before & after).sum())
            spikes += int((before | after).sum())
    assert spikes > 2000
    assert agreement / spikes > 0.95


def synapse(rng: np.random.Generator, kind: str, weight: Array) -> Synapse:
    """12 outputs of 9 inputs with weights like those of a matrix (12, 9)."""
    if kind == "dense":
        return Dense(weight)
    if kind == "sparse":
        return from_matrix(weight * (rng.random(weight.shape) < 0.6), None)
    return Conv2d(weight.reshape(-1)[:27].reshape(3, 1, 3, 3), (1, 4, 4), padding=(0, 0))


@pytest.mark.parametrize("kind", ["dense", "sparse", "conv"])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-6, 3), st.integers(2, 8), st.booleans())
def test_weights_are_within_half_a_unit(
    kind: str, seed: int, magnitude: float, bits: int, apart: bool
) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(12, 9)) * 2.0**magnitude
    source = synapse(rng, kind, [weight, np.abs(weight), -np.abs(weight)][seed % 3])
    scale = 100.0 * (np.repeat(rng.uniform(1, 4, 3), 4) if apart else ONE)
    result = quantise_weights(Projection("a->b", "a", "b", source), scale, bits)
    assert isinstance(result, Projection)
    layout = result.synapse.format
    assert layout is not None
    assert layout.bits == bits
    assert layout.mantissa.holds(result.synapse.weight)
    error = np.abs(meant((result,), scale) - source.weight) * per_weight(source, scale)
    assert error.max() <= layout.unit * 2.0**layout.exponent / 2 * (1 + 1e-6)
    if layout.exponent > -7:  # the least exponent that fits: one less would overflow
        finer = source.weight * per_weight(source, scale) / 2.0 ** (layout.exponent - 1)
        edges = layout.mantissa.minimum, layout.mantissa.maximum
        assert finer.min() < edges[0] or finer.max() > edges[1]


@pytest.mark.parametrize("kind", ["dense", "sparse", "conv"])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1, 14))
def test_two_parts_are_within_half_an_integer(kind: str, seed: int, magnitude: float) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.uniform(-1, 1, (12, 9))
    source = synapse(rng, kind, [weight, np.abs(weight), -np.abs(weight)][seed % 3])
    projection = Projection("a->b", "a", "b", source)
    scale = np.full(1, 2.0**magnitude)
    parts = two_parts(projection, scale)
    assert not isinstance(parts, Problem)
    for part in parts:
        layout = part.synapse.format
        assert layout is not None
        assert layout.mantissa.holds(part.synapse.weight)
        assert layout.exponent >= -1
        assert layout.unit * 2.0**layout.exponent >= 1  # sums are whole: no floor ever
    error = np.abs(meant(parts, scale) - source.weight) * scale
    assert error.max() <= 2.0 ** max(parts[-1].exponent, 0) / 2
    assert [p.name for p in parts] == ["a->b", "a->b.low"][: len(parts)]
    (whole,) = together(parts)
    rows = row_sums(whole.synapse, np.maximum(whole.synapse.weight, 0))
    if len(parts) == 2:
        assert low_parts(parts) == {"a->b": parts[1]}
        positive = np.maximum(meant(parts, ONE), 0.0)
        np.testing.assert_allclose(rows, row_sums(source, positive))


def test_the_sum_over_a_row_knows_the_border_of_a_convolution() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        stride, dilation, padding = (
            rng.integers(1, 3, 2),
            rng.integers(1, 3, 2),
            rng.integers(0, 3, 2),
        )
        weight = rng.integers(-9, 10, (4, 1, *rng.integers(1, 4, 2)))
        conv = Conv2d(weight, (2, 6, 7), tuple(stride), tuple(padding), tuple(dilation), 2)
        np.testing.assert_array_equal(
            row_sums(conv, weight), conv.accumulate(np.ones(2 * 6 * 7, np.int64))
        )


def test_weights_beyond_the_exponent_are_refused_with_the_number() -> None:
    projection = Projection("a->b", "a", "b", Dense(np.array([[1e9, -1.0]])))
    for problem in (quantise_weights(projection, ONE), two_parts(projection, ONE)):
        assert "the weights need an exponent of 22; the limit is 7" in str(problem)
        assert "projection a->b" in str(problem)
    tiny = Projection("a->b", "a", "b", Dense(np.array([[1e-9, -1e-9]])))
    assert "all weights would round to zero" in str(quantise_weights(tiny, ONE))
    assert "1 bit of mixed sign can hold only -256 and 0" in str(
        quantise_weights(projection, ONE, 1)
    )


def test_pixels_are_sent_on_their_own_grid() -> None:
    assert exact_levels(np.arange(17) / 16, 255) == 16
    assert exact_levels(np.arange(256) / 255, 255) == 255
    assert exact_levels(np.array([0.0, 1.0]), 255) == 1
    assert exact_levels(np.random.default_rng(0).random(50), 255) == 255


@pytest.mark.parametrize("bits", [8, 4])
def test_compensated_rounding_keeps_the_currents(bits: int) -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(8, 60)) * 40
    weight[:, 3] = 0
    x = rng.random((500, 12)) @ rng.random((12, 60))  # inputs that vary together, as pixels do
    number = WeightFormat(bits).mantissa
    mantissa = compensated(weight, x.T @ x / len(x), number)
    nearest = number.round(weight)
    assert number.holds(mantissa)
    assert not mantissa[:, 3].any()
    before = np.linalg.norm((nearest - weight) @ x.T)
    after = np.linalg.norm((mantissa - weight) @ x.T)
    assert after < 0.75 * before


# Networks by hand: an input of spikes, and one or two populations.


def lif(threshold: float = 1.0, size: int = 1, **changes: Any) -> CubaLif:
    zero = np.zeros(1)
    return replace(CubaLif(ONE, zero, zero, np.full(size, threshold), zero), **changes)


def program(
    weight: Array, neuron: Any, steps: int = 20, loop: Array | None = None, **changes: Any
) -> Program:
    shape = (len(weight),)
    projections = [Projection("input->p", "input", "p", Dense(weight))]
    if loop is not None:
        projections.append(Projection("p->p", "p", "p", Dense(loop)))
    result = Program(
        "float",
        1e-3,
        steps,
        (Input("input", weight.shape[1:], False, 1.0, 0.0, 1.0),),
        (Population("p", "LIF", shape, neuron, 1),),
        tuple(projections),
        (Output("output", "p", "count"),),
    )
    return replace(result, **changes)


def calibration(source: Program, x: Array) -> Calibration:
    stimulus = encode(source, x)[0]
    return Calibration(x, x, stimulus, execute(source, stimulus, record=True))


def spikes(seed: int, *shape: int, rate: float = 0.3) -> Array:
    return (np.random.default_rng(seed).random(shape) < rate).astype(float)


def test_wrong_weight_bits_are_refused() -> None:
    mixed = program(np.array([[1.0, -1.0]]), lif())
    with pytest.raises(UsageError) as caught:
        quantise(mixed, None, weight_bits=9)
    assert "weights of 9 bits do not exist; there are 1 to 8" in str(caught.value)
    with pytest.raises(UsageError) as caught:
        quantise(mixed, None, weight_bits=1)
    assert "1 bit cannot hold weights of both signs: what is left is -256 and 0" in str(
        caught.value
    )
    assert "use --weight-bits 2 or more" in str(caught.value)
    assert "projection input->p" in str(caught.value)
    one_sign = program(np.array([[1.0, 0.5, 0.0]]), lif())
    assert fewest(one_sign.projections[0]) == 1
    fixed = quantise(one_sign, None, weight_bits=1)[0]
    assert set(fixed.projections[0].synapse.weight.ravel()) <= {0, 128}


def test_the_error_falls_with_each_weight_bit() -> None:
    rng = np.random.default_rng(0)
    source = program(rng.normal(size=(20, 30)), lif(3.0, size=20))
    weight = source.projections[0].synapse.weight
    # Nearest rounding to a grid that just holds the largest weight.
    full = {b: np.abs(weight).max() / 2 ** (b - 1) / np.sqrt(12) for b in range(2, 9)}
    last = np.inf
    for bits in range(2, 9):
        fixed = quantise(source, None, weight_bits=bits)[0]
        legal(fixed)
        layout = fixed.projections[0].synapse.format
        assert layout is not None
        assert layout.bits == bits
        got = meant(fixed.projections, fixed.population("p").scale)
        error = float(np.sqrt(np.mean((got - weight) ** 2)))
        assert error < min(0.7 * last, 1.05 * full[bits])
        last = error
        lost = clipped(source.projections[0], fixed.projections[0], fixed.population("p").scale)
        if bits in (2, 3, 4, 8):  # few bits are better spent on the many small weights
            assert (lost > 0) == (bits < 8)


def test_weights_are_met_best_within_the_octave() -> None:
    weight = np.array([[1.0, 0.7, -0.7, 0.35, -1.0]])  # on the grid of 0.35 at 2 / 0.7
    source = program(np.tile(weight, (3, 20)), lif(3.0, size=3))
    fixed = quantise(source, None, weight_bits=3)[0]
    scale = fixed.population("p").scale
    got = meant(fixed.projections, scale)
    plain = quantise_weights(source.projections[0], np.full(1, 254.0), 3)
    assert isinstance(plain, Projection)
    nearest = meant((plain,), np.full(1, 254.0))
    target = source.projections[0].synapse.weight
    assert np.linalg.norm(got - target) < 0.8 * np.linalg.norm(nearest - target)


def two_layers() -> Program:
    rng = np.random.default_rng(0)
    first = program(rng.normal(size=(30, 20)) * 0.3, lif(size=30))
    weight = rng.normal(size=(10, 30)) * 0.3
    weight[:, 15:] *= 1e-3  # half of the second layer hardly counts
    return replace(
        first,
        populations=(*first.populations, Population("q", "LIF", (10,), lif(size=10), 2)),
        projections=(
            *first.projections,
            Projection("p->q", "p", "q", Dense(weight[:, :15])),
            Projection("p~>q", "p", "q", Dense(np.pad(weight[:, 15:], ((0, 0), (15, 0))))),
        ),
        outputs=(Output("output", "q", "count"),),
    )


def with_wide_source(source: Program) -> Program:
    padded = np.pad(source.projections[1].synapse.weight, ((0, 0), (0, 15)))
    first, second, third = source.projections
    return replace(source, projections=(first, replace(second, synapse=Dense(padded)), third))


def test_bits_go_first_where_they_cost_least() -> None:
    source = with_wide_source(two_layers())
    x = spikes(1, 30, 20, 20)
    shown = calibration(source, x)
    seen = {p.name: moments(source, p, shown.stimulus, shown.trace) for p in source.projections}
    full = memory_used(source, dict.fromkeys([p.name for p in source.projections], 8))
    assert full == 8 * (600 + 300 + 300)
    bits = allocate(source, None, full - 1, seen)
    assert bits == {"input->p": 8, "p->q": 8, "p~>q": 7}
    bits = allocate(source, None, 0.7 * full, seen)
    assert memory_used(source, bits) <= 0.7 * full
    assert bits["p~>q"] < min(bits["p->q"], bits["input->p"])
    even = allocate(source, None, 0.7 * full, None)
    assert even == dict.fromkeys(bits, 5)
    fixed, _, errors = quantise(source, shown, weight_memory=0.7 * full)
    assert {
        p.name: p.synapse.format.bits for p in fixed.projections if p.synapse.format
    } == bits
    assert max(errors["input->p"], errors["p->q"]) < 0.05
    with pytest.raises(CapacityExceeded) as caught:
        allocate(source, None, 0.1 * full, seen)
    assert f"the weights need {2 * full // 8} bit; the limit is 960 bit" in str(caught.value)
    assert "target loihi2" in str(caught.value)


def test_loihi_1_has_no_weights_of_seven_bits() -> None:
    source = replace(with_wide_source(two_layers()), target="loihi1")
    bits = allocate(source, None, 8 * 1200 - 1, None)
    assert set(bits.values()) == {6}


def test_loops_and_what_they_reach_get_two_parts() -> None:
    rng = np.random.default_rng(0)
    source = program(rng.normal(size=(8, 5)), lif(size=8), loop=rng.normal(size=(8, 8)) * 0.3)
    assert behind_loops(source) == {"p"}
    assert behind_loops(two_layers()) == set()
    assert allocate(source, None, None, None) == {"input->p": TWO_PARTS, "p->p": TWO_PARTS}
    assert allocate(source, None, 8 * 104, None) == {"input->p": 8, "p->p": 8}
    assert allocate(source, 8, None, None) == {"input->p": 8, "p->p": 8}
    fixed, bounds, _ = quantise(source, calibration(source, spikes(0, 6, 20, 5)))
    legal(fixed)
    assert {p.name for p in fixed.projections} == {
        "input->p",
        "input->p.low",
        "p->p",
        "p->p.low",
    }
    assert not problems(fixed.population("p"), bounds["p"])
    weight = source.projections[1].synapse.weight
    parts = tuple(p for p in fixed.projections if p.name.startswith("p->p"))
    scale = fixed.population("p").scale
    assert np.abs(meant(parts, scale) - weight).max() * scale.max() < 3


def test_a_membrane_that_is_read_behind_a_loop_is_proven() -> None:
    rng = np.random.default_rng(0)
    source = program(rng.normal(size=(8, 5)), lif(size=8), loop=rng.normal(size=(8, 8)) * 0.3)
    reader = Population("q", "LI", (4,), lif(np.inf, voltage_decay=np.full(1, 0.2)), 2)
    source = replace(
        source,
        populations=(*source.populations, reader),
        projections=(
            *source.projections,
            Projection("p->q", "p", "q", Dense(rng.normal(size=(4, 8)))),
        ),
        outputs=(Output("output", "q", "last"),),
    )
    x = spikes(0, 10, 20, 5)
    shown = calibration(source, x)
    fixed, bounds, _ = quantise(source, shown, per_channel=True)
    legal(fixed)
    population = fixed.population("q")
    assert population.scale.shape == (1,)
    assert not problems(population, bounds["q"])
    assert "p->q.low" in {p.name for p in fixed.projections}
    low, high = bounds["q"].states["v"]
    assert max(-low, high) > 0.5 * (THRESHOLD.maximum << 6)  # the largest scale that is proven
    trace = execute(fixed, encode(fixed, x)[0])
    got = trace.outputs["output"] / (64 * population.scale)
    np.testing.assert_allclose(got, shown.trace.outputs["output"], atol=5e-3)


def test_each_channel_has_its_own_scale_where_it_is_asked_for() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(6, 40)) * np.array([1.0, 0.2, 0.5, 0.3, 0.9, 0.0])[:, None]
    source = program(weight, lif(3.0, size=6))
    errors = {}
    for apart in (False, True):
        fixed, bounds, _ = quantise(source, None, per_channel=apart)
        population = fixed.population("p")
        assert population.scale.shape == ((6,) if apart else (1,))
        assert isinstance(population.neuron, CubaLif)
        np.testing.assert_array_equal(
            population.neuron.threshold, np.rint(3.0 * population.scale) * np.ones(6)
        )
        assert not problems(population, bounds["p"])
        got = meant(fixed.projections, population.scale)
        errors[apart] = (
            np.linalg.norm(got - weight, axis=1)[:5] / np.linalg.norm(weight, axis=1)[:5]
        )
    assert np.all(errors[True] <= errors[False] * 1.3)
    assert errors[True].mean() < 0.6 * errors[False].mean()
    read = replace(source, outputs=(Output("output", "p", "mean"),))
    assert quantise(read, None, per_channel=True)[0].population("p").scale.shape == (1,)


def test_channels_of_a_convolution_share_a_scale() -> None:
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 1, 2, 2)) * np.array([1.0, 0.1, 0.4])[:, None, None, None]
    conv = Conv2d(kernel, (1, 4, 4))
    source = program(np.zeros((27, 16)), lif(2.0, size=27))
    source = replace(
        source,
        inputs=(replace(source.inputs[0], shape=(1, 4, 4)),),
        populations=(replace(source.populations[0], shape=(3, 3, 3)),),
        projections=(Projection("input->p", "input", "p", conv),),
    )
    fixed = quantise(source, None, per_channel=True)[0]
    scale = fixed.population("p").scale.reshape(3, 9)
    assert np.all(scale == scale[:, :1])
    assert scale[1, 0] > scale[2, 0] > scale[0, 0]


def test_clipping_without_calibration_data_is_refused_with_its_input_and_scale() -> None:
    weight = np.tile([1.0, -1.0], 200)[None]
    source = program(weight, lif(0.5), steps=1000)
    with pytest.raises(CapacityExceeded) as caught:
        quantise(source, None)
    text = str(caught.value)
    assert "v can reach -" in text
    assert "the limit is -8388607" in text
    assert (
        "every source that feeds a negative weight of neuron 0 sending its largest message at "
        "every step for 1001 steps would break it" in text
    )
    assert "population p" in text
    assert "use fewer time steps, a leak, or smaller weights" in text
    assert "calibration data (--calibrate DATA.npz) may show that it does not happen" in text
    assert "a scale smaller by" in text
    assert "which is too coarse" in text


def test_clipping_that_calibration_does_not_show_is_a_warning() -> None:
    weight = np.tile([1.0, -1.0], 200)[None]
    source = program(weight, lif(0.5), steps=1000)
    x = np.zeros((4, 1000, 400))
    x[:, :, 0] = spikes(0, 4, 1000)
    fixed, bounds, _ = quantise(source, calibration(source, x))
    (warning,) = fixed.report["warnings"]
    proven = bounds["p"].proven_steps
    assert f"that v is never clipped is proven for {proven} steps only" in warning
    assert "every source that feeds a negative weight of neuron 0" in warning
    assert "the calibration data clip nothing, and clipping is counted in every run" in warning
    assert "with a threshold below 32 units" in warning
    x[:, :, 1::2] = 1.0  # and data that do reach it
    with pytest.raises(CapacityExceeded, match="the calibration data come near to it, too"):
        quantise(source, calibration(source, x))


def test_a_proof_is_worth_a_coarser_threshold_down_to_128_units() -> None:
    weight = np.array([[1.0, -1.0, -1.0]])
    for steps in (20, 100, 400, 1600):
        source = program(weight, lif(2.0), steps=steps)
        fixed, bounds, _ = quantise(source, None)
        assert bounds["p"].proven_steps is None
        units = int(fixed.population("p").neuron.threshold[0])  # type: ignore[union-attr]
        # 2 * 64 * S * steps <= 2**23, and the next larger candidate would break it.
        assert 2 * 32 * units * steps < 2**23 < 2 * 2 * 32 * (units + 1) * (steps + 2) * 1.02
        shown = calibration(source, spikes(0, 3, steps, 3))
        again, known, _ = quantise(source, shown)
        kept = known["p"].proven_steps is None
        assert kept == (units >= 128)
        assert kept == (not again.report["warnings"])


def neuron_of(neuron: Any, scale: float) -> Any:
    return quantise_neuron(Population("p", "LIF", (1,), neuron, 1), np.full(1, scale))


def test_every_neuron_model_in_integers() -> None:
    cuba = neuron_of(
        lif(
            2.0,
            reset="value",
            reset_voltage=np.array([-0.5]),
            refractory=3,
            reset_interval=7,
            current_decay=np.array([0.5]),
            voltage_decay=np.array([0.1]),
            bias_mantissa=np.array([0.25]),
        ),
        100.0,
    )
    assert (cuba.threshold, cuba.reset_voltage, cuba.bias_mantissa) == (200, -3200, 1600)
    assert (cuba.current_decay, cuba.voltage_decay) == (2047, 410)
    assert (cuba.reset, cuba.refractory, cuba.reset_interval) == ("value", 3, 7)
    ternary = neuron_of(TernaryLif(ONE, 0 * ONE, 0 * ONE, 2 * ONE, -3 * ONE, 0 * ONE), 100.0)
    assert (ternary.threshold_high, ternary.threshold_low) == (200, -300)
    adaptive = neuron_of(
        AdaptiveLif(ONE, 0.5 * ONE, 0.25 * ONE, 0.125 * ONE, 2 * ONE, 0.5 * ONE, 50 * ONE),
        100.0,
    )
    assert (adaptive.threshold, adaptive.threshold_step) == (200, 50)
    assert (adaptive.threshold_decay, adaptive.refractory_decay) == (1024, 512)
    assert adaptive.bias_mantissa << adaptive.bias_exponent == 320000
    for angle in np.linspace(0.1, 3.1, 40):  # without decay, rounding must not feed it
        turning = Resonator(np.cos(angle) * ONE, np.sin(angle) * ONE, 2 * ONE)
        fixed = neuron_of(turning, 100.0)
        assert fixed.cosine**2 + fixed.sine**2 < 4096**2
        assert (fixed.threshold, fixed.state_exponent) == (200, 6)


@pytest.mark.parametrize(
    ("neuron", "text"),
    [
        (lif(1e6), r"the threshold would be \d+; the limit is 131071"),
        (
            lif(1.0, bias_mantissa=np.array([1e6])),
            r"would need an exponent of 21; the limit is 7",
        ),
        (
            lif(1.0, reset="value", reset_voltage=np.array([-1e5])),
            r"the reset voltage would be \d+; the limit is 8388607",
        ),
        (
            AdaptiveLif(ONE, ONE, ONE, ONE, ONE, -ONE, 0 * ONE),
            r"the threshold step would be 100; the limit is 0",
        ),
        (
            TernaryLif(ONE, ONE, 0 * ONE, ONE, -1e6 * ONE, 0 * ONE),
            r"the negative threshold would be \d+; the limit is 131071",
        ),
    ],
)
def test_a_neuron_that_cannot_fit_is_refused_with_numbers(neuron: Any, text: str) -> None:
    problem = neuron_of(neuron, 100.0)
    assert isinstance(problem, Problem)
    assert np.all(problem.where == "population p")
    with pytest.raises(CapacityExceeded, match=text):
        raise CapacityExceeded(problem)


def test_a_list_of_synapses_is_rounded_as_its_matrix() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(6, 9)) * (rng.random((6, 9)) < 0.6)
    x = spikes(0, 20, 15, 9)
    found = []
    for chosen in (Dense(weight), from_matrix(weight)):
        source = program(weight, lif(size=6))
        before = Projection("input->p", "input", "p", chosen)
        source = replace(source, projections=(before,))
        shown = calibration(source, x)
        seen = moments(source, before, shown.stimulus, shown.trace)
        assert seen is not None
        scale = np.full(1, 50.0)
        after = quantise_weights(before, scale)
        assert isinstance(after, Projection)
        found.append((after, round_to_currents(after, before, scale, seen)))
    (_, matrix), (listed, values) = found
    assert isinstance(listed.synapse, Sparse)
    np.testing.assert_array_equal(values, matrix[listed.synapse.row, listed.synapse.column])
    late = from_matrix(weight, None, np.ones((6, 9), int))
    late_projection = replace(listed, synapse=late)
    assert moments(source, late_projection, shown.stimulus, shown.trace) is None


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
    lif_node = graph.nodes[build.end]
    lif_node.v_threshold = np.full(3, 1e9)
    with pytest.raises(
        CapacityExceeded, match=r"threshold would be \d+; the limit is 131071"
    ) as e:
        compile_graph(graph)
    assert "would do; but a scale so small leaves nothing of the weights" in str(e.value)
    lif_node.v_threshold, lif_node.v_leak = np.full(3, 0.5), np.full(3, -1e9)
    with pytest.raises(
        CapacityExceeded, match=r"would need an exponent of \d+; the limit is 7"
    ):
        compile_graph(graph)


def test_a_population_by_itself_is_what_it_does_among_integer_sources() -> None:
    for seed in range(12):  # the fixed network's own rasters, fed back: the same spikes again
        fixed, x = compiled(seed)
        stimulus, _ = encode(fixed, x)
        trace = execute(fixed, stimulus, record=True)
        for population in fixed.populations:
            alone, clipped = by_itself(fixed, population, stimulus, trace)
            raster = trace.rasters[population.name]
            np.testing.assert_array_equal(alone.s, raster.s)
            np.testing.assert_array_equal(clipped, trace.saturated[population.name])
            for name, values in raster.states.items():
                np.testing.assert_array_equal(alone.states[name], values)
