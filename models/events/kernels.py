"""What each pixel of a simulated event camera does, one pixel after the other, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_INF = 1e300


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _uniform(state: Any) -> Any:
    """Next random number in (0, 1], and the next state (splitmix64)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (np.float64(z >> np.uint64(11)) + 1.0) * (1.0 / 9007199254740992.0), state


@njit(cache=True)  # type: ignore[untyped-decorator]
def pixels(
    level: Any,
    time: Any,
    on: Any,
    off: Any,
    rate: Any,
    leak: float,
    refractory: float,
    seed: Any,
    where: Any,
    when: Any,
    polarity: Any,
) -> int:
    """Events of all pixels, pixel by pixel.

    Args:
        level: float32 (K, n), log intensity of each pixel at each frame; linear in between.
        time: float64 (K,), microseconds, rising.
        on: float32 (n,), contrast thresholds for ON events.
        off: float32 (n,), for OFF events.
        rate: float32 (n,), noise events per microsecond.
        leak: ON events per microsecond of a pixel whose light does not change.
        refractory: microseconds.
        seed: uint64.
        where: int32, filled with the pixel of each event.
        when: float64, filled with its time.
        polarity: uint8, filled with 1 for ON, 0 for OFF.

    Returns:
        Number of events; only as many as fit into `where` are written.
    """
    frames, count = level.shape
    room = where.size
    n = 0
    for i in range(count):
        up, down = np.float64(on[i]), np.float64(off[i])
        drift = leak * up
        state = np.uint64(seed) + np.uint64(i) * np.uint64(0xD1B54A32D192ED03)
        noisy = _INF
        if rate[i] > 0.0:
            draw, state = _uniform(state)
            noisy = time[0] - np.log(draw) / rate[i]
        # d(t) = signal + drift - memorised level; `now` is how far the pixel has come.
        now = time[0]
        d = 0.0
        dead_until = -_INF
        for k in range(frames - 1):
            begin, end = time[k], time[k + 1]
            slope = (np.float64(level[k + 1, i]) - np.float64(level[k, i])) / (
                end - begin
            ) + drift
            if now < begin:
                now = begin
            while now < end:
                if now < dead_until:
                    # In reset: the memorised level follows the signal until the pixel is back.
                    if dead_until >= end:
                        now = end
                        break
                    now = dead_until
                    d = 0.0
                while noisy < now:  # noise of the dead time is lost
                    draw, state = _uniform(state)
                    noisy = noisy - np.log(draw) / rate[i]
                if slope > 0.0:
                    cross = now + (up - d) / slope
                elif slope < 0.0:
                    cross = now + (-down - d) / slope
                else:
                    cross = _INF
                if cross > end and noisy > end:
                    d += slope * (end - now)
                    now = end
                    break
                if cross <= noisy:
                    moment = max(cross, now)
                    sign = 1 if slope > 0.0 else 0
                else:
                    moment = noisy
                    draw, state = _uniform(state)
                    sign = 1 if draw > 0.5 else 0
                    draw, state = _uniform(state)
                    noisy = noisy - np.log(draw) / rate[i]
                if n < room:
                    where[n] = i
                    when[n] = moment
                    polarity[n] = sign
                n += 1
                now = moment
                d = 0.0
                dead_until = moment + refractory
    return n


@njit(cache=True)  # type: ignore[untyped-decorator]
def sampled(picture: Any, left: Any, top: Any, step_x: Any, step_y: Any, out: Any) -> None:
    """A window of the picture at each moment, bilinearly; the border goes on outside.

    Args:
        picture: float32 (H, W).
        left: float64 (K,), column where the middle of the window's first pixel lies.
        top: float64 (K,), its row.
        step_x: from one pixel of the window to the next, pixels of the picture.
        step_y: the same downwards.
        out: float32 (K, h, w), filled.
    """
    height, width = picture.shape
    frames, rows, columns = out.shape
    one = np.float32(1.0)
    for k in range(frames):
        for row in range(rows):
            y = top[k] + row * step_y
            iy = int(np.floor(y))
            fy = np.float32(y - iy)
            y0, y1 = min(max(iy, 0), height - 1), min(max(iy + 1, 0), height - 1)
            for column in range(columns):
                x = left[k] + column * step_x
                ix = int(np.floor(x))
                fx = np.float32(x - ix)
                x0, x1 = min(max(ix, 0), width - 1), min(max(ix + 1, 0), width - 1)
                upper = picture[y0, x0] * (one - fx) + picture[y0, x1] * fx
                lower = picture[y1, x0] * (one - fx) + picture[y1, x1] * fx
                out[k, row, column] = upper * (one - fy) + lower * fy
