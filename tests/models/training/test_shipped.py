"""Students that come trained: what lies there loads, fits, says what it must, and scores so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from slipway.converters.checkpoint import fill_model
from slipway.errors import FileError, UsageError
from slipway.models import shipped
from slipway.models.training.card import write_card
from slipway.models.training.shipped import unpack

NAMES = shipped.names()
SECTIONS = ("Data", "Licence", "Intended use", "Figures", "Limits", "Bias")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shipped_is_whole_and_small(name: str) -> None:
    folder = shipped.folder(name)
    assert {path.name for path in folder.iterdir()} == set(shipped.FILES)
    assert (folder / "student.pt").stat().st_size <= shipped.LARGEST
    metrics = shipped.facts(name)
    assert (metrics["recipe"], metrics["stage"]) == (name, "student")
    model = fill_model(shipped.build(name), folder / "student.pt")
    assert not model.training
    card = (folder / "model-card.md").read_text(encoding="utf-8")
    for section in SECTIONS:
        assert f"\n## {section}\n" in card
    assert f"WAR {metrics['war']:.4f}" in card
    assert ("SIMULATED" in card) == metrics["simulated"]
    for label, recall in metrics["recall"].items():
        assert f"| {label} | " in card
        assert f"| {recall:.4f} |" in card


def test_c_of_the_paper_and_a_student_of_mskd_are_among_them() -> None:
    assert {"mini-resemotenet-c-cpu", "mskd-student-small"} <= set(NAMES)


def test_unpacked_it_scores_as_it_did(tmp_path: Path) -> None:
    result = unpack("ckd-vgg-snn-small", tmp_path / "out")
    (run,) = result["runs"]
    known = shipped.facts("ckd-vgg-snn-small")
    assert run["student"]["items"] == known["items"]
    assert run["student"]["war"] == pytest.approx(known["war"], abs=0.01)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {*shipped.FILES, "student.py", "calibrate.npz", "test.npz"}
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert written["shipped"]["war"] == known["war"]
    with pytest.raises(FileError, match="the folder holds a training"):
        unpack("ckd-vgg-snn-small", tmp_path / "out")


def test_an_unknown_one_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no trained weights of 'resemotenet'") as caught:
        shipped.folder("resemotenet")
    assert "mskd-student-small" in caught.value.problems[0].remedy


def test_other_weights_do_not_fit(tmp_path: Path) -> None:
    state = torch.load(shipped.folder("mskd-student-small") / "student.pt", weights_only=True)
    state.popitem()
    torch.save(state, tmp_path / "student.pt")
    with pytest.raises(Exception, match="the checkpoint lacks"):
        fill_model(shipped.build("mskd-student-small"), tmp_path / "student.pt")


def card_of(tmp_path: Path, **changes: Any) -> str:
    metrics = {**shipped.facts("mskd-student-small"), **changes}
    write_card(tmp_path, metrics, ["beside it: 0.5"])
    return (tmp_path / "model-card.md").read_text(encoding="utf-8")


def test_the_card_says_what_was_measured_of_each_class(tmp_path: Path) -> None:
    card = card_of(
        tmp_path,
        recall={"a": 1.0, "b": 0.0},
        confusion=[[3, 0], [1, 0]],
        settings={"data": {"name": "fer2013"}},
        simulated=False,
    )
    assert "| a | 3 | 1.0000 | 0.7500 |" in card
    assert "| b | 1 | 0.0000 | never answered |" in card
    assert "Of a 100.0 % are found, of b 0.0 %" in card
    assert "Not for judging people" in card
    assert "the licence of the pictures is unclear" in card
    assert "**The events are SIMULATED**" not in card


def test_the_card_of_digits_judges_nobody(tmp_path: Path) -> None:
    card = card_of(tmp_path)
    assert "Not for judging people" not in card
    assert "**The events are SIMULATED**" in card
