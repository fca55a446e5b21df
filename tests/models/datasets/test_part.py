from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from slipway.errors import DataError, FileError, UsageError
from slipway.models.datasets.duplicates import fingerprint
from slipway.models.datasets.faces import open_fer2013
from slipway.models.datasets.part import Part, ReadPicture, Through
from slipway.models.datasets.recordings import open_n_caltech101
from slipway.models.events.recording import ToFrames

from .miniatures import fer_folders, fer_zips, jpeg, n_caltech101


def numbers(count: int) -> Part[np.ndarray]:
    """Item i is [i, i]; its label is i mod 3."""
    return Part(
        "numbers", "train", ("a", "b", "c"), range(count), np.arange(count) % 3, pair_of
    )


def pair_of(key: int) -> np.ndarray:
    return np.array([key, key])


def doubled(value: np.ndarray) -> np.ndarray:
    return 2 * value


def faulty(key: int) -> np.ndarray:
    if key % 100 == 7:
        raise DataError(f"{key} is no good", remedy="take another")
    return pair_of(key)


def test_batches_come_in_the_order_that_is_asked_for() -> None:
    part = numbers(10).through(doubled)
    batches = list(part.batches(2, order=[9, 0, 4, 4, 2]))
    assert [values[:, 0].tolist() for values, _ in batches] == [[18, 0], [8, 8], [4]]
    assert [labels.tolist() for _, labels in batches] == [[0, 0], [1, 1], [2]]


def test_all_problems_come_at_once() -> None:
    part = Part("numbers", "train", ("a",), range(3000), np.zeros(3000, np.int64), faulty)
    problems = part.problems()
    assert [(problem.what, problem.where, problem.remedy) for problem in problems] == [
        (f"{key} is no good", str(key), "take another") for key in range(7, 3000, 100)
    ]
    with pytest.raises(FileError, match="10 more problems are not shown"):
        part.arrays()
    with pytest.raises(FileError) as caught:
        next(part.batches(300))
    assert len(caught.value.problems) == 3


def test_worker_processes_do_the_same(tmp_path: Path) -> None:
    """From archives, in another order, with problems, with a function of a module."""
    part = open_fer2013(fer_zips(tmp_path))["train"]
    here, labels = part.arrays()
    there, same = part.arrays(workers=2)
    np.testing.assert_array_equal(here, there)
    np.testing.assert_array_equal(labels, same)
    order = [13, 0, 4, 4, 2]
    batches = list(part.through(fingerprint).batches(2, order=order, workers=2))
    assert [digest for values, _ in batches for digest in values] == [
        fingerprint(here[k]) for k in order
    ]
    assert [label for _, some in batches for label in some] == labels[order].tolist()
    root = fer_folders(tmp_path / "folders")
    for name in ("sad", "fear"):
        (root / "train" / name / "Training_100.jpg").write_bytes(b"no picture")
    broken = open_fer2013(root)["train"]
    assert len(broken.problems()) == 2
    assert broken.problems(workers=2) == broken.problems()


def test_what_worker_processes_cannot_be_given(tmp_path: Path) -> None:
    part = open_fer2013(fer_folders(tmp_path))["train"]
    with pytest.raises(UsageError, match="cannot be given what reads the items") as caught:
        part.through(lambda picture: picture).arrays(workers=1)
    assert "no lambda" in str(caught.value)


def test_a_worker_process_that_dies_is_told(tmp_path: Path) -> None:
    part = open_fer2013(fer_folders(tmp_path))["train"]
    deadly = part.through(Through(len, os._exit))  # the process ends with code 1
    with pytest.raises(UsageError, match="a worker process ended before its work was done"):
        deadly.arrays(workers=1)


def test_some_of_the_items() -> None:
    part = numbers(10)
    assert [part.select([3, 1])[k][0][0] for k in range(2)] == [3, 1]
    rest = part.without([0, 1, 2, 5])
    assert [value[0] for value, _ in (rest[k] for k in range(len(rest)))] == [3, 4, 6, 7, 8, 9]
    assert rest.labels.tolist() == [0, 1, 0, 1, 2, 0]


def test_items_of_different_size_are_refused(tmp_path: Path) -> None:
    keys = [str(jpeg(tmp_path / f"{n}.jpg", 9, 10 + n, 12)) for n in range(2)]
    part = Part("pictures", "train", ("a",), keys, np.zeros(2, np.int64), ReadPicture(0, 0))
    with pytest.raises(DataError, match=r"differ in shape: \(1, 10, 12\), \(1, 11, 12\)"):
        part.arrays()
    with pytest.raises(UsageError, match="a batch of 0 items"):
        next(part.batches(0))


def test_torchs_loader_takes_a_part_as_it_is(tmp_path: Path) -> None:
    data = pytest.importorskip("torch.utils.data", reason="torch is not installed")
    root = n_caltech101(tmp_path, {"a": 10, "b": 20})
    part = open_n_caltech101(root)["train"].through(ToFrames(4, size=(8, 8)))
    frames, labels = next(iter(data.DataLoader(part, batch_size=27)))
    assert tuple(frames.shape) == (27, 4, 2, 8, 8)
    np.testing.assert_array_equal(labels.numpy(), part.labels)


def test_indexing_reads_no_picture(tmp_path: Path) -> None:
    """20,000 files that are no pictures: only their names are looked at."""
    root = fer_folders(tmp_path, 1)
    folder = root / "train" / "happy"
    for n in range(20_000):
        (folder / f"Training_{1000 + n}.jpg").touch()
    begun = time.monotonic()
    parts = open_fer2013(root)
    assert time.monotonic() - begun < 10.0  # 0.4 s on an idle machine
    assert len(parts["train"]) == 20_007
    with pytest.raises(FileError, match="cannot be decoded"):
        parts["train"][10_000]
