"""What is written down: the keys that others read, and bits that were really compared."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.benchmarks import __main__ as script
from slipway.benchmarks import equality, lava, limits, measure, scaling
from slipway.benchmarks.networks import Network
from slipway.deploy import reference
from slipway.deploy.engine import Engine

KEYS = {
    "equal_bits",
    "lava_throughput_ratio",
    "lava_b1_ratio",
    "best_float_framework",
    "best_float_framework_ratio",
    "synaptic_events_per_second",
    "share_of_limit",
    "peak_bytes",
    "milliseconds_per_sample_step",
    "rates",
}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tiny: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script writes for the tiny network, with a small sweep."""
    out = tmp_path_factory.mktemp("results")
    small = {
        name: replace(sweep, values=sweep.values[:3])
        for name, sweep in scaling.sweeps(samples=8, steps=4).items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "HERE", out)
        patch.setattr(script, "WORK", out / "work")
        patch.setattr(script, "NETWORKS", {"a": lambda folder: tiny})
        patch.setattr(scaling, "sweeps", lambda: small)
        once: Any = {"repetitions": 1}
        patch.setattr(scaling, "measure", partial(scaling.measure, **once))
        quick = partial(measure.measure, data_seconds=0.01, **once)
        patch.setattr(measure, "measure", quick)
        patch.setattr(limits, "memory_bandwidth", partial(limits.memory_bandwidth, 2**20))
        patch.setattr(limits, "integer_adds", partial(limits.integer_adds, 2**8))
        patch.setattr(sys, "argv", ["benchmarks", "--networks", "a"])
        assert script.main() == 0
    return out


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "results.json").read_text()))


def test_the_keys_that_others_read(results: dict[str, Any]) -> None:
    assert results.keys() == {"format", "machine", "networks", "scaling"}
    found = results["networks"]["a"]
    assert found.keys() >= KEYS
    assert results["machine"].keys() >= {"cpu", "cores", "versions", "date"}
    assert results["scaling"].keys() == {"samples", "steps", "neurons", "density"}
    assert found["rates"].keys() == {"input", "layer1", "layer2"}


def test_ratios_are_those_of_the_times(results: dict[str, Any], tiny: Network) -> None:
    found = results["networks"]["a"]
    times = found["milliseconds_per_sample_step"]
    assert times.keys() >= {
        "engine_1",
        "engine_32",
        "engine_256",
        "engine_4",
        "engine_data_set",
    }
    floats = {n: t for n, t in times.items() if n.split(".")[0] in measure.FLOATS}
    best = min(floats, key=lambda name: floats[name])
    assert found["best_float_framework"] == best.split(".")[0]
    assert found["best_float_framework_ratio"] == pytest.approx(
        floats[best] / times["engine_4"]
    )
    if lava.usable():
        # Two steps more for a sample to come through: 8 + 2 and 24 + 2.
        many, one = times["lava"] / times["engine_data_set"], times["lava"] / times["engine_1"]
        assert found["lava_throughput_ratio"] == pytest.approx(many * 10 / 8)
        assert found["lava_b1_ratio"] == pytest.approx(one * 26 / 24)
        assert found["lava_sparse_b1_ratio"] is None  # there is no convolution


def test_events_are_messages_times_synapses(results: dict[str, Any]) -> None:
    found = results["networks"]["a"]
    share = found["rates"]
    events = 20 * share["input"] * 16 + 16 * share["layer1"] * 4
    assert found["synaptic_events_per_sample_step"] == pytest.approx(events)
    a_second = 1e3 * events / found["milliseconds_per_sample_step"]["engine_data_set"]
    assert found["synaptic_events_per_second"] == pytest.approx(a_second)
    limit = results["machine"]["integer_adds_per_second"]
    assert found["share_of_limit"] == pytest.approx(a_second / limit)


def test_counting_cost_lies_within_its_spread(results: dict[str, Any]) -> None:
    found = results["networks"]["a"]
    low, high = found["counting_cost_spread"]
    assert -1 < low <= found["counting_cost"] <= high
    assert found["counting_cost_by_clock"] > -1


def test_bits_were_compared(results: dict[str, Any]) -> None:
    found = results["networks"]["a"]
    assert found["equal_bits"] is True
    # Outputs, messages, saturations; s, u and v of 20 neurons in 10 steps; all of two samples.
    counted = 2 * (4 + 20 + 20 + 2)
    assert found["compared"]["timed_run"] == {"values": counted, "mismatches": 0}
    assert found["compared"]["reference"]["values"] == counted + 2 * 3 * 20 * 10
    if lava.usable():
        assert found["compared"]["lava"]["values"] == counted + 2 * 3 * 20 * 10
        assert found["compared"]["lava"]["seconds"] > 0


def test_the_plot_is_written(folder: Path) -> None:
    assert (folder / "scaling.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("key", ["a", "d"])
def test_the_engine_equals_the_reference(built: dict[str, Network], key: str) -> None:
    engine, stimulus = Engine(built[key].program), built[key].stimulus(2, 6)
    found = equality.check(engine, stimulus, engine.run(built[key].stimulus(5, 6)), False)
    assert found["equal_bits"] is True
    assert found["reference"]["values"] > 2 * 6 * sum(
        p.size for p in built[key].program.populations
    )


@pytest.mark.parametrize("field", ["outputs", "messages", "s", "u"])
def test_a_single_wrong_value_is_found(tiny: Network, field: str) -> None:
    stimulus = tiny.stimulus(2, 8)
    norm = reference.execute(tiny.program, stimulus, record=True)
    other = Engine(tiny.program).run(stimulus, record=True)
    assert equality.compare(other, norm)["mismatches"] == 0
    raster = other.rasters["layer2"]
    values: Any = {
        "outputs": other.outputs["output"],
        "messages": other.messages["layer1"],
        "s": raster.s,
        "u": raster.states["u"],
    }[field]
    values[(1,) + (0,) * (values.ndim - 1)] ^= 1
    assert equality.compare(other, norm)["mismatches"] == 1


def test_rates_outside_the_band_are_refused(tiny: Network) -> None:
    with pytest.raises(ValueError, match=r"network t: rates \{'layer1': 0.2\} are not within"):
        measure._check_rates(
            replace(tiny, calibrated=True), {"input": 0.5, "layer1": 0.2, "layer2": 0.05}
        )


def test_spikes_that_differ_are_refused(tiny: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny.stimulus(4, 8)
    trace = Engine(tiny.program).run(data)
    double = replace(trace, messages={n: 2 * m for n, m in trace.messages.items()})
    monkeypatch.setattr(measure, "FLOATS", ("norse",))
    with pytest.raises(ValueError, match=r"norse.by_layer sends 0\.[45]\d times the engine's"):
        measure._float_works(replace(tiny, calibrated=True), data, double)


def test_a_network_that_is_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--networks", "a,x"])
    with pytest.raises(SystemExit):
        script.main()
    assert "no network x; there are a, b, c, d, e, f" in capsys.readouterr().err


def test_states_of_one_sample_differ_from_those_of_another(tiny: Network) -> None:
    """The comparison of bits would be worth little on silent networks."""
    raster = Engine(tiny.program).run(tiny.stimulus(2, 8), record=True).rasters["layer1"]
    assert np.any(raster.states["v"][0] != raster.states["v"][1])
    assert raster.s.any()
