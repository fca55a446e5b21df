"""Still faces: FER2013 (csv, zip archives, folders) and RAF-DB."""

from __future__ import annotations

import io
import os
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, Problem
from ..fer2013 import COUNTS, SIZE
from .findings import needed_folder, refuse
from .labels import EMOTIONS, RAF_DB, emotion
from .part import Part, ReadPicture

Picture = NDArray[np.uint8]
Pictures = dict[str, Part[Picture]]

USAGES = {"training": "train", "publictest": "validation", "privatetest": "test"}
"""The csv's column Usage, and how the pictures' file names begin."""
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_IGNORED = ("cross_split_duplicates.txt", "README.md", "Thumbs.db")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of FER2013's csv, and where it begins."""

    path: str
    line: int
    offset: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a zip archive."""

    archive: str
    name: str

    def __str__(self) -> str:
        return f"{self.archive}, {self.name}"


def open_fer2013(root: Path) -> Pictures:
    """FER2013: 48x48, grey, 7 emotions; 28,709 train, 3,589 validation, 3,589 test.

    Args:
        root: the csv (columns emotion, pixels, Usage); or a folder that holds the csv, or zip
            archives of SPLIT/CLASS/NAME.jpg, or these folders themselves. Where a file name
            begins with Training_, PublicTest_ or PrivateTest_, that is its split: Kaggle's
            folders hold validation and test together in `test`.

    Returns:
        The parts "train", "validation", "test", labels in EMOTIONS' order; items (1, 48, 48).

    Raises:
        FileError: all problems at once.
    """
    root = Path(root)
    if root.suffix.lower() == ".csv":
        return _from_csv(root)
    if root.suffix.lower() == ".zip" and root.is_file():
        return _from_archives([root])
    needed_folder(root, "fer2013")
    tables = sorted(root.glob("*.csv"))
    if tables:
        return _from_csv(tables[0])
    archives = sorted(root.glob("*.zip"))
    return _from_archives(archives) if archives else _from_folders(root)


def open_raf_db(root: Path) -> Pictures:
    """RAF-DB, basic emotions, aligned: 100x100, colour; 12,271 train, 3,068 test.

    Args:
        root: the folder that holds Image/aligned/ and EmoLabel/list_patition_label.txt (spelt
            so by its authors), or holds `basic` with these.

    Returns:
        The parts "train" and "test", labels in EMOTIONS' order; items (3, 100, 100).

    Raises:
        FileError: all problems at once.
    """
    root = Path(root)
    needed_folder(root, "raf-db")
    base = root / "basic" if (root / "basic").is_dir() else root
    table = base / "EmoLabel" / "list_patition_label.txt"
    pictures = base / "Image" / "aligned"
    remedy = "unpack RAF-DB's basic/EmoLabel and basic/Image/aligned.zip here"
    problems = [
        Problem(f"there is no {what}", str(path), remedy)
        for what, path, there in (
            ("list of labels", table, table.is_file()),
            ("folder of aligned pictures", pictures, pictures.is_dir()),
        )
        if not there
    ]
    refuse("raf-db", problems)
    present = set(os.listdir(pictures))
    found: dict[str, list[tuple[Any, int]]] = {"train": [], "test": []}
    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{table}, line {number}"
        fields = line.split()
        if not fields:
            continue
        split = fields[0].partition("_")[0]
        if len(fields) != 2 or split not in found or not fields[0].endswith(".jpg"):
            expected = "expected 'train_00001.jpg 5' or 'test_0001.jpg 5'"
            problems.append(Problem(f"the line is {line!r}", where, expected))
            continue
        name = fields[0].removesuffix(".jpg") + "_aligned.jpg"
        if fields[1] not in {str(n + 1) for n in range(len(RAF_DB))}:
            limit = ", ".join(f"{n} {name}" for n, name in enumerate(RAF_DB, 1))
            problems.append(Problem(f"the label {fields[1]!r} is unknown", where, limit))
        elif name not in present:
            problems.append(
                Problem("the picture is missing", str(pictures / name), "copy again")
            )
        else:
            label = EMOTIONS.index(RAF_DB[int(fields[1]) - 1])
            found[split].append((str(pictures / name), label))
    refuse("raf-db", problems)
    note = "RAF-DB, basic emotions, aligned pictures, the authors' split"
    return _parts("raf-db", found, ReadPicture(100, 100, 3), (note,))


@dataclass(frozen=True, slots=True)
class _ReadRow:
    """Reads a picture from a line of the csv; `column` is that of the pixels."""

    column: int

    def __call__(self, row: Row) -> Picture:
        with open(row.path, "rb") as file:
            file.seek(row.offset)
            fields = file.readline().split(b",")
        try:
            values = np.array(fields[self.column].strip(b' "\r\n').split(), np.int64)
        except (ValueError, IndexError):
            raise FileError(
                Problem("the pixels are no numbers", str(row), "copy the csv again")
            ) from None
        wrong = values.size != SIZE * SIZE
        if wrong or values.min() < 0 or values.max() > 255:
            told = f"{values.size} pixels"
            told += "" if wrong else f" from {values.min()} to {values.max()}"
            raise FileError(
                Problem(
                    f"{told}, expected {SIZE * SIZE} of 0..255", str(row), "copy the csv again"
                )
            )
        return values.astype(np.uint8).reshape(1, SIZE, SIZE)


@dataclass(frozen=True, slots=True)
class _ReadMember:
    """Reads a picture from a zip archive."""

    picture: ReadPicture

    def __call__(self, key: Member) -> Picture:
        try:
            content = _archive(key.archive, os.getpid()).read(key.name)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise FileError(
                Problem(f"cannot be read from the archive ({error})", str(key), "copy it again")
            ) from None
        return self.picture.decode(io.BytesIO(content), str(key))


@lru_cache(maxsize=8)
def _archive(path: str, process: int) -> zipfile.ZipFile:
    """An open archive, one for each process: two would move each other's place in the file."""
    del process
    return zipfile.ZipFile(path)


def _from_csv(path: Path) -> Pictures:
    problems: list[Problem] = []
    found: dict[str, list[tuple[Any, int]]] = {split: [] for split in COUNTS}
    columns: list[str] = []
    try:
        with open(path, "rb") as file:
            head = file.readline(1000).decode("utf-8-sig", "replace")
            columns = [name.strip().strip('"').lower() for name in head.split(",")]
            needed = ("emotion", "pixels", "usage")
            if sorted(columns) != sorted(needed):
                told = f"the columns are {', '.join(columns)[:200]}"
                refuse("fer2013", [Problem(told, str(path), f"expected {', '.join(needed)}")])
            label_at, usage_at = columns.index("emotion"), columns.index("usage")
            offset, number = file.tell(), 1
            for line in file:
                number += 1
                row, offset = Row(str(path), number, offset), offset + len(line)
                fields = [field.strip(b' "\r\n') for field in line.split(b",")]
                if fields == [b""]:
                    continue
                problem = _row_problem(fields, label_at, usage_at, str(row))
                if problem:
                    problems.append(problem)
                    continue
                split = USAGES[fields[usage_at].decode().lower()]
                found[split].append((row, int(fields[label_at])))
    except OSError as error:
        problems.append(
            Problem(f"cannot be read ({error.strerror})", str(path), "copy it again")
        )
    refuse("fer2013", problems)
    return _fer_parts(found, _ReadRow(columns.index("pixels")), "csv")


def _row_problem(
    fields: Sequence[bytes], label_at: int, usage_at: int, where: str
) -> Problem | None:
    if len(fields) != 3:
        return Problem(f"{len(fields)} fields, expected 3", where, "copy the csv again")
    if fields[label_at] not in {str(n).encode() for n in range(len(EMOTIONS))}:
        limit = ", ".join(f"{n} {name}" for n, name in enumerate(EMOTIONS))
        return Problem(f"the label {fields[label_at].decode()!r} is unknown", where, limit)
    if fields[usage_at].decode("utf-8", "replace").lower() not in USAGES:
        told = fields[usage_at].decode("utf-8", "replace")
        return Problem(f"the usage {told!r} is unknown", where, ", ".join(USAGES))
    return None


def _from_archives(archives: Sequence[Path]) -> Pictures:
    problems: list[Problem] = []
    entries: list[tuple[Any, tuple[str, ...]]] = []
    for path in archives:
        try:
            names = _archive(str(path), os.getpid()).namelist()
        except (OSError, zipfile.BadZipFile) as error:
            problems.append(
                Problem(f"no readable zip archive ({error})", str(path), "copy it again")
            )
            continue
        entries += [
            (Member(str(path), name), PurePosixPath(name).parts)
            for name in sorted(names)
            if not name.endswith("/")
        ]
        if any(name.endswith(".csv") for name in names):
            problems.append(Problem("the archive holds a csv", str(path), "unpack it"))
    found = _sort(entries, problems)
    refuse("fer2013", problems)
    return _fer_parts(found, _ReadMember(ReadPicture(SIZE, SIZE)), "zip archives")


def _from_folders(root: Path) -> Pictures:
    problems: list[Problem] = []
    entries = [
        (path, PurePosixPath(os.path.relpath(path, root)).parts) for path in files_below(root)
    ]
    found = _sort(entries, problems)
    if not entries:
        told = "there is no csv, no zip archive and no folder of pictures"
        problems.append(Problem(told, str(root), "expected SPLIT/CLASS/NAME.jpg"))
    refuse("fer2013", problems)
    return _fer_parts(found, ReadPicture(SIZE, SIZE), "folders")


def _sort(
    entries: Sequence[tuple[Any, tuple[str, ...]]], problems: list[Problem]
) -> dict[str, list[tuple[Any, int]]]:
    """Split and label of each file, from the last three parts of its path."""
    found: dict[str, list[tuple[Any, int]]] = {split: [] for split in COUNTS}
    for key, parts in entries:
        if parts[-1] in _IGNORED or parts[-1].startswith(".") or parts[-1].endswith(".csv"):
            continue
        if len(parts) < 3 or parts[-3].lower() not in _SPLITS:
            remedy = f"expected SPLIT/CLASS/NAME.jpg, splits: {', '.join(COUNTS)}"
            problems.append(Problem("the split is unknown", str(key), remedy))
            continue
        label = emotion(parts[-2])
        if label is None:
            remedy = f"classes: {', '.join(EMOTIONS)}"
            problems.append(Problem(f"the class {parts[-2]!r} is unknown", str(key), remedy))
            continue
        folder = _SPLITS[parts[-3].lower()]
        split = USAGES.get(parts[-1].partition("_")[0].lower(), folder)
        if (split == "train") != (folder == "train"):
            told = f"its name says {split}, its folder {folder}"
            problems.append(Problem(told, str(key), "unpack the data set again"))
            continue
        found[split].append((key, label))
    return found


def _fer_parts(found: dict[str, list[tuple[Any, int]]], read: Any, layout: str) -> Pictures:
    notes = [f"FER2013 from {layout}, labels by name in the csv's order"]
    for split, official in COUNTS.items():
        counts = Counter(label for _, label in found[split])
        if tuple(counts[k] for k in range(len(EMOTIONS))) != official:
            notes.append(
                f"NOT the official FER2013: {split} has {len(found[split])} pictures "
                f"({dict(sorted(counts.items()))} by label), the official one {sum(official)}"
            )
    return _parts("fer2013", found, read, tuple(notes))


def _parts(
    name: str, found: dict[str, list[tuple[Any, int]]], read: Any, notes: tuple[str, ...]
) -> Pictures:
    return {
        split: Part(
            name,
            split,
            EMOTIONS,
            [key for key, _ in items],
            np.array([label for _, label in items], np.int64),
            read,
            notes,
        )
        for split, items in found.items()
    }


def files_below(root: Path) -> Iterator[str]:
    """All files below a folder, folder by folder in the order of their names."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (os.path.join(folder, name) for name in sorted(names))
