"""Values into a number format, or the reason why they do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import IntegerFormat

Array = npt.NDArray[Any]


class DoesNotFit(Exception):
    """Carries the Problem; quantise_neuron returns it."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy


def fit_into(number: IntegerFormat, scaled: Array, name: str) -> Array:
    """Rounded, or refused with the factor that would do."""
    if number.overflow(scaled):
        reached = float(np.max(np.abs(scaled)))
        limit = number.maximum if np.max(scaled) > number.maximum else -number.minimum
        raise DoesNotFit(
            f"the {name} would be {reached:.0f}; the limit is {limit}",
            f"a scale smaller by {reached / limit:.3g} would do"
            if limit
            else "use values of at least 0",
        )
    return number.round(scaled)
