"""The data of the recipes: on data sets in miniature, in their authors' layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from slipway.errors import FileError, UsageError
from slipway.models.training.data import CLASSES, Loaded, load
from slipway.models.training.recipe import Data
from slipway.models.training.run import train_recipe

from ..datasets.miniatures import fer_csv, grey, jpeg, n_caltech101, raf_db, see


def read(data: Data, *sees: str, root: Path | None = None) -> Loaded:
    return load(data, frozenset(sees), root, lambda done, text: None)


def counts(loaded: Loaded) -> dict[str, int]:
    return {split: len(samples) for split, samples in loaded.splits.items()}


def test_digits_are_split_for_validation_class_by_class() -> None:
    loaded = read(Data("digits", size=16), "picture")
    assert counts(loaded) == {"train": 1295, "test": 360, "validation": 142}
    whole = read(Data("digits", validation=0.0), "picture")
    assert counts(whole) == {"train": 1437, "test": 360}
    assert whole.splits["train"].fields["picture"].shape == (1437, 1, 8, 8)
    together = torch.cat([loaded.splits[each].labels for each in ("train", "validation")])
    assert torch.equal(together.bincount(), whole.splits["train"].labels.bincount())
    assert loaded.digest != whole.digest
    assert loaded.digest == read(Data("digits", size=16), "picture").digest


def test_a_limit_takes_the_same_items_each_time() -> None:
    first, second = (read(Data("digits", limit=50), "picture") for _ in range(2))
    assert counts(first) == {"train": 50, "test": 50, "validation": 50}
    pictures = [each.splits["train"].fields["picture"] for each in (first, second)]
    assert torch.equal(*pictures)
    assert int((first.splits["train"].labels.bincount() > 0).sum()) == 10


def fer(root: Path) -> Path:
    """One picture a split and label; two of train are also in test and in validation."""
    rows = [
        f"{label},{' '.join([str(grey(split, label))] * 2304)},{usage}"
        for split, usage in (("train", "Training"), ("validation", "PublicTest"))
        for label in range(7)
    ]
    rows += [
        f"{label},{' '.join([str(grey('test', label))] * 2304)},PrivateTest"
        for label in range(7)
    ]
    for split, label in (("test", 2), ("validation", 5)):
        pixels = " ".join([str(grey(split, label))] * 2304)
        rows.append(f"{label},{pixels},Training")
    fer_csv(root / "fer2013" / "fer2013.csv", rows)
    return root


def test_what_is_in_another_split_is_dropped_from_train(tmp_path: Path) -> None:
    clean = read(Data("fer2013"), "picture", root=fer(tmp_path))
    assert counts(clean) == {"train": 7, "validation": 7, "test": 7}
    assert clean.facts["duplicates dropped"] == 2
    assert "2 training pictures that also occur in another split were dropped" in clean.notes
    kept = read(Data("fer2013", duplicates="keep"), "picture", root=tmp_path)
    assert counts(kept)["train"] == 9
    assert kept.facts["duplicates dropped"] == 0
    seen = {
        split: {int(each[0, 0, 0]) for each in samples.fields["picture"]}
        for split, samples in clean.splits.items()
    }
    assert not seen["train"] & (seen["test"] | seen["validation"])


def test_a_crop_is_what_is_seen(tmp_path: Path) -> None:
    whole = read(Data("digits", size=24), "picture").splits["test"].fields["picture"]
    data = Data("digits", size=24, crop=(3, 5, 10, 12))
    crop = read(data, "picture").splits["test"].fields["picture"]
    assert torch.equal(crop, whole[:, :, 5:17, 3:13])


def test_films_are_simulated_and_say_so() -> None:
    data = Data("digits", size=16, film="saccades", film_size=16, steps=3, limit=20)
    pairs = read(data, "events", "picture")
    fields = pairs.splits["train"].fields
    assert fields["events"].shape == (20, 3, 2, 16, 16)
    assert fields["events"].dtype == torch.uint8
    assert fields["picture"].shape == (20, 1, 16, 16)
    assert pairs.simulated
    assert any(note.startswith("SIMULATED") for note in pairs.notes)
    stills = read(data, "picture")
    assert not stills.simulated
    assert set(stills.splits["train"].fields) == {"picture"}
    eyes = Data("digits", size=48, film="eyes", film_size=24, steps=3, stride=2, limit=5)
    clips = read(eyes, "clip", "frames").splits["train"].fields
    assert clips["frames"].shape == clips["events"].shape == (5, 3, 1, 24, 24)


def caltech(root: Path, each: int = 10) -> Path:
    names = {"Motorbikes": each, "airplanes": each}
    n_caltech101(root / "n-caltech101", names)
    for value, name in enumerate((*names, "Faces")):
        for n in range(1, each + 1):
            place = root / "caltech101" / "101_ObjectCategories" / name / f"image_{n:04d}.jpg"
            jpeg(place, 60 * value + n, 50, 60, "RGB")
    return root


def test_recordings_and_the_pictures_beside_them(tmp_path: Path) -> None:
    data = Data("n-caltech101", film_size=48, steps=4, validation=0.0)
    loaded = read(data, "events", "picture", root=caltech(tmp_path))
    train = loaded.splits["train"]
    assert loaded.classes == ("Motorbikes", "airplanes")
    assert train.fields["events"].shape == (18, 4, 2, 48, 48)
    assert train.stills is not None
    assert train.stills.fields["picture"].shape == (18, 3, 48, 48)
    # The pictures' grey tells their class; labels agree by name.
    bright = train.stills.fields["picture"].float().mean(dim=(1, 2, 3)) > 40
    assert torch.equal(bright.long(), train.stills.labels)
    only = loaded.pictures().splits["train"]
    assert only is train.stills
    alone = read(data, "picture", root=tmp_path).splits["train"]
    assert torch.equal(alone.fields["picture"], only.fields["picture"])


def test_what_a_data_set_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="digits with film 'none' has no events"):
        read(Data("digits"), "events")
    caltech(tmp_path)
    (tmp_path / "caltech101").rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="n-caltech101 with film 'none' has no picture"):
        read(Data("n-caltech101"), "events", "picture", root=tmp_path)
    with pytest.raises(FileError, match="there is no folder of the data set see"):
        read(Data("see"), "clip", root=tmp_path)


def test_the_number_of_classes_is_the_papers() -> None:
    assert CLASSES["fer2013"] == CLASSES["raf-db"] == CLASSES["see"] == 7
    assert (CLASSES["n-caltech101"], CLASSES["cep-dvs"]) == (101, 20)


RECIPES: list[tuple[str, Any, tuple[str, ...]]] = [
    (
        "mskd-student",
        lambda root: see(root / "SEE"),
        (
            "data.validation=0.3",
            "input.size=24",
            "network.size=24",
            "network.channels=[8, 8, 8]",
            "teacher.input.size=24",
            "teacher.network.size=24",
            "teacher.network.channels=[8, 8, 16]",
        ),
    ),
    (
        "ckd-vgg-snn",
        caltech,
        ("network.divisor=64", "data.steps=3", "teacher.network.width=4"),
    ),
    (
        "mini-resemotenet-c",
        fer,
        ("network.divisor=64", "teacher.network.divisor=64", "data.limit=7"),
    ),
    (
        "mini-resemotenet-c",
        lambda root: raf_db(root / "RAF-DB"),
        (
            "data.name=raf-db",
            "data.validation=0.4",
            "network.divisor=64",
            "teacher.network.divisor=64",
        ),
    ),
]


@pytest.mark.parametrize(
    ("recipe", "make", "changes"), RECIPES, ids=("see", "caltech101", "fer2013", "raf-db")
)
def test_recipes_run_on_the_real_layouts(
    tmp_path: Path, recipe: str, make: Any, changes: tuple[str, ...]
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    make(root)
    short = ("training.epochs=1", "training.batch=6", "training.threads=1")
    taught = ("teacher.training.epochs=1", "teacher.training.batch=6")
    result = train_recipe(
        recipe,
        tmp_path / "out",
        changes=(*short, *taught, *changes),
        data_dir=root,
        device="cpu",
    )
    assert result["ended"] == "epochs"
    assert not result["simulated"]
    assert set(result["gain"]) == {"war", "uar", "f1"}
    teacher = json.loads((tmp_path / "out" / "teacher" / "metrics.json").read_text())
    assert teacher["data_digest"]
    with np.load(tmp_path / "out" / "calibrate.npz") as arrays:
        assert np.isfinite(arrays["x"]).all()
