"""What a recipe learns from, as tensors in memory: split, cleaned, labelled, with its facts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import FileError, Problem, UsageError
from ..datasets import DATASETS, open_dataset
from ..datasets.duplicates import find_duplicates
from ..datasets.findings import find
from ..datasets.part import Clip, Pair, Part, scaled
from ..datasets.see import ReadClip, open_dsee, open_see
from ..datasets.simulated import (
    RIGHT_EYE,
    EyeFilm,
    PairToClip,
    PairToFrames,
    SaccadeFilm,
    simulate,
)
from ..datasets.stills import open_caltech101, open_cep_pictures
from ..events.motion import Window
from ..events.recording import ToFrames
from ..needs import require
from .recipe import Data

CLASSES = {
    "digits": 10,
    "fer2013": 7,
    "raf-db": 7,
    "see": 7,
    "dsee": 7,
    "n-caltech101": 101,
    "cep-dvs": 20,
    "cifar10-dvs": 10,
}
"""Data set -> classes of the complete set."""

_CLIPS = {"see": open_see, "dsee": open_dsee}
_RECORDINGS = ("n-caltech101", "cep-dvs", "cifar10-dvs")
_CALTECH101 = ("caltech101", "Caltech101", "101_ObjectCategories")
_DIGITS_FULL = 16
Parts = Mapping[str, Part[Any]]


@dataclass(frozen=True, slots=True)
class Samples:
    """Items of one split in memory.

    Attributes:
        fields: what there is of each item: picture (N, C, H, W), frames and events of a clip
            (N, T, 1, H, W), or event counts (N, T, 2, H, W) as events; uint8 or int16.
        labels: (N,), int64.
        stills: the pictures beside recordings, where they are a set of their own.
    """

    fields: Mapping[str, Tensor]
    labels: Tensor
    stills: Samples | None = None

    def __len__(self) -> int:
        """Number of items."""
        return len(self.labels)

    def at(self, indices: Tensor) -> dict[str, Tensor]:
        """Some items' fields."""
        return {name: values[indices] for name, values in self.fields.items()}

    def to(self, device: torch.device) -> Samples:
        """The same on a device."""
        return Samples(
            {name: values.to(device) for name, values in self.fields.items()},
            self.labels.to(device),
            self.stills and self.stills.to(device),
        )

    @property
    def bytes(self) -> int:
        """Memory of the fields."""
        own = sum(value.numel() * value.element_size() for value in self.fields.values())
        return own + (self.stills.bytes if self.stills else 0)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A data set, read.

    Attributes:
        name: says "simulated" where it is.
        classes: names, in the order of the labels.
        splits: train, test, and validation where there is one.
        notes: what a table made from it must say.
        simulated: nobody recorded this.
        facts: counts: items, duplicates dropped.
        digest: of labels and sizes: whether a training goes on with the same data.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, Samples]
    notes: tuple[str, ...]
    simulated: bool
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Hash of the labels of all splits."""
        digest = hashlib.sha256(repr((self.name, self.classes)).encode())
        for split, samples in self.splits.items():
            digest.update(split.encode() + samples.labels.numpy().tobytes())
        return digest.hexdigest()[:16]

    def pictures(self) -> Loaded:
        """The same with the still pictures as its items, for a teacher that sees them."""
        splits = {name: s.stills or s for name, s in self.splits.items()}
        return Loaded(self.name, self.classes, splits, self.notes, self.simulated, self.facts)


@dataclass(frozen=True, slots=True)
class Scale:
    """A picture in another size, for Part.through."""

    size: int

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(C, H, W) -> (C, size, size)."""
        return scaled(picture, self.size, self.size)


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of each picture, for Part.through."""

    left: int
    top: int
    width: int
    height: int

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(C, H, W) -> (C, height, width)."""
        across = slice(self.left, self.left + self.width)
        return picture[:, self.top : self.top + self.height, across]


def load(
    data: Data,
    sees: frozenset[str],
    root: Path | None,
    report: Callable[[float, str], object],
    workers: int = 0,
) -> Loaded:
    """Read all that the networks of a training see.

    Args:
        data: the recipe's table.
        sees: what its networks see: picture, frames, clip, events.
        root: folder that holds the data sets; None: see datasets.findings.find.
        report: told what is being read.
        workers: processes that read.

    Raises:
        UsageError: there is no such data set, or it does not have what is to be seen.
        FileError: the data are missing or damaged.
    """
    parts, stills = _open(data, root)
    facts: dict[str, Any] = {}
    first = next(iter(parts.values()))
    notes = list(first.notes)
    if first.name == "fer2013":
        report(0.0, "looking for duplicates")
        parts, found = _without_duplicates(parts, data.duplicates, workers)
        facts |= found
        notes.append(found["duplicates"])
    parts = _split(parts, data)
    stills = _split(stills, data) if stills else None
    offered = _offered(parts, stills, data)
    missing = sees - set(offered)
    if missing:
        raise UsageError(
            f"{data.name} with film {data.film!r} has no {' and no '.join(sorted(missing))}",
            where="[data]",
            remedy=f"it has {', '.join(offered)}; film = 'saccades' or 'eyes' simulates events",
        )
    simulated = data.film != "none" and sees != {"picture"}
    through = _film(parts, data) if simulated else parts
    splits = {}
    for number, (split, part) in enumerate(through.items()):
        report(number / len(through), f"reading {part.name}, {split}: {len(part)} items")
        splits[split] = _samples(part, stills[split] if stills else None, data, sees, workers)
    part = next(iter(through.values()))
    notes += [note for note in part.notes if note not in notes]
    facts |= {f"{split} items": len(samples) for split, samples in splits.items()}
    if data.limit:
        notes.append(f"at most {data.limit} items of each split")
    return Loaded(part.name, part.classes, splits, tuple(notes), part.simulated, facts)


def _open(data: Data, root: Path | None) -> tuple[Parts, Parts | None]:
    """The data set's parts, and those of its still pictures where it has some."""
    if data.name == "digits":
        return _digits(data.size), None
    if data.name not in DATASETS:
        known = ", ".join(CLASSES)
        raise UsageError(
            f"there is no data set {data.name!r}", where="[data] name", remedy=f"one of {known}"
        )
    if data.name in _CLIPS:
        read = ReadClip(steps=data.steps, stride=data.stride)
        return _CLIPS[data.name](find(data.name, root), read), None
    parts = open_dataset(data.name, root)
    if data.name == "n-caltech101":
        classes = next(iter(parts.values())).classes
        beside = find(data.name, root).parent
        folders = [beside / name for name in _CALTECH101 if (beside / name).is_dir()]
        return parts, open_caltech101(folders[0], classes) if folders else None
    if data.name == "cep-dvs":
        folder = find("cep-dvs", root)
        there = (folder / "data" / "img").is_dir()
        return parts, open_cep_pictures(folder) if there else None
    return parts, None


def _digits(size: int) -> dict[str, Part[Any]]:
    """scikit-learn's digits, 1,437 train and 360 test, grey 0 to 255, enlarged."""
    from ..data import load_digits

    require("sklearn.datasets", "load the digits")
    digits = load_digits(None, Path())
    parts: dict[str, Part[Any]] = {}
    for split, arrays in (("train", digits.train), ("test", digits.test)):
        grey = (arrays.x.astype(np.uint16) * 255 // _DIGITS_FULL).astype(np.uint8)
        part = Part("digits", split, digits.classes, range(len(grey)), arrays.y, Row(grey))
        parts[split] = part.through(Scale(size)) if size else part
    return parts


@dataclass(frozen=True, slots=True)
class Row:
    """Reads a row of an array."""

    rows: NDArray[Any]

    def __call__(self, key: int) -> NDArray[Any]:
        """Row number `key`."""
        row: NDArray[Any] = self.rows[key]
        return row


def _without_duplicates(parts: Parts, what: str, workers: int) -> tuple[Parts, dict[str, Any]]:
    """Read everything once, and drop what the test or validation split holds, too."""
    held = {
        split: Part(
            part.name, split, part.classes, range(len(part)), labels, Row(values), part.notes
        )
        for split, part in parts.items()
        for values, labels in [part.arrays(workers=workers)]
    }
    duplicates = find_duplicates(held)
    count = len(duplicates.drop)
    if what == "keep":
        told = f"{count} training pictures also occur in another split: kept"
        return held, {"duplicates": told, "duplicates dropped": 0}
    told = f"{count} training pictures that also occur in another split were dropped"
    cleaned = {**held, "train": held["train"].without(duplicates.drop)}
    return cleaned, {"duplicates": told, "duplicates dropped": count}


def _split(parts: Parts, data: Data) -> dict[str, Part[Any]]:
    """Train, validation and test; a validation split of each class where there is none.

    Classes so small that their share is no item have none there.
    """
    made = {split: part for split, part in parts.items() if split != "rest"}
    if "validation" not in made and data.validation:
        train, random = made["train"], np.random.default_rng(0)
        held: list[int] = []
        for label in range(len(train.classes)):
            places = np.flatnonzero(train.labels == label)
            held += random.permutation(places)[: round(data.validation * len(places))].tolist()
        if held:
            made["validation"] = train.select(np.sort(held))
            made["train"] = train.without(held)
    if data.limit:
        made = {
            split: part.select(np.random.default_rng(0).permutation(len(part))[: data.limit])
            for split, part in made.items()
        }
    return made


def _offered(parts: Parts, stills: Parts | None, data: Data) -> dict[str, None]:
    if data.name in _CLIPS:
        return dict.fromkeys(("frames", "clip"))
    if data.name in _RECORDINGS:
        return dict.fromkeys(("events", *(["picture"] if stills else [])))
    films = {
        "none": ("picture", "frames"),
        "saccades": ("picture", "events"),
        "eyes": ("frames", "clip"),
    }
    return dict.fromkeys(films[data.film])


def _film(parts: Parts, data: Data) -> dict[str, Part[Any]]:
    size = (data.film_size, data.film_size)
    recipe: SaccadeFilm | EyeFilm = SaccadeFilm(size=size, seed=data.film_seed)
    if data.film == "eyes":
        window = Window(*map(float, data.crop)) if data.crop else RIGHT_EYE
        frames = (data.steps - 1) * data.stride + 1
        recipe = EyeFilm(size=size, seed=data.film_seed, frames=frames, window=window)
    then: Any = (
        PairToClip(data.steps, data.stride) if data.film == "eyes" else PairToFrames(data.steps)
    )
    return {split: simulate(part, recipe).through(then) for split, part in parts.items()}


def _samples(
    part: Part[Any],
    stills: Part[Any] | None,
    data: Data,
    sees: frozenset[str],
    workers: int,
) -> Samples:
    beside = None
    if stills is not None and "picture" in sees:
        values, labels = stills.arrays(workers=workers)
        beside = Samples({"picture": torch.as_tensor(values)}, torch.as_tensor(labels))
        if sees == {"picture"}:
            return beside
    if data.name in _RECORDINGS:
        size = (data.film_size, data.film_size)
        part = part.through(ToFrames(data.steps, size=size))
    elif data.crop and data.film == "none":
        part = part.through(Crop(*data.crop))
    values, labels = part.arrays(workers=workers)
    if isinstance(values, list):
        shapes = sorted({np.shape(value) for value in values})[:5]
        raise FileError(
            Problem(f"the items differ in shape: {shapes}", part.name, "bring them to one size")
        )
    fields: dict[str, Any]
    if isinstance(values, Clip):
        fields = {"frames": values.frames, "events": values.events}
    elif isinstance(values, Pair):
        fields = {"picture": values.picture, "events": _narrow(values.recording)}
    elif data.name in _RECORDINGS:
        fields = {"events": _narrow(values)}
    else:
        fields = {"picture": values}
    tensors = {name: torch.as_tensor(array) for name, array in fields.items()}
    return Samples(tensors, torch.as_tensor(labels), beside)


def _narrow(counts: NDArray[Any]) -> NDArray[Any]:
    """Event counts in bytes where none is above 255."""
    return counts.astype(np.uint8) if counts.size and counts.max() <= 255 else counts
