"""Data, counts, runs and comparisons."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy import run as run_module
from slipway.deploy.data import encode, load_data
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.reference import execute
from slipway.deploy.run import run
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.trace import Trace
from slipway.deploy.verify import verify
from slipway.errors import DataError, FileError, SlipwayError, UsageError

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


def test_a_run_in_batches_equals_one_in_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    program, _ = random_case(5)
    x = samples_for(program, 5, count=9)
    whole = run(program, x)
    monkeypatch.setattr(sys.modules["slipway.deploy.engine.execute"], "BATCH_BYTES", 1)
    seen: list[int] = []
    parts = run(program, x, progress=seen.append)
    assert seen == list(range(1, 10))
    for name in whole.trace.outputs:
        assert np.array_equal(whole.trace.outputs[name], parts.trace.outputs[name])
    for name in whole.trace.messages:
        assert np.array_equal(whole.trace.messages[name], parts.trace.messages[name])


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


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_data_files_that_cannot_be_used(tmp_path: Path) -> None:
    good = np.zeros((2, 3), np.float32)
    cases: list[tuple[Path, type[SlipwayError], str]] = [
        (tmp_path / "gone.npz", FileError, r"there is no file"),
        (write(tmp_path / "nox.npz", y=np.zeros(2)), DataError, r"has no array x; it holds y"),
        (write(tmp_path / "none.npz"), DataError, r"has no array x; it holds nothing"),
        (
            write(tmp_path / "unequal.npz", left=good, right=good[:1]),
            DataError,
            r"unequal numbers of samples: 2 of left, 1 of right",
        ),
        (write(tmp_path / "empty.npz", x=good[:0]), DataError, r"x holds no samples"),
        (write(tmp_path / "text.npz", x=np.array([["a"]])), DataError, r"x has type <U1"),
        (write(tmp_path / "y.npz", x=good, y=np.zeros(5, int)), DataError, r"y does not fit 2"),
        (write(tmp_path / "yf.npz", x=good, y=np.zeros(2)), DataError, r"y has type float64"),
        (
            write(tmp_path / "object.npz", x=np.array([[print]], object)),
            DataError,
            r"holds Python objects",
        ),
    ]
    junk = tmp_path / "junk.npz"
    junk.write_bytes(b"PK\x03\x04 no archive")
    cases.append((junk, FileError, r"cannot be read as \.npz"))
    bad = good.copy()
    bad[1, 2] = np.nan
    cases.append(
        (write(tmp_path / "nan.npz", x=bad), DataError, r"x holds nan at index \(1, 2\)")
    )
    np.save(tmp_path / "bare.npy", good)
    cases.append((tmp_path / "bare.npy", DataError, r"is a bare array"))
    for path, kind, text in cases:
        with pytest.raises(kind, match=text):
            load_data(path)
    with pytest.raises(DataError, match=r"9 samples were asked for; the file holds 2"):
        load_data(write(tmp_path / "ok.npz", x=good)).first(9)


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


def test_verify_finds_one_wrong_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    program = image_program(graded=False)
    x = samples_for(program, 7)
    clean = verify(program, x, engines=("reference", "fast"))
    assert clean.equal
    assert clean.as_json()["mismatches"] == 0
    assert clean.as_json()["compared"] > 100
    name = program.populations[-1].name

    def broken(program: Program, stimulus: Any, **options: Any) -> Trace:
        trace = execute(program, stimulus, record=True)
        states = trace.rasters[name].states
        v = states["v"].copy()
        v[1, 2, 0] += 1
        rasters = {
            **trace.rasters,
            name: replace(trace.rasters[name], states={**states, "v": v}),
        }
        return replace(trace, rasters=rasters)

    monkeypatch.setitem(run_module.EXECUTORS, "fast", broken)
    found = verify(program, x, engines=("reference", "fast"))
    assert not found.equal
    assert found.as_json()["mismatches"] == 1
    first = found.first_mismatch
    assert first is not None
    assert (first.quantity, first.population, first.sample, first.step) == ("v", name, 1, 3)
    assert first.second_value == first.first_value + 1


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
