"""Simulated event data made of pictures: whole faces under saccades, and single eyes.

Nobody recorded these events. The data set's name, its flag `simulated`, its notes and every
file written from it say so, and so must every table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, Problem, UsageError
from ..events.camera import Camera, Sensor, grey_of, light_of, make_sensor, record
from ..events.motion import Blink, Gaze, Saccades, Window, film, thinned
from ..events.recording import accumulate, to_frames
from .duplicates import fingerprint
from .part import Clip, Pair, Part
from .see import clip_indices

SIMULATED = "SIMULATED: events computed from still pictures, recorded by no camera"

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SaccadeFilm:
    """A picture under three saccades: picture (C, H, W) -> Pair(picture, Recording).

    The noise over time is drawn from `seed` and the picture's pixels, the sensor's fixed
    pattern from `seed` alone: the same recipe and picture give the same events anywhere.

    Attributes:
        camera, saccades: see there.
        size: (height, width) of the sensor; None: the picture's.
        gamma, floor: how grey becomes light, see light_of.
        seed: of everything random.
    """

    camera: Camera = field(default_factory=Camera)
    saccades: Saccades = field(default_factory=Saccades)
    size: tuple[int, int] | None = None
    gamma: float = 2.2
    floor: float = 0.02
    seed: int = 0

    def __call__(self, picture: Picture) -> Pair:
        """Simulate one picture."""
        light = light_of(as_grey(picture), gamma=self.gamma, floor=self.floor)
        path = self.saccades.path()
        level = np.log(film(light, path, self.size))
        sensor = _sensor(self.camera, *level.shape[1:], self.seed)
        return Pair(picture, record(level, path[0], sensor, _seed(self.seed, picture)))


RIGHT_EYE = Window(5.0, 7.0, 20.0, 20.0)
"""Where FER2013's faces have the subject's right eye: 20x20 of 48x48 pixels, columns 5..24,
rows 7..26, with the brow. The eye of the training split's mean face is darkest at column 15,
row 17. Faces are not aligned and some are in profile: not every crop shows an eye."""


@dataclass(frozen=True, slots=True)
class EyeFilm:
    """A filmed eye: picture (C, H, W) -> Pair(film, Recording), as SEE has them.

    The film is the crop under small saccades, drift and blinks, its frames (L, 1, h, w) are
    taken at 0, period, 2 period, ...; events run from 0 to L period. The expression itself does
    not move: what moves says nothing about the emotion, unlike in SEE.

    Attributes:
        camera, gaze, blink: see there.
        window: the crop, pixels of the picture.
        size: (height, width) of sensor and frames; SEEN's networks take 90x90.
        frames: L.
        period: between frames, microseconds; SEE 33,333.
        tick: finest step of movement, microseconds.
        gamma, floor, seed: as in SaccadeFilm.
    """

    camera: Camera = field(default_factory=Camera)
    gaze: Gaze = field(default_factory=Gaze)
    blink: Blink = field(default_factory=Blink)
    window: Window = RIGHT_EYE
    size: tuple[int, int] = (48, 48)
    frames: int = 16
    period: float = 33_333.0
    tick: float = 2_000.0
    gamma: float = 2.2
    floor: float = 0.02
    seed: int = 0

    def __call__(self, picture: Picture) -> Pair:
        """Simulate one eye."""
        if self.frames < 1 or not self.period > 0.0 or not self.tick > 0.0:
            raise UsageError(
                f"{self.frames} frames, period {self.period} us, tick {self.tick} us",
                remedy="all above 0",
            )
        seed = _seed(self.seed, picture)
        random = np.random.default_rng(seed)
        moments = self.period * np.arange(self.frames + 1)
        time = np.union1d(np.arange(0.0, moments[-1], self.tick), moments)
        path = self.gaze.path(time, self.size[1], random)
        closure = self.blink.lid(time, random)
        kept = thinned(path, closure, np.isin(time, moments))
        path = (time[kept], path[1][kept], path[2][kept])
        light = light_of(as_grey(picture), gamma=self.gamma, floor=self.floor)
        seen = self.blink.draw(film(light, path, self.size, self.window), closure[kept])
        sensor = _sensor(self.camera, *self.size, self.seed)
        recording = record(np.log(seen), path[0], sensor, seed)
        shots = seen[np.searchsorted(path[0], moments[:-1])]
        return Pair(grey_of(shots, gamma=self.gamma, floor=self.floor)[:, None], recording)


@dataclass(frozen=True, slots=True)
class PairToFrames:
    """Pair(picture, Recording) -> Pair(picture, frames (T, 2, h, w)), for Part.through."""

    steps: int
    by: Literal["time", "count"] = "time"
    size: tuple[int, int] | None = None

    def __call__(self, pair: Pair) -> Pair:
        """Bin the events of a pair, see to_frames."""
        frames = to_frames(pair.recording, self.steps, by=self.by, size=self.size)
        return Pair(pair.picture, frames)


@dataclass(frozen=True, slots=True)
class PairToClip:
    """An eye's Pair(film, Recording) -> Clip of T steps, as SEE's loader gives them.

    Attributes:
        steps, stride, start: see clip_indices.
        period: between frames, microseconds, as the film was made.
        gain: grey levels an event, see accumulate.
    """

    steps: int = 4
    stride: int = 4
    start: int = 0
    period: float = 33_333.0
    gain: float = 32.0

    def __call__(self, pair: Pair) -> Clip:
        """Frames and accumulated events (T, 1, h, w) of the clip's moments."""
        length = len(pair.picture)
        chosen = clip_indices(length, self.steps, self.stride, self.start)
        events = accumulate(pair.recording, length, self.period, gain=self.gain)
        return Clip(pair.picture[chosen], events[chosen])


def simulate(part: Part[Picture], recipe: SaccadeFilm | EyeFilm) -> Part[Pair]:
    """A data set of pictures as a simulated data set of events.

    Nothing is computed before an item is read; `store.save` keeps the result.

    Args:
        part: pictures (C, H, W).
        recipe: how they are filmed.

    Returns:
        The same items and labels; the name says what they are, the notes how they were made.
    """
    kind = "saccades" if isinstance(recipe, SaccadeFilm) else "single-eye"
    made = f"recipe {type(recipe).__name__} {json.dumps(asdict(recipe))}"
    return replace(
        part.through(recipe),
        name=f"{part.name}-{kind}-simulated",
        notes=(SIMULATED, *part.notes, made),
        simulated=True,
    )


def simulate_all(
    parts: Mapping[str, Part[Picture]], recipe: SaccadeFilm | EyeFilm
) -> dict[str, Part[Pair]]:
    """`simulate` for each split."""
    return {split: simulate(part, recipe) for split, part in parts.items()}


def as_grey(picture: Picture) -> Picture:
    """The luminance of a picture (C, H, W), uint8 (H, W): 0.299 R + 0.587 G + 0.114 B.

    Raises:
        DataError: not one or three channels.
    """
    if picture.ndim == 3 and picture.shape[0] == 1:
        plane: Picture = picture[0]
        return plane
    if picture.ndim == 3 and picture.shape[0] == 3:
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        mixed = np.tensordot(weights, picture.astype(np.float32), 1)
        grey: Picture = np.round(mixed).astype(np.uint8)
        return grey
    raise DataError(
        Problem(
            f"a picture of shape {picture.shape}, expected (1, H, W) or (3, H, W)",
            remedy="simulate pictures",
        )
    )


def _seed(seed: int, picture: Picture) -> int:
    """A seed of recipe and picture, the same on every machine."""
    return int.from_bytes(fingerprint(picture), "little") ^ seed


@lru_cache(maxsize=4)
def _sensor(camera: Camera, height: int, width: int, seed: int) -> Sensor:
    return make_sensor(camera, height, width, seed)
