"""Class names: mapped by name, never by position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, Problem
from ..fer2013 import CLASSES

EMOTIONS = CLASSES
"""slipway's order of the seven emotions, that of FER2013's csv. All emotion sets use it."""

RAF_DB = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
"""RAF-DB's numbers 1 to 7."""

RESEMOTENET = ("happy", "surprise", "sad", "angry", "disgust", "fear", "neutral")
"""ResEmoteNet's order of outputs, for its published weights."""

_OTHER_NAMES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}


def emotion(name: str) -> int | None:
    """Label of an emotion by any of its usual names, whatever its case; None if it is none."""
    plain = name.strip().lower()
    plain = _OTHER_NAMES.get(plain, plain)
    return EMOTIONS.index(plain) if plain in EMOTIONS else None


def remap(
    labels: NDArray[np.int64], have: Sequence[str], want: Sequence[str]
) -> NDArray[np.int64]:
    """Number labels in another order of the same classes.

    Args:
        labels: (N,), indices into `have`.
        have: class names in the order of the labels.
        want: the same names in the order that is wanted.

    Raises:
        DataError: a class of `have` is missing from `want`; all are named.
    """
    problems = [
        Problem(f"there is no class {name!r} in the order that is wanted", remedy=str(want))
        for name in have
        if name not in want
    ]
    if problems:
        raise DataError(*problems)
    table = np.array([want.index(name) for name in have], np.int64)
    return table[labels]
