"""`slipway train RECIPE`, as users call it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .conftest import Slipway

QUICK: tuple[str, ...] = (
    "--set",
    "data.limit=128",
    "--set",
    "training.epochs=1",
    "--device",
    "cpu",
)
QUICK += ("--set", "teacher.training.epochs=1", "--set", "training.threads=1")
RECIPE = "mini-resemotenet-small"


def test_the_list(slipway: Slipway) -> None:
    outcome = slipway("train", "--list", "--json")
    recipes = json.loads(outcome.out)["recipes"]
    assert recipes["resemotenet"]["parameters"] == 80_238_599
    assert all({"paper", "parameters"} <= set(facts) for facts in recipes.values())
    told = slipway("train", "--list")
    assert told.code == 0
    assert "80,238,599" in told.out
    assert "simulated" in told.out


def test_a_recipe_from_start_to_figures(slipway: Slipway, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = slipway("train", RECIPE, "-o", out, *QUICK, "--seed", 3)
    assert outcome.code == 0, outcome.err
    for word in (
        "student",
        "baseline",
        "gain",
        "WAR: weighted average recall",
        "slipway export",
    ):
        assert word in outcome.out
    assert "seed 3: 1 epochs" in outcome.out
    again = slipway("train", RECIPE, "-o", out, *QUICK, "--seed", 3, "--resume", "--json", "-q")
    assert again.err == ""
    found = json.loads(again.out)
    assert found["recipe"] == RECIPE
    metrics = json.loads((out / "metrics.json").read_text())
    assert found["runs"][0]["metrics"] == metrics
    assert metrics["seed"] == 3


def test_a_time_limit_says_how_to_go_on(slipway: Slipway, tmp_path: Path) -> None:
    call = ("train", RECIPE, "-o", tmp_path / "out", *QUICK, "--max-seconds", 1e-9)
    outcome = slipway(*call)
    assert outcome.code == 0, outcome.err
    assert "time ran out in the teacher's training: --resume goes on" in outcome.out


def test_a_recipe_of_ones_own(slipway: Slipway, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'paper = "none"\n[data]\nname = "digits"\nlimit = 100\n'
        '[network]\nname = "resemotenet"\ndivisor = 64\nchannels = 1\nsize = 8\n'
        "[training]\nepochs = 1\nbatch = 50\n"
    )
    outcome = slipway("train", own, "-o", tmp_path / "out", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    assert "baseline" not in outcome.out


def test_the_first_students_begin_anew(slipway: Slipway, tmp_path: Path) -> None:
    call = ("train", "digits", "-o", tmp_path / "out", "--max-seconds", 2, "--resume", "--json")
    outcome = slipway(*call)
    assert outcome.code == 0, outcome.err
    assert "digits keeps no checkpoints: it begins anew" in outcome.err
    assert json.loads(outcome.out)["student"] == "digits"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train",), "no recipe is named"),
        (("train", RECIPE), "there is no folder for the result"),
        (("train", RECIPE, "--list"), "give one of them"),
        (("train", "mini-resemotenet-d", "-o", "out"), "recipes: ckd-resnet18-snn"),
        (("train", "digits", "-o", "out", "--set", "a.b=1"), "digits does not take --set"),
        (("train", "digits", "-o", "out", "--seed", 1, "--seed", 2), "more than one --seed"),
        (("train", RECIPE, "-o", "out", "--set", "training.epoch=1"), "did you mean epochs?"),
        (("train", RECIPE, "-o", "out", "--device", "gpu"), "there is no GPU"),
        (("train", "gone.toml", "-o", "out"), "cannot read the recipe"),
        (("train", "mskd-student", "-o", "out", "--data", "gone"), "by application|to be had"),
    ],
    ids=str,
)
def test_mistakes(
    slipway: Slipway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[object, ...],
    words: str,
) -> None:
    import torch

    if "gpu" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.chdir(tmp_path)
    outcome = slipway(*arguments)
    assert (outcome.code, outcome.out) == (2, ""), outcome.err
    assert any(word in outcome.err for word in words.split("|")), outcome.err


@pytest.mark.parametrize(
    ("recipe", "shape", "code"),
    [
        (RECIPE, "1,32,32", ("--code", "sigma-delta")),
        ("mskd-student-small", "1,24,24", ()),
        ("ckd-vgg-snn-small", "2,16,16", ()),
    ],
)
def test_what_is_trained_goes_on_to_the_engine(
    slipway: Slipway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    shape: str,
    code: tuple[str, ...],
) -> None:
    out = tmp_path / "out"
    trained = slipway("train", recipe, "-o", out, *QUICK, "--set", "baseline=false")
    assert f"--sample-shape {shape}" in trained.out, trained.err
    monkeypatch.chdir(out)
    sys.modules.pop("student", None)
    export = ("export", "student.pt", "--model", "student:build", "--sample-shape", shape)
    steps = (
        (*export, "--calibrate", "calibrate.npz", "-o", "s.nir"),
        ("compile", "s.nir", "--calibrate", "calibrate.npz", *code, "-o", "s.slip"),
        ("run", "s.slip", "--data", "test.npz", "--samples", 16, "-o", "run.json"),
    )
    for step in steps:
        outcome = slipway(*step)
        assert outcome.code == 0, outcome.err
    assert json.loads((out / "run.json").read_text())["samples"] == 16
