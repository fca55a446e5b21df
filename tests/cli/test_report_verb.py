"""`slipway report`: what it writes by the file's name, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from .conftest import Slipway


def test_the_name_tells_the_format(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    for end in ("html", "json", "csv"):
        outcome = slipway("report", "run.json", "-o", tmp_path / f"report.{end}")
        assert outcome.code == 0, outcome.err
        assert f"report.{end}" in "".join(outcome.out.split())
    facts = json.loads((tmp_path / "report.json").read_text())
    assert json.loads(slipway("report", "run.json", "--json").out) == facts
    with (tmp_path / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    spikes = [r for r in rows if (r["level"], r["quantity"]) == ("run", "spikes")]
    assert [int(row["nominal"]) for row in spikes] == [facts["totals"]["spikes"]]
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_a_run_is_placed_and_its_steps_are_shown(here: Path, slipway: Slipway) -> None:
    facts = json.loads(slipway("report", "run.json", "--sample", 2, "--json").out)
    assert facts["recorded"]["sample"] == 2
    assert facts["placement"]["cores_used"] >= 1
    assert facts["totals"]["messages"] == facts["traffic"]["messages"]
    assert list(facts["energy"]) == ["loihi2_derived", "ops45", "lemaire22"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("-o", "report.pdf"), 2, "cannot tell the format of a report from 'report.pdf'"),
        (("--sample", "99"), 2, "sample 99 was not recorded"),
        (("--strict",), 2, "the total of loihi2_derived lacks"),
        (("--cost-model", "orientation"), 2, "must not be multiplied with counts"),
    ],
)
def test_refusals(
    here: Path, slipway: Slipway, arguments: tuple[str, ...], code: int, message: str
) -> None:
    outcome = slipway("report", "run.json", *arguments)
    assert outcome.code == code
    assert message in " ".join(outcome.err.split())
    assert not (here / "report.pdf").exists()


def test_runs_side_by_side(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    other = tmp_path / "float.json"
    assert slipway("run", "float.slip", "--data", "data.npz", "-o", other).code == 0
    outcome = slipway("report", "run.json", other)
    assert outcome.code == 0, outcome.err
    assert "Runs, per inference, by loihi2_derived" in outcome.out
    assert "floating point" in outcome.out
    facts = json.loads(slipway("report", "run.json", other, "--json").out)
    assert [row["label"] for row in facts["comparison"]] == [
        "fast engine, fixed point",
        "fast engine, floating point",
    ]
