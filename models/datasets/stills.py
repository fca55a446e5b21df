"""The still pictures behind event sets: Caltech101 for N-Caltech101, CEP-DVS's own."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import Problem
from .findings import needed_folder, refuse
from .part import Part, ReadPicture, scaled
from .recordings import Recordings, open_cep_dvs, split_by_class

Stills = dict[str, Part[NDArray[np.uint8]]]


@dataclass(frozen=True, slots=True)
class ReadScaled:
    """Reads a picture of any size as (3, height, width), bilinearly scaled, uint8."""

    height: int = 48
    width: int = 48

    def __call__(self, key: str) -> NDArray[np.uint8]:
        """Read the file. Raises FileError, MissingDependency."""
        return scaled(ReadPicture(0, 0, 3)(key), self.height, self.width)


def value_channel(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """V of HSV, the largest of red, green, blue: (3, H, W) -> (1, H, W), for Part.through."""
    value: NDArray[np.uint8] = picture.max(axis=0, keepdims=True)
    return value


def open_caltech101(
    root: Path, classes: Sequence[str] | None = None, read: ReadScaled | None = None
) -> Stills:
    """Caltech101's pictures, split like N-Caltech101: the first 90 % of each class train.

    Args:
        root: the folder that holds 101_ObjectCategories/CLASS/image_0001.jpg, or that folder.
        classes: the classes to open, in the order of the labels; without it all folders by
            name. Give those of N-Caltech101's part: it has BACKGROUND_Google and no Faces, and
            the usual loaders of Caltech101 the other way round, so positions do not agree.
        read: size of the pictures; without it 48x48.

    Returns:
        The parts "train" and "test"; items uint8 (3, height, width).

    Raises:
        FileError: all problems at once.
    """
    root = Path(root)
    needed_folder(root, "caltech101")
    inner = root / "101_ObjectCategories"
    base = inner if inner.is_dir() else root
    names = sorted(entry.name for entry in os.scandir(base) if entry.is_dir())
    wanted = tuple(classes) if classes is not None else tuple(names)
    problems = [
        Problem(f"the class {name} is missing", str(base / name), "unpack the archive again")
        for name in wanted
        if name not in names
    ]
    files: dict[str, list[str]] = {}
    for name in set(wanted) & set(names):
        found = sorted(
            (int(number.group(1)), str(base / name / entry))
            for entry in os.listdir(base / name)
            if (number := re.search(r"(\d+)\.jpe?g$", entry))
        )
        files[name] = [path for _, path in found]
        if not found:
            told = "the class has no pictures"
            problems.append(Problem(told, str(base / name), "expected image_0001.jpg, ..."))
    if not wanted:
        problems.append(Problem("there are no folders of classes", str(base), "unpack it"))
    refuse("caltech101", problems)
    notes = ("Caltech101, first 90 % of each class (by file number) train, the rest test",)
    return split_by_class("caltech101", files, wanted, notes, read or ReadScaled())


def open_cep_pictures(root: Path, read: ReadScaled | None = None) -> Stills:
    """CEP-DVS's still pictures data/img/<n>, item by item those of `open_cep_dvs`'s recordings.

    Raises:
        FileError: all problems at once, also those of the recordings.
    """
    root = Path(root)
    recordings: Recordings = open_cep_dvs(root)
    folder = root / "data" / "img"
    needed_folder(folder, "cep-dvs")
    there = {
        os.path.splitext(name)[0]: str(folder / name)
        for name in os.listdir(folder)
        if name.lower().endswith((".png", ".jpg", ".jpeg", ".bmp"))
    }
    problems: list[Problem] = []
    parts: Stills = {}
    for split, part in recordings.items():
        numbers = [Path(key).stem for key in part.keys]
        problems += [
            Problem("the picture of a recording is missing", str(folder / number), "copy again")
            for number in numbers
            if number not in there
        ]
        keys = [there.get(number, "") for number in numbers]
        parts[split] = Part(
            "cep-dvs-pictures",
            split,
            part.classes,
            keys,
            part.labels,
            read or ReadScaled(),
            part.notes,
        )
    refuse("cep-dvs", problems)
    return parts
