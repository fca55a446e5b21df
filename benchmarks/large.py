"""A network of a million neurons, for placement: convolutions, a pool, and dense layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.cuba_lif import NO_MEMORY, CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense

Array = npt.NDArray[Any]

IMAGE = (3, 192, 192)
# Output channels, kernel, stride.
LAYERS = ((16, 3, 1), (8, 3, 1), (16, 3, 2), (32, 3, 2), (64, 3, 2), (64, 3, 2))


def million() -> Program:
    """About a million neurons; weights are random, one in five is zero."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> Array:
        drawn = 2 * rng.integers(-60, 60, shape)
        return np.where(rng.random(shape) < 0.8, drawn, 0).astype(np.int16)

    neuron = CubaLif(
        np.array([NO_MEMORY]),
        np.array([400]),
        np.zeros(1, np.int64),
        np.array([500]),
        np.zeros(1, np.int64),
    )
    shape, source = IMAGE, "input"
    populations, projections = [], []
    for depth, (channels, kernel, stride) in enumerate(LAYERS, 1):
        conv = Conv2d(
            weights(channels, shape[0], kernel, kernel),
            shape,
            (stride, stride),
            (kernel // 2, kernel // 2),
            format=WeightFormat(),
        )
        name = f"conv{depth}"
        populations.append(Population(name, "LIF", conv.output_shape, neuron, depth))
        projections.append(Projection(f"{source}->{name}", source, name, conv))
        shape, source = conv.output_shape, name
    # A pool, until a dense layer can hold all inputs.
    pool = Conv2d(np.full((shape[0], 1, 2, 2), 2, np.int16), shape, (2, 2), groups=shape[0])
    populations.append(
        Population("pool", "LIF", pool.output_shape, neuron, len(populations) + 1)
    )
    projections.append(Projection(f"{source}->pool", source, "pool", pool))
    source, units_before = "pool", pool.out_size
    for units in (256, 10):
        name = f"dense{units}"
        dense = Dense(weights(units, units_before), WeightFormat())
        populations.append(Population(name, "LIF", (units,), neuron, len(populations) + 1))
        projections.append(Projection(f"{source}->{name}", source, name, dense))
        source, units_before = name, units
    return Program(
        "fixed",
        1e-3,
        32,
        (Input("input", IMAGE, False, 1.0, 0, 1),),
        tuple(populations),
        tuple(projections),
        (Output("output", source, "count"),),
    )
