"""Events as a structured array, and the frames that a network is fed with.

An event is (x, y, t, p): column, row (0 at the top left), time in microseconds, polarity
(1 = brighter, ON; 0 = darker, OFF).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError, Problem, UsageError

EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "u1")])
"""One event: x and y in pixels, t in microseconds, p 0 or 1."""

Events = NDArray[np.void]

MOST = 32_767
"""Most events that one pixel of a frame can count."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What one camera saw.

    Attributes:
        events: (n,) of type EVENT, in the order of time.
        height, width: of the sensor, pixels.
    """

    events: Events
    height: int
    width: int


def as_events(x: ArrayLike, y: ArrayLike, t: ArrayLike, p: ArrayLike) -> Events:
    """Put columns together and in the order of time (stable).

    Args:
        x: columns, (n,), 0..65535.
        y: rows, (n,), 0..65535.
        t: (n,), microseconds.
        p: (n,), 1 or 0 (ON or OFF); -1 and False count as 0.

    Raises:
        DataError: the columns differ in length, or a coordinate or a polarity is out of range.
    """
    columns = {
        name: np.asarray(c).reshape(-1) for name, c in zip("xytp", (x, y, t, p), strict=True)
    }
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(
            Problem(f"the columns of the events differ in length: {told}", remedy="copy again")
        )
    problems = [
        Problem(
            f"{name} runs from {column.min()} to {column.max()}, limit {low}..{high}",
            remedy="this is not the expected event format",
        )
        for name, low, high in (("x", 0, 65535), ("y", 0, 65535), ("p", -1, 1))
        if (column := columns[name]).size and (column.min() < low or column.max() > high)
    ]
    if problems:
        raise DataError(*problems)
    events = np.empty(lengths["x"], EVENT)
    for name in "xyt":
        events[name] = columns[name]
    events["p"] = columns["p"] > 0
    if np.any(events["t"][1:] < events["t"][:-1]):
        events = events[np.argsort(events["t"], kind="stable")]
    return events


def to_frames(
    recording: Recording,
    steps: int,
    *,
    by: Literal["time", "count"] = "time",
    start: int | None = None,
    stop: int | None = None,
    size: tuple[int, int] | None = None,
) -> NDArray[np.int16]:
    """Count events in bins of time and space.

    Binning: by time, an event of time t falls into step floor((t - start) T / (stop - start));
    by count, event i of n falls into step floor(i T / n), so that all steps hold equally many.
    With `size` an event at column x falls into column floor(x w / width), rows alike: counts
    are kept, nothing is interpolated.

    Args:
        recording: the events.
        steps: T.
        by: "time" or "count".
        start: of the window, microseconds; without it the first event. Events outside the
            window are left out.
        stop: end of the window, itself excluded; without it just after the last event.
        size: (h, w) of the frames; without it the sensor's.

    Returns:
        (T, 2, h, w): number of events, channel 0 OFF, channel 1 ON.

    Raises:
        UsageError: steps or window make no sense.
        DataError: an event lies outside the sensor, or a pixel counts more than 32,767.
    """
    if steps < 1:
        raise UsageError(f"{steps} steps", remedy="at least 1")
    if start is not None and stop is not None and stop <= start:
        raise UsageError(f"the window ends at {stop} us and begins at {start} us")
    height, width = size or (recording.height, recording.width)
    frames = np.zeros((steps, 2, height, width), np.int16)
    events = recording.events
    _check_inside(recording)
    t = events["t"]
    if start is not None or stop is not None:
        first = np.searchsorted(t, start, "left") if start is not None else 0
        last = np.searchsorted(t, stop, "left") if stop is not None else len(t)
        events = events[first:last]
        t = events["t"]
    if not len(events):
        return frames
    begin = int(t[0]) if start is None else start
    end = int(t[-1]) + 1 if stop is None else stop
    if by == "time":
        step = (t - begin) * steps // (end - begin)
    else:
        step = np.arange(len(events), dtype=np.int64) * steps // len(events)
    row = events["y"].astype(np.int64) * height // recording.height
    column = events["x"].astype(np.int64) * width // recording.width
    flat = ((step * 2 + events["p"]) * height + row) * width + column
    counts = np.bincount(flat, minlength=frames.size)
    if counts.max() > MOST:
        raise DataError(
            Problem(
                f"{counts.max()} events in one pixel and step, limit {MOST}",
                remedy="take more steps or a larger size, or leave out hot pixels",
            )
        )
    return counts.astype(np.int16).reshape(frames.shape)


@dataclass(frozen=True, slots=True)
class ToFrames:
    """`to_frames` with its options fixed, for Part.through and for worker processes."""

    steps: int
    by: Literal["time", "count"] = "time"
    size: tuple[int, int] | None = None

    def __call__(self, recording: Recording) -> NDArray[np.int16]:
        """Frames (T, 2, h, w) of a recording."""
        return to_frames(recording, self.steps, by=self.by, size=self.size)


def clip_counts(frames: NDArray[Any], limit: int = 1) -> tuple[NDArray[Any], int]:
    """Limit the counts, for inputs that are binary, and say what it cost.

    Returns:
        The frames with no count above `limit`, and the number of events lost.
    """
    clipped = np.minimum(frames, limit)
    return clipped, int(frames.sum(dtype=np.int64) - clipped.sum(dtype=np.int64))


def accumulate(
    recording: Recording, frames: int, period: float, *, start: float = 0.0, gain: float = 32.0
) -> NDArray[np.uint8]:
    """Pictures of accumulated events on mid-grey, as SEE stores them.

    Pixel = clip(128 + gain (ON - OFF), 0, 255), counted over one period. SEE's own gain is
    not published: 32 grey levels an event is our reading.

    Args:
        recording: the events.
        frames: number of pictures L.
        period: microseconds a picture; SEE 33,333 (30 a second).
        start: time of the first picture's beginning, microseconds.
        gain: grey levels an event.

    Returns:
        (L, 1, height, width).
    """
    edges = np.round(start + period * np.arange(frames + 1)).astype(np.int64)
    cuts = np.searchsorted(recording.events["t"], edges, "left")
    pictures = np.empty((frames, 1, recording.height, recording.width), np.uint8)
    for k in range(frames):
        part = replace(recording, events=recording.events[cuts[k] : cuts[k + 1]])
        off, on = to_frames(part, 1)[0]
        pictures[k, 0] = np.clip(np.round(128.0 + gain * (on - off)), 0, 255)
    return pictures


def _check_inside(recording: Recording) -> None:
    events = recording.events
    if not len(events):
        return
    x, y = int(events["x"].max()), int(events["y"].max())
    if x >= recording.width or y >= recording.height:
        raise DataError(
            Problem(
                f"an event lies at column {x} or row {y}, outside the sensor of "
                f"{recording.width}x{recording.height} pixels",
                remedy="give the sensor's true size, or take the file for damaged",
            )
        )
