"""The walk of a LIF population through time, forward and back, in one pass over memory.

As torch operations the same walk is a dozen passes a step and half of the training's time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

_BLOCK = 2048
"""Neurons that walk together: their state stays in the first-level cache."""


@njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
def forward(x: Any, stride: int, steps: int, a: Any, threshold: Any, v: Any, s: Any) -> None:
    """Membranes before the reset, and spikes, at each step.

    Args:
        x: float32 currents; step t begins at t * stride, so stride 0 is a constant current.
        stride: neurons, or 0.
        steps: time steps.
        a: step fraction dt / tau, float32.
        threshold: float32.
        v: filled with the membranes, (steps * neurons,).
        s: filled with the spikes, 0 or 1, (steps * neurons,).
    """
    neurons = v.size // steps
    for block in prange((neurons + _BLOCK - 1) // _BLOCK):
        first = block * _BLOCK
        count = min(_BLOCK, neurons - first)
        rest = np.zeros(_BLOCK, np.float32)
        for t in range(steps):
            drive = x[t * stride + first : t * stride + first + count]
            membrane = v[t * neurons + first : t * neurons + first + count]
            spikes = s[t * neurons + first : t * neurons + first + count]
            for i in range(count):
                now = rest[i] + a * (drive[i] - rest[i])
                fired = now > threshold
                membrane[i] = now
                spikes[i] = np.float32(1.0) if fired else np.float32(0.0)
                rest[i] = np.float32(0.0) if fired else now


@njit(parallel=True, cache=True)  # type: ignore[untyped-decorator]
def backward(
    grad: Any, v: Any, steps: int, a: Any, threshold: Any, width: Any, stride: int, out: Any
) -> None:
    """Gradient of the currents from the gradient of the spikes.

    Args:
        grad: gradient of the spikes, float32, (steps * neurons,).
        v: membranes before the reset, as the forward walk left them.
        steps: time steps.
        a: step fraction, float32.
        threshold: float32.
        width: half-width of the triangle, float32.
        stride: as forward; with 0 the steps' gradients are summed.
        out: gradient of the currents, zeros before.
    """
    neurons = v.size // steps
    leak = np.float32(1.0) - a
    scale = np.float32(1.0) / width
    for block in prange((neurons + _BLOCK - 1) // _BLOCK):
        first = block * _BLOCK
        count = min(_BLOCK, neurons - first)
        inner = np.zeros(_BLOCK, np.float32)
        for back in range(steps):
            t = steps - 1 - back
            membrane = v[t * neurons + first : t * neurons + first + count]
            outer = grad[t * neurons + first : t * neurons + first + count]
            drive = out[t * stride + first : t * stride + first + count]
            for i in range(count):
                above = membrane[i] - threshold
                slope = max(np.float32(0.0), np.float32(1.0) - abs(above) * scale) * scale
                kept = np.float32(0.0) if above > np.float32(0.0) else leak * inner[i]
                inner[i] = kept + slope * outer[i]
                drive[i] += a * inner[i]
