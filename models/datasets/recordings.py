"""Event recordings of objects: N-Caltech101, CEP-DVS, CIFAR10-DVS."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...errors import Problem
from ..events.files import read_aedat2, read_aedat4, read_mat, read_nmnist
from ..events.recording import Recording
from .findings import needed_folder, refuse
from .part import Part

T = TypeVar("T")

Recordings = dict[str, Part[Recording]]

CIFAR10 = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
"""CIFAR10-DVS's classes, in CIFAR-10's order."""

SUPERCLASSES = (
    "aquatic_mammals",
    "fish",
    "flowers",
    "food_containers",
    "fruit_and_vegetables",
    "household_electrical_devices",
    "household_furniture",
    "insects",
    "large_carnivores",
    "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores",
    "medium_mammals",
    "non-insect_invertebrates",
    "people",
    "reptiles",
    "small_mammals",
    "trees",
    "vehicles_1",
    "vehicles_2",
)
"""CEP-DVS's classes: the superclasses of CIFAR-100."""


@dataclass(frozen=True, slots=True)
class ReadEvents:
    """Reads an event file by its ending: .bin, .aedat, .aedat4, .mat."""

    def __call__(self, key: str) -> Recording:
        """Read one recording. Raises FileError, DataError, MissingDependency."""
        return _READERS[os.path.splitext(key)[1]](Path(key))


_READERS = {
    ".bin": read_nmnist,
    ".aedat": read_aedat2,
    ".aedat4": read_aedat4,
    ".mat": read_mat,
}


def open_n_caltech101(root: Path) -> Recordings:
    """N-Caltech101: 8,709 recordings of 101 classes, 300 ms, three saccades.

    Split: the first 90 % of each class (round(0.9 n), by file number) train, the rest test.

    Args:
        root: the folder that holds Caltech101/CLASS/image_0001.bin, or the folder Caltech101.

    Returns:
        The parts "train" and "test"; classes in the order of their names.

    Raises:
        FileError: all problems at once.
    """
    root = Path(root)
    needed_folder(root, "n-caltech101")
    base = root / "Caltech101" if (root / "Caltech101").is_dir() else root
    problems: list[Problem] = []
    files = _by_class(base, (".bin",), problems)
    if not files:
        problems.append(Problem("there are no folders of classes", str(base), "unpack the zip"))
    refuse("n-caltech101", problems)
    notes = ["N-Caltech101, first 90 % of each class (by file number) train, the rest test"]
    total = sum(map(len, files.values()))
    if (total, len(files)) != (8709, 101):
        notes.append(
            f"NOT the whole N-Caltech101: {total} recordings of {len(files)} classes, the "
            "whole has 8709 of 101"
        )
    return split_by_class("n-caltech101", files, tuple(sorted(files)), notes, ReadEvents())


def open_cifar10_dvs(root: Path) -> Recordings:
    """CIFAR10-DVS: 10 x 1,000 recordings of 128x128 pixels.

    Split: the usual 9:1, here the first 90 % of each class by file number; the data set has
    no official one. The original .aedat files are turned upright (see read_aedat2); the
    .aedat4 conversion is read as it is: whether both show the same way up was not checked.

    Args:
        root: the folder that holds CLASS/cifar10_CLASS_0.aedat (or .aedat4).

    Returns:
        The parts "train" and "test".

    Raises:
        FileError: all problems at once.
    """
    root = Path(root)
    needed_folder(root, "cifar10-dvs")
    problems: list[Problem] = []
    files = _by_class(root, (".aedat", ".aedat4"), problems)
    problems += [
        Problem(f"the class {name!r} is unknown", str(root / name), ", ".join(CIFAR10))
        for name in files
        if name not in CIFAR10
    ]
    problems += [
        Problem(f"the class {name} is missing", str(root / name), "unpack its archive")
        for name in CIFAR10
        if name not in files
    ]
    endings = {os.path.splitext(path)[1] for paths in files.values() for path in paths}
    if len(endings) > 1:
        problems.append(
            Problem(
                ".aedat and .aedat4 files lie side by side: each recording would count twice",
                str(root),
                "keep one of both",
            )
        )
    refuse("cifar10-dvs", problems)
    notes = ["CIFAR10-DVS, first 90 % of each class (by file number) train, the rest test"]
    if any(len(paths) != 1000 for paths in files.values()):
        counts = {name: len(files[name]) for name in CIFAR10}
        notes.append(f"NOT the whole CIFAR10-DVS: {counts}, the whole has 1000 of each class")
    return split_by_class("cifar10-dvs", files, CIFAR10, notes, ReadEvents())


def open_cep_dvs(root: Path) -> Recordings:
    """CEP-DVS: 10,000 recordings of CIFAR-100 pictures, its 20 superclasses x 500.

    Split: of each class, by file number, the first 50 % train, the next 20 % test, the other
    30 % "rest", unused by the base code. That code cuts blocks of 500 files in the order of
    the names as text and takes each block for a class; here the classes are those of the table.

    Args:
        root: the folder that holds pathFile.csv (one line of head; line n describes n.mat,
            from 0 on; its fifth word is the class) and data/MAT/img/0.mat, 1.mat, ...

    Returns:
        The parts "train", "test" and "rest". The sensor's size is that of the events.

    Raises:
        FileError: all problems at once.
    """
    root = Path(root)
    needed_folder(root, "cep-dvs")
    table, folder = root / "pathFile.csv", root / "data" / "MAT" / "img"
    problems = [
        Problem(f"there is no {what}", str(path), "unpack CEP-DVS here")
        for what, path, there in (
            ("table of recordings", table, table.is_file()),
            ("folder of recordings", folder, folder.is_dir()),
        )
        if not there
    ]
    refuse("cep-dvs", problems)
    numbers = {}
    for name in sorted(os.listdir(folder)):
        stem, ending = os.path.splitext(name)
        if ending == ".mat" and stem.isdigit():
            numbers[int(stem)] = str(folder / name)
        elif not _ignored(name):
            told = f"the file {name!r} is unknown"
            problems.append(Problem(told, str(folder), "expected <number>.mat"))
    files: dict[str, list[str]] = {name: [] for name in SUPERCLASSES}
    lines = table.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        words = line.strip().strip('"').split()
        label = words[4] if len(words) > 4 else ""
        where = f"{table}, line {number + 2}"
        if label not in files:
            told = f"the label {label!r} (fifth word) is unknown"
            problems.append(Problem(told, where, f"classes: {', '.join(SUPERCLASSES)}"))
        elif number not in numbers:
            told = "the recording is missing"
            problems.append(Problem(told, str(folder / f"{number}.mat"), "copy it again"))
        else:
            files[label].append(numbers[number])
    problems += [
        Problem("the recording is not in the table", path, f"one line each in {table.name}")
        for number, path in numbers.items()
        if number >= len(lines)
    ]
    refuse("cep-dvs", problems)
    notes = ["CEP-DVS, of each class (by file number) first 50 % train, next 20 % test"]
    if any(len(paths) != 500 for paths in files.values()):
        counts = {name: len(paths) for name, paths in files.items()}
        notes.append(f"NOT the whole CEP-DVS: {counts}, the whole has 500 of each class")
    return split_by_class(
        "cep-dvs",
        files,
        SUPERCLASSES,
        notes,
        ReadEvents(),
        {"train": 0.5, "test": 0.2, "rest": 0.3},
    )


def _by_class(
    root: Path, endings: Sequence[str], problems: list[Problem]
) -> dict[str, list[str]]:
    """Files of each class folder, by the number at the end of their names."""
    files: dict[str, list[str]] = {}
    for folder in sorted(entry.path for entry in os.scandir(root) if entry.is_dir()):
        name = os.path.basename(folder)
        if _ignored(name):
            continue
        found = []
        for entry in sorted(os.listdir(folder)):
            stem, ending = os.path.splitext(entry)
            number = re.search(r"\d+$", stem)
            if ending in endings and number:
                found.append((int(number.group()), os.path.join(folder, entry)))
            elif not _ignored(entry):
                told = f"the file {entry!r} is unknown"
                problems.append(
                    Problem(told, folder, f"expected names that end in <number>{endings[0]}")
                )
        if not found:
            problems.append(Problem("the class has no recordings", folder, "unpack it again"))
        files[name] = [path for _, path in sorted(found)]
    return files


def _ignored(name: str) -> bool:
    return name.startswith(".") or name in ("Thumbs.db", "__MACOSX")


def split_by_class(
    name: str,
    files: Mapping[str, Sequence[str]],
    classes: tuple[str, ...],
    notes: Sequence[str],
    read: Callable[[str], T],
    shares: Mapping[str, float] | None = None,
) -> dict[str, Part[T]]:
    """Cut each class at the same shares, else 90 % and 10 %; the last takes the rest."""
    shares = shares or {"train": 0.9, "test": 0.1}
    keys: dict[str, list[str]] = {split: [] for split in shares}
    labels: dict[str, list[int]] = {split: [] for split in shares}
    for label, class_name in enumerate(classes):
        paths = files[class_name]
        begin, reached = 0, 0.0
        for split, share in shares.items():
            reached += share
            # round(), half to even, as the base code does.
            end = round(reached * len(paths)) if reached < 0.999 else len(paths)
            keys[split] += paths[begin:end]
            labels[split] += [label] * (end - begin)
            begin = end
    return {
        split: Part(
            name,
            split,
            classes,
            keys[split],
            np.array(labels[split], np.int64),
            read,
            tuple(notes),
        )
        for split in shares
    }
