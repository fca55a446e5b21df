from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from slipway.errors import FileError
from slipway.models import fer2013 as old
from slipway.models.datasets import open_dataset
from slipway.models.datasets.faces import open_fer2013, open_raf_db
from slipway.models.datasets.labels import (
    EMOTIONS,
    RAF_DB,
    RESEMOTENET,
    emotion,
    remap,
)

from .miniatures import fer_csv, fer_folders, fer_zips, grey, jpeg, raf_db

LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "folders": fer_folders,
    "zips": fer_zips,
    "csv": lambda root: fer_csv(root / "fer2013.csv"),
    "folder with csv": lambda root: fer_csv(root / "fer2013.csv").parent,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_fer2013_gives_the_same(tmp_path: Path, layout: str) -> None:
    parts = open_fer2013(LAYOUTS[layout](tmp_path / "data"))
    assert list(parts) == ["train", "validation", "test"]
    for split, part in parts.items():
        pictures, labels = part.arrays()
        assert part.classes == EMOTIONS
        assert pictures.dtype == np.uint8
        assert pictures.shape == (len(part), 1, 48, 48)
        assert sorted(set(labels.tolist())) == list(range(7))
        expected = [grey(split, label) for label in labels]
        np.testing.assert_array_equal(pictures.mean(axis=(1, 2, 3)), expected)
        assert any("NOT the official FER2013" in note for note in part.notes)


def test_one_item_is_read_without_the_others(tmp_path: Path) -> None:
    root = fer_folders(tmp_path)
    part = open_fer2013(root)["train"]
    for path in sorted((root / "train" / "sad").iterdir()):
        path.write_bytes(b"broken")
    picture, label = part[0]
    assert (picture[0, 0, 0], label) == (grey("train", 0), 0)
    with pytest.raises(FileError, match="cannot be decoded"):
        part.arrays()


def test_kaggles_folders_hold_validation_and_test_together(tmp_path: Path) -> None:
    root = fer_folders(tmp_path)
    for path in (root / "validation").rglob("*.jpg"):
        shutil.move(path, root / "test" / path.parent.name / path.name)
    shutil.rmtree(root / "validation")
    parts = open_fer2013(root)
    assert {split: len(part) for split, part in parts.items()} == dict.fromkeys(parts, 14)
    assert parts["validation"].arrays()[0].min() == grey("validation", 0)


def test_all_that_is_wrong_with_a_folder_comes_at_once(tmp_path: Path) -> None:
    root = fer_folders(tmp_path)
    jpeg(root / "train" / "joy" / "Training_1.jpg", 9)
    jpeg(root / "dev" / "sad" / "Training_1.jpg", 9)
    jpeg(root / "train" / "sad" / "PrivateTest_1.jpg", 9)
    (root / "stray.jpg").write_bytes(b"")
    with pytest.raises(FileError) as caught:
        open_fer2013(root)
    text = str(caught.value)
    assert "the class 'joy' is unknown" in text
    assert text.count("the split is unknown") == 2
    assert "its name says test, its folder train" in text
    assert "classes: angry, disgust, fear" in text
    assert "where it is to be had" in text
    assert len(caught.value.problems) == 5


def test_pictures_that_cannot_be_used_are_all_told(tmp_path: Path) -> None:
    root = fer_folders(tmp_path)
    jpeg(root / "test" / "sad" / "PrivateTest_100.jpg", 9, 32, 40)
    (root / "test" / "fear" / "PrivateTest_101.jpg").write_bytes(b"no picture")
    part = open_fer2013(root)["test"]
    (root / "test" / "angry" / "PrivateTest_100.jpg").unlink()
    problems = part.problems()
    assert [problem.what for problem in problems] == [
        "the picture does not exist",
        "the picture cannot be decoded (no picture)",
        "the picture is 40x32, expected 48x48",
    ]
    assert problems[1].where.endswith("test/fear/PrivateTest_101.jpg")
    assert all(problem.remedy for problem in problems)
    with pytest.raises(FileError) as caught:
        part.arrays()
    assert list(caught.value.problems) == problems


def test_a_csv_with_wrong_rows(tmp_path: Path) -> None:
    pixels = " ".join(["7"] * 2304)
    rows = [f"9,{pixels},Training", f"1,{pixels},Dev", f"1,{pixels}", f"2,{pixels},PublicTest"]
    with pytest.raises(FileError) as caught:
        open_fer2013(fer_csv(tmp_path / "a.csv", rows))
    text = str(caught.value)
    assert "the label '9' is unknown" in text
    assert "the usage 'Dev' is unknown" in text
    assert "2 fields, expected 3" in text
    assert f"{tmp_path / 'a.csv'}, line 2" in text
    rows = ["0,1 2 3,Training", f"0,{pixels[:-1]}900,Training", "0,a b,Training"]
    part = open_fer2013(fer_csv(tmp_path / "b.csv", rows))["train"]
    told = [problem.what for problem in part.problems()]
    assert told == [
        "3 pixels, expected 2304 of 0..255",
        "2304 pixels from 7 to 900, expected 2304 of 0..255",
        "the pixels are no numbers",
    ]
    (tmp_path / "c.csv").write_text("label,image\n")
    with pytest.raises(FileError, match="columns are label, image"):
        open_fer2013(tmp_path / "c.csv")


def test_a_csv_with_other_columns_first_and_quotes(tmp_path: Path) -> None:
    values = " ".join(str(k % 256) for k in range(2304))
    (tmp_path / "icml.csv").write_text(
        f'emotion, Usage, pixels\r\n3,PrivateTest,"{values}"\r\n'
    )
    picture, label = open_fer2013(tmp_path)["test"][0]
    assert label == 3
    np.testing.assert_array_equal(picture.ravel(), np.arange(2304) % 256)


def test_damaged_archives_and_nothing_at_all(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(FileError, match="no readable zip archive") as caught:
        open_fer2013(tmp_path)
    assert len(caught.value.problems) == 3
    with pytest.raises(FileError, match="there is no such folder"):
        open_fer2013(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="no csv, no zip archive and no folder of pictures"):
        open_fer2013(tmp_path / "empty")


def test_many_problems_are_counted(tmp_path: Path) -> None:
    for n in range(30):
        jpeg(tmp_path / "train" / "joy" / f"Training_{n}.jpg", 9)
    with pytest.raises(FileError, match="10 more problems of 30 are not shown"):
        open_fer2013(tmp_path)


def test_raf_db(tmp_path: Path) -> None:
    parts = open_raf_db(raf_db(tmp_path))
    assert {split: len(part) for split, part in parts.items()} == {"train": 21, "test": 7}
    pictures, labels = parts["train"].arrays()
    assert pictures.shape == (21, 3, 100, 100)
    # The grey value is 30 x RAF-DB's number; the names must agree, not the numbers.
    for picture, label in zip(pictures, labels, strict=True):
        assert EMOTIONS[label] == RAF_DB[round(picture.mean() / 30) - 1]


def test_raf_db_with_problems(tmp_path: Path) -> None:
    root = raf_db(tmp_path)
    table = root / "EmoLabel" / "list_patition_label.txt"
    (root / "Image" / "aligned" / "train_00002_aligned.jpg").unlink()
    table.write_text(
        table.read_text().replace("test_0003.jpg 3", "test_0003.jpg 8") + "dev 1\n"
    )
    with pytest.raises(FileError) as caught:
        open_raf_db(root)
    text = str(caught.value)
    assert "the picture is missing" in text
    assert "the label '8' is unknown" in text
    assert "the line is 'dev 1'" in text
    assert "signed agreement" in text
    shutil.rmtree(root / "EmoLabel")
    with pytest.raises(FileError, match="there is no list of labels"):
        open_raf_db(root)


def test_orders_of_classes_differ_and_are_mapped_by_name() -> None:
    """students.md, section 7."""
    assert [emotion(name) for name in ("Anger", "happiness", "SADNESS", "neutral")] == [
        0,
        3,
        4,
        6,
    ]
    assert emotion("contempt") is None
    assert sorted(RAF_DB) == sorted(RESEMOTENET) == sorted(EMOTIONS)
    labels = np.arange(7)
    there = remap(labels, EMOTIONS, RESEMOTENET)
    assert there.tolist() == [3, 4, 5, 0, 2, 1, 6]
    np.testing.assert_array_equal(remap(there, RESEMOTENET, EMOTIONS), labels)


def test_a_data_set_that_is_not_there_says_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_DATA", str(tmp_path))
    with pytest.raises(FileError, match="no folder of the data set see") as caught:
        open_dataset("see")
    assert str(tmp_path / "SEE") in str(caught.value)
    assert "http://www.dluticcd.com/" in str(caught.value)
    with pytest.raises(FileError, match="no folder of the data set raf-db"):
        open_dataset("raf-db", tmp_path / "elsewhere")
    raf_db(tmp_path / "RAF-DB")
    assert len(open_dataset("raf-db")["train"]) == 21


def test_the_real_fer2013(real_fer2013: Path) -> None:
    parts = open_fer2013(real_fer2013)
    for split, counts in old.COUNTS.items():
        assert tuple(np.bincount(parts[split].labels)) == counts
        assert len(parts[split].notes) == 1
    part = parts["test"]
    for index in (0, 1800, 3588):
        picture, label = part[index]
        assert picture.shape == (1, 48, 48)
        assert part.keys[index].name.split("/")[2] == EMOTIONS[label]
