"""The memory model of Lemaire 2022 and the dense network beside the spiking one, by hand."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from slipway.profiles.baseline import baseline_of, macs_of
from slipway.profiles.costs import load_cost_model
from slipway.profiles.counts import counts_of
from slipway.profiles.estimate import estimate
from slipway.profiles.memory import access, work_of

from .placed_runs import placed
from .runs import faces, population, projection

LEMAIRE = load_cost_model("lemaire22")
PICO = 1e-12
QUEUE = 10 * 4000 / 8192  # one word of 4000 bytes, in pJ


def network(spikes: int = 30, kind: str = "LIF") -> dict[str, Any]:
    """64 inputs, 16 neurons, 4 outputs, dense; 1 sample of 5 steps; 100 input spikes."""
    run = faces(samples=1)
    run["executed_steps"] = 5
    run["inputs"] = {"in": {"shape": [64], "graded": False, "neurons": 64, "messages": 100}}
    run["populations"] = {
        "a": population(kind, (16,), spikes, 1, 5),
        "b": population("readout", (4,), 0, 1, 5),
    }
    run["projections"] = {
        "in->a": projection("in", "a", "Dense", 1024, 1600, 1, False),
        "a->b": projection("a", "b", "Dense", 64, 4 * spikes, 1, False),
    }
    for name, weights, synops in (("in->a", 1024, 1600), ("a->b", 64, 4 * spikes)):
        run["projections"][name].update(
            synapses_all=weights, weights=weights, synops_all=synops, weight_bits=8
        )
    return run


def c(size: float) -> float:
    """pJ of an access to an SRAM of that many bytes."""
    points = [(0, 0.0), (8192, 10.0), (32768, 20.0), (1048576, 100.0)]
    for (x0, y0), (x1, y1) in pairwise(points):
        if size <= x1:
            return y0 + (y1 - y0) * (size - x0) / (x1 - x0)
    return 100.0


@pytest.mark.parametrize("size", [0, 1, 4000, 8192, 20_000, 32_768, 500_000, 2**20, 2**24])
def test_access(size: int) -> None:
    assert access(LEMAIRE, size).nominal == pytest.approx(c(size) * PICO)


def test_lemaire_by_hand() -> None:
    found = estimate(network(), LEMAIRE)
    synapse = 0.0
    for fan_out, weights, neurons, messages in ((1600, 1024, 16, 100), (120, 64, 4, 30)):
        synapse += fan_out * 0.1  # accumulates
        synapse += fan_out * c(4 * weights)  # weights
        synapse += 2 * fan_out * c(4 * neurons)  # potentials, read and written
        synapse += messages * QUEUE
        synapse += fan_out * 0.1  # addresses
    neuron = 16 * 5 * (2 * c(64) + 3.2) + 30 * 0.1 + 4 * 5 * 2 * c(16)
    energies = {key: term.energy for key, term in found.terms.items() if term.energy}
    assert {key: e.nominal / PICO for key, e in energies.items()} == pytest.approx(
        {"synapse": synapse, "neuron": neuron, "axon_out": 30 * QUEUE}
    )
    details = sum(band.nominal for band in found.details.values())
    assert details == pytest.approx(found.total.nominal)
    assert set(found.details) == {"memory", "operations", "addressing"}


def test_if_has_no_multiplication() -> None:
    lif, plain = (estimate(network(kind=kind), LEMAIRE).total.nominal for kind in ("LIF", "IF"))
    assert lif - plain == pytest.approx(16 * 5 * 3.2 * PICO)


def test_graded_messages_are_multiplied() -> None:
    run = network()
    before = estimate(run, LEMAIRE).total.nominal
    run["projections"]["in->a"]["graded"] = True
    assert estimate(run, LEMAIRE).total.nominal - before == pytest.approx(1600 * 3.1 * PICO)


def test_a_strided_convolution_reads_more_than_it_adds() -> None:
    run = placed()
    entry = run["projections"]["frames->conv1"]
    entry["geometry"].update(stride=[2, 2], kernel=[3, 3], output_shape=[4, 3, 3], groups=2)
    stream = counts_of(run).streams[0]
    work = work_of(stream)
    sent = run["inputs"]["frames"]["messages"]
    assert work.operations == sent * 2 * 2 * 2  # C_out / groups x ceil(3 / 2) squared
    assert work.fan_out == sent * 2 * 9
    assert work.multiplications == 2 * sent
    entry["geometry"]["stride"] = 2  # as one number
    assert work_of(counts_of(run).streams[0]) == work


def test_a_convolution_without_geometry_is_counted_by_synapses_and_says_so() -> None:
    found = estimate(faces(), LEMAIRE)
    assert any("states no kernel of frames->conv1" in text for text in found.assumptions)
    work = work_of(counts_of(faces()).streams[0])
    assert work.operations == faces()["projections"]["frames->conv1"]["synops_all"]


def test_unknown_messages_are_named() -> None:
    run = network()
    del run["inputs"]
    found = estimate(run, LEMAIRE)
    assert any("does not state the messages into in->a" in t for t in found.assumptions)


def test_bias_of_a_projection() -> None:
    run = network()
    before = estimate(run, LEMAIRE).total.nominal
    run["projections"]["in->a"]["bias"] = True
    more = estimate(run, LEMAIRE).total.nominal - before
    assert more == pytest.approx(16 * (0.1 + c(4096)) * PICO)


def test_macs() -> None:
    first, second, third = counts_of(placed()).streams
    assert macs_of(first) == 4 * 6 * 6 * 2 * 9
    assert macs_of(second) == 144 * 48
    assert macs_of(third) == 48 * 5


def test_dense_network_by_hand() -> None:
    found = baseline_of(network())
    mac, add = 0.23, 0.03
    first = 1024 * (mac + c(1024)) + 64 * c(64) + 16 * c(16) + (64 + 16) * add
    second = 64 * (mac + c(64)) + 16 * c(16) + 4 * c(4) + (16 + 4) * add
    dense = found["dense"]
    assert dense["macs"] == 1088
    assert dense["parameters"] == 1088
    assert dense["joule"]["nominal"] == pytest.approx((first + second) * PICO)
    layers = [layer["energy"]["nominal"] for layer in dense["layers"]]
    assert layers == pytest.approx([first * PICO, second * PICO])


def test_spiking_network_under_the_same_memories() -> None:
    found = baseline_of(network())["spiking"]
    fixed = 16 * 5 * (2 * c(48) + 0.23) + 4 * 5 * 2 * c(12)
    moving = 30 * (QUEUE + 0.03)
    for fan_out, weights, neurons, messages in ((1600, 1024, 16, 100), (120, 64, 4, 30)):
        moving += fan_out * (0.03 + c(weights) + 2 * c(3 * neurons) + 0.03)
        moving += messages * QUEUE
    assert found["fixed_joule"]["nominal"] == pytest.approx(fixed * PICO)
    assert found["joule"]["nominal"] == pytest.approx((fixed + moving) * PICO)


def test_at_break_even_both_cost_the_same() -> None:
    """Scaled to the break-even rate, the spiking network costs what the dense one does."""
    run = network()
    found = baseline_of(run)
    factor = found["break_even"]["factor"]
    assert factor is not None
    scale = 10**6
    run["samples"] = scale
    run["inputs"]["in"]["messages"] = round(100 * factor * scale)
    for entry in run["populations"].values():
        entry["spikes"] = round(entry["spikes"] * factor * scale)
        entry["neuron_updates"] *= scale
    for entry in run["projections"].values():
        entry["synops"] = entry["synops_all"] = round(entry["synops"] * factor * scale)
    there = baseline_of(run)
    assert there["ratio"] == pytest.approx(1.0, rel=1e-4)
    even, measured = found["break_even"], there["break_even"]
    assert even["spike_rate"] == pytest.approx(measured["measured_spike_rate"], rel=1e-4)
    assert even["spikes_per_synapse"] == pytest.approx(
        measured["measured_spikes_per_synapse"], rel=1e-4
    )


@pytest.mark.parametrize(("rate", "side"), [(0.001, "spiking"), (0.9, "dense")])
def test_which_side(rate: float, side: str) -> None:
    run = placed(rate=rate, graded_input=False)
    found = baseline_of(run)
    assert found["cheaper"] == side
    assert (found["ratio"] < 1) == (side == "spiking")
    if found["break_even"]["factor"] is not None:
        assert (found["break_even"]["factor"] > 1) == (side == "spiking")
        assert found["break_even"]["side"] == side
    published = found["break_even"]["published"]
    assert published["spike_rate"]["side"] == side
    assert published["spike_rate"]["high"] == 0.064
    assert published["spikes_per_synapse"]["high"] == 1.38


def test_no_break_even_says_why() -> None:
    silent = baseline_of(placed(rate=0.0, graded_input=False))["break_even"]
    assert silent["factor"] is None
    assert "no spike was counted" in silent["reason"]
    slow = network()
    for entry in slow["populations"].values():
        entry["neuron_updates"] *= 10_000
    found = baseline_of(slow)["break_even"]
    assert found["factor"] is None
    assert "no spike rate is low enough" in found["reason"]


def test_encoding_is_the_layers_behind_analog_input() -> None:
    model = load_cost_model("loihi1_davies")
    run = placed(graded_input=True)
    found = baseline_of(run, [model])["encoding"]
    assert found["projections"] == ["frames->conv1"]
    synops = run["projections"]["frames->conv1"]["synops"] / run["samples"]
    assert found["macs_per_inference"] == synops
    assert found["energy"][model.name]["nominal"] == pytest.approx(23.6e-12 * synops)
    assert any("analog-to-digital" in text for text in baseline_of(run)["not_priced"])
    assert baseline_of(placed(graded_input=False), [model])["encoding"]["projections"] == []


def test_is_json() -> None:
    found = baseline_of(faces(), [load_cost_model("orientation"), load_cost_model("ops45")])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found["encoding"]["energy"]) == {"ops45"}
