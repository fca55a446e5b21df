from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from slipway.models.datasets.duplicates import find_duplicates
from slipway.models.datasets.faces import open_fer2013
from slipway.models.datasets.labels import EMOTIONS

from .miniatures import fer_folders, jpeg


def test_groups_are_found_by_pixels(tmp_path: Path) -> None:
    root = fer_folders(tmp_path / "data", 1)  # one grey value a split and class: no duplicates
    parts = open_fer2013(root)
    assert find_duplicates(parts).groups == ()
    jpeg(root / "train" / "fear" / "Training_900.jpg", 201)
    jpeg(root / "train" / "fear" / "Training_901.jpg", 201)
    jpeg(root / "test" / "sad" / "PrivateTest_900.jpg", 201)
    jpeg(root / "validation" / "sad" / "PublicTest_900.jpg", 203)
    jpeg(root / "test" / "sad" / "PrivateTest_901.jpg", 203)
    jpeg(root / "train" / "happy" / "Training_900.jpg", 205)
    jpeg(root / "train" / "happy" / "Training_901.jpg", 205)
    parts = open_fer2013(root)
    found = find_duplicates(parts)
    assert found.summary() == {
        "items": 28,
        "distinct": 24,
        "groups": 3,
        "groups across splits": 2,
        "groups with contradictory labels": 1,
        "train items to drop": 2,
        "train items that repeat another": 2,
        "validation items with a twin in train": 0,
        "test items with a twin in train": 1,
    }
    names = [Path(parts["train"].keys[i]).name for i in found.drop]
    assert names == ["Training_900.jpg", "Training_901.jpg"]
    assert set(parts["train"].labels[found.drop]) == {EMOTIONS.index("fear")}
    assert found.crossing == {("train", "test"): 1, ("validation", "test"): 1}
    kept = {**parts, "train": parts["train"].without(found.drop)}
    again = find_duplicates(kept)
    assert len(again.drop) == 0
    assert not again.twins["test"].any()


def test_the_duplicates_of_the_real_fer2013(real_fer2013: Path) -> None:
    """Counts of students.md and the README; every line of cross_split_duplicates.txt."""
    parts = open_fer2013(real_fer2013)
    found = find_duplicates(parts)
    assert found.summary() == {
        "items": 35_887,
        "distinct": 34_034,
        "groups": 1_516,
        "groups across splits": 557,
        "groups with contradictory labels": 57,
        "train items to drop": 703,
        "train items that repeat another": 1_236,
        "validation items with a twin in train": 280,
        "test items with a twin in train": 288,
    }
    table = real_fer2013 / "cross_split_duplicates.txt"
    if not table.is_file():
        pytest.skip(f"there is no {table}")
    names = {split: [key.name for key in part.keys] for split, part in parts.items()}
    twins: dict[str, set[str]] = {}
    for group in found.groups:
        in_train = {names[split][i] for split, i in group if split == "train"}
        if in_train:
            twins |= {names[s][i]: in_train for s, i in group if s != "train"}
    lines = [line.split("\t") for line in table.read_text().splitlines() if line[0] != "#"]
    assert twins == {line[0]: set(line[1].split(";")) for line in lines}
    assert sorted(np.concatenate([found.drop])) == sorted(
        {names["train"].index(name) for line in lines for name in line[1].split(";")}
    )
