from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slipway.errors import DataError, UsageError
from slipway.models.events.recording import (
    Recording,
    ToFrames,
    accumulate,
    as_events,
    clip_counts,
    to_frames,
)


def random_recording(seed: int, n: int, height: int = 9, width: int = 7) -> Recording:
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, 50_000, n))
    x, y = random.integers(0, width, n), random.integers(0, height, n)
    return Recording(as_events(x, y, t, random.integers(0, 2, n)), height, width)


@given(
    st.integers(0, 10_000),
    st.integers(0, 300),
    st.integers(1, 12),
    st.sampled_from(["time", "count"]),
    st.sampled_from([None, (4, 3), (20, 30)]),
)
def test_no_event_is_lost_whatever_the_binning(
    seed: int, n: int, steps: int, by: str, size: tuple[int, int] | None
) -> None:
    recording = random_recording(seed, n)
    frames = to_frames(recording, steps, by=by, size=size)  # type: ignore[arg-type]
    assert frames.shape == (steps, 2, *(size or (9, 7)))
    assert frames.sum() == n
    assert frames[:, 1].sum() == recording.events["p"].sum()
    if by == "count" and n:
        assert np.ptp(frames.sum(axis=(1, 2, 3))) <= 1


def test_bins_of_time_as_the_formula_says() -> None:
    events = as_events([0, 1, 2, 3], [0, 0, 1, 1], [100, 149, 150, 199], [0, 1, 1, 0])
    recording = Recording(events, 2, 4)
    frames = to_frames(recording, 2, start=100, stop=200)
    assert frames[0, 0, 0, 0] == frames[0, 1, 0, 1] == 1  # 100 and 149 us
    assert frames[1, 1, 1, 2] == frames[1, 0, 1, 3] == 1  # 150 and 199 us
    assert frames.sum() == 4
    assert to_frames(recording, 1, start=149, stop=199).sum() == 2
    assert to_frames(recording, 1, start=500, stop=600).sum() == 0
    np.testing.assert_array_equal(to_frames(recording, 2), frames)  # 100 .. 200 of themselves


def test_absolute_times_of_a_camera_do_not_overflow() -> None:
    begin = 1_605_537_493_718_345
    events = as_events([0, 0], [0, 0], [begin, begin + 99], [1, 1])
    frames = to_frames(Recording(events, 1, 1), 10)
    assert frames[:, 1, 0, 0].tolist() == [1, *[0] * 8, 1]


def test_smaller_frames_keep_places() -> None:
    recording = Recording(as_events([0, 127, 64], [127, 0, 64], [1, 2, 3], [1, 1, 1]), 128, 128)
    frames = ToFrames(1, size=(48, 48))(recording)
    assert np.argwhere(frames[0, 1]).tolist() == [[0, 47], [24, 24], [47, 0]]


def test_clipping_tells_what_it_cost() -> None:
    frames = to_frames(Recording(as_events([0] * 5, [0] * 5, range(5), [1] * 5), 1, 2), 1)
    clipped, lost = clip_counts(frames)
    assert (clipped.max(), lost) == (1, 4)


def test_accumulated_pictures_lie_around_mid_grey() -> None:
    events = as_events([0, 0, 1, 1, 0], [0] * 5, [0, 10, 20, 33_333, 40_000], [1, 1, 0, 0, 1])
    pictures = accumulate(Recording(events, 1, 3), 2, 33_333.0)
    assert pictures.shape == (2, 1, 1, 3)
    assert pictures[:, 0, 0].tolist() == [[192, 96, 128], [160, 96, 128]]
    many = Recording(as_events([0] * 9, [0] * 9, range(9), [0] * 9), 1, 1)
    assert accumulate(many, 1, 100.0)[0, 0, 0, 0] == 0


def test_what_makes_no_sense_is_refused() -> None:
    recording = random_recording(0, 10)
    with pytest.raises(UsageError, match="0 steps"):
        to_frames(recording, 0)
    with pytest.raises(UsageError, match="ends at 5 us and begins at 9 us"):
        to_frames(Recording(recording.events[:0], 1, 1), 1, start=9, stop=5)
    outside = Recording(as_events([4], [2], [0], [1]), 3, 4)
    with pytest.raises(DataError, match="column 4 or row 2, outside the sensor of 4x3"):
        to_frames(outside, 1)
    many = as_events(np.zeros(40_000), np.zeros(40_000), np.zeros(40_000), np.ones(40_000))
    with pytest.raises(DataError, match="40000 events in one pixel and step, limit 32767"):
        to_frames(Recording(many, 1, 1), 1)
