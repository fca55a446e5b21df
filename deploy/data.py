"""Samples from a file, checked, and their encoding as messages of a Program's input."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import DataError, FileError, Problem
from ..files import sha256
from .program import Input, Program
from .trace import Stimulus

Array = npt.NDArray[Any]
Samples: TypeAlias = Array | Mapping[str, Array]
"""Samples of the one input, or of each input by its name."""

CLIPPED_LIMIT = 0.01
"""Share of input values that may lie outside the calibrated range before it is an error."""


@dataclass(frozen=True, slots=True)
class Data:
    """Samples `x` (N, ...), or one array for each input, and, where known, labels `y` (N,)."""

    x: Samples
    y: Array | None
    path: Path
    hash: str

    @property
    def samples(self) -> int:
        """How many there are."""
        return count(self.x)

    def first(self, samples: int | None) -> Data:
        """The first samples; all where `samples` is None. Raises DataError."""
        if samples is None:
            return self
        if not 1 <= samples <= self.samples:
            raise DataError(
                f"{samples} samples were asked for; the file holds {self.samples}",
                where=str(self.path),
                remedy=f"use --samples from 1 to {self.samples}",
            )
        y = None if self.y is None else self.y[:samples]
        return Data(take(self.x, slice(samples)), y, self.path, self.hash)


def count(x: Samples) -> int:
    """Number of samples."""
    return len(next(iter(x.values())) if isinstance(x, Mapping) else x)


def take(x: Samples, index: Any) -> Samples:
    """Some of the samples."""
    return {k: v[index] for k, v in x.items()} if isinstance(x, Mapping) else x[index]


def load_data(path: Path) -> Data:
    """Read `x`, or one array for each input of the network, and `y` from an .npz file.

    Raises:
        FileError: missing, or not an .npz file.
        DataError: no samples, not numbers, not finite, of unequal number, or y does not fit.
    """
    remedy = "write it with numpy.savez(path, x=samples, y=labels)"
    if not path.is_file():
        raise FileError(f"there is no file {path}", remedy=remedy)
    try:
        with path.open("rb") as stream:  # numpy leaves the file open when it cannot read it
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path} is a bare array, not an .npz archive", remedy=remedy)
            names = ["x"] if "x" in archive.files else [n for n in archive.files if n != "y"]
            found = {key: archive[key] for key in names}
            labels = archive["y"] if "y" in archive.files else None
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{path} cannot be read as .npz: {error}", remedy=remedy) from error
    except ValueError as error:
        raise DataError(
            f"{path} holds Python objects or is no .npz file: {error}", remedy=remedy
        ) from error
    if not found:
        raise DataError(
            f"{path} has no array x; it holds {'y' if labels is not None else 'nothing'}",
            remedy=remedy,
        )
    problems = [p for name, x in found.items() for p in _check_x(name, x, path)]
    sizes = {name: len(x) for name, x in found.items() if x.ndim}
    if not problems and len(set(sizes.values())) > 1:
        told = ", ".join(f"{size} of {name}" for name, size in sizes.items())
        problems.append(Problem(f"unequal numbers of samples: {told}", str(path), remedy))
    if not problems:
        problems += _check_y(labels, next(iter(sizes.values())), path)
    if problems:
        raise DataError(*problems)
    x: Samples = found.get("x", found)
    return Data(x, labels, path, sha256(path))


def _check_x(name: str, x: Array, path: Path) -> list[Problem]:
    where = f"{path}, array {name} of shape {x.shape}"
    if x.ndim < 2 or x.size == 0:
        remedy = f"{name} must have shape (N, ...) with N >= 1"
        return [Problem(f"{name} holds no samples", where, remedy)]
    if x.dtype.kind not in "biuf":
        return [Problem(f"{name} has type {x.dtype}", where, "store numbers: float32 or uint8")]
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        return [
            Problem(
                f"{name} holds {x[first]} at index {first}",
                f"{where}, sample {first[0]}",
                "replace values that are not finite",
            )
        ]
    return []


def _check_y(y: Array | None, samples: int, path: Path) -> list[Problem]:
    if y is None:
        return []
    where = f"{path}, array y of shape {y.shape}"
    if y.shape != (samples,):
        return [
            Problem(f"y does not fit {samples} samples", where, "one class number a sample")
        ]
    if y.dtype.kind not in "biu":
        return [Problem(f"y has type {y.dtype}", where, "store class numbers as integers")]
    return []


def encode(program: Program, x: Samples) -> tuple[Stimulus, Array]:
    """Messages for the Program's inputs, and how many values of each sample were clipped.

    ``message = clip(round(value * scale), minimum, maximum)`` at precision `fixed`; of an
    input whose messages are changes, the differences of these.

    Args:
        program: the Program that will run.
        x: (N, *shape) frames, each shown at every step, or (N, T, *shape) over time; one
            array, or one for each input by its name.

    Returns:
        The stimulus, and int64 (N,) counts of clipped values.

    Raises:
        DataError: names, shape, type or range do not fit.
    """
    given = _by_name(program, x)
    problems, lasting = [], {}
    for spec in program.inputs:
        found = _duration(program, spec, given[spec.name])
        if isinstance(found, Problem):
            problems.append(found)
        elif found:
            lasting[spec.name] = found
    if len(set(lasting.values())) > 1:
        told = ", ".join(f"{name} {steps}" for name, steps in lasting.items())
        what = f"the inputs last unequal numbers of steps: {told}"
        problems.append(Problem(what, "inputs", "give all of them the same time axis"))
    if problems:
        raise DataError(*problems)
    steps = next(iter(lasting.values()), program.steps)
    values, clipped = {}, np.zeros(count(x), np.int64)
    for spec in program.inputs:
        array = given[spec.name]
        shape = (len(array), steps, -1) if spec.name in lasting else (len(array), -1)
        flat = array.reshape(shape)
        if program.precision == "float":
            values[spec.name] = flat.astype(np.float64)
        else:
            values[spec.name], outside = _messages(spec, flat)
            clipped += outside
        if spec.delta:
            values[spec.name] = _changes(values[spec.name], steps)
    return Stimulus(values, steps), clipped


def _by_name(program: Program, x: Samples) -> Mapping[str, Array]:
    names = [spec.name for spec in program.inputs]
    if not isinstance(x, Mapping):
        if len(names) > 1:
            raise DataError(
                f"the network has {len(names)} inputs, and the samples are one array",
                where="inputs",
                remedy=f"give one array for each, named {', '.join(names)}",
            )
        return {names[0]: x}
    missing = [name for name in names if name not in x]
    if missing:
        raise DataError(
            f"there are no samples for {', '.join(missing)}; given are {', '.join(x)}",
            where="inputs",
            remedy="name the array x"
            if len(names) == 1
            else f"give one array for each input, named {', '.join(names)}",
        )
    return x


def _duration(program: Program, spec: Input, x: Array) -> int | Problem:
    """Steps that samples over time last; 0 for frames."""
    shape, where = tuple(spec.shape), f"input {spec.name}"
    over_time = x.ndim == len(shape) + 2 and tuple(x.shape[2:]) == shape
    if not over_time and tuple(x.shape[1:]) != shape:
        return Problem(
            f"the samples have shape {tuple(x.shape[1:])}; the network's input has {shape}",
            where,
            f"give x as (N, {', '.join(map(str, shape))}) for frames, or as "
            f"(N, T, {', '.join(map(str, shape))}) over time",
        )
    steps = int(x.shape[1]) if over_time else 0
    if steps > program.steps:
        return Problem(
            f"the samples last {steps} steps; the bounds are proven for {program.steps}",
            where,
            f"compile with --steps {steps}",
        )
    if not spec.graded and not np.isin(x, (0, 1)).all():
        odd = np.argwhere(~np.isin(x, (0, 1)))[0]
        return Problem(
            f"the input takes spikes (0 or 1), but x holds {x[tuple(odd)]}",
            f"{where}, sample {odd[0]}, index {tuple(int(i) for i in odd[1:])}",
            "export with --input-encoding current for graded values",
        )
    return steps


def _messages(spec: Input, flat: Array) -> tuple[Array, Array]:
    """Integer messages, and how many of each sample had to be clipped. Raises DataError."""
    messages = np.rint(flat.astype(np.float64) * spec.scale)
    outside = (messages < spec.minimum) | (messages > spec.maximum)
    clipped = outside.reshape(len(flat), -1).sum(axis=1).astype(np.int64)
    if clipped.sum() > CLIPPED_LIMIT * messages.size:
        raise DataError(
            f"{100 * clipped.sum() / messages.size:.1f} % of the values lie outside the "
            f"calibrated range {spec.minimum / spec.scale:g} to {spec.maximum / spec.scale:g}; "
            f"the limit is {100 * CLIPPED_LIMIT:g} %",
            where=f"input {spec.name}, sample {int(np.argmax(clipped))}",
            remedy="scale the data as in training, or calibrate with data like these",
        )
    return np.clip(messages, spec.minimum, spec.maximum).astype(np.int32), clipped


def _changes(values: Array, steps: int) -> Array:
    """(N, steps, n): the value at the first step, then what it grew by; a frame never grows."""
    if values.ndim == 3:
        return np.diff(values, axis=1, prepend=np.zeros_like(values[:, :1]))
    changes = np.zeros((len(values), steps, values.shape[1]), values.dtype)
    changes[:, 0] = values
    return changes
