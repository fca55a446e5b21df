"""The compiler's rules of integers, as training needs them.

models does not import deploy, which needs no torch; so what deploy/formats.py, scales.py,
fit.py, bounds.py and neurons/coded.py decide about a population under --code sigma-delta is
said here once more. tests/models/training/test_quantised.py holds both against each other,
integer by integer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor, log2
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import DataError, UsageError

Array = npt.NDArray[Any]

STATE_MAX = 2**23 - 1
"""24 bits signed: sums, currents and ceilings."""
ACCUMULATOR_MAX = 2**31 - 1
EXPONENT_MAX, SMALLEST = 7, -17
"""Largest exponent of weights, and the octave below which no bit of a mantissa is left."""
INPUT_LEVELS = {False: 255, True: 127}
"""Whether values are signed -> levels of an input."""
GRID, CEILING = 255, 2.0
"""Least number of steps of a message of 1; largest activation, in activation scales."""
PERCENTILE = 99.9
"""Of a ReLU's output, becomes its activation scale: the default of `slipway export`."""
FIRST, FEW = 16, 256
"""Weights that are looked at before all of them."""
_SLACK = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Values:
    """An input as integers: clip(round(value * scale), minimum, maximum)."""

    scale: float
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Format:
    """Mantissas of a weight format: multiples of `unit` from `low` to `high`."""

    unit: int
    low: int
    high: int

    @property
    def largest(self) -> int:
        """Largest magnitude that both signs reach, or the one sign that there is."""
        return (
            min(-self.low, self.high) if self.low and self.high else max(-self.low, self.high)
        )


def values_of(calibration: Array) -> Values:
    """The grid of an input whose samples are like these.

    Raises:
        DataError: all of them are 0.
    """
    largest = float(np.max(np.abs(calibration)))
    if not largest > 0:
        raise DataError("all training samples are 0", remedy="look at the data set")
    signed = float(np.min(calibration)) < 0
    levels = INPUT_LEVELS[signed]
    distinct = np.unique((calibration / largest).astype(np.float64))
    for count in range(1, levels + 1):
        scaled = distinct * count
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-4):
            levels = count
            break
    return Values(levels / largest, -levels if signed else 0, levels)


def weight_format(bits: int, lowest: float, highest: float) -> Format:
    """Of weights from `lowest` to `highest`: the sign costs a bit where it is mixed.

    Raises:
        UsageError: one bit, and weights of both signs.
    """
    mixed = lowest < 0 < highest
    if mixed and bits < 2:
        raise UsageError("1 bit cannot hold weights of both signs", remedy="weight_bits = 2")
    unit = 1 << (8 - bits + mixed)
    low = 0 if lowest >= 0 else -256 if mixed else -255
    high = 0 if lowest < 0 and highest <= 0 else 255
    return Format(unit, -(-low // unit) * unit, high // unit * unit)


def step_of(scaled: tuple[float, float], layout: Format) -> float:
    """Distance of two neighbours among weights, in units of the sum they add to.

    The least power of two with which they fit, but no fraction: sums are kept.

    Args:
        scaled: lowest and highest weight in these units.
        layout: their format.
    """
    over = max(
        max(scaled[1], 0.0) / max(layout.high, 1), max(-scaled[0], 0.0) / max(-layout.low, 1)
    )
    least = 1 - layout.unit.bit_length()
    exponent = max(ceil(log2(over * _SLACK)), least) if over > 0 else least
    return layout.unit * 2.0**exponent


def levels_of(few: Array, largest: float, most: int, all_of: Callable[[], Array]) -> int:
    """The least number of steps, up to `most`, on whose multiples all weights lie, else 0.

    Args:
        few: the first FEW magnitudes.
        largest: of all of them.
        most: steps of a mantissa.
        all_of: returns all magnitudes; called only where the first ones lie on a grid.
    """
    if largest == 0:
        return 0
    counts = np.arange(1, most + 1)
    for count in counts[_whole(few[:FIRST, None] / largest * counts)]:
        whole = _whole(few[:, None] / largest * count)
        if whole.all() and _whole(all_of()[:, None] / largest * count).all():
            return int(count)
    return 0


def _whole(values: Array) -> Array:
    """Of which columns all values are whole numbers, about."""
    return np.asarray(np.all(np.abs(values - np.rint(values)) < 1e-4, axis=0))


@dataclass(frozen=True, slots=True)
class Ray:
    """A layer's weights as the choice of a scale needs them.

    Attributes:
        largest: largest weight of an integer message, for an activation of 1.
        layout: of the mantissas.
        levels: from `levels_of`.
    """

    largest: float
    layout: Format
    levels: int


def scales(rays: list[Ray]) -> list[float]:
    """Scales to try, largest first.

    At each octave the largest weight fills a mantissa. Once that is one of steps of 1, each
    quarter of an octave below costs some of the steps; weights that lie on such a grid already
    are taken by its octaves.
    """
    on_grid = all(ray.levels for ray in rays)
    filled, unit, count = 0.0, 1, 1
    for ray in rays:
        steps = most = ray.layout.largest // ray.layout.unit
        if on_grid:
            steps = ray.levels << ((most // ray.levels).bit_length() - 1)
        if ray.largest > filled * ray.layout.unit * steps:
            filled = ray.largest / (ray.layout.unit * steps)
            unit, count = ray.layout.unit, steps
    found = [2.0**e / (filled or 1.0) for e in range(EXPONENT_MAX, SMALLEST, -1)]
    if on_grid:
        return found
    whole = 2.0 ** (1 - unit.bit_length()) / (filled or 1.0)
    fewer = {floor(count * 2.0 ** (-k / 4)) for k in range(1, 128)} - {0, count}
    below = [whole * steps / count for steps in sorted(fewer, reverse=True)]
    return [scale for scale in found if scale >= whole] + below


@dataclass(frozen=True, slots=True)
class Sender:
    """What is sent: m = floor((x + 2**(e - 1)) / 2**e) where x >= threshold, else 0.

    Attributes:
        exponent: e, bits of a sum below those of a message.
        threshold: least x that is sent.
        ceiling: largest x.
    """

    exponent: int
    threshold: int
    ceiling: int

    @property
    def half(self) -> int:
        """What is added so that messages are rounded."""
        return 1 << self.exponent >> 1

    @property
    def largest(self) -> int:
        """What the messages of a source can add up to."""
        return (self.ceiling + self.half) >> self.exponent

    def most(self, highest: float) -> int:
        """The largest message where a sum and its bias reach `highest`."""
        change = int(max(min(highest, self.ceiling), 0))
        return (change + (1 << self.exponent)) >> self.exponent


def sender_of(scale: float) -> Sender:
    """What a population of that scale sends: units of a sum for an activation of 1."""
    exponent = max(floor(log2(scale / GRID)), 0) if scale > GRID else 0
    half = 1 << exponent >> 1
    threshold = max(half, 1)
    return Sender(exponent, threshold, round(CEILING * scale))
