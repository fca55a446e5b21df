"""The two forms of a convolution, and what decides between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from slipway.deploy.formats import WeightFormat
from slipway.deploy.lava.geometry import conv_is_faster, conv_weight, fits_conv, unroll
from slipway.deploy.lava.network import choose_convs, largest_message, lava_shapes
from slipway.deploy.program import Projection
from slipway.deploy.synapses.conv2d import Conv2d

from . import models, networks


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"stride": (2, 3), "padding": (1, 2)},
        {"dilation": (2, 1), "padding": (2, 0)},
        {"groups": 2, "stride": (1, 2)},
        {"groups": 4, "padding": (3, 3)},
    ],
)
def test_the_unrolled_matrix_is_the_convolution(geometry: dict[str, Any]) -> None:
    per_group = 4 // geometry.get("groups", 1)
    synapse = Conv2d(networks.weights(1, 8, per_group, 3, 2), (4, 7, 6), **geometry)
    rows, columns, weights = unroll(synapse)
    matrix = np.zeros((synapse.out_size, synapse.in_size), np.int64)
    np.add.at(matrix, (rows, columns), weights)
    x = np.random.default_rng(2).integers(-9, 10, (3, synapse.in_size))
    np.testing.assert_array_equal(x @ matrix.T, synapse.accumulate(x))
    assert len(rows) == synapse.fan_out(nonzero=True).sum()


def test_what_lavas_conv_computes_exactly() -> None:
    synapse = networks.conv(np.full((2, 3, 3, 3), 254, np.int16), (3, 8, 8), exponent=6)
    projection = Projection("p", "input", "a", synapse)

    def fits(largest: float | None = 1.0, fixed: bool = True, **changes: Any) -> bool:
        return fits_conv(
            replace(projection, synapse=replace(synapse, **changes)), largest, fixed
        )

    assert fits()
    assert fits(fixed=False)
    assert fits(None, fixed=False)
    assert not fits(None)
    assert not fits(format=WeightFormat(8, -1))
    assert not fits_conv(replace(projection, delay=1), 1.0, True)
    # Lava keeps the geometry in 8 bits and the sum in 24.
    assert fits(padding=(127, 0))
    assert not fits(padding=(128, 0))
    assert not fits(20.0)  # 27 * 254 * 64 * 20 > 2**23
    assert fits(20.0, format=WeightFormat(8, 4))


def test_how_large_a_message_can_be() -> None:
    program, _ = models.sigma_delta()
    sizes = {name: largest_message(program, name) for name in ("input", "a", "b", "c", "d")}
    # Nothing bounds what a sigma-delta neuron sends.
    assert sizes == {"input": 127.0, "a": None, "b": None, "c": None, "d": 1.0}
    spikes = replace(program.inputs[0], graded=False)
    assert largest_message(replace(program, inputs=(spikes,)), "input") == 1.0


def test_the_exponent_is_folded_into_the_flipped_kernel() -> None:
    kernel = np.arange(12, dtype=np.int16).reshape(1, 2, 2, 3)
    synapse = networks.conv(kernel, (2, 5, 5), exponent=3)
    weight = conv_weight(synapse)
    assert weight.shape == (1, 3, 2, 2)
    assert weight[0, 0, 1, 1] == 8 * synapse.weight[0, 1, 0, 2]


def test_few_large_maps_go_to_conv_and_many_small_ones_to_sparse() -> None:
    large = Conv2d(networks.weights(1, 2, 1, 5, 5), (1, 64, 64))
    small = Conv2d(networks.weights(1, 32, 32, 3, 3), (32, 6, 6), stride=(2, 2))
    assert conv_is_faster(large)
    assert not conv_is_faster(small)


def test_a_population_has_one_shape() -> None:
    """Two convolutions that see one population in different shapes: the second is Sparse."""
    first = networks.conv(networks.weights(1, 2, 1, 1, 1), (1, 4, 6))
    second = networks.conv(networks.weights(2, 2, 2, 1, 1), (2, 6, 4))
    program, _ = networks.network(
        (1, 4, 6),
        [("a", (2, 4, 6), networks.neuron()), ("b", (2, 6, 4), networks.neuron())],
        [("input", "a", first, 0), ("a", "b", second, 0)],
    )
    convs = choose_convs(program, "conv")
    assert list(convs) == ["input->a.0"]
    assert lava_shapes(program, convs) == {"input": (6, 4, 1), "a": (6, 4, 2), "b": (48,)}
