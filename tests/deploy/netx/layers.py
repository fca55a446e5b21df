"""Sound layers of three inputs, with fields replaced as a test wants it."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import files
from .files import Fields

ONE = files.inputs(3)


def dense(**changes: Any) -> Fields:
    """A sound layer with some fields replaced or, where None, removed."""
    layer = {
        **files.dense(files.even(1, 4, 3)),
        **{k.replace("__", "/"): v for k, v in changes.items()},
    }
    return {key: value for key, value in layer.items() if value is not None}


def image(**changes: Any) -> list[Fields]:
    layer = files.conv(files.even(2, 2, 1, 2, 2), (2, 3, 3))
    return [files.inputs(1, 4, 4), {**layer, **changes}]


def resonators(**changes: Any) -> Fields:
    neuron = files.resonator("RF_PHASE", 900, 900, 9)
    layer = files.complex_dense(files.even(3, 4, 3), files.even(4, 4, 3), neuron)
    return {**layer, **{k.replace("__", "/"): v for k, v in changes.items()}}


def sdnn(**changes: Any) -> list[Fields]:
    neuron = {**files.sdnn(), **{f"neuron/{k}": v for k, v in changes.items()}}
    return [files.inputs(3, **files.sdnn()), files.dense(files.even(5, 4, 3), neuron)]


def pool(**changes: Any) -> list[Fields]:
    layer = files.conv(np.full((1, 1, 2, 2), 16, np.float32), (1, 2, 2), stride=(2, 2))
    return [files.inputs(1, 4, 4), {**layer, "type": "pool", **changes}]
