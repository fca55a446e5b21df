"""The report of runs on cores and of several runs: sums, steps, comparison, refusals."""

from __future__ import annotations

import json
from math import fsum
from typing import Any

import pytest
from slipway.errors import FileError, UsageError
from slipway.profiles.html import render_html
from slipway.profiles.report import build_report

from .mapped_runs import network
from .placed_runs import placed
from .runs import faces
from .test_report import ENDS, beside, codes

PLACED = {
    "two chips": placed(samples=120),
    "loihi2": placed(target="loihi2", graded_input=False),
    "silent": placed(rate=0.0),
    "large": network(6),
    "not placed": faces(),
}


@pytest.mark.parametrize("name", PLACED)
def test_sums_and_bands_of_every_model(name: str) -> None:
    run = PLACED[name]
    report = build_report([run])
    for model, energy in report["energy"].items():
        terms = report["breakdown"][model]
        for end in ENDS:
            total = energy[f"{end}_joule_per_inference"]
            assert fsum(t[end] for t in terms.values() if t["priced"]) == total
            layers = fsum(row["energy"][model][end] for row in report["layers"])
            layers += report["elsewhere"][model][end]
            dynamic = energy["dynamic"][f"{end}_joule_per_inference"]
            assert layers == pytest.approx(dynamic, rel=1e-9)
        for band in (
            *(t for t in terms.values() if t["priced"]),
            *(row["energy"][model] for row in report["layers"] + report["projections"]),
        ):
            assert 0 <= band["low"] <= band["nominal"] <= band["high"]
        for key in ("inference", "step"):
            found = report["latency"][model]
            if found["nominal_second_per_inference"] is not None:
                low, nominal, high = (found[f"{end}_second_per_{key}"] for end in ENDS)
                assert 0 < low <= nominal <= high
        shares = fsum(row["energy"][model]["share"] for row in report["layers"])
        shares += report["elsewhere"][model]["share"]
        assert shares == pytest.approx(1)
        for row in report["layers"]:
            parts = row["energy"][model]
            assert fsum(parts["terms"].values()) == pytest.approx(parts["nominal"])


def test_a_silent_network_still_costs_its_neurons_and_its_idle_chip() -> None:
    run = placed(rate=0.0)
    report = build_report([run], ["loihi1_sanafe"])
    terms = report["breakdown"]["loihi1_sanafe"]
    assert terms["neuron"]["nominal"] > 0
    assert terms["static"]["nominal"] > 0
    assert terms["barrier"]["priced"] is False
    assert "barrier" in [e["term"] for e in report["unpriced"]]
    assert report["latency"]["loihi1_sanafe"]["nominal_second_per_inference"] > 0
    assert report["totals"]["spikes"] == report["totals"]["messages"] == 0
    assert report["break_even"]["spike_rate"] == 0


def test_messages_and_hops_of_a_placed_run() -> None:
    run = placed(samples=120)
    report = build_report([run])
    for key in ("messages", "hops"):
        exact = run["traffic"][key]
        assert report["totals"][key] == report["traffic"][key] == exact > 0
        assert report["totals"]["per_inference"][key] == exact / 120
        of_inputs = run["traffic"]["sources"]["frames"].get(key, 0)
        assert sum(row[key] for row in report["layers"]) in (exact, exact - of_inputs)
        assert report["comparison"][0]["counts"][key] == exact / 120
    assert build_report([faces()])["totals"]["hops"] is None


def test_cores_are_summed_up() -> None:
    run = placed(samples=120)
    found = build_report([run])["placement"]
    cores = run["placement"]["cores"]
    for row in found["capacity"]:
        used = [core["used"][row["resource"]] for core in cores]
        assert (row["minimum"], row["maximum"]) == (min(used), max(used))
        assert row["mean"] == pytest.approx(sum(used) / len(used))
        assert row["share"] == max(used) / row["limit"]
        assert row["binds"] == sum(core["binding"] == row["resource"] for core in cores)
    load = found["balance"]["syn_ops"]
    assert load["maximum_per_inference"] == max(core["syn_ops"] for core in cores) / 120
    mean = sum(core["syn_ops"] for core in cores) / len(cores) / 120
    assert load["ratio"] == pytest.approx(load["maximum_per_inference"] / mean)
    links = run["placement"]["links"]
    assert found["hottest_link"]["messages"] == max(link["messages"] for link in links)
    assert found["binding"] in run["placement"]["limits"]
    assert build_report([faces()])["placement"] is None


def test_steps_are_those_of_the_samples() -> None:
    run = network(3, neurons=90, steps=6, recorded=2)
    found = build_report([run])["recorded"]
    assert (found["samples"], found["steps"]) == (2, 9)
    for row in found["rates"]:
        entry = run["populations"][row["name"]]
        # All 9 steps of all neurons: what the run says of its 200 samples, of 2 of them.
        spikes = sum(row["rates"]) * row["of"] * 100 * 2
        assert row["neurons"] == row["of"] == entry["neurons"]
        assert spikes == pytest.approx(entry["spikes"], abs=200)
    busiest, mean = found["busiest"]["syn_ops"], found["busiest"]["mean_syn_ops"]
    assert all(a >= b for a, b in zip(busiest, mean, strict=True))
    assert all(0 <= core < len(run["placement"]["cores"]) for core in found["busiest"]["core"])


def test_rates_are_of_all_samples_where_the_run_counted_them() -> None:
    run = placed(samples=5)
    for row in build_report([run])["recorded"]["rates"]:
        assert row["of_samples"] == 5 > run["profile"]["samples"]
        total = sum(row["rates"]) * row["of"] * 5
        assert total == pytest.approx(run["populations"][row["name"]]["spikes"])
    assert "the spikes per neuron are the mean of all 5 samples" in render_html(
        build_report([run])
    )


def test_the_raster_is_that_of_the_sample_asked_for() -> None:
    run = placed(samples=5)
    first, second = (build_report([run], sample=n)["recorded"]["raster"] for n in (0, 1))
    assert first != second
    hidden = next(row for row in first if row["name"] == "hidden")
    steps = run["profile"]["steps"]
    assert all(0 <= t < steps and 0 <= n < 48 for t, n in hidden["spikes"])
    assert sorted(hidden["neurons"]) == list(range(48))
    with pytest.raises(
        UsageError, match="sample 3 was not recorded; the run has samples 0 to 2"
    ):
        build_report([run], sample=3)
    with pytest.raises(UsageError, match="no raster of sample 1: the run recorded none"):
        build_report([faces()], sample=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "AAAA"}, "is no array"),
        ({"shape": [1, 2, 3]}, "is no array|has shape"),
    ],
)
def test_a_damaged_raster_is_named(change: dict[str, Any], message: str) -> None:
    run = json.loads(json.dumps(placed()))
    run["profile"]["rasters"]["hidden"]["spikes"].update(change)
    with pytest.raises(FileError, match=message) as raised:
        build_report([run])
    assert "hidden" in str(raised.value)


def test_runs_are_compared_with_the_first() -> None:
    first, second = network(3, seed=1), network(3, seed=2, rate=0.3)
    second["compile"]["code"], first["compile"]["code"] = "ttfs", "rate"
    rows = build_report([first, second])["comparison"]
    assert [row["label"] for row in rows] == ["rate", "ttfs"]
    assert rows[0]["ratio"]["energy"]["loihi2_derived"] == 1
    ratio = rows[1]["ratio"]
    single = build_report([second])
    energy = single["energy"]["loihi2_derived"]["nominal_joule_per_inference"]
    own = build_report([first])["energy"]["loihi2_derived"]["nominal_joule_per_inference"]
    assert ratio["energy"]["loihi2_derived"] == pytest.approx(energy / own)
    assert ratio["counts"]["synops"] > 2
    assert ratio["latency"]["ops45"] is None
    assert rows[1]["counts"]["messages"] == second["traffic"]["messages"] / 200


def test_labels_are_the_fewest_words_that_tell_runs_apart() -> None:
    def labels(*runs: dict[str, Any]) -> list[str]:
        return [row["label"] for row in build_report(runs)["comparison"]]

    lava = beside("lava", "fixed", 0.6)
    assert labels(faces()) == ["fast engine, fixed point"]
    assert labels(faces(), lava) == ["fast engine, fixed point", "Lava, fixed point"]
    other = faces()
    other["provenance"]["program"]["file"] = "nets/small.slip"
    assert labels(faces(), other) == ["student.slip", "small.slip"]
    assert labels(faces(), lava, other)[2] == "fast engine, fixed point, small.slip"
    same = labels(faces(), faces())
    assert same == ["fast engine, fixed point (1)", "fast engine, fixed point (2)"]


def test_findings_name_the_other_runs() -> None:
    runs = [network(3, seed=n) for n in range(6)]
    for n, run in enumerate(runs):
        run["compile"]["code"] = f"code{n}"
    said = build_report(runs)["summary"][-1].replace("\u00a0", " ")
    assert said.startswith("Beside 91.2 % of code0, code1 reaches 91.2 % with ")
    assert said.endswith("the energy; 2 more runs are below.")
    del runs[1]["placement"], runs[1]["traffic"], runs[1]["profile"]
    said = build_report(runs[:2])["summary"][-1]
    assert said.endswith("code1 reaches 91.2\u00a0%.")
    assert len(build_report(runs[:1])["summary"]) == 5


def test_a_run_on_cores_is_not_compared_with_one_that_was_not_placed() -> None:
    first, second = network(3), network(3)
    del second["placement"], second["traffic"], second["profile"]
    report = build_report([first, second])
    assert "other_placement" in codes(report)
    row = report["comparison"][1]
    assert row["comparable"] is False
    assert set(row["ratio"]["energy"].values()) | set(row["ratio"]["latency"].values()) == {
        None
    }
    assert row["ratio"]["counts"]["spikes"] == 1
    report = build_report([first, network(3, seed=1)])
    assert "other_placement" not in codes(report)
    assert report["comparison"][1]["comparable"] is True


def test_warning_of_an_unbalanced_placement_and_of_a_cheaper_dense_network() -> None:
    run = network(4)
    assert "imbalance" not in codes(build_report([run]))
    run["placement"]["cores"][0]["syn_ops"] *= 100
    report = build_report([run])
    assert "imbalance" in codes(report)
    levels = [warning["level"] for warning in report["warnings"]]
    assert levels == sorted(levels, reverse=True)  # warnings before notes
    for rate, cheaper in ((0.0, "spiking"), (0.9, "dense")):
        report = build_report([placed(samples=120, rate=rate)])
        assert report["baseline"]["cheaper"] == cheaper
        assert ("dense_cheaper" in codes(report)) is (cheaper == "dense")


def test_warning_of_sparse_weights_priced_as_dense() -> None:
    run = network(3)
    report = build_report([run])
    text = next(w["text"] for w in report["warnings"] if w["code"] == "zero_weights")
    assert "lemaire22 prices sparse weights as dense: 10\u00a0% of" in text
    assert "zero_weights" not in codes(build_report([run], ["ops45"]))
    for entry in run["projections"].values():
        entry["synops_all"] = entry["synops"]
    assert "zero_weights" not in codes(build_report([run]))


def test_strict_refuses_what_is_partial() -> None:
    with pytest.raises(UsageError) as raised:
        build_report([placed()], strict=True)
    text = str(raised.value)
    assert "the total of loihi1_davies lacks" in text
    assert "the total of ops45 lacks" in text
    assert "encoding" in text
