from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from slipway.errors import FileError, UsageError
from slipway.models.data import load_digits
from slipway.models.evaluate import evaluate, load_student
from slipway.models.train import train

from .conftest import Trained


def test_the_split_is_fixed_stratified_and_scaled() -> None:
    data = load_digits(None, Path())
    assert data.train.x.shape == (1437, 1, 8, 8)
    assert data.test.x.shape == (360, 1, 8, 8)
    assert data.classes == tuple("0123456789")
    shares = np.bincount(data.train.y) / np.bincount(data.test.y)
    assert shares.min() > 3.7
    assert shares.max() < 4.3
    frames = data.frames(data.train.x)
    assert frames.dtype == np.float32
    assert frames.min() == 0.0
    assert frames.max() == 1.0


def test_digits_are_read_right_and_sparsely(trained_digits: Trained) -> None:
    metrics = trained_digits.metrics
    assert metrics["accuracy"] >= 0.95
    assert metrics["uar"] >= 0.95
    assert set(metrics["spike_rates"]) == {"lif1", "lif2"}
    assert max(metrics["spike_rates"].values()) < 0.10
    assert metrics["samples_test"] == 360


def test_the_files_are_what_the_next_steps_need(trained_digits: Trained) -> None:
    folder = trained_digits.folder
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["calibrate.npz", "metrics.json", "student.pt", "test.npz"]
    assert json.loads((folder / "metrics.json").read_text()) == trained_digits.metrics
    with np.load(folder / "test.npz") as test, np.load(folder / "calibrate.npz") as calibrate:
        assert test["x"].dtype == np.float32
        assert test["x"].shape == (360, 1, 8, 8)
        assert test["y"].shape == (360,)
        assert calibrate["x"].shape == (256, 1, 8, 8)
        x, y = test["x"], test["y"]
    answers = evaluate(load_student("digits", folder / "student.pt"), x)
    assert (answers.predictions == y).mean() == trained_digits.metrics["accuracy"]
    assert answers.rates == trained_digits.metrics["spike_rates"]
    assert answers.spikes_per_sample["lif1"] == pytest.approx(
        answers.rates["lif1"] * 8 * 16 * 8 * 8
    )


def test_progress_is_told(trained_digits: Trained) -> None:
    fractions = [fraction for fraction, _ in trained_digits.heard]
    assert fractions == sorted(fractions)
    assert trained_digits.heard[0] == (0.0, "reading digits")
    assert trained_digits.heard[-1] == (1.0, "testing on 360 samples")
    assert any("epoch 3, 8 steps, loss" in text for _, text in trained_digits.heard)


def test_the_same_seed_gives_the_same_files(trained_digits: Trained, tmp_path: Path) -> None:
    again = train("digits", tmp_path)
    for name in ("student.pt", "calibrate.npz", "test.npz"):
        assert (tmp_path / name).read_bytes() == (trained_digits.folder / name).read_bytes()
    assert again["accuracy"] == trained_digits.metrics["accuracy"]
    assert again["spike_rates"] == trained_digits.metrics["spike_rates"]


def test_a_short_time_ends_the_schedule_early(tmp_path: Path) -> None:
    metrics = train("digits", tmp_path, max_seconds=0.5, seed=1)
    assert metrics["schedule_seconds_bound"]
    assert metrics["epochs"] < 25


def test_bad_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no student named 'digit'") as caught:
        train("digit", tmp_path)
    assert "did you mean 'digits'? students: digits, mini_resemotenet" in str(caught.value)
    with pytest.raises(UsageError, match=r"max_seconds is 0.*\n.*give a time above 0"):
        train("digits", tmp_path, max_seconds=0)
    with pytest.raises(UsageError, match=r"seed is -1\n.*from 0 to 4294967295"):
        train("digits", tmp_path, seed=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot load the weights of 'digits'") as caught:
        load_student("digits", tmp_path / "none.pt")
    assert "train the student again" in str(caught.value)
    (tmp_path / "text.pt").write_text("not weights")
    with pytest.raises(FileError, match=r"text\.pt"):
        load_student("digits", tmp_path / "text.pt")
