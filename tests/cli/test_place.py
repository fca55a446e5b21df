"""`slipway place`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from slipway.deploy.placement import load_placement

from .conftest import Slipway


def test_the_table_shows_each_core_and_the_file_is_read_back(
    slipway: Slipway, here: Path, tmp_path: Path
) -> None:
    done = slipway("place", "tiny.slip", "-o", tmp_path / "placement.json")
    assert done.code == 0, done.err
    assert "core" in done.out
    assert "assumed rates" in done.out
    assert "busiest core:" in done.out
    placement = load_placement(tmp_path / "placement.json")
    assert sum(of.size for of in placement.core_of.values()) >= 9
    assert placement.cores.size == len(
        np.unique(np.concatenate(list(placement.core_of.values())))
    )


def test_json_has_cores_limits_and_metrics(slipway: Slipway, here: Path) -> None:
    done = slipway("place", "tiny.slip", "--target", "loihi2", "--json")
    facts = json.loads(done.out)
    assert facts["metrics"]["cores"] == len(facts["cores"])
    for core in facts["cores"]:
        shares = {n: core["used"][n] / facts["limits"][n]["value"] for n in core["used"]}
        assert core["utilisation"] == max(shares.values()) == shares[core["binding"]]
        assert core["utilisation"] <= 1


@pytest.mark.parametrize("option", [("--rates", "run.json"), ("--data", "data.npz")])
def test_rates_come_from_a_run_or_from_samples(
    slipway: Slipway, here: Path, option: tuple[str, str]
) -> None:
    facts = json.loads(slipway("place", "tiny.slip", *option, "--json").out)
    assert facts["rates"] == {"--rates": "run", "--data": "data"}[option[0]]
    assumed = json.loads(slipway("place", "tiny.slip", "--json").out)
    measured = facts["metrics"]["messages"], facts["metrics"]["busiest_core"]
    assert measured != (assumed["metrics"]["messages"], assumed["metrics"]["busiest_core"])


def test_naive_is_named_in_the_result(slipway: Slipway, here: Path) -> None:
    facts = json.loads(slipway("place", "tiny.slip", "--method", "naive", "--json").out)
    assert facts["method"] == "naive"
    assert all(len(core["populations"]) == 1 for core in facts["cores"])


def test_a_run_takes_the_placement(slipway: Slipway, here: Path, tmp_path: Path) -> None:
    slipway("place", "tiny.slip", "-o", tmp_path / "placement.json")
    done = slipway(
        *("run", "tiny.slip", "--data", "data.npz", "--json"),
        *("--placement", tmp_path / "placement.json"),
    )
    assert done.code == 0, done.err
    run = json.loads(done.out)
    assert (
        run["placement"]["cores_used"] == load_placement(tmp_path / "placement.json").cores.size
    )


def test_mistakes_are_told(slipway: Slipway, here: Path, tmp_path: Path) -> None:
    both = slipway("place", "tiny.slip", "--rates", "run.json", "--data", "data.npz")
    assert both.code == 2
    assert "exclude each other" in both.err
    capped = slipway("place", "tiny.slip", "--cores", 3, "--method", "naive")
    assert capped.code == 2
    assert "leave --cores out" in capped.err
    run = json.loads(Path("run.json").read_text())
    for key in ("placement", "profile", "traffic"):
        run.pop(key, None)
    next(iter(run["populations"].values()))["neurons"] += 1
    (tmp_path / "other.json").write_text(json.dumps(run))
    wrong = slipway("place", "tiny.slip", "--rates", tmp_path / "other.json")
    assert wrong.code == 2
    assert "give the run.json of this program" in wrong.err
    unknown = slipway("place", "tiny.slip", "--target", "loihi9")
    assert unknown.code == 2
    assert "there is no target 'loihi9'" in unknown.err


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_damaged_placement_is_refused(
    slipway: Slipway, here: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "placement.json").write_text(content)
    done = slipway(
        *("run", "tiny.slip", "--data", "data.npz"),
        *("--placement", tmp_path / "placement.json"),
    )
    assert done.code == 2
    assert "slipway place PROGRAM.slip" in done.err
