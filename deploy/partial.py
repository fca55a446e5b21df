"""The finished sections of an unfinished run, kept in a folder beside its output.

OUTPUT.partial/header.json             what was being run, and the command
OUTPUT.partial/FIRST-END.safetensors   counts of the samples FIRST to END - 1

Each file appears whole or not at all, so that a run may be killed at any moment.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..errors import FileError, Problem, UsageError
from ..files import write_bytes, write_text
from .counts import BY_NAME, Counts

Array = npt.NDArray[Any]

FORMAT = 3
HEADER = "header.json"
_SECTION = f"{'[0-9]' * 12}-{'[0-9]' * 12}.safetensors"
_TEMPORARY = ".*.tmp"
"""What a killed process leaves of a file that it was writing."""


class Partial:
    """What is finished of a run; made by `partial_run`.

    Attributes:
        folder: where it is kept, once there is anything to keep.
        finished: sections that an earlier process finished, in a row from the first sample on.
        samples: how many samples are kept by now.
    """

    def __init__(
        self, folder: Path, header: Mapping[str, Any], finished: tuple[Counts, ...]
    ) -> None:
        self.folder, self.finished = folder, finished
        self.samples = sum(section.samples for section in finished)
        self._header, self._made = header, bool(finished)

    def save(self, counts: Counts) -> None:
        """Keep the next section. Raises FileError."""
        if not self._made:
            try:
                self.folder.mkdir()
            except OSError as error:
                raise FileError(
                    f"cannot make the folder {self.folder}: {error.strerror}",
                    remedy="another run may be writing to it; if not, remove it",
                ) from error
            write_text(self.folder / HEADER, json.dumps(self._header, indent=2) + "\n")
            self._made = True
        end = self.samples + counts.samples
        name = f"{self.samples:012}-{end:012}.safetensors"
        write_bytes(self.folder / name, _pack(counts))
        self.samples = end

    def remove(self) -> None:
        """Forget everything: the run's result is written."""
        _remove(self.folder)


def folder_of(output: Path) -> Path:
    """Where the sections of an unfinished run with that output are kept."""
    return output.with_name(output.name + ".partial")


def identity_of(
    provenance: Mapping[str, Any], engine: str, samples: int, placement: str | None = None
) -> dict[str, Any]:
    """What must be equal, so that two parts of a run make a whole.

    Args:
        provenance: with the hashes of `program` and `data`, and slipway's version.
        engine: name of the executor.
        samples: of the whole run.
        placement: hash of which neuron lies on which core; None: the network is not placed.
    """
    return {
        "program": provenance["program"]["sha256"],
        "data": provenance["data"]["sha256"],
        "engine": engine,
        "samples": samples,
        "placement": placement,
        "slipway": provenance["slipway"],
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def open_partial(
    folder: Path, identity: Mapping[str, Any], command: str, *, resume: bool
) -> Partial:
    """What is finished of the run that is about to start.

    Args:
        folder: where its sections are, or will be, kept.
        identity: JSON values that say what is run; see `identity_of`.
        command: as the user typed it, for whoever finds the folder.
        resume: go on with what is there.

    Raises:
        UsageError: something is there and `resume` is not set, or it is of another run.
        FileError: it cannot be read, or the folder is something else.
    """
    header = {"format": FORMAT, "identity": dict(identity), "command": command}
    found = _read_header(folder)
    finished = _finished(folder) if found else ()
    if not finished:
        _remove(folder)  # killed before its first section, or while it was removed
        if folder.exists():
            raise FileError(
                f"{folder} is no folder of an unfinished run",
                remedy="it is where one is kept: move it away, or choose another output",
            )
        return Partial(folder, header, ())
    samples = sum(section.samples for section in finished)
    known = found.get("identity", {})
    if not resume:
        raise UsageError(
            f"an unfinished run is kept: {samples:,} of {known.get('samples', 0):,} samples",
            where=f"{folder}, of the command: {found.get('command')}",
            remedy="go on with --resume; or, if no process is still at it, start again: "
            f"rm -r {folder}",
        )
    differences = [
        f"the unfinished run is of another {key}: {_short(known.get(key))}, now {_short(value)}"
        for key, value in identity.items()
        if known.get(key) != value
    ]
    if differences:
        *others, last = differences
        where = f"{folder}, of the command: {found.get('command')}"
        remedy = "go on with what it was started with, or give another output"
        raise UsageError(
            *(Problem(text, where) for text in others), Problem(last, where, remedy)
        )
    return Partial(folder, header, finished)


def _short(value: Any) -> str:
    """Hashes by their beginning."""
    return f"sha256 {value[:8]}" if isinstance(value, str) and len(value) == 64 else str(value)


def _read_header(folder: Path) -> dict[str, Any]:
    """Empty where there is none."""
    path = folder / HEADER
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT or not isinstance(found["identity"], dict):
            raise ValueError(f"its format is {found['format']!r}, not {FORMAT}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{path} of an unfinished run cannot be read: {error}",
            remedy=f"start again: rm -r {folder}",
        ) from error
    return dict(found)


def _finished(folder: Path) -> tuple[Counts, ...]:
    """Sections in a row from the first sample on; each begins where the last one ended."""
    starts = {int(path.name.partition("-")[0]): path for path in sorted(folder.glob(_SECTION))}
    found: list[Counts] = []
    at = 0
    while at in starts:
        found.append(_unpack(starts[at]))
        at += found[-1].samples
    return tuple(found)


def _pack(counts: Counts) -> bytes:
    arrays = {
        f"{field}/{name}": np.ascontiguousarray(values)
        for field in BY_NAME
        for name, values in getattr(counts, field).items()
    }
    arrays["clipped"] = counts.clipped
    text = json.dumps({"kernels": counts.kernels, "seconds": counts.seconds})
    return bytes(save(arrays, metadata={"slipway": text}))


def _unpack(path: Path) -> Counts:
    try:
        with safe_open(path, framework="numpy") as stream:
            rest = json.loads(stream.metadata()["slipway"])
            arrays = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
        fields: dict[str, Any] = {field: {} for field in BY_NAME}
        clipped = arrays.pop("clipped")
        for key, values in arrays.items():
            field, _, name = key.partition("/")
            fields[field][name] = values
        return Counts(**fields, clipped=clipped, **rest)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{path} of an unfinished run cannot be read: {error}",
            remedy=f"do without the samples in it and behind it: rm {path}",
        ) from error


def _remove(folder: Path) -> None:
    """The header first: without it, what is left counts as nothing. Only our own files."""
    for pattern in (HEADER, _SECTION, _TEMPORARY):
        for path in folder.glob(pattern):
            with suppress(OSError):
                path.unlink()
    with suppress(OSError):
        folder.rmdir()
