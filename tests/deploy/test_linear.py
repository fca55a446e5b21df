"""Merging chains of linear nodes: the merged synapse is the same map, to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy.linear import (
    Chain,
    as_synapse,
    compose,
    identity,
    longest_delay,
    split_by_delay,
    then_conv,
    then_delay,
    then_dense,
    then_scale,
    unroll,
)
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import Sparse
from slipway.errors import CapacityExceeded


def convolution(
    rng: np.random.Generator, shape: tuple[int, int, int], pool: bool
) -> Conv2d | None:
    groups = shape[0] if pool else int(rng.choice([g for g in (1, 2) if shape[0] % g == 0]))
    filters = shape[0] if pool else groups * int(rng.integers(1, 3))
    kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    conv = Conv2d(
        rng.normal(size=(filters, shape[0] // groups, *kernel)),
        shape,
        stride=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        padding=(int(rng.integers(0, 3)), int(rng.integers(0, 3))),
        dilation=(1, 1) if pool else (int(rng.integers(1, 3)), 1),
        groups=groups,
    )
    return conv if min(conv.output_shape) > 0 else None


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_two_convolutions_as_one_synapse(seed: int, pool: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 4)), int(rng.integers(4, 9)), int(rng.integers(4, 9)))
    first = convolution(rng, shape, pool)
    second = convolution(rng, first.output_shape, False) if first else None
    if first is None or second is None:
        return
    chain = then_conv(then_conv(identity(shape), first, first.output_shape), second, ())
    x = rng.normal(size=(3, first.in_size))
    expected = second.accumulate(first.accumulate(x))
    np.testing.assert_allclose(as_synapse(chain)[0].accumulate(x), expected, atol=1e-9)


def test_pooling_by_two_folds_into_a_convolution() -> None:
    # students.md 6.3 (4): AvgPool2 + conv 3x3 s1 p1 = conv 6x6 s2 p2 on even sizes.
    rng = np.random.default_rng(1)
    pool = Conv2d(np.full((4, 1, 2, 2), 0.25), (4, 8, 6), stride=(2, 2), groups=4)
    conv = Conv2d(rng.normal(size=(5, 4, 3, 3)), pool.output_shape, padding=(1, 1))
    folded = compose(pool, conv)
    assert folded is not None
    assert folded.weight.shape == (5, 4, 6, 6)
    assert (folded.stride, folded.padding) == ((2, 2), (2, 2))


def test_pooling_of_an_odd_size_is_not_folded_into_a_padding_convolution() -> None:
    pool = Conv2d(np.full((1, 1, 2, 2), 0.25), (1, 7, 7), stride=(2, 2))
    conv = Conv2d(np.ones((1, 1, 3, 3)), pool.output_shape, padding=(1, 1))
    assert compose(pool, conv) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_scale_convolution_scale_dense(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (2, 5, 4)
    conv = Conv2d(rng.normal(size=(3, 2, 3, 3)), shape, padding=(1, 0))
    size, middle = conv.in_size, conv.out_size
    before = rng.normal(size=size) if seed % 2 else np.repeat(rng.normal(size=2), size // 2)
    after = rng.normal(size=middle)
    weight = rng.normal(size=(4, middle))
    chain = then_conv(then_scale(identity(shape), before), conv, conv.output_shape)
    chain = then_dense(then_scale(chain, after), weight, (4,))
    x = rng.normal(size=(2, size))
    expected = (conv.accumulate(x * before) * after) @ weight.T
    np.testing.assert_allclose(as_synapse(chain)[0].accumulate(x), expected, atol=1e-9)
    np.testing.assert_allclose(unroll(chain).accumulate(x), expected, atol=1e-9)


def test_a_one_to_one_map_stays_small() -> None:
    synapse, delay = as_synapse(then_scale(identity((3, 4, 4)), np.repeat([1.0, 2.0, 3.0], 16)))
    assert delay == 0
    assert isinstance(synapse, Conv2d)
    assert synapse.weight.shape == (3, 1, 1, 1)
    x = np.arange(48.0)[None]
    np.testing.assert_allclose(synapse.accumulate(x)[0], x[0] * np.repeat([1.0, 2.0, 3.0], 16))


def test_a_matrix_that_would_not_fit_in_memory_is_refused() -> None:
    chain = Chain(Dense(np.ones((1, 20000))), (20000,), (20000,), ("a", "b"))
    with pytest.raises(CapacityExceeded, match=r"a matrix of 400000000 weights") as caught:
        unroll(chain)
    assert "a -> b" in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_delays_at_any_place_of_a_chain(seed: int) -> None:
    """Impulse responses, element by element, against a plain reading step by step."""
    rng = np.random.default_rng(seed)
    before, between, behind = (rng.integers(0, 4, n) for n in (3, 4, 2))
    first, second = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
    chain = then_delay(identity((3,)), before)
    chain = then_delay(then_dense(chain, first, (4,)), between)
    parts = [then_dense(part, second, (2,)) for part in split_by_delay(chain)]
    parts = [then_delay(part, behind) for part in parts]
    for i in range(3):
        expected: np.ndarray[Any, Any] = np.zeros((12, 2))
        for m, o in np.ndindex(4, 2):
            expected[before[i] + between[m] + behind[o], o] += first[m, i] * second[o, m]
        got: np.ndarray[Any, Any] = np.zeros((12, 2))
        for synapse, common in map(as_synapse, parts):
            bins = synapse.bins() if isinstance(synapse, Sparse) else [(0, synapse)]
            for late, part in bins:
                got[common + late] += part.accumulate(np.eye(3)[i])
        np.testing.assert_allclose(got, expected, atol=1e-12)
        assert max(longest_delay(part) for part in parts) <= 9
    assert len(parts) == len(np.unique(between))


def test_few_weights_are_stored_one_by_one() -> None:
    weight = np.zeros((80, 80))
    weight[3, 5], weight[70, 2] = 1.5, -2.0
    synapse, _ = as_synapse(then_dense(identity((80,)), weight, (80,)))
    assert isinstance(synapse, Sparse)
    assert synapse.weight.tolist() == [1.5, -2.0]
    x = np.random.default_rng(0).normal(size=(3, 80))
    np.testing.assert_allclose(synapse.accumulate(x), x @ weight.T, atol=1e-12)
    assert np.array_equal(synapse.fan_out(True), np.count_nonzero(weight, axis=0))
    filled, _ = as_synapse(then_dense(identity((80,)), weight + 1.0, (80,)))
    assert isinstance(filled, Dense)
