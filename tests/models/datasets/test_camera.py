"""The simulated camera keeps the laws of a real one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.errors import DataError, UsageError
from slipway.models.events.camera import (
    IDEAL,
    Camera,
    Sensor,
    grey_of,
    light_of,
    make_sensor,
    record,
)
from slipway.models.events.motion import Blink, Gaze, Saccades, Window, film, thinned
from slipway.models.events.recording import Recording

SIDE = 12


def walk(seed: int, frames: int = 20, span: float = 1.5) -> tuple[Any, Any]:
    """A film whose log intensity wanders; times are unequal."""
    random = np.random.default_rng(seed)
    steps = random.normal(0.0, span / np.sqrt(frames), (frames, SIDE, SIDE))
    time = np.cumsum(random.uniform(500.0, 5000.0, frames))
    return np.cumsum(steps, axis=0).astype(np.float32), time


def sensor(**changes: float) -> Sensor:
    return make_sensor(replace(IDEAL, **changes), SIDE, SIDE, 3)


def counts(recording: Recording) -> np.ndarray:
    flat = recording.events["y"].astype(int) * SIDE + recording.events["x"]
    return np.bincount(flat, minlength=SIDE * SIDE).reshape(SIDE, SIDE)


def rebuilt(recording: Recording, eye: Sensor, moment: float) -> np.ndarray:
    """The change of log intensity that the events up to a moment tell."""
    events = recording.events[recording.events["t"] <= moment]
    total = np.zeros((SIDE, SIDE))
    weight = np.where(events["p"] == 1, 1.0, -1.0)
    y, x = events["y"], events["x"]
    np.add.at(total, (y, x), np.where(weight > 0, eye.on[y, x], -eye.off[y, x]))
    return total


@settings(deadline=None)  # the first call compiles
@given(
    st.integers(0, 10_000),
    st.floats(0.05, 0.5),
    st.floats(0.05, 0.5),
    st.sampled_from([0.0, 0.04]),
)
def test_the_events_tell_log_intensity_within_one_threshold(
    seed: int, on: float, off: float, mismatch: float
) -> None:
    level, time = walk(seed)
    eye = sensor(on=on, off=off, mismatch=mismatch)
    recording = record(level, time, eye, 0)
    for k in (5, 10, 19):
        error = (level[k] - level[0]) - rebuilt(recording, eye, time[k])
        assert np.all(error < eye.on + 1e-4)
        assert np.all(error > -eye.off - 1e-4)


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 10_000))
def test_a_negative_film_gives_the_opposite_polarity(seed: int) -> None:
    level, time = walk(seed)
    eye = sensor()
    one, other = record(level, time, eye, 0).events, record(-level, time, eye, 0).events
    for name in "xyt":
        np.testing.assert_array_equal(one[name], other[name])
    np.testing.assert_array_equal(one["p"], 1 - other["p"])


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 10_000), st.floats(100.0, 5000.0))
def test_the_refractory_time_is_kept(seed: int, refractory: float) -> None:
    level, time = walk(seed, span=4.0)
    recording = record(level, time, sensor(refractory=refractory, shot_noise=200.0), seed)
    events = recording.events
    pixel = events["y"].astype(int) * SIDE + events["x"]
    for chosen in np.unique(pixel):
        gaps = np.diff(events["t"][pixel == chosen])
        assert np.all(gaps > refractory - 1.0)  # times are whole microseconds
    assert len(events) < len(record(level, time, sensor(shot_noise=200.0), seed).events)


def test_more_contrast_gives_more_events() -> None:
    level, time = walk(1)
    found = [
        len(record(level * gain, time, sensor(), 0).events) for gain in (0.5, 1.0, 2.0, 4.0)
    ]
    assert found == sorted(found)
    assert found[0] < found[-1] / 4
    for on in (0.1, 0.2, 0.4):
        eye = sensor(on=on, off=on)
        rising = np.linspace(0.0, 2.01, 9, dtype=np.float32)[:, None, None]
        film = np.broadcast_to(rising, (9, SIDE, SIDE))
        found_all = counts(record(film, np.linspace(0.0, 8000.0, 9), eye, 0))
        assert np.all(found_all == int(2.01 / on))


def test_times_are_those_of_the_crossing_itself() -> None:
    """A ramp of 1.0 in 10 ms between two frames, threshold 0.2: one event every 2 ms."""
    level = np.zeros((2, SIDE, SIDE), np.float32)
    level[1] = 1.02
    events = record(level, np.array([1000.0, 11_200.0]), sensor(on=0.2), 0).events
    one = np.sort(events["t"][(events["x"] == 0) & (events["y"] == 0)])
    np.testing.assert_allclose(one, [3000, 5000, 7000, 9000, 11_000], atol=1.01)
    assert events["p"].all()
    assert np.all(np.diff(events["t"]) >= 0)


def test_a_still_picture_gives_nothing_without_noise() -> None:
    level = np.broadcast_to(walk(2)[0][3], (30, SIDE, SIDE))
    time = np.linspace(0.0, 290_000.0, 30)
    assert len(record(level, time, sensor(), 0).events) == 0
    assert len(record(level, time, make_sensor(Camera(), SIDE, SIDE, 0), 0).events) > 0


def test_leak_shot_noise_and_hot_pixels_have_their_rates() -> None:
    seconds, pixels = 20.0, SIDE * SIDE
    time = np.array([0.0, seconds * 1e6])
    dark = np.full((2, SIDE, SIDE), np.log(0.001), np.float32)
    leak = record(dark, time, sensor(leak=2.0), 0).events
    assert leak["p"].all()
    assert len(leak) == pytest.approx(2.0 * seconds * pixels, rel=0.05)
    bright = np.zeros_like(dark)
    for level, factor in ((dark, 1.0), (bright, 0.25)):
        noise = record(level, time, sensor(shot_noise=3.0), 5).events
        expected = 3.0 * factor * seconds * pixels
        assert abs(len(noise) - expected) < 5.0 * np.sqrt(expected)
        assert noise["p"].mean() == pytest.approx(0.5, abs=0.05)
    eye = sensor(hot_fraction=0.1, hot_rate=40.0)
    hot = counts(record(dark, time, eye, 0))
    assert eye.hot.any()
    assert hot[~eye.hot].sum() == 0
    assert np.all(hot[eye.hot] > 600)


def test_mismatch_is_drawn_once_for_a_sensor() -> None:
    camera = Camera(on=0.2, off=0.3, mismatch=0.05)
    eye = make_sensor(camera, 100, 100, 1)
    assert eye.on.mean() == pytest.approx(0.2, abs=0.003)
    assert eye.off.mean() == pytest.approx(0.3, abs=0.003)
    assert eye.on.std() == pytest.approx(0.05, abs=0.003)
    np.testing.assert_array_equal(eye.on, make_sensor(camera, 100, 100, 1).on)
    assert not np.array_equal(eye.on, make_sensor(camera, 100, 100, 2).on)
    assert make_sensor(Camera(mismatch=5.0), 50, 50, 0).on.min() >= np.float32(0.01)


def test_the_same_seed_gives_the_same_events() -> None:
    level, time = walk(4)
    eye = make_sensor(Camera(shot_noise=20.0), SIDE, SIDE, 0)
    one, same, other = (record(level, time, eye, seed).events for seed in (7, 7, 8))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_more_events_than_expected_are_all_kept() -> None:
    """The first guess of the room is 16 a pixel."""
    level = np.zeros((2, SIDE, SIDE), np.float32)
    level[1] = 20.05
    found = counts(record(level, np.array([0.0, 1e6]), sensor(on=0.1), 0))
    assert np.all((found == 200) | (found == 199))  # 0.1 is no float32


def test_what_no_camera_can_be_is_refused() -> None:
    with pytest.raises(UsageError, match=r"leak = -1\.0") as caught:
        Camera(on=0.0, leak=-1.0, hot_fraction=2.0)
    assert "thresholds on = 0.0, off = 0.2, limit 0.01" in str(caught.value)
    assert "hot_fraction = 2.0" in str(caught.value)
    with pytest.raises(UsageError, match="mismatch = nan"):
        Camera(mismatch=float("nan"))
    level, time = walk(0)
    level[3, 0, 0] = np.nan
    with pytest.raises(DataError, match="20 frames, 20 times") as caught_data:
        record(level, time[::-1], make_sensor(IDEAL, 5, 5, 0), 0)
    assert "sensor of (5, 5)" in str(caught_data.value)
    assert "a log intensity is not finite" in str(caught_data.value)


def test_light_and_grey_are_inverse() -> None:
    grey = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(grey_of(light_of(grey)), grey)
    assert light_of(grey).min() == pytest.approx(0.02)


def test_saccades_close_the_triangle_and_slow_down_at_its_corners() -> None:
    time, dx, dy = Saccades(extent=4.0).path()
    assert (dx[0], dy[0]) == (dx[-1], dy[-1]) == (0.0, -2.0)
    assert time[-1] == 300_000.0
    assert np.ptp(dx) == pytest.approx(4.0)
    assert np.ptp(dy) == pytest.approx(4.0)
    step = np.hypot(np.diff(dx), np.diff(dy))
    assert step.max() <= 0.25 + 1e-9
    corners = np.searchsorted(time, [100_000.0, 200_000.0])
    assert np.all(step[corners - 1] < 0.02)


def test_a_resting_film_is_the_picture_and_a_moving_one_its_shift() -> None:
    random = np.random.default_rng(0)
    picture = random.random((8, 9)).astype(np.float32)
    path = (np.arange(3.0), np.array([0.0, 1.0, 0.5]), np.array([0.0, -2.0, 0.0]))
    seen = film(picture, path)
    np.testing.assert_array_equal(seen[0], picture)
    np.testing.assert_array_equal(seen[1][2:, :-1], picture[:-2, 1:])
    np.testing.assert_allclose(
        seen[2][:, :-1], (picture[:, :-1] + picture[:, 1:]) / 2, rtol=1e-6
    )
    still = (np.zeros(1), np.zeros(1), np.zeros(1))
    crop = film(picture, still, (3, 4), Window(2.0, 1.0, 4.0, 3.0))
    np.testing.assert_allclose(crop[0], picture[1:4, 2:6], rtol=1e-6)


def test_the_lid_covers_the_eye_with_the_skin_above_it() -> None:
    blink = Blink(open=0.25, closed=0.75)
    rows = np.arange(40, dtype=np.float32)[None, :, None]
    seen = np.broadcast_to(rows, (3, 40, 5)).copy()
    drawn = blink.draw(seen, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(drawn[0], seen[0])
    assert drawn[2, :30].max() <= 10.0  # only rows above the open edge, stretched
    np.testing.assert_array_equal(drawn[2, 30:], seen[2, 30:])
    np.testing.assert_array_equal(drawn[1, 20:], seen[1, 20:])
    time = np.arange(0.0, 60e6, 5000.0)
    closure = Blink(rate=0.5).lid(time, np.random.default_rng(0))
    assert closure.min() >= 0.0
    assert closure.max() == pytest.approx(1.0)
    blinks = np.sum((closure[1:] > 0.5) & (closure[:-1] <= 0.5))
    assert 15 <= blinks <= 40  # 30 expected
    assert not Blink(rate=0.0).lid(time, np.random.default_rng(0)).any()


def test_gaze_jumps_as_often_as_its_rate_says() -> None:
    time = np.arange(0.0, 60e6, 2000.0)
    _, dx, dy = Gaze(rate=2.0, drift=0.0).path(time, 100, np.random.default_rng(0))
    moving = np.hypot(np.diff(dx), np.diff(dy)) > 0.0
    jumps = np.sum(moving[1:] & ~moving[:-1])
    assert 85 <= jumps <= 150  # 115 expected: the saccades take time themselves
    assert np.hypot(dx, dy).mean() == pytest.approx(4.0, rel=0.25)
    _, dx, _ = Gaze(rate=0.0, drift=0.0).path(time, 100, np.random.default_rng(0))
    assert not dx.any()


def test_a_thinned_film_keeps_what_moves() -> None:
    time = np.arange(100.0)
    dx = np.where(time > 50, 3.0, 0.0)
    closure, always = np.zeros(100), np.zeros(100, bool)
    always[20] = True
    kept = thinned((time, dx, np.zeros(100)), closure, always)
    assert kept.tolist() == [0, 19, 20, 50, 51, 99]
