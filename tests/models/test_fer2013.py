from __future__ import annotations

import dataclasses
import io
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from slipway.errors import FileError, MissingDependency
from slipway.models import fer2013
from slipway.models.data import load_fer2013
from slipway.models.students import mini_resemotenet
from slipway.models.train import train

image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

TINY = {split: (1,) * 7 for split in fer2013.COUNTS}
PREFIX = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}


def picture(value: int, size: int = 48) -> bytes:
    buffer = io.BytesIO()
    image.fromarray(np.full((size, size), value, np.uint8)).save(buffer, "jpeg")
    return buffer.getvalue()


def member(split: str, label: str) -> str:
    return f"fer2013/{split}/{label}/{PREFIX[split]}_1.jpg"


def tiny_fer(root: Path, changes: Mapping[str, bytes | None] | None = None) -> Path:
    """One picture a class and split, grey value 10 x label (+ 1, + 2 by split)."""
    folder = root / "fer2013"
    folder.mkdir(parents=True)
    files: dict[str, bytes | None] = {
        member(split, label): picture(10 * fer2013.CLASSES.index(label) + shift)
        for shift, split in enumerate(TINY)
        for label in fer2013.CLASSES
    }
    files.update(changes or {})
    for archive, chosen in zip(fer2013.ARCHIVES, ("train", "t"), strict=True):
        with zipfile.ZipFile(folder / archive, "w") as opened:
            for name, content in files.items():
                if content is not None and ("/train/" in name) == (chosen == "train"):
                    opened.writestr(name, content)
    twin = f"{member('test', 'sad')}\t{member('train', 'sad')}\tsame\n"
    (folder / fer2013.TWINS).write_text(f"# file\ttwins\tlabels\n{twin}")
    return root


@pytest.fixture
def tiny_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fer2013, "COUNTS", TINY)


def test_labels_are_mapped_by_name_not_by_folder_order() -> None:
    assert tuple(sorted(fer2013.CLASSES)) != fer2013.CLASSES
    assert fer2013.place("fer2013/train/neutral/Training_1.jpg") == ("train", 6)
    assert fer2013.place("fer2013/test/sad/PrivateTest_1.jpg") == ("test", 4)
    assert fer2013.place("fer2013/validation/surprise/PublicTest_1.jpg") == ("validation", 5)
    assert fer2013.place("fer2013/train/joy/Training_1.jpg") is None
    assert fer2013.place("fer2013/dev/sad/Training_1.jpg") is None


@pytest.mark.usefixtures("tiny_counts")
def test_pictures_labels_and_twins_come_out_right(tmp_path: Path) -> None:
    data = load_fer2013(tiny_fer(tmp_path / "data"), tmp_path / "cache")
    for split in (data.train, data.test):
        assert split.x.shape == (7, 1, 48, 48)
        values = split.x.mean(axis=(1, 2, 3))
        np.testing.assert_array_equal(np.round((values - 1) / 10), split.y)
    assert data.test_twins is not None
    assert [data.classes[k] for k in data.test.y[data.test_twins]] == ["sad"]


@pytest.mark.usefixtures("tiny_counts")
def test_the_cache_is_used_and_renewed(tmp_path: Path) -> None:
    root = tiny_fer(tmp_path / "data")
    first = fer2013.load(root, tmp_path)
    assert [path.name for path in tmp_path.glob("*.npz")] == ["fer2013.npz"]
    stored = fer2013.load(root, tmp_path)
    assert all(np.array_equal(first[name], stored[name]) for name in first)
    other = tiny_fer(tmp_path / "other", {member("train", "fear"): picture(200)})
    assert fer2013.load(other, tmp_path)["train_x"].max() > 190
    (tmp_path / "fer2013.npz").write_bytes(b"PK damaged")
    assert np.array_equal(fer2013.load(root, tmp_path)["train_x"], first["train_x"])


def test_missing_data_says_where_what_and_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_DATA", str(tmp_path / "data"))
    with pytest.raises(FileError) as caught:
        fer2013.find(None)
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "FER2013: there is no fer2013_a.zip" in text
    assert "FER2013: there is no fer2013_b.zip" in text
    assert f"where: {tmp_path / 'data' / 'fer2013'}" in text
    assert "set SLIPWAY_DATA to the folder that holds fer2013" in text
    tiny_fer(tmp_path / "data")
    (tmp_path / "data" / "fer2013" / "fer2013_b.zip").unlink()
    with pytest.raises(FileError, match=r"there is no fer2013_b\.zip") as caught:
        fer2013.find(None)
    assert len(caught.value.problems) == 1
    with pytest.raises(FileError, match="elsewhere"):
        fer2013.find(tmp_path / "elsewhere")


def test_without_a_setting_both_usual_places_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLIPWAY_DATA", raising=False)
    monkeypatch.setattr(fer2013, "__file__", str(tmp_path / "a" / "b" / "models" / "f.py"))
    (tmp_path / "c" / "work").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "c" / "work")
    with pytest.raises(FileError) as caught:
        fer2013.find(None)
    assert str(tmp_path / "a" / "shared" / "data" / "fer2013") in str(caught.value)
    assert str(tmp_path / "c" / "shared" / "data" / "fer2013") in str(caught.value)
    tiny_fer(tmp_path / "c" / "shared" / "data")
    assert fer2013.find(None) == tmp_path / "c" / "shared" / "data" / "fer2013"


@pytest.mark.usefixtures("tiny_counts")
def test_all_findings_about_the_archives_come_at_once(tmp_path: Path) -> None:
    strange = {"fer2013/train/joy/Training_1.jpg": b"", "fer2013/readme.txt": b""}
    with pytest.raises(FileError, match=r"not fer2013/SPLIT/CLASS/NAME\.jpg") as caught:
        fer2013.load(tiny_fer(tmp_path / "paths", strange), tmp_path)
    assert len(caught.value.problems) == 2
    assert "classes: angry, disgust, fear" in str(caught.value)

    fewer = {member("train", "sad"): None, member("test", "fear"): None}
    with pytest.raises(FileError, match="train/sad: 0 pictures, expected 1") as caught:
        fer2013.load(tiny_fer(tmp_path / "counts", fewer), tmp_path)
    assert "test/fear: 0 pictures, expected 1" in str(caught.value)
    assert "use the unaltered FER2013" in str(caught.value)

    root = tiny_fer(tmp_path / "zip")
    for archive in fer2013.ARCHIVES:
        (root / "fer2013" / archive).write_bytes(b"no archive")
    with pytest.raises(FileError, match="not a readable zip archive") as caught:
        fer2013.load(root, tmp_path)
    assert len(caught.value.problems) == 2


@pytest.mark.usefixtures("tiny_counts")
def test_all_findings_about_the_pictures_come_at_once(tmp_path: Path) -> None:
    bad = {member("train", "sad"): b"no picture", member("test", "fear"): picture(9, 32)}
    with pytest.raises(FileError, match="the picture cannot be decoded") as caught:
        fer2013.load(tiny_fer(tmp_path / "data", bad), tmp_path)
    assert "the picture is 32x32, expected 48x48" in str(caught.value)
    assert len(caught.value.problems) == 2
    assert not (tmp_path / "fer2013.npz").exists()


@pytest.mark.usefixtures("tiny_counts")
def test_a_damaged_list_of_twins_is_refused(tmp_path: Path) -> None:
    root = tiny_fer(tmp_path / "data")
    path = root / "fer2013" / fer2013.TWINS
    path.write_text("# head\nfer2013/test/sad/unknown.jpg\tx\tsame\nnonsense\n")
    with pytest.raises(FileError, match="expected FILE, TWINS and LABELS") as caught:
        fer2013.load(root, tmp_path)
    assert [p.where.rsplit(", ")[-1] for p in caught.value.problems] == ["line 2", "line 3"]


@pytest.mark.usefixtures("tiny_counts")
def test_without_pillow_the_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingDependency, match="pillow is needed to decode") as caught:
        fer2013.load(tiny_fer(tmp_path / "data"), tmp_path)
    assert "pip install 'slipway[train]'" in str(caught.value)


@pytest.mark.usefixtures("tiny_counts")
def test_mini_resemotenet_is_trained_from_the_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(mini_resemotenet.RECIPE, epochs=5)
    monkeypatch.setattr(mini_resemotenet, "RECIPE", recipe)
    heard: list[str] = []
    metrics = train(
        "mini_resemotenet",
        tmp_path / "out",
        data_dir=tiny_fer(tmp_path / "data"),
        progress=lambda done, text: heard.append(text),
    )
    assert any(", 0 steps, loss" in text for text in heard)  # the rate twin comes first
    assert any(", 4 steps, loss" in text for text in heard)
    assert metrics["samples_test"] == 7
    assert metrics["samples_without_twins"] == 6
    assert set(metrics["recall"]) == set(fer2013.CLASSES)
    assert len(metrics["spike_rates"]) == 12
    assert "accuracy_validation" in metrics
    assert any("squeeze-and-excitation" in text for text in metrics["deviations"])
    with np.load(tmp_path / "out" / "test.npz") as test:
        assert test["x"].shape == (7, 1, 48, 48)
        assert test["x"].max() <= 1.0


def test_the_whole_of_fer2013(shared_data: Path, tmp_path: Path) -> None:
    data = load_fer2013(shared_data, tmp_path)
    assert data.validation is not None
    assert data.test_twins is not None
    counts = {
        "train": np.bincount(data.train.y),
        "validation": np.bincount(data.validation.y),
        "test": np.bincount(data.test.y),
    }
    for split, expected in fer2013.COUNTS.items():
        assert tuple(counts[split]) == expected
    assert data.train.x.mean() == pytest.approx(129.47, abs=0.01)
    assert data.train.x.std() == pytest.approx(65.04, abs=0.01)
    assert int((~data.test_twins).sum()) == 3301
    begun = time.monotonic()
    again = load_fer2013(shared_data, tmp_path)
    assert time.monotonic() - begun < 10.0
    assert np.array_equal(again.test.x, data.test.x)
