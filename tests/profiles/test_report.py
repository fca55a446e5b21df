"""The report's dict: fixed keys, exact sums, warnings, and what another program can rebuild."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import fsum
from pathlib import Path
from typing import Any

import pytest
from slipway.errors import UsageError
from slipway.profiles import report as reports
from slipway.profiles.terms import TERMS

from .runs import chain, faces, two_inputs
from .test_costs import SHIPPED

MODELS = ("loihi1_davies", "ops45")
ENDS = ("low", "nominal", "high")


def build_report(
    runs: Sequence[Mapping[str, Any]],
    models: Sequence[str | Path] | None = MODELS,
    **options: Any,
) -> dict[str, Any]:
    return reports.build_report(runs, models, **options)


def beside(engine: str, precision: str, accuracy: float | None, **keys: Any) -> dict[str, Any]:
    run = faces()
    run.update(engine=engine, precision=precision, accuracy=accuracy, **keys)
    return run


def codes(report: dict[str, Any]) -> list[str]:
    return [warning["code"] for warning in report["warnings"]]


def test_fixed_keys() -> None:
    report = build_report([faces()])
    assert {"spikes", "synops", "synops_all", "neuron_updates"} <= set(report["totals"])
    for model in MODELS:
        for end in ENDS:
            assert report["energy"][model][f"{end}_joule_per_inference"] > 0
            assert report["energy"][model][f"{end}_joule_per_step"] > 0
        assert "nominal_second_per_inference" in report["latency"][model]
        assert set(report["breakdown"][model]) == set(TERMS)
    assert report["latency"]["ops45"]["nominal_second_per_inference"] is None
    assert "arithmetic only" in report["latency"]["ops45"]["reason"]
    assert "placement not known" in report["latency"]["loihi1_davies"]["reason"]
    assert report["kind"] == "estimate"
    assert report["badge"] == "estimate, not a measurement"
    assert report["grade"] == "derived"


def test_is_json_and_says_the_same_twice() -> None:
    first, second = (json.dumps(build_report([faces()]), allow_nan=False) for _ in range(2))
    assert first == second


def test_totals_are_the_sums_of_layers_and_projections() -> None:
    run = faces()
    report = build_report([run])
    totals = report["totals"]
    for key, entries in (
        ("spikes", run["populations"]),
        ("neuron_updates", run["populations"]),
        ("synops", run["projections"]),
        ("synops_all", run["projections"]),
    ):
        assert totals[key] == sum(entry[key] for entry in entries.values())
        assert totals[key] == sum(row[key] for row in report["layers"])
        assert totals["per_inference"][key] == totals[key] / 500
    assert totals["messages"] is None  # one per destination core: needs a placement


@pytest.mark.parametrize("model", MODELS)
def test_breakdown_adds_up(model: str) -> None:
    report = build_report([faces()])
    terms, energy = report["breakdown"][model], report["energy"][model]
    for end in ENDS:
        priced = [term[end] for term in terms.values() if term["priced"]]
        assert fsum(priced) == energy[f"{end}_joule_per_inference"]
        assert energy[f"{end}_joule_per_step"] == pytest.approx(fsum(priced) / 12)
        layers = fsum(row["energy"][model][end] for row in report["layers"])
        dynamic = energy["dynamic"][f"{end}_joule_per_inference"]
        assert layers == pytest.approx(dynamic, rel=1e-12)
    assert fsum(row["energy"][model]["share"] for row in report["layers"]) == pytest.approx(1)
    for term in terms.values():
        if not term["priced"]:
            assert [term[end] for end in ENDS] == [None, None, None]
            assert term["reason"]


def test_priced_anew_from_the_json() -> None:
    """A reader with nothing but the JSON reproduces the dynamic figures of both models."""
    report = json.loads(json.dumps(build_report([faces()])))
    samples = report["run"]["samples"]
    models = report["provenance"]["cost_models"]
    price = models["loihi1_davies"]["constants"]
    terms = report["breakdown"]["loihi1_davies"]
    synops = report["totals"]["synops"] / samples
    busy = sum(sum(row["active_updates_bounds"]) / 2 for row in report["layers"]) / samples
    updates = report["totals"]["neuron_updates"] / samples
    active, inactive = price["neuron_active"]["value"], price["neuron_inactive"]["value"]
    for end, field in zip(ENDS, ("low", "value", "high"), strict=True):
        assert terms["synapse"][end] == pytest.approx(synops * price["synop"][field])
    nominal = busy * active + (updates - busy) * inactive
    assert terms["neuron"]["nominal"] == pytest.approx(nominal)
    time = report["latency"]["loihi1_davies"]["nominal_second_per_inference"]
    assert terms["static"]["nominal"] == pytest.approx(price["static_power"]["value"] * time)

    price, table = models["ops45"]["constants"], models["ops45"]["neuron_operations"]
    add, state = price["accumulate"]["value"], price["multiply_accumulate_state"]["value"]
    message = price["multiply_accumulate_message"]["value"]
    rows = report["projections"]
    synapse = sum(row["synops"] * (message if row["graded"] else add) for row in rows)
    neuron = sum(
        row["neuron_updates"]
        * (
            add * table[row["kind"]]["accumulate"]
            + state * table[row["kind"]]["multiply_accumulate"]
        )
        for row in report["layers"]
    )
    assert report["breakdown"]["ops45"]["synapse"]["nominal"] == pytest.approx(
        synapse / samples
    )
    assert report["breakdown"]["ops45"]["neuron"]["nominal"] == pytest.approx(neuron / samples)


def test_a_changed_file_changes_its_hash_and_its_terms(tmp_path: Path) -> None:
    path = tmp_path / "loihi1_davies.toml"
    text = (SHIPPED / "loihi1_davies.toml").read_text()
    path.write_text(text.replace("23.6e-12", "30e-12"))
    before, after = build_report([faces()]), build_report([faces()], [path, "ops45"])
    assert before["breakdown"]["ops45"] == after["breakdown"]["ops45"]
    old, new = (r["breakdown"]["loihi1_davies"] for r in (before, after))
    assert [key for key in TERMS if old[key] != new[key]] == ["synapse"]
    hashes = {
        r["provenance"]["cost_models"]["loihi1_davies"]["sha256"] for r in (before, after)
    }
    assert len(hashes) == 2


def test_provenance() -> None:
    report = build_report([faces(), beside("lava", "fixed", 0.634)])
    constant = report["provenance"]["cost_models"]["loihi1_davies"]["constants"]["synop"]
    assert constant["used"] is True
    assert "Table 2" in constant["source"]
    assert {"voltage", "scope", "evidence", "grade", "band"} <= set(constant)
    hops = report["provenance"]["cost_models"]["loihi1_davies"]["constants"]["hop_east_west"]
    assert hops["used"] is False
    assert [run["engine"] for run in report["provenance"]["runs"]] == ["fast", "lava"]
    assert report["provenance"]["runs"][0]["command"].startswith("slipway run")
    named = {entry["term"] for entry in report["unpriced"] if entry["model"] == "loihi1_davies"}
    assert {"axon_out", "noc", "barrier", "io", "encoding", "reset"} <= named
    memory = [e for e in report["unpriced"] if e["model"] == "ops45" and e["term"] == "memory"]
    assert len(memory) == 1
    assert report["energy"]["ops45"]["partial"] is True
    assert "partial" in report["energy"]["ops45"]["badges"]


def test_runs_beside_the_main_one() -> None:
    lava = beside("lava", "fixed", 0.634)
    lava["predictions"][0] += 1
    other = beside("fast", "float", 0.7)
    other["provenance"] = {"data": {"sha256": "00"}}
    unknown = beside("reference", "float", None, provenance={})
    fewer = faces(samples=101)
    fewer["accuracy"] = 0.5
    found = build_report([faces(), lava, other, unknown, fewer])["accuracy"]
    assert [entry["main"] for entry in found] == [True, False, False, False, False]
    assert [entry["same_samples"] for entry in found] == [True, True, False, None, False]
    assert [entry["agreement"] for entry in found] == [None, 0.998, None, None, 1.0]
    assert [entry["shared"] for entry in found] == [500, 500, 0, 0, 101]
    last = found[-1]
    assert last["accuracy_on_shared"] == 0.5
    labels, said = (faces()[key][:101] for key in ("labels", "predictions"))
    right = sum(a == b for a, b in zip(labels, said, strict=True)) / 101
    assert last["main_accuracy_on_shared"] == pytest.approx(right)
    assert [entry["how"] for entry in found[:4]] == [
        "fast engine, fixed point",
        "Lava, fixed point",
        "fast engine, floating point",
        "NumPy reference, floating point",
    ]


def test_other_labels_are_other_samples() -> None:
    other = beside("fast", "float", 0.7, provenance={}, labels=[0] * 500)
    report = build_report([faces(), other])
    assert report["accuracy"][1]["same_samples"] is False
    assert "other_samples" in codes(report)


def test_warnings_of_every_report_today() -> None:
    report = build_report([faces()])
    assert codes(report) == ["other_device", "static_share", "other_process", "encoding"]
    text = " ".join(warning["text"] for warning in report["warnings"])
    assert "compiled for loihi2; loihi1_davies (loihi1) prices another device" in text
    assert "ops45 (cmos45) prices operations of a process" in text
    assert "static power is 54" in text
    assert "not priced (loihi1_davies, ops45)" in text


def test_a_variant_of_a_target_is_that_device() -> None:
    run = faces()
    run["target"] = "loihi2-netx"
    assert "other_device" not in codes(build_report([run], ["loihi2_derived"]))
    run["target"] = "loihi20"
    assert "other_device" in codes(build_report([run], ["loihi2_derived"]))


def test_warning_of_a_high_rate() -> None:
    run = faces()
    for entry in run["populations"].values():
        entry["spikes"] = entry["neuron_updates"] // 10
    assert "spike_rate" in codes(build_report([run]))
    assert "spike_rate" not in codes(build_report([faces()]))


def test_warning_of_few_samples() -> None:
    report = build_report([faces(samples=99)])
    assert "few_samples" in codes(report)
    assert "Only 99 samples" in report["warnings"][0]["text"]


@pytest.mark.parametrize(("reference", "warned"), [(0.644, False), (0.6451, True)])
def test_warning_of_lost_accuracy(reference: float, warned: bool) -> None:
    report = build_report([faces(), beside("fast", "float", reference)])
    assert ("accuracy_drop" in codes(report)) is warned


def test_fewer_samples_are_compared_where_both_ran() -> None:
    other = faces(samples=150)
    other.update(engine="lava", accuracy=0.9)
    report = build_report([faces(), other])
    assert "fewer_samples" in codes(report)
    text = " ".join(warning["text"] for warning in report["warnings"])
    assert "share their first 150 samples only" in text
    other["precision"] = "float"
    assert "accuracy_drop" in codes(build_report([faces(), other]))
    few = faces(samples=20)
    few.update(precision="float", accuracy=0.95)
    assert "accuracy_drop" not in codes(build_report([faces(), few]))


def test_no_warning_of_lost_accuracy_on_other_samples() -> None:
    other = beside("fast", "float", 0.9)
    other["provenance"]["data"]["sha256"] = "00"
    found = codes(build_report([faces(), other]))
    assert "accuracy_drop" not in found
    assert "other_samples" in found


def test_warning_of_saturation_clipping_float_and_chips() -> None:
    run = faces()
    run["populations"]["conv1"]["saturated"] = 12
    run["clipped"] = 7
    run["precision"] = "float"
    run["populations"]["conv1"]["neurons"] = 200_000
    report = build_report([run])
    assert {"saturation", "clipped_input", "float_counts", "several_chips"} <= set(
        codes(report)
    )
    text = " ".join(warning["text"] for warning in report["warnings"])
    assert "A state saturated in 12 neuron updates" in text
    assert "7 input values were clipped" in text
    assert "need 2 chips" in text


def test_break_even() -> None:
    found = build_report([faces()])["break_even"]
    assert found["spike_rate"] == pytest.approx(803_500 / (83_754_000 - 42_000))
    assert found["spike_rate_side"] == "below"
    assert found["spikes_per_synapse_side"] == "below"
    run = faces()
    run["populations"] = {"classes": run["populations"]["classes"]}
    run["projections"] = {"hidden->classes": run["projections"]["hidden->classes"]}
    assert build_report([run])["break_even"]["spike_rate"] is None


def test_several_inputs_and_graded_messages_of_a_population() -> None:
    run = two_inputs()
    report = build_report([run])
    assert list(report["run"]["inputs"]) == ["frames", "sound"]
    assert report["run"]["outputs"]["exit"] == {"population": "conv2", "readout": "count"}
    rows = {row["name"]: row for row in report["layers"]}
    assert rows["hidden"]["synops"] == (76_000 + 5_000) * 500
    assert rows["hidden"]["projections"] == ["conv2->hidden", "sound->hidden"]
    # conv2 sends values: counted, marked, and kept out of the spike rate.
    assert [name for name, row in rows.items() if row["graded"]] == ["conv2"]
    assert not rows["conv2"]["spiking"]
    assert report["totals"]["graded_messages"] == 610 * 500
    assert report["totals"]["spikes"] == 1_607 * 500
    updates = sum(rows[name]["neuron_updates"] for name in ("conv1", "hidden"))
    assert report["break_even"]["spike_rate"] == pytest.approx((900 + 97) * 500 / updates)
    # A graded message costs a multiply-accumulate, a spike an accumulate.
    spikes = build_report([faces()], ["ops45"])
    graded = build_report([run], ["ops45"])
    name = "conv2->hidden"
    energies = [
        next(p for p in r["projections"] if p["name"] == name)["energy"]["ops45"]["nominal"]
        for r in (spikes, graded)
    ]
    assert energies[1] > 2 * energies[0]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no run to report on"):
        build_report([])
    with pytest.raises(UsageError, match="there is no cost model"):
        build_report([faces()], [])
    path = tmp_path / "ops45.toml"
    path.write_text((SHIPPED / "ops45.toml").read_text())
    with pytest.raises(UsageError, match="two cost models are called 'ops45'"):
        build_report([faces()], ["ops45", path])


def test_a_run_with_the_least_it_may_have() -> None:
    run = faces()
    optional = ("compile", "provenance", "labels", "predictions", "target", "seconds")
    for key in (*optional, "inputs", "outputs", "clipped"):
        del run[key]
    report = build_report([run])
    assert report["compile"] == {}
    assert build_report([chain(40)])["totals"]["neurons"] == 40 * 256


def test_the_models_of_the_target_stand_first_and_arithmetic_never_alone() -> None:
    def names(target: str | None) -> list[str]:
        run = faces()
        run["target"] = target
        return list(build_report([run], None)["energy"])

    assert names("loihi1") == ["loihi1_davies", "loihi1_sanafe", "ops45", "lemaire22"]
    for target in ("loihi2", "loihi2-netx"):
        assert names(target) == ["loihi2_derived", "ops45", "lemaire22"]
    assert names("a chip of ours") == names(None) == ["loihi1_davies", "ops45", "lemaire22"]
    assert build_report([faces()], None)["main_model"] == "loihi2_derived"
