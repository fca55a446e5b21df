"""Samples and labels as one value, wherever they are: in memory or in a file of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import DataError, Problem
from .rows import ArrayRows, Rows

Array = npt.NDArray[Any]
Samples: TypeAlias = Array | Mapping[str, Array]
"""Samples of the one input, or of each input by its name."""

_BLOCK_BYTES = 2**22
"""Of samples that are copied in one go."""


@dataclass(frozen=True, slots=True)
class Data:
    """Samples and, where known, labels.

    Attributes:
        rows: the samples of the one input, or of each input by its name.
        samples: how many there are.
        y: class numbers (N,), or None.
        path: the file they are in; None: they are in memory.
    """

    rows: Rows | Mapping[str, Rows]
    samples: int
    y: Array | None = None
    path: Path | None = None

    @property
    def x(self) -> Samples:
        """All of them, in memory. Raises FileError; DataError where one is not finite."""
        if isinstance(self.rows, Mapping):
            return {name: self._whole(name, rows) for name, rows in self.rows.items()}
        return self._whole("x", self.rows)

    def _whole(self, name: str, rows: Rows) -> Array:
        whole = np.empty((self.samples, *rows.shape[1:]), rows.dtype)
        at_once = max(1, _BLOCK_BYTES // (prod(rows.shape[1:]) * rows.dtype.itemsize))
        with rows.reader() as read:
            for start in range(0, self.samples, at_once):
                part = read(min(at_once, self.samples - start))
                problem = not_finite(self.place(name, rows), name, part, start)
                if problem is not None:
                    raise DataError(problem)
                whole[start : start + at_once] = part
        return whole

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
        return replace(self, samples=samples, y=y)

    def place(self, name: str, rows: Rows) -> str:
        """Where an array is, for messages."""
        file = "" if self.path is None else f"{self.path}, "
        return f"{file}array {name} of shape {rows.shape}"


def as_data(x: Data | Samples, y: Array | None = None) -> Data:
    """Samples in memory, and labels, as a value of the same kind as a file's.

    Raises:
        DataError: the inputs have unequal numbers of samples.
    """
    if isinstance(x, Data):
        return x if y is None else replace(x, y=y)
    if isinstance(x, Mapping) and len({len(values) for values in x.values()}) > 1:
        told = ", ".join(f"{len(values)} of {name}" for name, values in x.items())
        raise DataError(f"unequal numbers of samples: {told}", where="inputs")
    rows = {k: ArrayRows(v) for k, v in x.items()} if isinstance(x, Mapping) else ArrayRows(x)
    return Data(rows, count(x), y)


def count(x: Samples) -> int:
    """Number of samples."""
    return len(next(iter(x.values())) if isinstance(x, Mapping) else x)


def take(x: Samples, index: Any) -> Samples:
    """Some of the samples."""
    return {k: v[index] for k, v in x.items()} if isinstance(x, Mapping) else x[index]


def not_finite(place: str, name: str, part: Array, start: int) -> Problem | None:
    """The first value of a part of the samples, from sample `start` on, that is not finite."""
    if part.dtype.kind != "f" or (np.isfinite(part.min()) and np.isfinite(part.max())):
        return None
    first = tuple(int(i) for i in np.argwhere(~np.isfinite(part))[0])
    index = (start + first[0], *first[1:])
    return Problem(
        f"{name} holds {part[first]} at index {index}",
        f"{place}, sample {index[0]}",
        "replace values that are not finite",
    )
