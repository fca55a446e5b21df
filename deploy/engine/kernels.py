"""The engine's loops, compiled by numba. Samples in parallel; all arrays channels last.

A message that is zero costs one comparison: the work follows the spikes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True, nogil=True)
def dense(messages: Any, weight: Any, total: Any) -> None:
    """total[b] += sum_i messages[b, i] * weight[i]; weight (n_in, n_out)."""
    for b in prange(messages.shape[0]):
        for i in range(messages.shape[1]):
            value = messages[b, i]
            if value == 0:
                continue
            row = weight[i]
            target = total[b]
            if value == 1:
                for o in range(target.size):
                    target[o] += row[o]
            else:
                for o in range(target.size):
                    target[o] += row[o] * value


@njit(cache=True, parallel=True, nogil=True)
def conv2d(
    messages: Any, weight: Any, total: Any, stride: Any, padding: Any, dilation: Any
) -> None:
    """Scatter each message over the outputs that see it.

    messages (B, H, W, groups, C_in / groups); weight (K_h, K_w, groups, C_in / groups,
    C_out / groups); total (B, H_out, W_out, groups, C_out / groups).
    """
    _, height, width, groups, channels = messages.shape
    out_h, out_w, filters = total.shape[1], total.shape[2], total.shape[4]
    for b in prange(messages.shape[0]):
        for y in range(height):
            for x in range(width):
                for g in range(groups):
                    for c in range(channels):
                        value = messages[b, y, x, g, c]
                        if value == 0:
                            continue
                        for i in range(weight.shape[0]):
                            shifted = y + padding[0] - i * dilation[0]
                            row = shifted // stride[0]
                            if shifted < 0 or row * stride[0] != shifted or row >= out_h:
                                continue
                            for j in range(weight.shape[1]):
                                moved = x + padding[1] - j * dilation[1]
                                column = moved // stride[1]
                                if moved < 0 or column * stride[1] != moved or column >= out_w:
                                    continue
                                taps = weight[i, j, g, c]
                                target = total[b, row, column, g]
                                if value == 1:
                                    for o in range(filters):
                                        target[o] += taps[o]
                                else:
                                    for o in range(filters):
                                        target[o] += taps[o] * value


@njit(cache=True, parallel=True, nogil=True)
def add_shifted(total: Any, exponent: int, arriving: Any) -> None:
    """Arriving += total << exponent, or >> -exponent (floor)."""
    for b in prange(total.shape[0]):
        for i in range(total.shape[1]):
            if exponent >= 0:
                arriving[b, i] += total[b, i] << exponent
            else:
                arriving[b, i] += total[b, i] >> -exponent


@njit(cache=True, parallel=True, nogil=True)
def add(total: Any, arriving: Any) -> None:
    """Arriving += total."""
    for b in prange(total.shape[0]):
        for i in range(total.shape[1]):
            arriving[b, i] += total[b, i]


@njit(inline="always")
def _decay(state: Any, decay: Any) -> Any:
    product = np.int64(state) * (4096 - decay)
    return -((-product) >> 12) if product < 0 else product >> 12


@njit(cache=True, parallel=True, nogil=True)
def cuba_lif_fixed(
    arriving: Any,
    u: Any,
    v: Any,
    spikes: Any,
    messages: Any,
    saturated: Any,
    parameters: Any,
    clear: bool,
) -> None:
    """One step of `step_fixed`; takes the currents out of `arriving` (leaves zeros).

    u, v, arriving int32 (B, n); spikes uint8; messages int32 (B, n) counts spikes;
    saturated int64 (B,); parameters int64 (4, n): du, dv, bias, threshold (shifted).
    """
    limit = np.int64(2**23 - 1)
    for b in prange(u.shape[0]):
        clipped = 0
        for i in range(u.shape[1]):
            current, voltage = np.int64(0), np.int64(0)
            if not clear:
                current = _decay(u[b, i], parameters[0, i] + 1)
                voltage = _decay(v[b, i], parameters[1, i])
            current += np.int64(arriving[b, i]) << 6
            arriving[b, i] = 0
            voltage += current + parameters[2, i]
            voltage = min(max(voltage, -limit), limit)
            spike = voltage > parameters[3, i]
            if spike:
                voltage = np.int64(0)
                messages[b, i] += 1
            elif voltage == limit or voltage == -limit:
                clipped += 1
            spikes[b, i] = spike
            u[b, i] = current
            v[b, i] = voltage
        saturated[b] += clipped


@njit(cache=True, parallel=True, nogil=True)
def cuba_lif_float(
    arriving: Any,
    u: Any,
    v: Any,
    spikes: Any,
    messages: Any,
    saturated: Any,
    parameters: Any,
    clear: bool,
) -> None:
    """One step of `step_float`; arrays as for the fixed kernel, in float64."""
    for b in prange(u.shape[0]):
        for i in range(u.shape[1]):
            current, voltage = 0.0, 0.0
            if not clear:
                current = u[b, i] * (1 - parameters[0, i])
                voltage = v[b, i] * (1 - parameters[1, i])
            current += arriving[b, i]
            arriving[b, i] = 0
            voltage += current + parameters[2, i]
            spike = voltage > parameters[3, i]
            if spike:
                voltage = 0.0
                messages[b, i] += 1
            spikes[b, i] = spike
            u[b, i] = current
            v[b, i] = voltage
