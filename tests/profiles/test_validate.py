"""Published measurements beside estimates: the shipped rows, and rows of one's own."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.errors import FileError, UsageError
from slipway.profiles import validation_rows
from slipway.profiles.costs import load_cost_model
from slipway.profiles.estimate import estimate
from slipway.profiles.validate import validate
from slipway.profiles.validation_rows import changed, load_row, select_rows, shipped_rows

from .placed_runs import placed
from .test_costs import SHIPPED

SHIPPED_ROWS = Path(validation_rows.__file__).parent / "validation"
SDDPG = ("sddpg_T5", "sddpg_T10", "sddpg_T25", "sddpg_T50")

# A network whose counts are easy: 1000 synops, 60 updates, 20 spikes, 40 messages, 5 steps.
OWN = """
format = 1
name = "mine"
title = "A small network"
kind = "structural"
device = "loihi1"
source = "somebody, somewhere"
grade = "primary"

[measurement]
value = 30e-9
unit = "joule"
of = "dynamic"

[workload]
steps = 5

[[workload.layers]]
name = "in"
neurons = 10
on_chip = false
spikes = 50

[[workload.layers]]
name = "a"
neurons = 8
spikes = 20
active = 0.5
destination_cores = 2

[[workload.layers]]
name = "b"
neurons = 4
spikes = 0

[[workload.projections]]
source = "in"
target = "a"

[[workload.projections]]
source = "a"
target = "b"
type = "sparse"
fan_out = 30

[[assumptions]]
text = "Spikes of a"

[assumptions.variants]
"half" = { "workload.layers.a.spikes" = 10 }
"""


def written(tmp_path: Path, text: str = OWN, name: str = "row.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def run(path: Path, *models: str) -> dict[str, dict[str, Any]]:
    """The entries of one row by cost model."""
    found = validate(select_rows([path]), models)
    return {entry["cost_model"]: entry for entry in found["rows"]}


def test_structural_counts_by_hand(tmp_path: Path) -> None:
    entry = run(written(tmp_path))["loihi1_davies"]
    counts = entry["counts"]
    assert counts["parts"] == {"in->a": 400, "a->b": 600}
    assert (counts["syn_ops"], counts["neuron_updates"], counts["spikes"]) == (1000, 60, 20)
    assert counts["dendrite_updates"] == 140
    assert counts["axon_out"] == 40
    # a: 20 of 40 updates active; b: at least none, at most all 20, so 10.
    energy = 1000 * 23.6e-12 + (20 + 10) * 81e-12 + (20 + 10) * 52e-12
    assert entry["estimate_joule"] == pytest.approx(energy)
    assert entry["measured_joule"] == 30e-9
    assert entry["ratio"] == pytest.approx(energy / 30e-9)
    assert entry["gated"]
    assert entry["status"] == "within"
    halved = energy - 300 * 23.6e-12
    assert entry["variations"][0]["ratio"] == pytest.approx(halved / 30e-9)
    assert entry["assumptions"] == [
        f"Spikes of a (ratio {energy / 30e-9:.2f}; half: {halved / 30e-9:.2f})"
    ]


def test_messages_are_priced_where_they_are_known(tmp_path: Path) -> None:
    entry = run(written(tmp_path))["loihi1_sanafe"]
    energy = 400 * 35.5 + 600 * 33.6 + 60 * 51.2 + 30 * 21.6 + 20 * 69.3 + 40 * 111
    assert entry["estimate_joule"] == pytest.approx(energy * 1e-12)
    missing = {term["term"]: term["reason"] for term in entry["unpriced"]}
    assert "does not state hops_" in missing["noc"]
    assert sorted(missing) == ["barrier", "encoding", "io", "noc"]
    hops = OWN + "\n[workload.mapping]\nhops_east_west = 1.5\nhops_north_south = 0.5\n"
    more = run(written(tmp_path, hops))["loihi1_sanafe"]["estimate_joule"] - energy * 1e-12
    assert more == pytest.approx(40 * (1.5 * 3.0 + 0.5 * 4.2) * 1e-12)
    unknown = OWN.replace("destination_cores = 2\n", "")
    terms = {t["term"] for t in run(written(tmp_path, unknown))["loihi1_sanafe"]["unpriced"]}
    assert "axon_out" in terms


def test_models_of_another_device_are_printed_not_gated(tmp_path: Path) -> None:
    found = run(written(tmp_path), "loihi2_derived", "ops45")
    assert list(found) == ["loihi1_davies", "loihi1_sanafe", "loihi2_derived", "ops45"]
    assert not found["loihi2_derived"]["gated"]
    assert found["ops45"]["status"] == "printed"
    own = OWN.replace("[measurement]", 'cost_models = ["spinnaker2"]\n[measurement]', 1)
    assert "spinnaker2" in run(written(tmp_path, own))


def test_outside_the_gate_fails(tmp_path: Path) -> None:
    far = written(tmp_path, OWN.replace("value = 30e-9", "value = 300e-9"))
    found = validate(select_rows([far]))
    assert {entry["status"] for entry in found["rows"]} == {"outside"}
    assert found["passed"] is False
    wide = far.read_text().replace(
        'kind = "structural"', 'kind = "structural"\ngate = [0.01, 2]'
    )
    assert validate(select_rows([written(tmp_path, wide)]))["passed"]


@pytest.mark.parametrize(
    ("old", "new", "joule"),
    [
        ('value = 30e-9\nunit = "joule"', 'value = 3e-3\nunit = "watt"\nrate = 1e5', 30e-9),
        ("value = 30e-9", 'value = 6e-9\nper = "step"', 30e-9),
        ("value = 30e-9", 'value = 30e-9\nper = "work"', 30e-9),
    ],
)
def test_units_of_a_measurement(tmp_path: Path, old: str, new: str, joule: float) -> None:
    entry = run(written(tmp_path, OWN.replace(old, new)))["loihi1_davies"]
    assert entry["measured_joule"] == pytest.approx(joule)


def test_total_energy_has_static_power_over_the_measured_time(tmp_path: Path) -> None:
    dynamic = run(written(tmp_path))["loihi1_davies"]["estimate_joule"]
    text = OWN.replace('of = "dynamic"', 'of = "total"\nseconds = 1e-4')
    text += "\n[workload.mapping]\nchips = 3\n"
    found = run(written(tmp_path, text))["loihi1_davies"]
    assert found["estimate_joule"] == pytest.approx(dynamic + 3 * 0.104 * 1e-4)
    text = text.replace('of = "total"', 'of = "static"')
    found = run(written(tmp_path, text))["loihi1_davies"]
    assert found["estimate_joule"] == pytest.approx(3 * 0.104 * 1e-4)


def test_counters_and_step_time_of_a_loihi2_row(tmp_path: Path) -> None:
    text = OWN.replace('device = "loihi1"', 'device = "loihi2"')
    text = text.replace(
        "[workload]",
        "step_second = 2e-6\n[measurement.counters]\nsyn_ops = 800\n"
        "dendrite_updates = 140\n\n[workload]",
        1,
    )
    text += "\n[workload.mapping]\ncores = 3\nbusiest_core = { neurons = 8, syn_ops = 1000 }\n"
    entry = run(written(tmp_path, text))["loihi2_derived"]
    checks = {check["what"]: check["ratio"] for check in entry["checks"]}
    step = (1000 * 1.02e-9 + 0.2e-6) / 2e-6
    assert checks == pytest.approx(
        {"syn_ops": 1.25, "dendrite_updates": 1.0, "step_second": step}
    )
    assert entry["gated"]
    assert entry["within_band"] is True


def test_copies_of_a_layer_are_so_many_layers(tmp_path: Path) -> None:
    text = OWN.replace("active = 0.5", "active = 0.5\ncopies = 3")
    counts = run(written(tmp_path, text))["loihi1_davies"]["counts"]
    assert counts["parts"] == {"in->a": 1200, "a->b": 1800}
    assert counts["spikes"] == 60
    assert counts["neuron_updates"] == 3 * 40 + 20


COUNTS = """
[workload]
steps = 5
counts = { syn_ops = 1000, neuron_updates = 60, active_updates = 30, spikes = 20 }
"""


def test_counts_without_a_structure(tmp_path: Path) -> None:
    """What a paper's counters say is enough."""
    text = OWN.split("[workload]")[0] + COUNTS
    entry = run(written(tmp_path, text))["loihi1_davies"]
    energy = 1000 * 23.6e-12 + 30 * 81e-12 + 30 * 52e-12
    assert entry["estimate_joule"] == pytest.approx(energy)
    assert entry["counts"]["syn_ops"] == 1000
    passes = text.replace("neuron_updates = 60", "dendrite_updates = 140")
    assert run(written(tmp_path, passes))["loihi1_davies"]["counts"] == entry["counts"]
    more = text.replace("spikes = 20", "spikes = 20, axon_out = 40")
    sanafe = run(written(tmp_path, more))["loihi1_sanafe"]["estimate_joule"]
    energy = 1000 * 35.5 + 60 * 51.2 + 30 * 21.6 + 20 * 69.3 + 40 * 111
    assert sanafe == pytest.approx(energy * 1e-12)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("syn_ops = 1000", "synops = 1000", "workload.counts.synops is no key of this table"),
        ("syn_ops = 1000, ", "", "workload.counts.syn_ops is missing"),
        (
            "neuron_updates = 60",
            "neuron_updates = 6",
            "spikes are 20, more than neuron_updates",
        ),
        ("active_updates = 30", "active_updates = 61", "active_updates are 61, more than"),
        ("spikes = 20", 'spikes = 20, type = "x"', "workload.counts.type is 'x'; known are"),
    ],
)
def test_wrong_counts(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = OWN.split("[workload]")[0] + COUNTS
    assert old in text
    with pytest.raises(FileError) as caught:
        run(written(tmp_path, text.replace(old, new)))
    assert expected in str(caught.value)


def test_a_run_of_ones_own(tmp_path: Path) -> None:
    made = placed()
    (tmp_path / "run.json").write_text(json.dumps(made))
    text = OWN.split("[workload]")[0].replace("structural", "rebuilt")
    text = text.replace("[measurement]", 'run = "run.json"\n[measurement]', 1)
    entry = run(written(tmp_path, text))["loihi1_sanafe"]
    expected = estimate(made, load_cost_model("loihi1_sanafe")).dynamic.nominal
    assert entry["estimate_joule"] == pytest.approx(expected)
    absent = run(written(tmp_path, text.replace("run.json", "gone.json")))["loihi1_sanafe"]
    assert absent["status"] == "not run"
    assert "there is no gone.json" in absent["reason"]
    assert absent["estimate_joule"] is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("format = 1", "format = 2", "format must be 1, is 2"),
        ('kind = "structural"', 'kind = "fantasy"', "kind is 'fantasy'; known are rebuilt"),
        ('device = "loihi1"', 'device = "abacus"', "no cost model is of the device 'abacus'"),
        ('grade = "primary"', 'grade = "good"', "grade is 'good'; known are primary"),
        ("value = 30e-9", "value = 0", "measurement.value must be above 0"),
        ("value = 30e-9", "value = -1", "measurement.value must be finite and not negative"),
        (
            'unit = "joule"',
            'unit = "calorie"',
            "measurement.unit is 'calorie'; known are joule",
        ),
        (
            'unit = "joule"',
            'unit = "watt"',
            "measurement.rate must be units of work per second",
        ),
        ('of = "dynamic"', 'of = "all"', "measurement.of is 'all'; known are dynamic"),
        ('of = "dynamic"', 'off = "dynamic"', "measurement.off is no key of this table"),
        ("[workload]", "[rebuild]\n[workload]", "there is workload and rebuild"),
        ("steps = 5", "steps = 5\ncounts = { syn_ops = 1 }", "has both counts and layers"),
        ("steps = 5", "steps = 0", "workload.steps must be an integer from 1, is 0"),
        ("neurons = 8", "neurons = 8.5", "workload.layers.a.neurons must be an integer"),
        ("neurons = 8", "", "workload.layers.a.neurons must be an integer from 1, is None"),
        ("spikes = 20", "", "workload.layers.a needs spikes"),
        ("spikes = 20", "spikes = 20\nrate = 0.1", "has both spikes and rate"),
        ("spikes = 20", "rate = 1.5", "must be 0 to 1 spikes a neuron and step, is 1.5"),
        ("spikes = 20", "spikes = 41", "are 41, more than neurons x steps = 40"),
        ("active = 0.5", "active = 2", "workload.layers.a.active must be a share"),
        ("active = 0.5", "actve = 0.5", "workload.layers.a.actve is no key of this table"),
        ("on_chip = false", "on_chip = 0", "on_chip must be true or false"),
        ('name = "b"', 'name = "a"', "is the second of the name a"),
        ('target = "b"', 'target = "c"', "target is 'c', which is no layer"),
        ('target = "a"', 'target = "in"', "target is not on the chip"),
        ('type = "sparse"', 'type = "thin"', "type is 'thin'; known are dense"),
        ("fan_out = 30", "fan_out = 1e300", "fan_out must be 1e+15 at most, is 1e+300"),
        ("neurons = 8", "neurons = 9999999999999999", "neurons must be 1e+15 at most"),
        ('source = "a"', "source = [1]", "source must be text, is [1]"),
        ("fan_out = 30", "", "needs synapses or fan_out: it is sparse"),
        ("fan_out = 30", "fan_out = 30\nsynapses = 2", "has both synapses and fan_out"),
        ("fan_out = 30", "fan_out = 30\nzero_share = 2", "zero_share must be a share"),
        ("[[assumptions]]", "[assumptions]", "assumptions must be a list of tables"),
        ('text = "Spikes of a"', 'text = "x"\nnot_varied = "y"', "needs either variants or"),
        ("layers.a.spikes", "layers.z.spikes", "which is not in this row"),
        ("layers.a.spikes", "layers.a.spikes.x", "which is not in this row"),
        (
            'kind = "structural"',
            'kind = "structural"\ngate = [2, 1]',
            "gate must be two numbers",
        ),
        ('kind = "structural"', 'kind = "consistency"', "family belongs to rows of the kind"),
        ("[[workload.projections]]", "[[workload.wires]]", "workload.wires is no key"),
        ('"half" = { "workload.layers.a.spikes" = 10 }', '"half" = 3', "half must be a table"),
    ],
)
def test_wrong_rows_name_the_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in OWN
    path = written(tmp_path, OWN.replace(old, new, 1))
    with pytest.raises(FileError) as caught:
        validate([load_row(path)])
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_variant_that_makes_no_sense_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, OWN.replace('spikes" = 10', 'spikes" = 1000'))
    with pytest.raises(FileError, match="are 1000, more than neurons x steps"):
        validate([load_row(path)])


def test_all_problems_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, OWN.replace("neurons = 8", "neurons = 0").replace("steps = 5", ""))
    with pytest.raises(FileError) as caught:
        validate([load_row(path)])
    assert len(caught.value.problems) >= 2


def test_unreadable_rows(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read the row"):
        load_row(tmp_path / "gone.toml")
    with pytest.raises(FileError, match="is no TOML"):
        load_row(written(tmp_path, "a = = 3"))
    one, two = written(tmp_path), written(tmp_path, name="two.toml")
    with pytest.raises(UsageError, match="two rows are called 'mine'"):
        select_rows([one, two])


def test_changed_leaves_the_row_alone() -> None:
    values = {"workload": {"layers": [{"name": "a", "spikes": 1}], "steps": 3}}
    before = copy.deepcopy(values)
    found = changed(values, {"workload.layers.a.spikes": 2, "workload.rate": 0.5})
    assert values == before
    assert found["workload"] == {
        "layers": [{"name": "a", "spikes": 2}],
        "steps": 3,
        "rate": 0.5,
    }


def test_shipped_rows_are_those_of_the_reference() -> None:
    rows = {row.name: row for row in shipped_rows()}
    assert set(rows) == {"frady2020_knn_76800", *SDDPG, "blouw_scaling_N", "blouw_kws"}
    kinds = {name: row.kind for name, row in rows.items()}
    assert kinds["frady2020_knn_76800"] == "structural"
    assert {kinds[name] for name in SDDPG} == {"assumed input"}
    assert kinds["blouw_scaling_N"] == "consistency"
    assert kinds["blouw_kws"] == "bound"
    for row in rows.values():
        assert row.assumptions
        assert row.source


def test_knn_search() -> None:
    """Published range of spikes and both ends of the activity give the published ratios."""
    path = SHIPPED_ROWS / "frady2020_knn_76800.toml"
    for model, least, most in (("loihi1_davies", 1.09, 1.30), ("loihi1_sanafe", 1.54, 1.79)):
        ratios = []
        for spikes in (667, 750):
            for active in (0, 1):
                row = load_row(path)
                changes = {"workload.layers.input.spikes": spikes, "workload.active": active}
                values = changed(row.values, changes)
                from slipway.profiles.workloads import run_of_row

                joule = estimate(run_of_row(row, values), load_cost_model(model)).dynamic
                ratios.append(joule.nominal / 1.33e-3)
        assert min(ratios) == pytest.approx(least, abs=0.006)
        assert max(ratios) == pytest.approx(most, abs=0.006)
        entry = run(path)[model]
        assert min(ratios) < entry["ratio"] < max(ratios)
        assert entry["counts"]["neuron_updates"] == 4_608_000
        assert entry["counts"]["syn_ops"] == 708.5 * 76_800


def test_scaling_is_linear_and_its_rate_is_possible() -> None:
    found = validate(select_rows([SHIPPED_ROWS / "blouw_scaling_N.toml"]))
    assert found["passed"]
    names = [entry["name"] for entry in found["rows"] if entry["cost_model"] == "loihi1_davies"]
    assert names == [f"blouw_scaling_{n}" for n in (1, 2, 4, 6, 8, 10)]
    rates = {entry["cost_model"]: entry["implied"]["rate"] for entry in found["rows"]}
    # energy-validation.md: 8.5 to 8.9 % and 5.7 %.
    assert rates["loihi1_davies"] == pytest.approx(0.087, abs=0.003)
    assert rates["loihi1_sanafe"] == pytest.approx(0.058, abs=0.002)
    for entry in found["rows"]:
        assert entry["ratio"] is None
        assert entry["status"] == "consistent"
        assert entry["implied"]["residual"] < 0.01
        assert entry["implied"]["slope_joule"] == pytest.approx(16.45e-6, rel=0.01)
        assert entry["estimate_joule"] == pytest.approx(entry["measured_joule"], rel=1e-3)
    last = found["rows"][-1]
    assert last["measured_joule"] == pytest.approx(164.5e-6, rel=0.01)
    assert last["implied"]["measured_with_offset_joule"] == pytest.approx(836e-6, rel=0.001)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("values = [1, 2, 4, 6, 8, 10]", "values = [1, 2]", "three members or more"),
        (
            "values = [1, 2, 4, 6, 8, 10]",
            "values = 3",
            "family.values must be a list of numbers",
        ),
        ("layers.branch.copies", "layers.twig.copies", "which is not in this row"),
        ('rate = "workload.rate"', 'rate = "workload.layers.input.rate"', "does not raise the"),
        ('rate = "workload.rate"', 'rate = "workload.layers.input.copies"', "copies must be"),
    ],
)
def test_wrong_families(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = (SHIPPED_ROWS / "blouw_scaling_N.toml").read_text()
    assert old in text
    with pytest.raises(FileError) as caught:
        validate([load_row(written(tmp_path, text.replace(old, new, 1)))])
    assert expected in str(caught.value)


def test_an_impossible_rate_is_inconsistent(tmp_path: Path) -> None:
    text = (SHIPPED_ROWS / "blouw_scaling_N.toml").read_text()
    text = text.replace("e-3", "e-1")  # a hundred times the power
    found = validate([load_row(written(tmp_path, text))])
    assert {entry["status"] for entry in found["rows"]} == {"inconsistent"}
    assert not found["passed"]


def test_bound_is_not_gated() -> None:
    entry = run(SHIPPED_ROWS / "blouw_kws.toml")["loihi1_davies"]
    assert not entry["gated"]
    assert entry["status"] == "printed"
    assert entry["measured_joule"] == pytest.approx(35.4e-6, rel=0.01)
    bound = entry["variations"][-1]
    assert bound["label"].startswith("1, every synapse")
    assert bound["counts"]["syn_ops"] == 1_728_000
    assert bound["estimate_joule"] == pytest.approx(40.8e-6 + 0.4e-6, rel=0.01)
    assert entry["ratio"] is None
    assert "ratio 0.13; 0.85: 0.99" in entry["assumptions"][0]


def test_without_data_rows_are_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIPWAY_DATA", str(tmp_path))
    rows = [row for row in shipped_rows() if row.name == "sddpg_T5"]
    found = validate(rows)
    assert {entry["status"] for entry in found["rows"]} == {"not run"}
    assert "set SLIPWAY_DATA to the folder" in found["rows"][0]["reason"]
    assert found["passed"]
    assert found["models"] == {}


def test_damaged_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIPWAY_DATA", str(tmp_path))
    (tmp_path / "sddpg").mkdir()
    file = tmp_path / "sddpg" / "sddpg_bw_5.npz"
    file.write_bytes(b"no zip")
    rows = [row for row in shipped_rows() if row.name == "sddpg_T5"]
    with pytest.raises(FileError, match="cannot read the weights"):
        validate(rows)
    arrays = {
        f"{k}{n}": np.zeros((3, 4) if k == "weight" else 3)
        for k in ("weight", "bias")
        for n in range(4)
    }
    np.savez(file, **arrays)  # type: ignore[arg-type]
    with pytest.raises(FileError, match="make no chain of layers"):
        validate(rows)


def test_prices_are_not_tuned_to_rows() -> None:
    """Every nominal constant that a gated row is priced with is the published figure."""
    published = {"23.6", "81", "52", "35.5", "33.6", "24", "51.2", "21.6", "69.3", "111"}
    for name in ("loihi1_davies", "loihi1_sanafe"):
        assert (SHIPPED / f"{name}.toml").is_file()
        model = load_cost_model(name)
        values = {
            f"{c.value * 1e12:.4g}"
            for c in model.constants.values()
            if c.term in ("synapse", "neuron", "axon_out")
        }
        assert values <= published


def test_the_row_of_the_documentation_runs(tmp_path: Path) -> None:
    text = (SHIPPED_ROWS.parents[1] / "docs" / "energy.md").read_text(encoding="utf-8")
    row = text.split("```toml\n")[1].split("```")[0]
    entry = run(written(tmp_path, row))["loihi2_derived"]
    assert entry["counts"]["parts"] == {"input->hidden": 4000 * 256, "hidden->output": 2560}
    assert entry["status"] == "within"
    # What stands there as a comment may be said, too.
    for key in ("gate", "seconds", "step_second", "counters", "active", "destination_cores"):
        said = next(line for line in row.splitlines() if line.startswith(f"# {key} = "))
        run(written(tmp_path, row.replace(said, said.removeprefix("# "))))
