from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from slipway.errors import FileError
from slipway.models.datasets.recordings import SUPERCLASSES, open_cep_dvs, open_n_caltech101
from slipway.models.datasets.stills import (
    ReadScaled,
    open_caltech101,
    open_cep_pictures,
    value_channel,
)

from .miniatures import cep_dvs, image, jpeg, n_caltech101


def caltech101(root: Path) -> Path:
    """Its folders: a background that the usual loaders leave out, and Faces."""
    for grey, name in enumerate(("BACKGROUND_Google", "Faces", "accordion", "yin_yang")):
        for n in range(1, 11):
            path = root / "101_ObjectCategories" / name / f"image_{n:04d}.jpg"
            jpeg(path, 40 * grey + 10, 20 + n, 33, "RGB")
    return root


def test_caltech101_in_the_order_of_the_event_set(tmp_path: Path) -> None:
    counts = {"BACKGROUND_Google": 10, "accordion": 10, "yin_yang": 10}
    events = open_n_caltech101(n_caltech101(tmp_path / "events", counts))["train"]
    parts = open_caltech101(caltech101(tmp_path / "stills"), events.classes)
    assert {split: len(part) for split, part in parts.items()} == {"train": 27, "test": 3}
    assert parts["train"].classes == events.classes
    pictures, labels = parts["train"].arrays()
    assert pictures.shape == (27, 3, 48, 48)
    # Grey 10, 90, 130: Faces (50) is not among them.
    grey = np.array([10, 90, 130])
    np.testing.assert_array_equal(pictures.mean(axis=(1, 2, 3)), grey[labels])
    every = open_caltech101(tmp_path / "stills" / "101_ObjectCategories")["test"]
    assert every.classes == ("BACKGROUND_Google", "Faces", "accordion", "yin_yang")


def test_caltech101_with_problems(tmp_path: Path) -> None:
    root = caltech101(tmp_path)
    (root / "101_ObjectCategories" / "empty").mkdir()
    with pytest.raises(FileError) as caught:
        open_caltech101(root, ("accordion", "zebra", "empty"))
    text = str(caught.value)
    assert "the class zebra is missing" in text
    assert "the class has no pictures" in text
    with pytest.raises(FileError, match="there are no folders of classes"):
        open_caltech101(root / "101_ObjectCategories" / "empty")


def test_the_pictures_of_cep_dvs_belong_to_its_recordings(tmp_path: Path) -> None:
    pytest.importorskip("scipy.io", reason="scipy is not installed")
    root = cep_dvs(tmp_path)
    folder = root / "data" / "img"
    folder.mkdir()
    for n in range(200):
        image.fromarray(np.full((32, 32, 3), n, np.uint8)).save(folder / f"{n}.png")
    stills = open_cep_pictures(root, ReadScaled(16, 16))
    for split, part in open_cep_dvs(root).items():
        pictures, labels = stills[split].arrays()
        np.testing.assert_array_equal(labels, part.labels)
        assert stills[split].classes == SUPERCLASSES
        assert pictures.shape[1:] == (3, 16, 16)
        assert pictures[:, 0, 0, 0].tolist() == [int(Path(key).stem) for key in part.keys]
    (folder / "7.png").unlink()
    with pytest.raises(FileError, match="the picture of a recording is missing"):
        open_cep_pictures(root)


def test_the_value_of_hsv() -> None:
    colours = np.array([[[10, 200]], [[30, 100]], [[20, 0]]], np.uint8)
    assert value_channel(colours).tolist() == [[[30, 200]]]
