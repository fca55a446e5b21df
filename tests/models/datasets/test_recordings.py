from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from slipway.errors import FileError
from slipway.models.datasets.recordings import (
    CIFAR10,
    SUPERCLASSES,
    open_cep_dvs,
    open_cifar10_dvs,
    open_n_caltech101,
)
from slipway.models.events.recording import ToFrames

from .miniatures import cep_dvs, cifar10_dvs, n_caltech101

COUNTS = {"accordion": 35, "BACKGROUND_Google": 45, "yin_yang": 12}


def number_of(key: str) -> int:
    return int("".join(c for c in Path(key).stem.split("_")[-1] if c.isdigit()))


def test_n_caltech101(tmp_path: Path) -> None:
    parts = open_n_caltech101(n_caltech101(tmp_path, COUNTS))
    train, test = parts["train"], parts["test"]
    assert train.classes == ("BACKGROUND_Google", "accordion", "yin_yang")
    # round(0.9 n), half to even: 40.5 -> 40, 31.5 -> 32, 10.8 -> 11.
    assert np.bincount(train.labels).tolist() == [40, 32, 11]
    assert np.bincount(test.labels).tolist() == [5, 3, 1]
    for label in range(3):
        last = max(
            number_of(k) for k, y in zip(train.keys, train.labels, strict=True) if y == label
        )
        first = min(
            number_of(k) for k, y in zip(test.keys, test.labels, strict=True) if y == label
        )
        assert last < first
    recording, label = train[50]
    assert len(recording.events) == label + 3  # see miniatures.events_of
    assert (recording.height, recording.width) == (30, 30)
    assert any("NOT the whole N-Caltech101" in note for note in train.notes)
    inner = open_n_caltech101(tmp_path / "Caltech101")
    assert inner["train"].keys == train.keys


def test_recordings_become_frames_of_one_size(tmp_path: Path) -> None:
    part = open_n_caltech101(n_caltech101(tmp_path, COUNTS))["train"]
    frames, labels = next(part.through(ToFrames(10, size=(48, 48))).batches(7))
    assert frames.shape == (7, 10, 2, 48, 48)
    assert frames.sum(axis=(1, 2, 3, 4)).tolist() == [label + 3 for label in labels]
    recordings, _ = next(part.batches(2))
    assert isinstance(recordings, list)


def test_n_caltech101_with_problems(tmp_path: Path) -> None:
    root = n_caltech101(tmp_path, COUNTS)
    (root / "Caltech101" / "empty").mkdir()
    (root / "Caltech101" / "yin_yang" / "notes.txt").write_text("")
    (root / "Caltech101" / "yin_yang" / ".hidden").write_text("")
    with pytest.raises(FileError) as caught:
        open_n_caltech101(root)
    text = str(caught.value)
    assert "the class has no recordings" in text
    assert "the file 'notes.txt' is unknown" in text
    assert "garrickorchard.com" in text
    assert len(caught.value.problems) == 3
    (tmp_path / "nothing").mkdir()
    with pytest.raises(FileError, match="there are no folders of classes"):
        open_n_caltech101(tmp_path / "nothing")


def test_damaged_recordings_are_all_told(tmp_path: Path) -> None:
    root = n_caltech101(tmp_path, COUNTS)
    for name in ("accordion", "yin_yang"):
        (root / "Caltech101" / name / "image_0001.bin").write_bytes(b"1234")
    problems = open_n_caltech101(root)["train"].problems()
    assert [Path(problem.where).parent.name for problem in problems] == [
        "accordion",
        "yin_yang",
    ]


def test_cep_dvs(tmp_path: Path) -> None:
    pytest.importorskip("scipy.io", reason="scipy is not installed")
    parts = open_cep_dvs(cep_dvs(tmp_path))
    assert {split: len(part) for split, part in parts.items()} == {
        "train": 100,
        "test": 40,
        "rest": 60,
    }
    seen: set[str] = set()
    for split, numbers in {
        "train": range(5),
        "test": range(5, 7),
        "rest": range(7, 10),
    }.items():
        part = parts[split]
        assert part.classes == SUPERCLASSES
        for key, label in zip(part.keys, part.labels, strict=True):
            n = number_of(key)
            assert n % 20 == label
            assert n // 20 in numbers
        seen |= set(part.keys)
    assert len(seen) == 200
    recording, label = parts["test"][0]
    assert len(recording.events) == label + 3
    assert recording.events["p"].tolist() == [1] * (label + 1) + [0, 0]  # -1 became 0


def test_cep_dvs_with_problems(tmp_path: Path) -> None:
    pytest.importorskip("scipy.io", reason="scipy is not installed")
    root = cep_dvs(tmp_path)
    folder = root / "data" / "MAT" / "img"
    (folder / "7.mat").unlink()
    (folder / "900.mat").write_bytes(b"")
    (folder / "readme.txt").write_text("")
    lines = (root / "pathFile.csv").read_text().splitlines()
    lines[4] = "3 train 3.png fine_3 dragons"
    (root / "pathFile.csv").write_text("\n".join(lines))
    with pytest.raises(FileError) as caught:
        open_cep_dvs(root)
    text = str(caught.value)
    assert "the label 'dragons' (fifth word) is unknown" in text
    assert f"{root / 'pathFile.csv'}, line 5" in text
    assert "the recording is missing" in text
    assert "the recording is not in the table" in text
    assert "the file 'readme.txt' is unknown" in text
    assert len(caught.value.problems) == 5
    with pytest.raises(FileError, match="there is no table of recordings"):
        open_cep_dvs(tmp_path / "data")


@pytest.mark.parametrize("ending", [".aedat", ".aedat4"])
def test_cifar10_dvs(tmp_path: Path, ending: str) -> None:
    if ending == ".aedat4":
        pytest.importorskip("aedat", reason="aedat is not installed")
    parts = open_cifar10_dvs(cifar10_dvs(tmp_path, ending))
    train, test = parts["train"], parts["test"]
    assert train.classes == CIFAR10
    assert (len(train), len(test)) == (90, 10)
    assert [number_of(key) for key in test.keys] == [9] * 10  # by number, not by text
    for index in (0, 40, 89):
        recording, label = train[index]
        assert Path(train.keys[index]).parent.name == CIFAR10[label]
        assert (recording.height, recording.width) == (128, 128)
        assert len(recording.events) == label + 3


def test_cifar10_dvs_with_problems(tmp_path: Path) -> None:
    root = cifar10_dvs(tmp_path, ".aedat", 1)
    (root / "cat").rename(root / "tiger")
    (root / "dog" / "cifar10_dog_0.aedat4").write_bytes(b"")
    with pytest.raises(FileError) as caught:
        open_cifar10_dvs(root)
    text = str(caught.value)
    assert "the class 'tiger' is unknown" in text
    assert "the class cat is missing" in text
    assert "lie side by side" in text
