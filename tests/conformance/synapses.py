"""Random synapses of every kind, format and geometry, in integers."""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias

import numpy as np
from slipway.deploy.formats import WeightFormat
from slipway.deploy.program import Synapse
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import Sparse

Rng = np.random.Generator
Array = np.ndarray[Any, Any]
Shape: TypeAlias = tuple[int, ...]

DELAY_MAX = 62


def weight_format(rng: Rng) -> WeightFormat:
    """Any of the legal ones; 8 bits and no exponent more often than others."""
    bits = 8 if rng.random() < 0.4 else int(rng.integers(1, 9))
    exponent = int(rng.integers(-7, 8)) if rng.random() < 0.5 else 0
    mode: Any = rng.choice(["mixed", "excitatory", "inhibitory"], p=[0.65, 0.2, 0.15])
    return WeightFormat(bits, exponent, str(mode))  # type: ignore[arg-type]


def weights(rng: Rng, shape: Shape, format: WeightFormat) -> Array:
    """Legal mantissas, small or over the whole range, some of them 0."""
    legal = format.mantissa
    low, high = legal.minimum // legal.unit, legal.maximum // legal.unit
    span = int(rng.choice([2, 16, 256]))
    drawn = rng.integers(max(low, -span), min(high, span) + 1, shape)
    drawn[rng.random(shape) < rng.random() * 0.8] = 0
    return (drawn * legal.unit).astype(np.int16)


def random_synapse(
    rng: Rng, source: Shape, target: Shape | None, steps: int
) -> tuple[Synapse, Shape]:
    """A synapse from a shape to the target shape, or to a shape of its own choice."""
    format = weight_format(rng)
    if rng.random() < (0.7 if len(source) > 1 else 0.3):
        image = _image(rng, source)
        if target is None:
            conv = _convolution(rng, image, format)
            if min(conv.output_shape) > 0:
                return conv, _seen(rng, conv.output_shape)
        elif prod(target) == prod(source):
            return _same(rng, image, format), target
    shape = target or (int(rng.integers(1, 10)),)
    size = (prod(shape), prod(source))
    if rng.random() < 0.5:
        return Dense(weights(rng, size, format), format), shape
    return _sparse(rng, size, format, steps), shape


def _image(rng: Rng, shape: Shape) -> tuple[int, int, int]:
    """The source as an image: its own shape, or any other of its size, as behind a Flatten."""
    if len(shape) == 3 and rng.random() < 0.75:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2 and rng.random() < 0.75:
        return shape[0], 1, shape[1]
    size = prod(shape)
    channels = int(rng.choice([c for c in range(1, size + 1) if size % c == 0]))
    rest = size // channels
    height = int(rng.choice([h for h in range(1, rest + 1) if rest % h == 0]))
    return channels, height, rest // height


def _seen(rng: Rng, image: Shape) -> Shape:
    """The shape of the population that a convolution feeds: mostly its image."""
    if rng.random() < 0.15:
        return (prod(image),)
    if image[1] == 1 and rng.random() < 0.5:
        return image[0], image[2]
    return image


def _sparse(rng: Rng, size: tuple[int, int], format: WeightFormat, steps: int) -> Sparse:
    """Some of all pairs, stored zeros among them; half of the time with delays of their own."""
    row, column = np.nonzero(rng.random(size) < rng.random())
    delay = None
    if rng.random() < 0.6:
        longest = DELAY_MAX if rng.random() < 0.3 else min(DELAY_MAX, steps)
        delay = rng.integers(0, longest + 1, len(row)).astype(np.uint8)
        if len(row) and rng.random() < 0.3:
            delay[rng.integers(len(row))] = longest
    return Sparse(
        weights(rng, (len(row),), format),
        row.astype(np.int32),
        column.astype(np.int32),
        size,
        format,
        delay,
    )


def _pair(rng: Rng, low: int, high: int) -> tuple[int, int]:
    return int(rng.integers(low, high)), int(rng.integers(low, high))


def _convolution(rng: Rng, source: tuple[int, int, int], format: WeightFormat) -> Conv2d:
    channels = source[0]
    groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    filters = groups * int(rng.integers(1, 4))
    return Conv2d(
        weights(rng, (filters, channels // groups, *_pair(rng, 1, 5)), format),
        source,
        stride=_pair(rng, 1, 4),
        padding=_pair(rng, 0, 4),
        dilation=_pair(rng, 1, 4),
        groups=groups,
        format=format,
    )


def _same(rng: Rng, source: tuple[int, int, int], format: WeightFormat) -> Conv2d:
    """Onto the same shape: 1 x 1, or 3 x 3 with padding, depthwise or not."""
    groups = source[0] if rng.random() < 0.5 else 1
    kernel = int(rng.choice([1, 3]))
    return Conv2d(
        weights(rng, (source[0], source[0] // groups, kernel, kernel), format),
        source,
        padding=(kernel // 2, kernel // 2),
        groups=groups,
        format=format,
    )
