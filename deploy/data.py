"""Samples from a file; with `encode`, everything that turns data into a stimulus."""

from __future__ import annotations

from pathlib import Path

from ..errors import DataError, Problem
from .encoding import encode
from .npz import REMEDY, FileRows, array_names, open_array
from .samples import Data, Samples, count, take

__all__ = ["Data", "Samples", "count", "encode", "load_data", "take"]


def load_data(path: Path) -> Data:
    """Open `x`, or one array for each input of the network, and `y` of an .npz file.

    Only labels and headers are read; samples are read, and looked at, where they are used.

    Raises:
        FileError: missing, damaged, or not an .npz file.
        DataError: no samples, not numbers, of unequal number, or y does not fit.
    """
    names = array_names(path)
    labels = open_array(path, "y") if "y" in names else None
    names = ["x"] if "x" in names else [name for name in names if name != "y"]
    found = {name: open_array(path, name) for name in names}
    if not found:
        raise DataError(
            f"{path} has no array x; it holds {'y' if labels is not None else 'nothing'}",
            remedy=REMEDY,
        )
    problems = [p for name, x in found.items() for p in _check_x(name, x)]
    sizes = {name: x.shape[0] for name, x in found.items() if x.shape}
    if not problems and len(set(sizes.values())) > 1:
        told = ", ".join(f"{size} of {name}" for name, size in sizes.items())
        problems.append(Problem(f"unequal numbers of samples: {told}", str(path), REMEDY))
    samples = next(iter(sizes.values()), 0)
    if not problems and labels is not None:
        problems += _check_y(labels, samples)
    if problems:
        raise DataError(*problems)
    y = None
    if labels is not None:
        with labels.reader() as read:
            y = read(samples)
    return Data(found.get("x", found), samples, y, path)


def _check_x(name: str, x: FileRows) -> list[Problem]:
    where = f"{x.path}, array {name} of shape {x.shape}"
    if len(x.shape) < 2 or 0 in x.shape:
        remedy = f"{name} must have shape (N, ...) with N >= 1"
        return [Problem(f"{name} holds no samples", where, remedy)]
    if x.dtype.kind not in "biuf":
        return [Problem(f"{name} has type {x.dtype}", where, "store numbers: float32 or uint8")]
    return []


def _check_y(y: FileRows, samples: int) -> list[Problem]:
    where = f"{y.path}, array y of shape {y.shape}"
    if y.shape != (samples,):
        return [
            Problem(f"y does not fit {samples} samples", where, "one class number a sample")
        ]
    if y.dtype.kind not in "biu":
        return [Problem(f"y has type {y.dtype}", where, "store class numbers as integers")]
    return []
