"""The divergence report: its figures on rasters made for them, and its place in a compile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.difference import cosine, difference
from slipway.deploy.divergence import calibrate, compile_report
from slipway.deploy.engine import execute
from slipway.deploy.quantise import quantise
from slipway.deploy.trace import Raster

from .nir_graphs import Builder, random_graph
from .test_quantise import lif, program, spikes

Array = np.ndarray[Any, Any]
KEYS = {
    "rate_cosine",
    "raster_cosine",
    "best_lag",
    "raster_cosine_at_best_lag",
    "first_difference_step",
    "samples_that_differ",
    "spikes_float",
    "spikes_fixed",
    "membrane_rms",
}


def raster(s: Array, v: Array | None = None) -> Raster:
    return Raster(s, {"v": np.zeros(s.shape) if v is None else v})


def compared(before: Array, after: Array, **options: Any) -> dict[str, Any]:
    return difference(
        raster(before), raster(after), membrane="v", unit=np.full(1, 64.0), **options
    )


def random_raster(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).random(shape) < 0.2


def test_equal_rasters_differ_nowhere() -> None:
    s = random_raster(0, 4, 30, 6)
    assert compared(s, s) == {
        "rate_cosine": pytest.approx(1.0),
        "raster_cosine": pytest.approx(1.0),
        "best_lag": 0,
        "raster_cosine_at_best_lag": pytest.approx(1.0),
        "first_difference_step": None,
        "samples_that_differ": 0,
        "spikes_float": int(s.sum()),
        "spikes_fixed": int(s.sum()),
        "membrane_rms": 0.0,
    }


@pytest.mark.parametrize("lag", [-3, -2, -1, 1, 2, 3])
def test_the_lag_is_found_and_its_sign_tells_who_is_late(lag: int) -> None:
    s = random_raster(1, 4, 40, 6)
    late = np.zeros_like(s)
    if lag > 0:
        late[:, lag:] = s[:, :-lag]
    else:
        late[:, :lag] = s[:, -lag:]
    found = compared(s, late)
    assert found["best_lag"] == lag
    assert found["raster_cosine_at_best_lag"] == pytest.approx(1.0)
    assert found["raster_cosine"] < 0.5
    assert found["rate_cosine"] > 0.9


def test_the_first_difference_is_named() -> None:
    s = random_raster(2, 5, 30, 6)
    other = s.copy()
    other[3, 11, 2] = ~other[3, 11, 2]
    other[1, 20, 0] = ~other[1, 20, 0]
    other[1, 21, 5] = ~other[1, 21, 5]
    found = compared(s, other)
    assert found["first_difference_step"] == 12  # steps count from 1
    assert found["samples_that_differ"] == 2
    both = (s & other).sum()
    assert found["raster_cosine"] == pytest.approx(both / np.sqrt(s.sum() * other.sum()))


def test_silence_agrees_with_silence_alone() -> None:
    none, some = np.zeros((2, 9, 3), bool), random_raster(3, 2, 9, 3)
    assert compared(none, none)["raster_cosine"] == 1.0
    assert compared(none, some)["raster_cosine"] == 0.0
    assert cosine(np.ones(3), np.zeros(3)) == 0.0


def test_a_sample_of_two_steps_has_no_lag_of_three() -> None:
    s = random_raster(4, 3, 2, 8)
    assert compared(s, s)["best_lag"] == 0


def test_graded_messages_differ_beyond_their_own_grid() -> None:
    values = np.random.default_rng(0).normal(size=(3, 10, 4))
    sent = np.rint(values * 16).astype(np.int32)
    found = compared(values, sent, message_scale=16.0)
    assert found["samples_that_differ"] == 0
    assert found["raster_cosine"] > 0.998
    sent[2, 6, 1] += 1
    found = compared(values, sent, message_scale=16.0)
    assert (found["samples_that_differ"], found["first_difference_step"]) == (1, 7)


def test_membranes_are_compared_in_units_of_each_neuron() -> None:
    v = np.random.default_rng(0).normal(size=(2, 8, 3))
    scale = np.array([10.0, 20.0, 40.0])
    fixed = np.rint((v + 0.5) * 64 * scale)
    s = np.zeros(v.shape, bool)
    found = difference(raster(s, v), raster(s, fixed), membrane="v", unit=64 * scale)
    assert found["membrane_rms"] == pytest.approx(0.5, rel=1e-3)


def test_the_report_says_what_it_measured() -> None:
    for seed in range(6):
        graph, _, x = random_graph(seed)
        samples = {name: np.stack([values] * 3) for name, values in x.items()}
        report = compile_graph(graph, calibration=samples).report
        assert report["calibration_samples"] == 3
        for entry in report["populations"].values():
            assert set(entry["error"]) == KEYS
            assert set(entry["added"]) == {"rate_cosine", "raster_cosine"}
            assert entry["saturated"] == 0
        for entry in report["projections"].values():
            assert entry["weight_error_relative"] < 0.1
            assert entry["part"] in (None, "high", "low")
        bits = sum(e["bits"] for e in report["projections"].values())
        assert report["weight_memory"] >= bits


def test_the_report_measures_the_executed_programs() -> None:
    rng = np.random.default_rng(0)
    source = program(
        rng.normal(size=(12, 9)) * 0.4, lif(size=12), loop=rng.normal(size=(12, 12))
    )
    calibration = calibrate(source, spikes(0, 20, 20, 9))
    fixed, bounds, errors = quantise(source, calibration, weight_bits=4)
    report = compile_report(source, fixed, bounds, errors, calibration)
    entry = report["populations"]["p"]
    before = calibration.trace.rasters["p"].s[:, 1:21]
    after = execute(fixed, encode(fixed, calibration.shown)[0], record=True).rasters["p"]
    differs = before != after.s[:, 1:21]
    steps = np.flatnonzero(differs.any(axis=(0, 2)))
    assert entry["error"]["first_difference_step"] == steps[0] + 1
    assert entry["error"]["samples_that_differ"] == differs.any(axis=(1, 2)).sum()
    assert entry["error"]["spikes_fixed"] == after.s[:, 1:21].sum()
    # Among the float Program's spikes less is lost than in the loop of its own.
    assert entry["added"]["raster_cosine"] > entry["error"]["raster_cosine"]
    assert {e["bits"] for e in report["projections"].values()} == {4}


def test_without_calibration_nothing_is_measured() -> None:
    build = Builder(np.random.default_rng(0), (4,))
    build.affine(3)
    build.neuron(("LIF",))
    graph = build.graph({"dt": 1e-3, "steps": 4, "input_encoding": "spikes"})
    report = compile_graph(graph).report
    assert report["calibration_samples"] == 0
    for entry in report["populations"].values():
        assert entry["error"] is entry["added"] is entry["saturated"] is None


def test_coarse_thresholds_and_decays_are_warnings() -> None:
    weight = np.array([[1000.0, 1.0]])
    slow = lif(1e-1, voltage_decay=np.full(1, 1.6 / 4096))
    source = program(weight, slow, steps=400)
    calibration = calibrate(source, np.zeros((4, 400, 2)))
    fixed, bounds, errors = quantise(source, calibration, weight_bits=8)
    warnings = compile_report(source, fixed, bounds, errors, calibration)["warnings"]
    assert any("p: the threshold is only " in w for w in warnings)
    assert any("p: 12 bits miss the voltage decay by 25 %" in w for w in warnings)
