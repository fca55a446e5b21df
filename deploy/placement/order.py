"""In which order the neurons of a population are numbered on a core."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Input, Population, Program, Projection
from ..synapses.conv2d import Conv2d

Array = npt.NDArray[Any]


def storage_order(shape: tuple[int, ...]) -> Array:
    """Flat indices (C, H, W) of the neurons, position by position, channels fastest.

    Lava keeps images like that, and the targets of a convolution's kernel row lie side by side.
    """
    index = np.arange(int(np.prod(shape)), dtype=np.int64)
    if len(shape) == 3:
        index = index.reshape(shape).transpose(1, 2, 0).reshape(-1)
    elif len(shape) == 2:
        index = index.reshape(shape).T.reshape(-1)
    return np.ascontiguousarray(index)


def positions(shape: tuple[int, ...]) -> Array:
    """int32 (n,): where each flat index stands in `storage_order`."""
    order = storage_order(shape)
    place = np.empty(order.size, np.int32)
    place[order] = np.arange(order.size, dtype=np.int32)
    return place


def sources(program: Program) -> tuple[Input | Population, ...]:
    """Everything that sends messages: inputs, then populations."""
    return (*program.inputs, *program.populations)


def image_shape(program: Program, population: str) -> tuple[int, ...]:
    """Shape that the neurons are numbered by: of the convolution into them, or their own."""
    for projection in program.into(population):
        if isinstance(projection.synapse, Conv2d):
            return projection.synapse.output_shape
    return program.population(population).shape


def target_order(program: Program, projection: Projection) -> Array:
    """Flat index of the target at each position that the kernels write."""
    if isinstance(projection.synapse, Conv2d):
        return storage_order(projection.synapse.output_shape)
    return storage_order(image_shape(program, projection.target))
