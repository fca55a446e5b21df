"""A simulated event camera: light that changes becomes events.

Each pixel remembers the log intensity L at its last event and sends ON when L has risen by
theta_on, OFF when it has fallen by theta_off (Lichtsteiner et al. 2008). Between frames L is
linear in time, so events carry the time of the crossing itself. What is in and what is not:

- mismatch: each pixel has thresholds of its own, drawn once for a sensor;
- refractory time: after an event a pixel is held in reset; what changes meanwhile is lost;
- leak: the memorised level sinks, so that a pixel in constant light sends ON at `leak` hertz
  (Nozaki and Delbruck 2017);
- shot noise: random events of either sign, Poisson, more in the dark (as in v2e, Hu et al.
  2021: a fully lit pixel has a quarter of the rate of a dark one);
- hot pixels: a few pixels send at random all the time.

Left out: the photoreceptor's limited bandwidth, arbitration and time jitter of the bus.
Everything made with it is simulated and must be called so.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, Problem, UsageError
from .kernels import pixels
from .recording import EVENT, Recording

BRIGHT_NOISE = 0.25
"""Shot noise of a fully lit pixel relative to a dark one (v2e's factor, from memory)."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Parameters of a kind of camera; the defaults are moderate noise of a DAVIS-like sensor.

    Attributes:
        on, off: mean contrast thresholds, natural log intensity.
        mismatch: standard deviation of the thresholds between pixels, natural log intensity.
        refractory: microseconds.
        leak: ON events of a pixel in constant light, hertz.
        shot_noise: noise events of a dark pixel, hertz.
        hot_fraction: share of hot pixels, 0..1.
        hot_rate: noise events of a hot pixel, hertz.
    """

    on: float = 0.2
    off: float = 0.2
    mismatch: float = 0.03
    refractory: float = 500.0
    leak: float = 0.1
    shot_noise: float = 1.0
    hot_fraction: float = 0.001
    hot_rate: float = 50.0

    def __post_init__(self) -> None:
        """Refuse what no camera can be."""
        problems = [
            Problem(f"{field.name} = {getattr(self, field.name)}", "Camera", "at least 0")
            for field in fields(self)
            if not getattr(self, field.name) >= 0.0
        ]
        if not min(self.on, self.off) >= SMALLEST:
            problems.append(
                Problem(
                    f"thresholds on = {self.on}, off = {self.off}, limit {SMALLEST}",
                    "Camera",
                    "contrast thresholds are natural logarithms: real ones are 0.1 to 0.5",
                )
            )
        if not self.hot_fraction <= 1.0:
            problems.append(
                Problem(f"hot_fraction = {self.hot_fraction}", "Camera", "at most 1")
            )
        if problems:
            raise UsageError(*problems)


SMALLEST = 0.01
"""Least threshold of a pixel: mismatch is cut off here."""

IDEAL = Camera(
    mismatch=0.0, refractory=0.0, leak=0.0, shot_noise=0.0, hot_fraction=0.0, hot_rate=0.0
)
"""No noise, all pixels alike."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """One camera with its fixed pattern.

    Attributes:
        camera: the kind of camera.
        on, off: thresholds of each pixel, float32 (H, W).
        hot: hot pixels, bool (H, W).
    """

    camera: Camera
    on: NDArray[np.float32]
    off: NDArray[np.float32]
    hot: NDArray[np.bool_]


def make_sensor(camera: Camera, height: int, width: int, seed: int) -> Sensor:
    """Draw the pixels of one camera: thresholds N(mean, mismatch), at least 0.01."""
    random = np.random.default_rng(seed)
    shape = (height, width)
    on, off = (
        np.maximum(random.normal(mean, camera.mismatch, shape), SMALLEST).astype(np.float32)
        for mean in (camera.on, camera.off)
    )
    return Sensor(camera, on, off, random.random(shape) < camera.hot_fraction)


def light_of(
    grey: NDArray[Any], *, gamma: float = 2.2, floor: float = 0.02
) -> NDArray[np.float32]:
    """Light of grey values, relative to white: floor + (grey / 255)^gamma.

    Args:
        grey: 0..255, any shape.
        gamma: of the screen or of the picture's coding.
        floor: dark light of the scene; bounds the contrast to about 1 / floor.
    """
    share = grey.astype(np.float32) / np.float32(255.0)
    light: NDArray[np.float32] = np.float32(floor) + share ** np.float32(gamma)
    return light


def grey_of(
    light: NDArray[np.float32], *, gamma: float = 2.2, floor: float = 0.02
) -> NDArray[np.uint8]:
    """The inverse of light_of, rounded to whole grey values."""
    share = np.maximum(light - np.float32(floor), 0.0) ** np.float32(1.0 / gamma)
    grey: NDArray[np.uint8] = np.minimum(np.round(share * 255.0), 255.0).astype(np.uint8)
    return grey


def record(
    level: NDArray[np.float32], time: NDArray[np.float64], sensor: Sensor, seed: int
) -> Recording:
    """Events of a sensor that looks at a film.

    Args:
        level: log intensity at each frame, (K, H, W).
        time: of each frame, microseconds, rising, (K,). Time stamps are rounded down.
        sensor: (H, W).
        seed: of the noise over time; the same seed gives the same events.

    Returns:
        The events, in the order of time.

    Raises:
        DataError: the shapes do not fit, the times do not rise, or a level is not finite.
    """
    frames, height, width = level.shape
    problems = []
    if frames != len(time) or np.any(np.diff(time) <= 0.0):
        problems.append(
            Problem(f"{frames} frames, {len(time)} times", remedy="rising, one per frame")
        )
    if (height, width) != sensor.on.shape:
        problems.append(
            Problem(f"frames of {height}x{width}, sensor of {sensor.on.shape}", remedy="equal")
        )
    if not np.isfinite(level).all():
        problems.append(
            Problem("a log intensity is not finite", remedy="keep a floor of light")
        )
    if problems:
        raise DataError(*problems)
    camera, count = sensor.camera, height * width
    flat = np.ascontiguousarray(level.reshape(frames, count), np.float32)
    lit = np.exp(np.minimum(flat[0], 0.0))
    rate = camera.shot_noise * (1.0 - (1.0 - BRIGHT_NOISE) * lit)
    rate = (rate + camera.hot_rate * sensor.hot.reshape(count)) * 1e-6
    mix = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    room = 16 * count
    while True:
        where, when = np.empty(room, np.int32), np.empty(room, np.float64)
        sign = np.empty(room, np.uint8)
        n = pixels(
            flat,
            np.ascontiguousarray(time, np.float64),
            sensor.on.reshape(count),
            sensor.off.reshape(count),
            rate.astype(np.float32),
            camera.leak * 1e-6,
            float(camera.refractory),
            mix,
            where,
            when,
            sign,
        )
        if n <= room:
            break
        room = n
    order = np.argsort(when[:n], kind="stable")
    events = np.empty(n, EVENT)
    pixel = where[order]
    events["x"], events["y"] = pixel % width, pixel // width
    events["t"], events["p"] = np.floor(when[order]), sign[order]
    return Recording(events, height, width)
