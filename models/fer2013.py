"""FER2013 from its two archives: decoded, mapped by name, counted, twins marked.

The licence of the pictures is unclear: they are read where they lie and never shipped.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, Problem
from .files import write_arrays
from .needs import require

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Label order of the original csv. Folders sort differently: labels are mapped by name."""

ARCHIVES = ("fer2013_a.zip", "fer2013_b.zip")
TWINS = "cross_split_duplicates.txt"

COUNTS: dict[str, tuple[int, ...]] = {
    "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "validation": (467, 56, 496, 895, 653, 415, 607),
    "test": (491, 55, 528, 879, 594, 416, 626),
}
"""Pictures of each class, in the order of CLASSES: the official counts."""

SIZE = 48
Arrays = dict[str, NDArray[Any]]


def find(data_dir: Path | None) -> Path:
    """Find the folder of the archives.

    Args:
        data_dir: the folder that holds fer2013/; None: $SLIPWAY_DATA, and without that
            ../shared/data beside the repository and beside the current folder.

    Raises:
        FileError: no such folder holds all three files; says where it looked.
    """
    variable = os.environ.get("SLIPWAY_DATA")
    if data_dir is not None:
        roots = [Path(data_dir)]
    elif variable:
        roots = [Path(variable)]
    else:
        shared = Path("shared", "data")
        roots = [Path(__file__).resolve().parents[2] / shared, Path.cwd().parent / shared]
    folders = list(dict.fromkeys(root / "fer2013" for root in roots))
    needed = (*ARCHIVES, TWINS)
    for folder in folders:
        if all((folder / name).is_file() for name in needed):
            return folder
    remedy = (
        "FER2013 is two zip archives, neither of them usable alone, and a list of duplicates "
        f"({', '.join(needed)}): put them into a folder named fer2013 and set SLIPWAY_DATA to "
        "the folder that holds fer2013, or pass it as the data folder"
    )
    raise FileError(
        *(
            Problem(f"FER2013: there is no {name}", str(folder), remedy)
            for folder in folders
            for name in needed
            if not (folder / name).is_file()
        )
    )


def load(data_dir: Path | None, cache_dir: Path) -> Arrays:
    """Read FER2013, from the cache if it was made from the very same archives.

    Returns:
        For each split `{split}_x` (uint8, (N, 48, 48)) and `{split}_y` (int64, (N,)), sorted
        by file name; `test_twins` (bool, (3589,)): the same picture is in train.

    Raises:
        FileError: files are missing, damaged or not the expected ones; all findings at once.
        MissingDependency: Pillow is not installed.
    """
    folder = find(data_dir)
    names, fingerprint = _contents(folder)
    cache = Path(cache_dir) / "fer2013.npz"
    arrays = _cached(cache, fingerprint)
    if arrays is None:
        arrays = _decode(folder, names)
        stamp = np.frombuffer(fingerprint.encode(), np.uint8)
        write_arrays(cache, {**arrays, "fingerprint": stamp}, pack=False)
    return arrays


def place(member: str) -> tuple[str, int] | None:
    """Split and label of an archive member; None if its path is not one of FER2013's."""
    parts = PurePosixPath(member).parts
    if len(parts) != 4 or parts[0] != "fer2013" or not parts[3].endswith(".jpg"):
        return None
    if parts[1] not in COUNTS or parts[2] not in CLASSES:
        return None
    return parts[1], CLASSES.index(parts[2])


def _contents(folder: Path) -> tuple[dict[str, list[str]], str]:
    """Check what the archives hold: members of each, and a fingerprint of all.

    The fingerprint covers each member's name and checksum and the list of duplicates.
    """
    names: dict[str, list[str]] = {}
    problems = []
    digest = hashlib.sha256((folder / TWINS).read_bytes())
    for archive in ARCHIVES:
        try:
            with zipfile.ZipFile(folder / archive) as opened:
                members = sorted((m.filename, m.CRC) for m in opened.infolist())
        except (zipfile.BadZipFile, OSError) as error:
            problems.append(
                Problem(
                    f"not a readable zip archive ({error})",
                    str(folder / archive),
                    "copy the archive again",
                )
            )
            continue
        members = [(name, crc) for name, crc in members if not name.endswith("/")]
        digest.update(repr(members).encode())
        names[archive] = [name for name, _ in members]
        problems += [
            Problem(
                "the path is not fer2013/SPLIT/CLASS/NAME.jpg",
                f"{folder / archive}, {name}",
                f"splits: {', '.join(COUNTS)}; classes: {', '.join(CLASSES)}",
            )
            for name in names[archive]
            if place(name) is None
        ][:10]
    if not problems:
        problems = _miscounts(folder, [name for part in names.values() for name in part])
    if problems:
        raise FileError(*problems)
    return names, digest.hexdigest()


def _miscounts(folder: Path, members: list[str]) -> list[Problem]:
    found = Counter(place(member) for member in members)
    return [
        Problem(
            f"{split}/{name}: {found[split, label]} pictures, expected {expected}",
            str(folder),
            "use the unaltered FER2013: other copies are equalised or multiplied",
        )
        for split, counts in COUNTS.items()
        for label, (name, expected) in enumerate(zip(CLASSES, counts, strict=True))
        if found[split, label] != expected
    ]


def _cached(cache: Path, fingerprint: str) -> Arrays | None:
    """The cached arrays; None if there are none, or none of these archives: decode again."""
    try:
        with np.load(cache) as saved:
            if saved["fingerprint"].tobytes().decode() != fingerprint:
                return None
            return {name: saved[name] for name in saved.files if name != "fingerprint"}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _decode(folder: Path, names: dict[str, list[str]]) -> Arrays:
    """Decode all pictures; collects every picture that cannot be used."""
    image = require("PIL.Image", "decode FER2013's pictures")
    pictures: dict[str, NDArray[np.uint8]] = {}
    problems = []
    for archive, members in names.items():
        with zipfile.ZipFile(folder / archive) as opened:
            for member in members:
                try:
                    with opened.open(member) as file, image.open(file) as picture:
                        pixels = np.asarray(picture.convert("L"), np.uint8)
                except (OSError, ValueError, SyntaxError, zipfile.BadZipFile) as error:
                    what = f"the picture cannot be decoded ({error})"
                else:
                    if pixels.shape == (SIZE, SIZE):
                        pictures[member] = pixels
                        continue
                    what = f"the picture is {pixels.shape[1]}x{pixels.shape[0]}, expected 48x48"
                problems.append(Problem(what, f"{folder / archive}, {member}", "copy it again"))
    twins, findings = _twins(folder / TWINS, set(pictures))
    problems += findings if not problems else []
    if problems:
        raise FileError(*problems[:20])
    arrays: Arrays = {}
    for split in COUNTS:
        chosen = sorted(m for m in pictures if m.startswith(f"fer2013/{split}/"))
        arrays[f"{split}_x"] = np.stack([pictures[m] for m in chosen])
        arrays[f"{split}_y"] = np.array([CLASSES.index(m.split("/")[2]) for m in chosen])
        if split == "test":
            arrays["test_twins"] = np.array([m in twins for m in chosen])
    return arrays


def _twins(path: Path, members: set[str]) -> tuple[set[str], list[Problem]]:
    """Validation and test pictures that are also in train, and what is wrong with the list."""
    twins: set[str] = set()
    problems = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        files = [fields[0], *(fields[1].split(";") if len(fields) > 1 else [])]
        if len(fields) != 3 or not set(files) <= members:
            problems.append(
                Problem(
                    "expected FILE, TWINS and LABELS, tab-separated, of pictures that exist",
                    f"{path}, line {number}",
                    "copy the list of duplicates again",
                )
            )
            continue
        twins.add(fields[0])
    return twins, problems
