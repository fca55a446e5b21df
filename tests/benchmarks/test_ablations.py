"""Ablations: in miniature through the same code, the rule of the verdict, and the tables."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.benchmarks import ablations
from slipway.benchmarks.ablation_table import FULL, HARMS, HELPS, NOISE, effect, effects, table
from slipway.benchmarks.ablations import (
    ABLATIONS,
    CKD,
    FILE,
    MSKD,
    SEEDS,
    Ablation,
    Variant,
    ablate,
)
from slipway.models.training.stage import train_stage

# norse compiles with torch.jit, which torch would rather not have.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DOCS = Path(__file__).parents[2] / "docs" / "ablations.md"
TINY = ("data.limit=128", "training.epochs=1", "teacher.training.epochs=1")
SMALL = {
    "mskd": Ablation("MSKD", "mskd-student-small", TINY, MSKD),
    "ckd": Ablation("CKD", "ckd-vgg-snn-small", TINY, CKD),
}
FIGURES = ("variant", "seed", "war", "uar", "f1", "terms")


@pytest.fixture(autouse=True)
def _no_other_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "out").exists()


def nothing(record: dict[str, Any]) -> None:
    pass


def figures(record: dict[str, Any]) -> list[Any]:
    return [[run[name] for name in FIGURES] for run in record["runs"]]


@pytest.fixture(scope="module", params=SMALL)
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, Any]]:
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    return name, ablate(name, SMALL[name], (0, 1), None, folder, nothing)


TERMS = {
    "mskd": {"classification", "hit", "temporal"},
    "ckd": {"static", "events", "distillation", "alignment"},
}
# Variant -> the terms that it trains with; all, where it is not named.
KEPT = {
    "mskd": {
        "hit": {"classification", "temporal"},
        "temporal": {"classification", "hit"},
        "teacher": {"classification"},
        "hits": {"classification", "distillation"},
    },
    "ckd": {
        **{term: TERMS["ckd"] - {term} for term in TERMS["ckd"]},
        "pictures": {"classification"},
    },
}


def test_each_run_leaves_out_what_it_says(whole: tuple[str, dict[str, Any]]) -> None:
    name, record = whole
    assert [(run["seed"], run["variant"]) for run in record["runs"]] == [
        (seed, variant) for seed in (0, 1) for variant in record["variants"]
    ]
    for run in record["runs"]:
        terms = set(run["terms"]) - {"total"}
        assert terms == KEPT[name].get(run["variant"], TERMS[name]), run["variant"]
    # What has no term of its own changes what is learned all the same.
    totals = {run["terms"]["total"] for run in record["runs"] if run["seed"] == 0}
    assert len(totals) == len(record["variants"])
    assert record["data"]["simulated"]
    assert "simulated" in record["data"]["name"]


def test_runs_are_reproducible_and_not_repeated(
    whole: tuple[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after the first seed and two runs: the rest comes out the same."""
    name, record = whole
    half = copy.deepcopy(record)
    kept = len(SMALL[name].variants) + 3
    half["runs"] = half["runs"][:kept]
    trained = []

    def counted(*arguments: Any) -> Any:
        trained.append(arguments[-1])
        return train_stage(*arguments)

    monkeypatch.setattr(ablations, "train_stage", counted)
    again = ablate(name, SMALL[name], (0, 1), half, tmp_path, nothing)
    assert figures(again) == figures(record)
    assert again["teacher"] == record["teacher"]
    assert trained == ["teacher"] + ["student's"] * (len(record["runs"]) - kept)
    # Nothing is missing: nothing is read, and no teacher is needed.
    del trained[:]
    assert ablate(name, SMALL[name], (0, 1), again, tmp_path / "none", nothing) == again
    assert trained == []


def test_a_run_of_other_settings_or_of_another_teacher_is_not_taken(tmp_path: Path) -> None:
    small = replace(SMALL["mskd"], variants=(Variant("hit", "L_HCKD", {"hit": 0.0}),))
    kept: list[int] = []

    def keep(record: dict[str, Any]) -> None:
        kept.append(len(record["runs"]))

    record = ablate("mskd", small, (0, 1), None, tmp_path, keep)
    assert kept == [1, 2, 3, 4]  # each run is kept as soon as it is there
    other = replace(small, variants=(Variant("hit", "L_HCKD", {"temporal": 0.0}),))
    del kept[:]
    mixed = ablate("mskd", other, (0, 1), record, tmp_path, keep)
    assert kept == [3, 4]
    assert {run["variant"] for run in mixed["runs"]} == {FULL, "hit"}
    # An option that came later is no other setting; another value is.
    older = copy.deepcopy(record)
    del older["settings"]["student"]["schedule"]["factor"]
    del older["variants"]["hit"]["method"]["form"]
    assert ablate("mskd", small, (0, 1), older, tmp_path / "none", keep) == record
    older["settings"]["teacher"]["training"]["epochs"] = 7
    del kept[:]
    assert figures(ablate("mskd", small, (0, 1), older, tmp_path, keep)) == figures(record)
    assert kept == [1, 2, 3, 4]
    stranger = copy.deepcopy(record)
    stranger["runs"] = stranger["runs"][:3]
    stranger["teacher"]["weights"] = "0" * 64
    del kept[:]
    assert figures(ablate("mskd", small, (0, 1), stranger, tmp_path, keep)) == figures(record)
    assert kept == [1, 2, 3, 4]


def test_the_verdict_is_a_paired_t_interval() -> None:
    # d = 2, 4, 3: mean 3, deviation 1; t(0.975, 2) = 4.302653, half width 2.484138.
    found = effect([12.0, 14.0, 13.0], [10.0, 10.0, 10.0])
    assert found["mean"] == pytest.approx(3)
    assert found["std"] == pytest.approx(1)
    assert found["interval"] == pytest.approx([0.515862, 5.484138], abs=1e-6)
    assert found["verdict"] == HELPS
    assert effect([10.0, 10.0, 10.0], [12.0, 14.0, 13.0])["verdict"] == HARMS
    assert effect([12.0, 14.0, 13.0], [12.0, 10.0, 10.0])["verdict"] == NOISE
    # Seeds that differ by much do not hide an effect that each of them shows.
    assert effect([50.0, 70.0, 90.0], [49.0, 68.9, 89.1])["verdict"] == HELPS


def test_a_verdict_is_false_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(4000, 2, 3))
    told = [effect(list(a), list(b))["verdict"] for a, b in pairs]
    assert 1 - told.count(NOISE) / len(told) == pytest.approx(0.05, abs=0.012)
    assert told.count(HELPS) == pytest.approx(told.count(HARMS), rel=0.3)


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("name", ABLATIONS)
def test_the_file_holds_every_run_of_the_present_settings(
    shipped: dict[str, Any], name: str, tmp_path: Path
) -> None:
    """A changed recipe or variant, and a run that is missing, need `make ablations`."""
    record = shipped["ablations"][name]
    assert ablate(name, ABLATIONS[name], SEEDS, record, tmp_path, nothing) == record
    assert not list(tmp_path.iterdir())
    assert len(record["runs"]) == len(SEEDS) * (1 + len(ABLATIONS[name].variants))


@pytest.mark.parametrize("name", ABLATIONS)
def test_the_students_have_learned(shipped: dict[str, Any], name: str) -> None:
    """Where nothing is learned no term can show what it does."""
    record = shipped["ablations"][name]
    largest, items = record["data"]["largest_class"], record["data"]["items"]["test"]
    error = (largest * (1 - largest) / items) ** 0.5
    for run in record["runs"]:
        if run["variant"] == FULL:
            assert run["war"] > largest + 5 * error
    assert record["teacher"]["war"] > largest + 5 * error


@pytest.mark.parametrize("name", ABLATIONS)
def test_the_tables_in_the_docs_are_the_file_s(shipped: dict[str, Any], name: str) -> None:
    made = table(shipped["ablations"][name])
    assert "SIMULATED" in made.splitlines()[0]
    assert made in DOCS.read_text(encoding="utf-8")


def test_effects_follow_the_runs() -> None:
    runs = [
        {"variant": variant, "seed": seed, "war": war + seed / 100}
        for variant, war in ((FULL, 0.5), ("hit", 0.4))
        for seed in (0, 1, 2)
    ]
    record = {"variants": {FULL: {}, "hit": {}}, "seeds": [0, 1, 2], "runs": runs}
    found = effects(record)
    assert found[FULL]["war"] == pytest.approx({"mean": 0.51, "std": 0.01})
    assert found["hit"]["brings"]["mean"] == pytest.approx(0.1)
    assert found["hit"]["brings"]["verdict"] == HELPS
