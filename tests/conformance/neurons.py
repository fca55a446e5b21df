"""Random parameters of every neuron model, over its whole legal range, in integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from slipway.deploy.formats import THRESHOLD
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.first_spike import FirstSpike
from slipway.deploy.neurons.models import Neuron
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.neurons.ternary_lif import TernaryLif

Rng = np.random.Generator
Array = np.ndarray[Any, Any]


def draw(rng: Rng, low: int, high: int, size: int = 1) -> Array:
    """Numbers from low to high, some at either end: (1,), or sometimes one a neuron."""
    n = size if rng.random() < 0.3 else 1
    edge = rng.choice([low, high], n)
    inner = rng.integers(low, high + 1, n)
    return np.where(rng.random(n) < 0.15, edge, inner).astype(np.int64)


def magnitude(rng: Rng, bits: float) -> int:
    """A number up to 2**bits, small ones as often as large ones."""
    return int(2 ** rng.uniform(0, bits)) - 1


def step(rng: Rng, period: int) -> int:
    """A step of a sample, sometimes one that never comes."""
    return int(rng.integers(1, period + 3))


def _leak(rng: Rng, size: int) -> dict[str, Any]:
    biased = rng.random() < 0.5
    return {
        "current_decay": np.array([4095]) if rng.random() < 0.4 else draw(rng, 0, 4095, size),
        "voltage_decay": np.array([0]) if rng.random() < 0.2 else draw(rng, 0, 4095, size),
        "bias_mantissa": draw(rng, -4096, 4095, size) if biased else np.array([0]),
        "bias_exponent": int(rng.integers(0, 8)) if biased else 0,
    }


def _voltage(rng: Rng, size: int) -> Array:
    if rng.random() < 0.5:
        return np.array([0])
    top = magnitude(rng, 22)
    return draw(rng, -top, top, size)


def cuba_lif(rng: Rng, size: int, period: int) -> CubaLif:
    """Every reset, refractory period, onset and interval, alone and together."""
    silent = rng.random() < 0.1
    threshold = draw(rng, 0, magnitude(rng, 17 if rng.random() < 0.3 else 10), size)
    reset: Any = rng.choice(["zero", "value", "subtract"], p=[0.6, 0.15, 0.25])
    return CubaLif(
        **_leak(rng, size),
        threshold=np.array([THRESHOLD.maximum]) if silent else threshold,
        initial_voltage=_voltage(rng, size),
        onset=step(rng, period) if rng.random() < 0.3 else 0,
        reset=str(reset),  # type: ignore[arg-type]
        reset_voltage=_voltage(rng, size) if reset == "value" else np.array([0]),
        refractory=int(rng.integers(1, 7)) if rng.random() < 0.3 else 0,
        reset_interval=int(rng.integers(1, 9)) if rng.random() < 0.2 else 0,
    )


def ternary_lif(rng: Rng, size: int, period: int) -> TernaryLif:
    """Thresholds on both sides of 0, or both on one."""
    low, high = sorted(int(rng.choice([-1, 1], p=p)) * magnitude(rng, 15) for p in _SIDES)
    return TernaryLif(
        **_leak(rng, size),
        threshold_high=np.array([high]),
        threshold_low=np.array([low]),
        initial_voltage=_voltage(rng, size),
    )


_SIDES = ((0.95, 0.05), (0.05, 0.95))


def adaptive_lif(rng: Rng, size: int, period: int) -> AdaptiveLif:
    """One value of each for the population, but for the bias."""
    leak = _leak(rng, 1) | {"bias_mantissa": draw(rng, -4096, 4095, size)}
    return AdaptiveLif(
        **leak,
        threshold_decay=draw(rng, 0, 4095),
        refractory_decay=draw(rng, 0, 4095),
        threshold=np.array([magnitude(rng, 14)]),
        threshold_step=np.array([magnitude(rng, 12)]),
    )


def sigma_delta(rng: Rng, size: int, period: int) -> SigmaDelta:
    """Exact and lossy, neuron and encoder; half of the lossy ones as stock Lava has them."""
    exact, stock = rng.random() < 0.6, rng.random() < 0.6
    accumulate, relu = rng.random() < 0.7, rng.random() < 0.6
    state_exponent = int(rng.integers(0, 8))
    input_exponent = int(rng.integers(0, 8))
    bias, ceiling, onset = draw(rng, -(2**12), 2**12, size), None, 0
    if stock and not exact:
        input_exponent = 0 if accumulate else state_exponent + int(rng.integers(0, 4))
        relu = relu and accumulate
        bias = bias if accumulate else np.array([0])
    else:
        onset = step(rng, period) if rng.random() < 0.4 else 0
        ceiling = draw(rng, 0, 2**14, size) if relu and rng.random() < 0.3 else None
    threshold = draw(rng, 0, magnitude(rng, 12), 1 if stock else size)
    return SigmaDelta(
        bias=bias,
        threshold=threshold,
        activation="relu" if relu else "identity",
        accumulate=accumulate,
        state_exponent=state_exponent,
        input_exponent=input_exponent,
        exact=exact,
        onset=onset,
        ceiling=ceiling,
        initial=_voltage(rng, size),
    )


def resonator(rng: Rng, size: int, period: int) -> Resonator:
    """Periods from 2 steps on, weak to no damping."""
    angle = 2 * np.pi / rng.uniform(2, 30)
    radius = 4096 * rng.uniform(0.5, 1)
    return Resonator(
        cosine=np.array([int(radius * np.cos(angle))]),
        sine=np.array([int(radius * np.sin(angle))]),
        threshold=np.array([magnitude(rng, 6)]),
        reset=str(rng.choice(["none", "izhikevich"])),  # type: ignore[arg-type]
        state_exponent=int(rng.integers(0, 8)),
    )


def first_spike(rng: Rng, size: int, period: int) -> FirstSpike:
    """Windows that begin early, late or never."""
    slope = 1 + magnitude(rng, 16)
    ticks = int(rng.integers(1, 10))
    return FirstSpike(
        initial_voltage=_voltage(rng, size),
        slope=draw(rng, 1, slope, size),
        threshold=draw(rng, 0, slope * ticks, size),
        fire=step(rng, period),
        ticks=ticks,
    )


# Type of neuron -> what draws one, how often it is drawn, NIR kind
NEURONS: dict[type, tuple[Callable[[Rng, int, int], Neuron], float, str]] = {
    CubaLif: (cuba_lif, 0.4, "CubaLIF"),
    TernaryLif: (ternary_lif, 0.1, "LIF"),
    AdaptiveLif: (adaptive_lif, 0.1, "LIF"),
    SigmaDelta: (sigma_delta, 0.2, "IF"),
    Resonator: (resonator, 0.12, "LIF"),
    FirstSpike: (first_spike, 0.08, "IF"),
}
