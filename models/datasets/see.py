"""SEE and DSEE: one eye, filmed by a DAVIS346 as frames and as accumulated events."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import FileError, Problem, UsageError
from .findings import needed_folder, refuse
from .labels import EMOTIONS, emotion
from .part import Clip, Part, ReadPicture, scaled

Clips = dict[str, Part[Clip]]

_GREY = ReadPicture(0, 0, 1)
_SUBSETS = {"training": "train", "validation": "validation", "testing": "test"}


@dataclass(frozen=True, slots=True)
class Film:
    """A sequence, and where in it the clip begins.

    Attributes:
        frames, events: folders of its pictures 00000.jpg, 00001.jpg, ...
        first, last: its segment, last excluded.
        start: first frame of the clip, counted from `first`.
    """

    frames: str
    events: str
    first: int
    last: int
    start: int = 0

    def __str__(self) -> str:
        return f"{self.frames}, {self.events}"


@dataclass(frozen=True, slots=True)
class ReadClip:
    """Reads steps of a sequence, frames and events at the same moments.

    Attributes:
        steps: T.
        stride: frames from one step to the next; SEEN's best setting has T = 4, stride 4.
        size: (height, width) the pictures are brought to, bilinearly.
    """

    steps: int = 4
    stride: int = 4
    size: tuple[int, int] = (90, 90)

    def __call__(self, film: Film) -> Clip:
        """Read a clip: frames and events, each (T, 1, height, width), uint8, grey.

        Raises:
            FileError: a picture is missing or unreadable; all of the clip are told.
        """
        moments = clip_indices(film.last - film.first, self.steps, self.stride, film.start)
        problems: list[Problem] = []
        stacks = []
        for folder in (film.frames, film.events):
            pictures = []
            for moment in moments:
                path = os.path.join(folder, f"{film.first + moment:05d}.jpg")
                try:
                    pictures.append(scaled(_GREY(path), *self.size))
                except FileError as error:
                    problems += error.problems
            stacks.append(pictures)
        if problems:
            raise FileError(*dict.fromkeys(problems))
        return Clip(*(np.stack(pictures) for pictures in stacks))


def open_see(root: Path, read: ReadClip | None = None) -> Clips:
    """SEE: 1,638 training and 767 testing sequences of 111 subjects, 7 emotions.

    Args:
        root: the folder that holds event/, frame/ and emotion.json (which may lie beside it).
        read: length of the clips; without it 4 steps of stride 4, as SEEN. `crops` says where
            they begin; here at the first frame.

    Returns:
        The parts "train" and "test" (and "validation" if the file has one), labels in
        EMOTIONS' order whatever the order in the file.

    Raises:
        FileError: all problems at once, every missing picture included.
    """
    notes = (
        "SEE, the split of emotion.json; its subjects occur in training and in testing: "
        "results say nothing about new people",
    )
    return _open("see", Path(root), read or ReadClip(), notes)


def open_dsee(root: Path, read: ReadClip | None = None) -> Clips:
    """DSEE, assumed to be laid out as SEE: its layout is not published. See `open_see`."""
    notes = ("DSEE, read as if laid out like SEE: its layout is not published",)
    return _open("dsee", Path(root), read or ReadClip(), notes)


def clip_indices(length: int, steps: int, stride: int, start: int) -> list[int]:
    """Frames of a clip: start, start + stride, ...; repeated from the start if they run out."""
    if min(length, steps, stride) < 1 or not 0 <= start < length:
        raise UsageError(
            f"a clip of {steps} steps, stride {stride}, from frame {start} of {length}",
            remedy="steps and stride at least 1, the start within the sequence",
        )
    there = range(start, length, stride)
    return [there[k % len(there)] for k in range(steps)]


def crops(part: Part[Clip], seed: int) -> Part[Clip]:
    """The same sequences, each clip at a random place where it fits whole.

    Call it with another seed for each epoch, and with several for a test over several crops.
    (SEEN draws the start in two stages, 0..4 and then a place in the thinned sequence.)
    """
    read = part.read
    if not isinstance(read, ReadClip):
        raise UsageError("crops need clips: call crops before Part.through")
    random = np.random.default_rng(seed)
    span = (read.steps - 1) * read.stride
    moved = [
        replace(film, start=int(random.integers(max(1, film.last - film.first - span))))
        for film in part.keys
    ]
    return replace(part, keys=moved)


def _open(name: str, root: Path, read: ReadClip, notes: tuple[str, ...]) -> Clips:
    needed_folder(root, name)
    table = root / "emotion.json"
    if not table.is_file() and (root.parent / "emotion.json").is_file():
        table = root.parent / "emotion.json"
    problems = [
        Problem(f"there is no {what}", str(path), "unpack the data set here")
        for what, path, there in (
            ("split file", table, table.is_file()),
            ("folder of events", root / "event", (root / "event").is_dir()),
            ("folder of frames", root / "frame", (root / "frame").is_dir()),
        )
        if not there
    ]
    refuse(name, problems)
    database = _database(name, table)
    # The instructions spell one folder neutraL: folders are found whatever their case.
    homes = {
        kind: {
            entry.name.lower(): entry.path
            for entry in os.scandir(root / kind)
            if entry.is_dir()
        }
        for kind in ("frame", "event")
    }
    found: dict[str, list[tuple[Film, int]]] = {"train": [], "validation": [], "test": []}
    for sequence, entry in database.items():
        where = f"{table}, {sequence}"
        parsed = _entry(entry)
        if parsed is None:
            problems.append(Problem("the entry is no {subset, annotations}", where, _EXPECTED))
            continue
        subset, word, first, last = parsed
        label = emotion(word)
        if subset not in _SUBSETS:
            told = f"the subset {subset!r} is unknown"
            problems.append(Problem(told, where, ", ".join(_SUBSETS)))
        elif label is None:
            told = f"the label {word!r} is unknown"
            problems.append(Problem(told, where, ", ".join(EMOTIONS)))
        elif not 0 <= first < last:
            told = f"the segment is {first}..{last}"
            problems.append(Problem(told, where, "the first frame and one past the last"))
        else:
            folders = [
                os.path.join(homes[kind].get(word.lower(), str(root / kind / word)), sequence)
                for kind in ("frame", "event")
            ]
            absent = [problem for folder in folders for problem in _absent(folder, first, last)]
            problems += absent
            if not absent:
                found[_SUBSETS[subset]].append(
                    (Film(folders[0], folders[1], first, last), label)
                )
    refuse(name, problems)
    return {
        split: Part(
            name,
            split,
            EMOTIONS,
            [film for film, _ in items],
            np.array([label for _, label in items], np.int64),
            read,
            notes,
        )
        for split, items in found.items()
        if items or split != "validation"
    }


_EXPECTED = (
    '{"subset": "training", "annotations": {"label": "angry", "segment": [0, 63]}} for each'
)


def _database(name: str, table: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(table.read_text(encoding="utf-8"))
        labels, database = content["labels"], content["database"]
        if not isinstance(database, dict) or not isinstance(labels, list):
            raise TypeError("labels is no list or database no object")
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"no split file with labels and database ({type(error).__name__}: {error})"
        refuse(name, [Problem(told, str(table), "copy it again")])
        raise AssertionError("unreachable") from error
    unknown = [label for label in labels if emotion(str(label)) is None]
    refuse(
        name,
        [
            Problem(f"the label {label!r} is unknown", str(table), ", ".join(EMOTIONS))
            for label in unknown
        ],
    )
    # A label may be given as its position in `labels`.
    for entry in database.values():
        marks = entry.get("annotations") if isinstance(entry, dict) else None
        if isinstance(marks, dict) and isinstance(marks.get("label"), int):
            place = marks["label"]
            inside = 0 <= place < len(labels)
            marks["label"] = str(labels[place]) if inside else f"number {place}"
    return database


def _entry(entry: Any) -> tuple[str, str, int, int] | None:
    """Subset, label and segment of a sequence; None if the entry is something else."""
    try:
        first, last = entry["annotations"]["segment"]
        return str(entry["subset"]), str(entry["annotations"]["label"]), int(first), int(last)
    except (KeyError, TypeError, ValueError):
        return None


def _absent(folder: str, first: int, last: int) -> list[Problem]:
    try:
        present = set(os.listdir(folder))
    except OSError:
        return [Problem("the sequence's folder is missing", folder, "copy it again")]
    missing = [k for k in range(first, last) if f"{k:05d}.jpg" not in present]
    if not missing:
        return []
    told = ", ".join(f"{k:05d}.jpg" for k in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return [Problem(f"pictures are missing: {told}{more}", folder, "copy the sequence again")]
