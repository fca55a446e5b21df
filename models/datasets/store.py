"""Pictures with their events in one HDF5 file: written once, read item by item.

Layout: `pictures` (N, ...) uint8; `labels` (N,) int64; `events/x`, `events/y`, `events/t`
(microseconds) and `events/p`: the events of all items one after another; `offsets` (N + 1,)
int64: item i has the events offsets[i] to offsets[i + 1]; attributes `format`, `name`, `split`,
`classes`, `notes`, `simulated`, `height`, `width`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...errors import DataError, FileError, Problem
from ...files import REMEDY, check_writable, make_folder
from ..events.recording import EVENT, Recording
from .part import Pair, Part

FORMAT = "slipway pairs 1"
_BATCH = 128
_CHUNK = 2**14


def save(part: Part[Pair], path: Path, *, workers: int = 0) -> None:
    """Write all pairs of a part, atomically.

    What is simulated says so in the file's attributes: `simulated` is true, and name and notes
    tell how it was made.

    Args:
        part: pairs of a picture (or film) and a recording, all of one size.
        path: the file, usually .h5.
        workers: processes that read or simulate.

    Raises:
        FileError: the file cannot be written, or an item cannot be read.
        DataError: the items differ in size, or there are none.
    """
    path = Path(path)
    make_folder(path.parent)
    check_writable(path)
    if not len(part):
        raise DataError("the part has no items", remedy="choose others")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with h5py.File(temporary, "w") as file:
            _fill(file, part, workers)
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(
            f"cannot write {path}: {error.strerror or error}", remedy=REMEDY
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def load(path: Path) -> Part[Pair]:
    """Open a file that `save` wrote; items are read when they are asked for.

    Raises:
        FileError: not there, damaged, or not written by `save`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(Problem("there is no such file", str(path), "save a part first"))
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                told = f"the format is {file.attrs.get('format')!r}, expected {FORMAT!r}"
                raise FileError(Problem(told, str(path), "save the part again"))
            return Part(
                str(file.attrs["name"]),
                str(file.attrs["split"]),
                tuple(map(str, file.attrs["classes"])),
                range(len(file["labels"])),
                file["labels"][:],
                _ReadPair(str(path)),
                tuple(map(str, file.attrs["notes"])),
                bool(file.attrs["simulated"]),
            )
    except (OSError, KeyError) as error:
        raise FileError(
            Problem(f"cannot be read ({error})", str(path), "save the part again")
        ) from error


class _ReadPair:
    """Reads an item of a file by its index."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, index: int) -> Pair:
        """The pair. Raises FileError if the file is damaged."""
        try:
            file = _opened(self.path, os.getpid(), os.stat(self.path).st_mtime_ns)
            begin, end = file["offsets"][index : index + 2]
            size = int(file.attrs["height"]), int(file.attrs["width"])
            events = np.empty(end - begin, EVENT)
            for name in "xytp":
                events[name] = file["events"][name][begin:end]
            return Pair(file["pictures"][index], Recording(events, *size))
        except (OSError, KeyError) as error:
            where = f"{self.path}, item {index}"
            raise FileError(
                Problem(f"cannot be read ({error})", where, "save the part again")
            ) from error


@lru_cache(maxsize=8)
def _opened(path: str, process: int, changed: int) -> Any:
    """An open file, one for each process: HDF5 does not survive a fork."""
    del process, changed
    return h5py.File(path, "r")


def _fill(file: Any, part: Part[Pair], workers: int) -> None:
    text = h5py.string_dtype()
    file.attrs["format"] = FORMAT
    file.attrs["name"], file.attrs["split"] = part.name, part.split
    file.attrs["classes"] = np.array(part.classes, dtype=text)
    file.attrs["notes"] = np.array(part.notes, dtype=text)
    file.attrs["simulated"] = part.simulated
    file["labels"] = part.labels
    columns: dict[str, Any] = {}
    pictures: Any = None
    sizes: list[tuple[int, int]] = []
    offsets, done = [0], 0
    for batch in _pairs(part, workers):
        for _, recording in batch:
            sizes.append((recording.height, recording.width))
            offsets.append(offsets[-1] + len(recording.events))
        shapes = {pair.picture.shape for pair in batch}
        if pictures is not None:
            shapes.add(pictures.shape[1:])
        if len(shapes) > 1 or len(set(sizes)) > 1:
            told = f"the items differ in size: pictures {shapes}, sensors {set(sizes)}"
            raise DataError(told, remedy="one file holds items of one size")
        if pictures is None:
            shape = (len(part), *batch[0].picture.shape)
            pictures = file.create_dataset(
                "pictures", shape, np.uint8, chunks=(1, *shape[1:]), compression="lzf"
            )
        pictures[done : done + len(batch)] = np.stack([picture for picture, _ in batch])
        if not columns:
            columns = _columns(file, *sizes[0])
        begin = offsets[-1 - len(batch)]
        events = np.concatenate([recording.events for _, recording in batch])
        _check_times(events["t"])
        for name, column in columns.items():
            column.resize((offsets[-1],))
            column[begin:] = events[name]
        done += len(batch)
    file["offsets"] = np.array(offsets, np.int64)
    file.attrs["height"], file.attrs["width"] = sizes[0]


def _columns(file: Any, height: int, width: int) -> dict[str, Any]:
    """Growing columns of events, each as narrow as the sensor allows."""
    kinds = {
        "x": np.uint8 if width <= 256 else np.uint16,
        "y": np.uint8 if height <= 256 else np.uint16,
        "t": np.uint32,
        "p": np.uint8,
    }
    group = file.create_group("events")
    return {
        name: group.create_dataset(
            name,
            (0,),
            kind,
            maxshape=(None,),
            chunks=(_CHUNK,),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        for name, kind in kinds.items()
    }


def _check_times(t: Any) -> None:
    if len(t) and (t.min() < 0 or t.max() >= 2**32):
        raise DataError(
            f"times from {t.min()} to {t.max()} us, limit 0..{2**32 - 1}",
            remedy="let the time of each recording count from its first event",
        )


def _pairs(part: Part[Pair], workers: int) -> Iterator[list[Pair]]:
    for values, _ in part.batches(_BATCH, workers=workers):
        yield [Pair(picture, recording) for picture, recording in zip(*values, strict=True)]
