"""Cuts: every neuron in one part, no part empty or too large, loads even."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy.placement.cuts import Cut, apportion, ranges, split, tiled


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=80),
    st.integers(1, 12),
    st.integers(1, 30),
)
def test_ranges_are_in_order_and_limited(loads: list[int], parts: int, limit: int) -> None:
    load = np.array(loads, float)
    found = ranges(load, np.ones(parts), np.full(parts, limit))
    assert found.size == load.size
    assert (np.diff(found) >= 0).all()
    if parts * limit >= load.size:
        assert np.bincount(found).max() <= limit


def test_ranges_have_equal_load() -> None:
    load = np.array([1.0] * 90 + [10.0] * 10)
    found = ranges(load, np.ones(2), np.full(2, 100))
    assert np.bincount(found, load).tolist() == [100.0, 90.0]
    limited = ranges(load, np.ones(2), np.full(2, 60))
    assert np.bincount(limited).tolist() == [60, 40]
    shares = ranges(np.ones(100), np.array([0.25, 1.0, 0.75]), np.full(3, 100))
    np.testing.assert_allclose(np.bincount(shares), [12.5, 50, 37.5], atol=1)


def test_blocks_get_parts_by_load_but_none_is_empty() -> None:
    assert apportion(np.array([30.0, 10.0]), np.array([8, 8]), 4, 8).tolist() == [3, 1]
    assert apportion(np.array([30.0, 10.0]), np.array([2, 8]), 4, 8).tolist() == [2, 2]
    assert apportion(np.array([1.0, 1.0]), np.array([8, 8]), 7, 3).tolist() == [4, 3]


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("bands", [1, 3])
def test_tiles_are_pieces_of_the_image(groups: int, bands: int) -> None:
    image = np.arange(4 * 6 * 7).reshape(4, 6, 7)
    order = tiled(image, groups, bands)
    assert sorted(order.tolist()) == list(range(image.size))
    columns, own = split(7, bands), 4 // groups
    cut = Cut(order, np.full(order.size // own, own), groups, columns * 6, image.size)
    parts = groups * bands
    part = cut.whole(np.ones(image.size), parts).reshape(image.shape)
    assert np.unique(part).size == parts
    for number in range(parts):
        channels, rows, across = np.nonzero(part == number)
        box = [np.unique(axis).size for axis in (channels, rows, across)]
        assert np.prod(box) == channels.size, "a full box"
        assert box[0] == own
