"""Samples from a file, checked, and their encoding as messages of a Program's input."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, FileError, Problem
from ..files import sha256
from .program import Program
from .trace import Stimulus

Array = npt.NDArray[Any]

CLIPPED_LIMIT = 0.01
"""Share of input values that may lie outside the calibrated range before it is an error."""


@dataclass(frozen=True, slots=True)
class Data:
    """Samples `x` (N, ...) and, where known, class labels `y` (N,)."""

    x: Array
    y: Array | None
    path: Path
    hash: str

    def first(self, samples: int | None) -> Data:
        """The first samples; all where `samples` is None. Raises DataError."""
        if samples is None:
            return self
        if not 1 <= samples <= len(self.x):
            raise DataError(
                f"{samples} samples were asked for; the file holds {len(self.x)}",
                where=str(self.path),
                remedy=f"use --samples from 1 to {len(self.x)}",
            )
        y = None if self.y is None else self.y[:samples]
        return Data(self.x[:samples], y, self.path, self.hash)


def load_data(path: Path) -> Data:
    """Read `x` (and `y`) from an .npz file.

    Raises:
        FileError: missing, or not an .npz file.
        DataError: no x, no samples, not numbers, not finite, or y does not fit x.
    """
    remedy = "write it with numpy.savez(path, x=samples, y=labels)"
    if not path.is_file():
        raise FileError(f"there is no file {path}", remedy=remedy)
    try:
        with path.open("rb") as stream:  # numpy leaves the file open when it cannot read it
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path} is a bare array, not an .npz archive", remedy=remedy)
            found = {key: archive[key] for key in ("x", "y") if key in archive.files}
            names = list(archive.files)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{path} cannot be read as .npz: {error}", remedy=remedy) from error
    except ValueError as error:
        raise DataError(
            f"{path} holds Python objects or is no .npz file: {error}", remedy=remedy
        ) from error
    if "x" not in found:
        raise DataError(
            f"{path} has no array x; it holds {', '.join(names) or 'nothing'}", remedy=remedy
        )
    problems = [*_check_x(found["x"], path), *_check_y(found.get("y"), found["x"], path)]
    if problems:
        raise DataError(*problems)
    return Data(found["x"], found.get("y"), path, sha256(path))


def _check_x(x: Array, path: Path) -> list[Problem]:
    where = f"{path}, array x of shape {x.shape}"
    if x.ndim < 2 or x.size == 0:
        return [Problem("x holds no samples", where, "x must have shape (N, ...) with N >= 1")]
    if x.dtype.kind not in "biuf":
        return [Problem(f"x has type {x.dtype}", where, "store numbers: float32 or uint8")]
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        return [
            Problem(
                f"x holds {x[first]} at index {first}",
                f"{where}, sample {first[0]}",
                "replace values that are not finite",
            )
        ]
    return []


def _check_y(y: Array | None, x: Array, path: Path) -> list[Problem]:
    if y is None:
        return []
    where = f"{path}, array y of shape {y.shape}"
    if y.shape != x.shape[:1]:
        return [Problem(f"y does not fit {len(x)} samples", where, "one class number a sample")]
    if y.dtype.kind not in "biu":
        return [Problem(f"y has type {y.dtype}", where, "store class numbers as integers")]
    return []


def encode(program: Program, x: Array) -> tuple[Stimulus, Array]:
    """Messages for the Program's input, and how many values of each sample were clipped.

    ``message = clip(round(value * scale), minimum, maximum)`` at precision `fixed`.

    Args:
        program: the Program that will run.
        x: (N, *shape) frames, each shown at every step, or (N, T, *shape) over time.

    Returns:
        The stimulus, and int64 (N,) counts of clipped values.

    Raises:
        DataError: shape, type or range do not fit.
    """
    spec = program.input
    shape = tuple(spec.shape)
    over_time = x.ndim == len(shape) + 2 and tuple(x.shape[2:]) == shape
    if not over_time and tuple(x.shape[1:]) != shape:
        raise DataError(
            f"the samples have shape {tuple(x.shape[1:])}; the network's input has {shape}",
            where=f"input {spec.name}",
            remedy=f"give x as (N, {', '.join(map(str, shape))}) for frames, or as "
            f"(N, T, {', '.join(map(str, shape))}) over time",
        )
    steps = x.shape[1] if over_time else program.steps
    if steps > program.steps:
        raise DataError(
            f"the samples last {steps} steps; the bounds are proven for {program.steps}",
            where=f"input {spec.name}",
            remedy=f"compile with --steps {steps}",
        )
    if not spec.graded and not np.isin(x, (0, 1)).all():
        odd = np.argwhere(~np.isin(x, (0, 1)))[0]
        raise DataError(
            f"the input takes spikes (0 or 1), but x holds {x[tuple(odd)]}",
            where=f"sample {odd[0]}, index {tuple(int(i) for i in odd[1:])}",
            remedy="export with --input-encoding current for graded values",
        )
    flat = x.reshape(len(x), steps, -1) if over_time else x.reshape(len(x), -1)
    if program.precision == "float":
        return Stimulus(flat.astype(np.float64), steps), np.zeros(len(x), np.int64)
    messages = np.rint(flat.astype(np.float64) * spec.scale)
    outside = (messages < spec.minimum) | (messages > spec.maximum)
    clipped = outside.reshape(len(x), -1).sum(axis=1).astype(np.int64)
    if clipped.sum() > CLIPPED_LIMIT * messages.size:
        raise DataError(
            f"{100 * clipped.sum() / messages.size:.1f} % of the values lie outside the "
            f"calibrated range {spec.minimum / spec.scale:g} to {spec.maximum / spec.scale:g}; "
            f"the limit is {100 * CLIPPED_LIMIT:g} %",
            where=f"input {spec.name}, sample {int(np.argmax(clipped))}",
            remedy="scale the data as in training, or calibrate with data like these",
        )
    legal = np.clip(messages, spec.minimum, spec.maximum).astype(np.int32)
    return Stimulus(legal, steps), clipped
