"""Data sets as plain arrays: what a recipe trains on and what a student is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .fer2013 import CLASSES as FER_CLASSES
from .fer2013 import load as load_fer_arrays
from .needs import require


@dataclass(frozen=True, slots=True)
class Split:
    """Pictures and their labels.

    Attributes:
        x: uint8, (N, C, H, W).
        y: int64, (N,), index into the data set's classes.
    """

    x: NDArray[np.uint8]
    y: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set, split once and for all.

    Attributes:
        name: for reports.
        classes: class names in the order of the labels.
        full_scale: the pixel value that becomes 1.0.
        train, validation, test: the splits; validation is None where there is none.
        test_twins: (N test,) bool, true where the very same picture is in train; None where
            that is not known to happen.
    """

    name: str
    classes: tuple[str, ...]
    full_scale: int
    train: Split
    validation: Split | None
    test: Split
    test_twins: NDArray[np.bool_] | None = None

    def frames(self, x: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pixels as input currents: float32 in [0, 1], x / full_scale."""
        return x.astype(np.float32) / np.float32(self.full_scale)


def load_digits(data_dir: Path | None, cache_dir: Path) -> Dataset:
    """scikit-learn's digits: 1,797 pictures of 8x8, values 0..16; 1,437 train, 360 test.

    The split is stratified and fixed (seed 0), whatever the training's seed is. The pictures
    come with scikit-learn, so neither folder is used.

    Raises:
        MissingDependency: scikit-learn is not installed.
    """
    del data_dir, cache_dir
    datasets = require("sklearn.datasets", "load the digits")
    from sklearn.model_selection import train_test_split

    raw = datasets.load_digits()
    x = raw.images.astype(np.uint8)[:, None]
    y = raw.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        x, y, test_size=360, random_state=0, stratify=y
    )
    return Dataset(
        "digits",
        tuple(str(digit) for digit in range(10)),
        16,
        Split(train_x, train_y),
        None,
        Split(test_x, test_y),
    )


def load_fer2013(data_dir: Path | None, cache_dir: Path) -> Dataset:
    """FER2013: 28,709 train, 3,589 validation, 3,589 test faces, 48x48, grey, 7 emotions.

    Args:
        data_dir: folder that holds fer2013/; None: see fer2013.find.
        cache_dir: the decoded pictures are kept here as fer2013.npz.

    Raises:
        FileError: files are missing, damaged or not the expected ones.
        MissingDependency: Pillow is not installed.
    """
    arrays = load_fer_arrays(data_dir, cache_dir)
    train, validation, test = (
        Split(arrays[f"{split}_x"][:, None], arrays[f"{split}_y"])
        for split in ("train", "validation", "test")
    )
    return Dataset("fer2013", FER_CLASSES, 255, train, validation, test, arrays["test_twins"])


DATASETS: dict[str, Callable[[Path | None, Path], Dataset]] = {
    "digits": load_digits,
    "fer2013": load_fer2013,
}
"""Name -> loader(data_dir, cache_dir)."""
