"""`slipway costs validate`: table, JSON, exit codes, and what does not belong together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from slipway.profiles import validation_rows

from .conftest import Slipway, call

ROWS = Path(validation_rows.__file__).parent / "validation"
KNN = ROWS / "frady2020_knn_76800.toml"


@pytest.fixture
def slipway() -> Slipway:
    return call


def test_table(slipway: Slipway) -> None:
    outcome = slipway("costs", "validate", KNN, ROWS / "blouw_kws.toml", "-q")
    assert (outcome.code, outcome.err) == (0, "")
    for words in (
        "frady2020_knn_76800 structural loihi1_davies 1.59 mJ 1.33 mJ 1.20 within",
        "assumed: Input spikes per query",
        "not in the estimate: axon_out, barrier, io, encoding",
        "never compare an estimate with 272 uJ",
        "loihi1_davies: estimate / measurement 1.20 in the geometric mean of 1 gated rows",
    ):
        assert words in " ".join(outcome.out.split()), words


def test_json(slipway: Slipway) -> None:
    outcome = slipway("costs", "validate", KNN, "--json", "--cost-model", "loihi2_derived")
    assert outcome.code == 0
    rows = json.loads(outcome.out)["rows"]
    assert [row["cost_model"] for row in rows] == [
        "loihi1_davies",
        "loihi1_sanafe",
        "loihi2_derived",
    ]
    keys = {"name", "cost_model", "estimate_joule", "measured_joule", "ratio", "assumptions"}
    for row in rows:
        assert keys <= set(row)
        assert row["ratio"] == row["estimate_joule"] / row["measured_joule"]
        assert all(isinstance(text, str) for text in row["assumptions"])
    assert [row["gated"] for row in rows] == [True, True, False]


def test_without_data(
    slipway: Slipway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLIPWAY_DATA", str(tmp_path))
    outcome = slipway("costs", "validate")
    assert outcome.code == 0
    assert outcome.out.count("not run: there is no sddpg/sddpg_bw_5.npz") == 4
    assert "set SLIPWAY_DATA" in outcome.out
    assert "blouw_scaling_10" in outcome.out
    assert outcome.err == "comparing with 7 published measurements\n"


def test_outside_the_gate(slipway: Slipway, tmp_path: Path) -> None:
    path = tmp_path / "row.toml"
    path.write_text(KNN.read_text().replace("value = 1.33e-3", "value = 1.33e-2"))
    outcome = slipway("costs", "validate", path)
    assert outcome.code == 1
    assert "outside" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("validate", "gone.toml"), "cannot read the row: No such file"),
        (("loihi1_davies", "row.toml"), "belong to: slipway costs validate"),
        (("--cost-model", "ops45"), "belong to: slipway costs validate"),
        (("validate", "--cost-model", "gone"), "unknown cost model 'gone'"),
    ],
)
def test_what_makes_no_sense(slipway: Slipway, arguments: tuple[str, ...], words: str) -> None:
    outcome = slipway("costs", *arguments)
    assert outcome.code == 2
    assert words in outcome.err


def test_figures_for_orientation(slipway: Slipway) -> None:
    outcome = slipway("costs", "truenorth_affine")
    assert outcome.code == 0
    assert "For orientation, never multiplied with counts" in outcome.out
    assert "synop_all_in" in outcome.out
