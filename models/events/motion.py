"""What moves before the simulated camera: saccades over a picture, a gaze, a blink."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, pi

import numpy as np
from numpy.typing import NDArray

from .kernels import sampled

Path = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Times (microseconds), displacement of the gaze to the right, downwards (pixels); (K,)."""


@dataclass(frozen=True, slots=True)
class Saccades:
    """Three saccades along an isosceles triangle, as N-MNIST and N-Caltech101 were recorded.

    Orchard et al. 2015 moved the camera on a pan-tilt unit through three saccades of 100 ms
    that end where they began. The speed rises and falls once in each (in N-MNIST's events it
    is seen to), here as sin^2. Corners in pixels: their degrees and lens are not known well
    enough to convert, so `extent` is our reading.

    Attributes:
        extent: width of the triangle's base and its height, pixels.
        duration: of one saccade, microseconds.
        resolution: largest movement between two frames of the film, pixels.
    """

    extent: float = 3.0
    duration: float = 100_000.0
    resolution: float = 0.25

    def path(self) -> Path:
        """The gaze, from the top corner over both lower ones and back."""
        half = self.extent / 2.0
        corners = np.array([(0.0, -half), (half, half), (-half, half), (0.0, -half)])
        times, places = [np.zeros(1)], [corners[:1]]
        for number, (begin, end) in enumerate(pairwise(corners)):
            # sin^2 speed: its peak is twice the mean, so twice the frames of a steady walk.
            length = float(np.hypot(*(end - begin)))
            frames = max(2, ceil(2.0 * length / self.resolution))
            u = np.arange(1, frames + 1) / frames
            way = u - np.sin(2.0 * pi * u) / (2.0 * pi)
            times.append((number + u) * self.duration)
            places.append(begin + way[:, None] * (end - begin))
        place = np.concatenate(places)
        return np.concatenate(times), place[:, 0].copy(), place[:, 1].copy()


@dataclass(frozen=True, slots=True)
class Gaze:
    """An eye that rests: drift and small saccades.

    True micro-saccades (below 1 degree) would hardly move so coarse a picture; the default is
    larger, in the range of small voluntary ones: our reading.

    Attributes:
        rate: saccades, hertz.
        size: mean length of one, fraction of the sensor's width; lengths are
            Rayleigh-distributed, directions random, and each starts back from the middle.
        duration: of one, microseconds.
        drift: standard deviation of the slow random walk after one second, fraction of the
            sensor's width.
    """

    rate: float = 2.0
    size: float = 0.04
    duration: float = 20_000.0
    drift: float = 0.01

    def path(self, time: NDArray[np.float64], width: int, random: np.random.Generator) -> Path:
        """The displacement at the given times, for a sensor `width` pixels wide."""
        steps = np.diff(time, prepend=time[0])
        walk = random.normal(size=(len(time), 2)) * np.sqrt(steps * 1e-6)[:, None]
        place = np.cumsum(walk * self.drift * width, axis=0)
        at = np.zeros(2)
        moment = float(time[0]) + random.exponential(1e6 / self.rate) if self.rate else np.inf
        while moment < time[-1]:
            length = random.rayleigh(self.size * width * np.sqrt(2.0 / pi))
            angle = random.uniform(0.0, 2.0 * pi)
            jump = length * np.array([np.cos(angle), np.sin(angle)]) - at
            u = np.clip((time - moment) / self.duration, 0.0, 1.0)
            place += (u - np.sin(2.0 * pi * u) / (2.0 * pi))[:, None] * jump
            at += jump
            moment += self.duration + random.exponential(1e6 / self.rate)
        return time, place[:, 0].copy(), place[:, 1].copy()


@dataclass(frozen=True, slots=True)
class Blink:
    """The upper lid, drawn down over the eye and up again.

    The lid is the skin above the eye, stretched: a row y above the lid's edge e shows the row
    y open / e of the picture. Durations are typical of spontaneous blinks (from memory).

    Attributes:
        rate: blinks, hertz.
        open, closed: height of the lid's edge, fraction of the picture from its top.
        closing, shut, opening: microseconds.
    """

    rate: float = 0.3
    open: float = 0.35
    closed: float = 0.75
    closing: float = 75_000.0
    shut: float = 50_000.0
    opening: float = 150_000.0

    def lid(
        self, time: NDArray[np.float64], random: np.random.Generator
    ) -> NDArray[np.float64]:
        """How far the lid is closed at the given times, 0 (open) to 1."""
        closure = np.zeros(len(time))
        moment = float(time[0]) + random.exponential(1e6 / self.rate) if self.rate else np.inf
        whole = self.closing + self.shut + self.opening
        while moment < time[-1]:
            since = time - moment
            down = np.clip(since / self.closing, 0.0, 1.0)
            up = np.clip((since - self.closing - self.shut) / self.opening, 0.0, 1.0)
            closure += 0.5 * (np.cos(pi * up) - np.cos(pi * down))
            moment += whole + random.exponential(1e6 / self.rate)
        return closure

    def draw(
        self, film: NDArray[np.float32], closure: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Draw the lid over each frame of a film, (K, H, W)."""
        height = film.shape[1]
        edge_open, edge_closed = self.open * height, self.closed * height
        drawn = film.copy()
        rows = np.arange(height)
        for k in np.flatnonzero(closure > 0.0):
            edge = edge_open + closure[k] * (edge_closed - edge_open)
            source = rows * (edge_open / edge)
            low = np.minimum(source.astype(np.int64), height - 1)
            high = np.minimum(low + 1, height - 1)
            part = (source - low).astype(np.float32)[:, None]
            lid = film[k, low] * (1.0 - part) + film[k, high] * part
            # A row that the edge crosses is lid in part.
            cover = np.clip(edge - rows, 0.0, 1.0).astype(np.float32)[:, None]
            drawn[k] = cover * lid + (1.0 - cover) * film[k]
        return drawn


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a picture that a sensor sees while the gaze rests.

    Attributes:
        left, top, width, height: pixels of the picture.
    """

    left: float
    top: float
    width: float
    height: float


def film(
    picture: NDArray[np.float32],
    path: Path,
    size: tuple[int, int] | None = None,
    window: Window | None = None,
) -> NDArray[np.float32]:
    """What a sensor sees of a picture along a path, bilinearly; the border goes on outside.

    Pixel (row, column) sees, of the picture, the place left + (column + 1/2 + dx) step - 1/2,
    step = window width / sensor width; rows alike. Without displacement and window, and at the
    picture's own size, that is the picture itself.

    Args:
        picture: light (see light_of), (H, W): optics mix light, not grey values.
        path: displacements in pixels of the sensor.
        size: (height, width) of the sensor; without it the picture's.
        window: what of the picture it sees; without it all.

    Returns:
        Light, (K, height, width).
    """
    _, dx, dy = path
    height, width = size or picture.shape
    window = window or Window(0.0, 0.0, picture.shape[1], picture.shape[0])
    step_x, step_y = window.width / width, window.height / height
    frames = np.empty((len(dx), height, width), np.float32)
    sampled(
        np.ascontiguousarray(picture, np.float32),
        window.left + (0.5 + dx) * step_x - 0.5,
        window.top + (0.5 + dy) * step_y - 0.5,
        step_x,
        step_y,
        frames,
    )
    return frames


def thinned(
    path: Path,
    closure: NDArray[np.float64],
    always: NDArray[np.bool_],
    resolution: float = 0.25,
) -> NDArray[np.int64]:
    """The moments of a film worth computing: those between which something has moved.

    Args:
        path: on a fine grid of time.
        closure: of the lid, 0..1, on the same grid.
        always: moments that are kept in any case.
        resolution: movement from one kept moment to the next, pixels; a tenth of it, as a
            fraction, for the lid.

    Returns:
        Indices of the kept moments, rising. Before each move its beginning is kept, so that
        what is linear between kept moments does not begin too early.
    """
    _, dx, dy = path
    kept = [0]
    for k in range(1, len(dx)):
        at = kept[-1]
        moved = abs(dx[k] - dx[at]) + abs(dy[k] - dy[at]) >= resolution
        if moved or always[k] or abs(closure[k] - closure[at]) >= resolution / 10.0:
            if k - 1 > at:
                kept.append(k - 1)
            kept.append(k)
    if kept[-1] != len(dx) - 1:
        kept.append(len(dx) - 1)
    return np.array(kept, np.int64)
