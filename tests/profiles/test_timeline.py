"""Time of steps from the profile, against loops over samples, steps and cores."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from slipway.profiles.costs import CostModel, load_cost_model
from slipway.profiles.estimate import estimate
from slipway.profiles.latency import barrier
from slipway.profiles.profile import unpack
from slipway.profiles.timeline import timeline_of

from .placed_runs import packed, placed
from .runs import faces

DAVIES = load_cost_model("loihi1_davies")
SANAFE = load_cost_model("loihi1_sanafe")
LOIHI2 = load_cost_model("loihi2_derived")


def arrays(run: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, entry in run["profile"]["arrays"].items():
        data = zlib.decompress(base64.b64decode(entry["data"]))
        found[key] = np.frombuffer(data, "<i4").reshape(entry["shape"])
    return found


def by_loops(run: dict[str, Any], model: CostModel, time_of_core: Any) -> list[list[float]]:
    """Nominal step time of each profiled sample, core by core; without the barrier."""
    counts, profile = arrays(run), run["profile"]
    steps: list[list[float]] = []
    for k in range(profile["samples"]):
        steps.append([])
        for t in range(profile["steps"]):
            times = []
            for c, core in enumerate(run["placement"]["cores"]):
                here = {key: float(values[k, t, c]) for key, values in counts.items()}
                times.append(time_of_core(here, core["populations"], profile, c))
            steps[-1].append(max(times))
    return steps


def active_time(
    populations: dict[str, int], profile: dict[str, Any], busy: float, idle: float
) -> float:
    found = 0.0
    for name, neurons in populations.items():
        share = profile["active_updates"][name] / profile["neuron_updates"][name]
        found += neurons * (share * busy + (1 - share) * idle)
    return found


def soma_time(populations: dict[str, int], profile: dict[str, Any]) -> float:
    """6 ns an access, 3.7 ns more unless the neuron is at rest."""
    found = 0.0
    for name, neurons in populations.items():
        resting = profile["resting_updates"][name] / profile["neuron_updates"][name]
        found += neurons * (6e-9 + 3.7e-9 * (1 - resting))
    return found


def test_davies_sums_synops_and_updates() -> None:
    run = placed(cores_per_chip=16, cores_per_tile=4)

    def core(
        here: dict[str, float], populations: dict[str, int], profile: Any, c: int
    ) -> float:
        return here["syn_ops"] * 3.5e-9 + active_time(populations, profile, 8.4e-9, 5.3e-9)

    tiles = run["placement"]["tiles_used"]
    assert run["placement"]["chips_used"] == 1
    wait = 113e-9 + (465e-9 - 113e-9) * (tiles - 1) / 31
    expected = np.array(by_loops(run, DAVIES, core)) + wait
    found = estimate(run, DAVIES).latency
    assert found is not None
    assert found.placed
    assert found.inference.nominal == pytest.approx(expected.sum(axis=1).mean(), rel=1e-12)
    assert found.step.nominal == pytest.approx(expected.mean(), rel=1e-12)
    timeline = timeline_of(run, DAVIES)
    assert timeline is not None
    assert timeline["seconds"]["nominal"] == pytest.approx(list(expected.mean(axis=0)))


def test_loihi2_takes_the_longest_of_synops_and_passes() -> None:
    run = placed(target="loihi2", cores_per_chip=16)

    def core(
        here: dict[str, float], populations: dict[str, int], profile: Any, c: int
    ) -> float:
        passes = 2 * sum(populations.values()) + here["spikes"]
        return max(here["syn_ops"] * 1.02e-9, passes * 4e-9)

    expected = np.array(by_loops(run, LOIHI2, core)) + 0.2e-6
    found = estimate(run, LOIHI2).latency
    assert found is not None
    assert found.inference.nominal == pytest.approx(expected.sum(axis=1).mean(), rel=1e-12)
    assert "the longest of synops" in " ".join(found.basis)


def test_sanafe_prices_synops_by_their_kind_and_messages() -> None:
    run = placed(cores_per_chip=16)
    convolution = {"conv1"}  # the only population behind a convolution
    mixed = {
        c
        for c, core in enumerate(run["placement"]["cores"])
        if convolution & set(core["populations"]) and set(core["populations"]) - convolution
    }
    counts = arrays(run)
    for c in mixed:  # a core with both kinds has a mean price: leave it idle
        counts["syn_ops"] = counts["syn_ops"].copy()
        counts["syn_ops"][:, :, c] = 0
    run["profile"]["arrays"]["syn_ops"] = packed(counts["syn_ops"].astype(np.int32))

    def core(
        here: dict[str, float], populations: dict[str, int], profile: Any, c: int
    ) -> float:
        price = 3.1e-9 if set(populations) == convolution else 3.8e-9
        time = here["syn_ops"] * price + soma_time(populations, profile)
        return (
            time
            + here["spikes"] * 30e-9
            + here["axon_out"] * 5.1e-9
            + here["spikes_in"] * 16e-9
        )

    tiles = run["placement"]["tiles_used"]
    wait = {2: 1.0e-6, 3: 1.2e-6, 4: 1.4e-6}[tiles]
    expected = np.array(by_loops(run, SANAFE, core)) + wait
    found = estimate(run, SANAFE).latency
    assert found is not None
    assert found.inference.nominal == pytest.approx(expected.sum(axis=1).mean(), rel=1e-12)


def test_low_is_a_maximum_and_high_a_sum() -> None:
    run = placed(cores_per_chip=16)
    summed = estimate(run, SANAFE).latency
    longest = estimate(run, replace(SANAFE, core_time="maximum")).latency
    assert summed is not None
    assert longest is not None
    assert longest.step.nominal < summed.step.nominal
    assert longest.step.low <= summed.step.low
    assert longest.step.high == summed.step.high


@pytest.mark.parametrize(
    ("tiles", "expected"),
    [(1, 0.6e-6), (2, 1.0e-6), (3, 1.2e-6), (4, 1.4e-6), (29, 1.8e-6), (32, 1.8e-6)],
)
def test_barrier_by_tiles(tiles: int, expected: float) -> None:
    assert barrier(SANAFE, tiles, 1).nominal == pytest.approx(expected)


def test_barrier_of_several_chips() -> None:
    assert barrier(DAVIES, 40, 256).nominal == pytest.approx(14.3e-6)
    assert barrier(DAVIES, 40, 512).nominal == pytest.approx(15.25e-6)
    assert barrier(LOIHI2, 40, 2).nominal == pytest.approx(10e-6)
    unknown = barrier(DAVIES, None, 1)
    assert (unknown.low, unknown.nominal, unknown.high) == pytest.approx(
        (113e-9, 289e-9, 465e-9)
    )


def test_busiest_core_and_what_binds_it() -> None:
    run = placed(cores_per_chip=16)
    counts = arrays(run)["syn_ops"].copy()
    counts[:, :, 4] = 10_000
    run["profile"]["arrays"]["syn_ops"] = packed(counts)
    found = estimate(run, DAVIES).latency
    timeline = timeline_of(run, DAVIES)
    assert found is not None
    assert timeline is not None
    core = run["placement"]["cores"][4]
    assert found.busiest_core == (core["chip_idx"], core["core_idx"])
    assert found.busiest == ", ".join(core["populations"])
    assert found.binding == "synapse"
    assert found.share > 0.9
    assert timeline["busiest_core"] == [4] * run["executed_steps"]
    assert set(timeline["binding"]) == {"synapse"}
    assert int(np.argmax(timeline["core_seconds"])) == 4
    for t in range(run["executed_steps"]):
        parts = sum(values[t] for values in timeline["parts"].values())
        assert parts == pytest.approx(timeline["seconds"]["nominal"][t])
    json.dumps(timeline, allow_nan=False)


def test_static_energy_is_power_times_chips_times_latency() -> None:
    run = placed()  # two chips
    found = estimate(run, DAVIES)
    assert found.latency is not None
    assert found.latency.chips == run["placement"]["chips_used"] == 2
    static = found.terms["static"].energy
    assert static is not None
    assert static.high == pytest.approx(2 * 0.180 * found.latency.inference.high)
    assert found.energy_delay is not None
    product = found.total.nominal * found.latency.inference.nominal
    assert found.energy_delay.nominal == pytest.approx(product)
    assert found.latency.throughput.nominal == pytest.approx(
        1 / found.latency.inference.nominal
    )


def test_no_timeline() -> None:
    assert timeline_of(faces(), DAVIES) is None
    assert timeline_of(placed(), load_cost_model("spinnaker1")) is None
    assert timeline_of(placed(target="loihi2"), DAVIES) is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({**packed(np.zeros(3, np.int32)), "shape": [2]}, "are not the 8 bytes"),
        ({"shape": [1], "dtype": "int32", "data": "???"}, "cannot be unpacked"),
        ({"shape": [1], "dtype": "int32", "data": "AAAA"}, "cannot be unpacked"),
        ({"shape": [1], "dtype": "object", "data": ""}, "its dtype is 'object'"),
        ({"shape": [-1], "dtype": "int32", "data": ""}, "its shape is"),
        ({"shape": 3, "dtype": "int32", "data": ""}, "its shape is 3"),
    ],
)
def test_arrays_that_are_none(entry: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        unpack(entry)


def test_arrays_come_back() -> None:
    values = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    assert np.array_equal(unpack(packed(values)), values)
