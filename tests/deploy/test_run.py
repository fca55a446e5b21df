"""Data, counts, runs and comparisons."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy import executors
from slipway.deploy.counts import BY_NAME, Counts, _weighted
from slipway.deploy.data import encode
from slipway.deploy.formats import WeightFormat
from slipway.deploy.lava import probe
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.reference import execute
from slipway.deploy.run import run
from slipway.deploy.samples import Samples
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.trace import Stimulus, Trace
from slipway.deploy.verify import verify
from slipway.errors import DataError, UsageError

from ..conformance.networks import random_case


def samples_for(program: Program, seed: int, count: int = 3) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    samples: dict[str, np.ndarray[Any, Any]] = {}
    for spec in program.inputs:
        shape = (count, program.steps, *spec.shape)
        if spec.graded:
            values = rng.uniform(spec.minimum, spec.maximum, shape) / spec.scale
        else:
            values = (rng.random(shape) < 0.4).astype(np.uint8)
        samples[spec.name] = values
    return samples


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_counts_equal_a_brute_force_count(seed: int) -> None:
    program, _ = random_case(seed)
    result = run(program, samples_for(program, seed), engine="reference")
    stimulus, _ = encode(program, samples_for(program, seed))
    rasters = execute(program, stimulus, record=True).rasters
    for projection in program.projections:
        matrix = np.stack(  # every synapse by itself, one unit spike at a time
            [
                projection.synapse.accumulate(row)
                for row in np.eye(projection.synapse.in_size, dtype=np.int64)
            ]
        )
        assert np.array_equal((matrix != 0).sum(axis=1), projection.synapse.fan_out(True))
        brute = np.zeros(stimulus.samples, np.int64)
        for t in range(1, program.run_steps(stimulus.steps) + 1):
            sent = (
                stimulus.at(projection.source, t) != 0
                if program.is_input(projection.source)
                else rasters[projection.source].s[:, t - 1] != 0
            )
            for sample, row in enumerate(sent):
                brute[sample] += sum((matrix[i] != 0).sum() for i in np.flatnonzero(row))
        assert np.array_equal(brute, result.synops(projection.name))
        assert (
            result.synops(projection.name) <= result.synops(projection.name, nonzero=False)
        ).all()
    described = json.loads(json.dumps(result.as_json()))
    for name, entry in described["populations"].items():
        assert entry["spikes"] == int(np.count_nonzero(rasters[name].s))
        assert entry["neuron_updates"] == rasters[name].s.size


def same(one: Counts, other: Counts) -> bool:
    """Whether everything that is counted for each sample is equal."""
    return np.array_equal(one.clipped, other.clipped) and all(
        np.array_equal(values, getattr(other, field)[name])
        for field in BY_NAME
        for name, values in getattr(one, field).items()
    )


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("seed", [2, 5, 8, 11])
def test_a_run_in_sections_equals_one_in_a_piece(
    seed: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several inputs, frames and films; and so it is with hardly any memory."""
    program, _ = random_case(seed)
    x = samples_for(program, seed, count=9)
    x[program.inputs[0].name] = x[program.inputs[0].name][:, 0]  # frames beside films
    labels = np.arange(9) % program.population(program.outputs[0].population).size
    whole = run(program, x, labels, engine=engine)
    seen: list[int] = []
    monkeypatch.setattr(executors, "SECTION_SAMPLES", 2)
    parts = run(program, x, labels, engine=engine, progress=seen.append)
    assert same(whole.counts, parts.counts)
    assert seen == sorted(seen)
    assert set(seen) >= {2, 4, 6, 8, 9}
    scarce = run(program, x, labels, engine=engine, memory=least_memory(program, x))
    assert same(whole.counts, scarce.counts)
    varying = ("seconds", "sample_steps_per_second", "projections")
    one, other = whole.as_json(), scarce.as_json()
    assert {k: v for k, v in one.items() if k not in varying} == {
        k: v for k, v in other.items() if k not in varying
    }


def least_memory(program: Program, x: Samples) -> int:
    """What a refusal says that one sample needs."""
    with pytest.raises(UsageError) as refused:
        run(program, x, memory=1)
    (problem,) = refused.value.problems
    found = re.fullmatch(
        r"one sample of \d+ steps needs (\d+)KiB of memory; the limit is 1KiB", problem.what
    )
    assert found
    assert (problem.where, problem.remedy) == (
        "--memory",
        f"use --memory {found[1]}KiB or more",
    )
    return int(found[1]) * 2**10


def test_the_memory_that_is_asked_for_suffices() -> None:
    """Where a sample is large beside what encoding takes, and where it is small."""
    for graded in (False, True):
        program = image_program(graded)
        for x in (np.ones((3, 2, 3, 3), np.uint8), np.ones((3, 5, 2, 3, 3))):
            assert run(program, x, memory=least_memory(program, x)).samples == 3


def test_a_trace_is_kept_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    program = image_program(graded=False)
    x = samples_for(program, 1)
    monkeypatch.setattr(executors, "SECTION_SAMPLES", 2)
    kept = run(program, x, record=True)
    assert kept.trace.rasters["p"].s.shape == (3, program.run_steps(program.steps), 2)
    assert np.array_equal(kept.trace.messages["p"].sum(axis=1), kept.counts.messages["p"])
    with pytest.raises(UsageError, match=r"the run was not recorded"):
        _ = run(program, x).trace


def test_no_samples_are_refused() -> None:
    with pytest.raises(DataError, match=r"there are no samples"):
        run(image_program(graded=False), np.zeros((0, 2, 3, 3), np.uint8))


@pytest.mark.parametrize("bits", [10, 21, 22, 23, 24, 49, 50, 51, 52, 53, 60])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_sums_are_exact_in_every_kind_of_number(bits: int, dtype: Any) -> None:
    """Odd sums on both sides of what float32 and float64 hold."""
    fan = np.array([[1.0, 2.0**bits], [1.0, 1.0], [1.0, 3.0]])
    messages = np.array([[3, 5, 0], [7, 0, 1]], dtype)
    expected = [[8, 3 * 2**bits + 5], [8, 7 * 2**bits + 3]]
    assert _weighted(messages, fan, 7).tolist() == expected
    many = np.repeat(messages, 50_000, axis=0)  # more than a block
    assert np.array_equal(_weighted(many, fan, 7), np.repeat(expected, 50_000, axis=0))


def test_slow_executors_take_small_sections() -> None:
    """A section ends within about a minute, by rule of thumb: the rest can be continued."""
    small, large = image_program(graded=False), large_layer()
    for engine, least in (("reference", 1), ("lava", 1)):
        if engine == "lava" and not probe().lava_usable:
            continue
        make = executors.EXECUTORS[engine]
        quick = make(small, memory=2**29, timeout=None).samples_at_once(5)
        slow = make(large, memory=2**29, timeout=None).samples_at_once(300)
        assert least <= slow < 20 < quick <= 1024
    fast = executors.EXECUTORS["fast"](small, memory=2**29, timeout=None)
    assert fast.samples_at_once(5) == 1024


def test_the_json_has_the_promised_keys() -> None:
    program, _ = random_case(2)
    x = samples_for(program, 2)
    described = run(program, x, np.zeros(3, np.int64)).as_json()
    assert {"engine", "samples", "steps", "accuracy", "predictions", "seconds"} <= set(
        described
    )
    assert described["sample_steps_per_second"] > 0
    assert all({"neurons", "spikes"} <= set(p) for p in described["populations"].values())
    assert all({"synops", "synapses"} <= set(p) for p in described["projections"].values())


def image_program(graded: bool) -> Program:
    """Two channels of 3 x 3 into one spiking neuron each."""
    one = np.ones(1, np.int64)
    neuron = CubaLif(4095 * one, 100 * one, 0 * one, 300 * one, 0 * one)
    synapse = Conv2d(
        np.full((2, 1, 3, 3), 2, np.int16),
        (2, 3, 3),
        groups=2,
        format=WeightFormat(8, 0, "excitatory"),
    )
    return Program(
        "fixed",
        1e-3,
        5,
        (Input("input", (2, 3, 3), graded, 255.0 if graded else 1.0, 0, 255),),
        (Population("p", "LIF", (2, 1, 1), neuron, 1),),
        (Projection("input->p", "input", "p", synapse),),
        (Output("output", "p", "count"),),
    )


def test_samples_that_do_not_fit_the_network() -> None:
    program = image_program(graded=True)
    shape = program.inputs[0].shape
    with pytest.raises(DataError, match=r"the samples have shape \(5, 5\); the network"):
        encode(program, np.zeros((2, 5, 5)))
    with pytest.raises(DataError, match=r"the bounds are proven for"):
        encode(program, np.zeros((2, program.steps + 1, *shape)))
    with pytest.raises(DataError, match=r"lie outside the calibrated range 0 to 1"):
        encode(program, np.full((2, *shape), 200.0))
    with pytest.raises(DataError, match=r"the input takes spikes \(0 or 1\), but x holds 0.5"):
        encode(image_program(graded=False), np.full((2, *shape), 0.5))


def test_a_few_values_outside_the_range_are_clipped_and_counted() -> None:
    program = image_program(graded=True)
    x = np.zeros((40, *program.inputs[0].shape))
    x[3].flat[0] = 1.5
    stimulus, clipped = encode(program, x)
    assert clipped.tolist() == [0, 0, 0, 1] + [0] * 36
    assert stimulus.values["input"].max() == 255


def test_labels_beyond_the_outputs_are_refused() -> None:
    program, _ = random_case(2)
    with pytest.raises(DataError, match=r"the labels reach from 0 to 999"):
        run(program, samples_for(program, 2), np.array([0, 1, 999]))


def test_a_timeout_must_leave_time() -> None:
    program, _ = random_case(2)
    with pytest.raises(UsageError, match=r"a timeout of 0 s leaves no time"):
        run(program, samples_for(program, 2), timeout=0)


def test_unknown_engines_are_refused() -> None:
    program, _ = random_case(2)
    with pytest.raises(UsageError, match=r"there is no engine 'slow'"):
        run(program, samples_for(program, 2), engine="slow")
    with pytest.raises(UsageError, match=r"at least two different engines; given: fast, fast"):
        verify(program, samples_for(program, 2), engines=("fast", "fast"))


def test_a_device_is_for_the_fast_engine_alone() -> None:
    program, _ = random_case(2)
    for engine in ("reference", "lava"):
        with pytest.raises(UsageError) as error:
            run(program, samples_for(program, 2), engine=engine, device="cuda")
        assert str(error.value) == (
            f"the engine '{engine}' runs on the CPU alone, not on 'cuda'\n"
            "  where: --device\n  to do: use --engine fast, or leave --device out"
        )


def test_a_run_on_another_device_has_the_same_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from slipway.deploy import gpu

    program = image_program(graded=False)
    x = samples_for(program, 7)
    honest = gpu.GpuEngine
    monkeypatch.setattr(gpu, "GpuEngine", lambda program, device: honest(program, "cpu"))
    facts = [run(program, x, device=device).as_json() for device in ("cpu", "cuda")]
    assert [each.pop("device") for each in facts] == ["cpu", "cuda"]
    for each in facts:
        for name in ("seconds", "sample_steps_per_second"):
            each.pop(name)
        for projection in each["projections"].values():
            assert projection.pop("kernels")
    assert facts[0] == facts[1]


def test_verify_finds_one_wrong_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    program = image_program(graded=False)
    x = samples_for(program, 7)
    clean = verify(program, x, engines=("reference", "fast"))
    assert clean.equal
    assert clean.as_json()["mismatches"] == 0
    assert clean.as_json()["compared"] > 100
    name = program.populations[-1].name

    class Broken:
        def __init__(self, program: Program, **options: Any) -> None:
            self.program = program

        def samples_at_once(self, steps: int) -> int:
            return 1000

        def run(self, stimulus: Stimulus, **options: Any) -> Trace:
            trace = execute(self.program, stimulus, record=True)
            states = trace.rasters[name].states
            v = states["v"].copy()
            v[1, 2, 0] += 1
            rasters = {
                **trace.rasters,
                name: replace(trace.rasters[name], states={**states, "v": v}),
            }
            return replace(trace, rasters=rasters)

    monkeypatch.setitem(executors.EXECUTORS, "fast", Broken)
    found = verify(program, x, engines=("reference", "fast"))
    assert not found.equal
    assert found.as_json()["mismatches"] == 1
    first = found.first_mismatch
    assert first is not None
    assert (first.quantity, first.population, first.sample, first.step) == ("v", name, 1, 3)
    assert first.second_value == first.first_value + 1


def large_layer() -> Program:
    """64 channels of 64 x 64 behind as many: 150 million synapses."""
    one = np.ones(1, np.int64)
    neuron = CubaLif(4095 * one, 100 * one, 0 * one, 300 * one, 0 * one)
    synapse = Conv2d(np.full((64, 64, 3, 3), 2, np.int16), (64, 64, 64), padding=(1, 1))
    return Program(
        "fixed",
        1e-3,
        300,
        (Input("input", (64, 64, 64), False, 1.0, 0, 1),),
        (Population("p", "LIF", (64, 64, 64), neuron, 1),),
        (Projection("input->p", "input", "p", synapse),),
        (Output("output", "p", "count"),),
    )


def two_inputs() -> Program:
    program = image_program(graded=True)
    left = program.inputs[0]
    right = replace(left, name="right")
    extra = replace(program.projections[0], name="right->p", source="right")
    return replace(program, inputs=(left, right), projections=(*program.projections, extra))


def test_samples_of_several_inputs_are_given_by_name() -> None:
    program, x = two_inputs(), np.ones((2, 2, 3, 3))
    stimulus, _ = encode(program, {"input": x, "right": np.zeros((2, 3, 2, 3, 3))})
    assert stimulus.steps == 3
    assert stimulus.at("input", 3).all()
    assert not stimulus.at("right", 1).any()
    with pytest.raises(DataError, match=r"2 inputs, and the samples are one array"):
        encode(program, x)
    with pytest.raises(DataError, match=r"no samples for right; given are input"):
        encode(program, {"input": x})
    with pytest.raises(DataError, match=r"unequal numbers of steps: input 4, right 3"):
        encode(program, {"input": np.ones((2, 4, 2, 3, 3)), "right": np.ones((2, 3, 2, 3, 3))})
    result = run(program, {"input": x, "right": 0 * x}, engine="reference").as_json()
    assert result["inputs"]["input"]["messages"] == 2 * 5 * 18
    assert result["inputs"]["right"]["messages"] == 0


def test_an_input_of_changes_sends_what_it_grew_by() -> None:
    program = image_program(graded=True)
    program = replace(program, inputs=(replace(program.inputs[0], delta=True),))
    frames, _ = encode(program, np.full((1, 2, 3, 3), 0.5))
    assert [int(frames.at("input", t).sum()) for t in range(1, 6)] == [18 * 128, 0, 0, 0, 0]
    film = np.linspace(0, 1, 5)[None, :, None, None, None] * np.ones((1, 5, 2, 3, 3))
    stimulus, _ = encode(program, film)
    assert np.cumsum(stimulus.values["input"], axis=1)[0, :, 0].tolist() == [
        0,
        64,
        128,
        191,
        255,
    ]
