"""Weights on the grid of their format, and what they stand for in the graph's units."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Problem
from .formats import EXPONENT_MAX, EXPONENT_MIN, WEIGHT_BITS_MAX, WeightFormat, sign_mode_of
from .program import Projection, Synapse
from .synapses.conv2d import Conv2d
from .synapses.sparse import Sparse

Array = npt.NDArray[Any]

LOW = ".low"
"""Ends the name of the low part of a projection in two parts."""
CUT = 3
"""How many octaves of the largest weights may be cut off."""
FEW = 256
"""Weights that are looked at before all of them."""
SLACK = 1 - 1e-9
"""Keeps 254.0000001 from needing one more bit."""


def per_weight(synapse: Synapse, scale: Array) -> Array:
    """The scale of each target neuron, in a shape that multiplies the weights.

    Args:
        synapse: whose weights are meant.
        scale: (1,), or (n_out,), alike within a channel of a convolution.
    """
    if scale.size == 1:
        return scale.reshape(())
    if isinstance(synapse, Sparse):
        by_synapse: Array = scale[synapse.row]
        return by_synapse
    rows = synapse.weight.shape[0]
    by_row = scale.reshape(rows, -1)[:, 0]
    return by_row.reshape(rows, *(1,) * (synapse.weight.ndim - 1))


def stored_bits(synapse: Synapse, bits: int | None = None) -> int:
    """Weight memory: a shared kernel once, zeros of a dense matrix included, no index bits."""
    own = synapse.format.bits if synapse.format else WEIGHT_BITS_MAX
    return (bits or own) * prod(synapse.weight.shape)


def meant(parts: tuple[Projection, ...], scale: Array) -> Array:
    """The weights that the mantissas stand for, in the graph's units.

    Args:
        parts: a projection of a `fixed` Program, and its low part where it has one.
        scale: integer current units per unit of current and message: the population's scale
            over the message scale of the source.
    """
    total: Array = np.zeros(parts[0].synapse.weight.shape)
    for part in parts:
        total = total + part.synapse.weight * 2.0**part.exponent
    weight: Array = total / per_weight(parts[0].synapse, scale)
    return weight


def least_exponent(
    scaled: Array, layout: WeightFormat, exponent_min: int = EXPONENT_MIN
) -> int:
    """The least exponent with which scaled weights fit into mantissas of that layout."""
    mantissa = layout.mantissa
    over = max(
        float(np.max(scaled, initial=0.0)) / max(mantissa.maximum, 1),
        float(np.max(-scaled, initial=0.0)) / max(-mantissa.minimum, 1),
    )
    return max(ceil(log2(over * SLACK)), exponent_min) if over > 0 else exponent_min


def quantise_weights(
    projection: Projection,
    scale: Array,
    bits: int = WEIGHT_BITS_MAX,
    exponent_min: int = EXPONENT_MIN,
    importance: Array | None = None,
) -> Projection | Problem:
    """Mantissas ``round(scale * weight / 2**exponent)`` with the least exponent that fits.

    Few bits are better spent on the many small weights than on the largest: below 8 bits and
    with a known importance a smaller exponent is taken where the error is smaller for it,
    although the largest weights are cut down (`clipped` counts them).

    Args:
        projection: of a `float` Program.
        scale: as for `meant`; rows of a matrix and channels of a kernel may have their own.
        bits: of the weight format, 1 to 8.
        exponent_min: least exponent that may be taken.
        importance: of the squared error of each weight, in a shape that multiplies them.
    """
    synapse, where = projection.synapse, f"projection {projection.name}"
    layout = WeightFormat(bits, 0, sign_mode_of(synapse.weight))
    if layout.largest == 0 and synapse.weight.any():
        return Problem(
            f"{bits} bit of mixed sign can hold only {layout.mantissa.minimum} and 0",
            where,
            "use 2 bits or more, or weights of one sign",
        )
    scaled = synapse.weight * per_weight(synapse, scale)
    exponent = least_exponent(scaled, layout, exponent_min)
    if exponent > EXPONENT_MAX:
        return Problem(
            f"the weights need an exponent of {exponent}; the limit is {EXPONENT_MAX}",
            where,
            "bring the weights of the projections into one population closer together",
        )
    if importance is not None and bits < WEIGHT_BITS_MAX:
        lower = range(exponent, max(exponent - CUT, exponent_min) - 1, -1)
        exponent = min(lower, key=lambda e: _error(scaled, layout, e, importance))
    mantissa = layout.mantissa.round(scaled / 2.0**exponent)
    if synapse.weight.any() and not mantissa.any():
        return Problem(
            f"all weights would round to zero beside the other projections into "
            f"{projection.target}",
            where,
            "bring the weights of the projections into one population closer together",
        )
    return _with_mantissa(projection, mantissa, replace(layout, exponent=exponent))


def levels_of(weight: Array, most: int) -> int:
    """The least number of steps, up to `most`, on whose multiples all weights lie, else 0.

    A step is the largest weight over this number; a weight may be off by 1e-4 of a step, which
    float32 is exact to.
    """
    values = np.abs(weight).ravel()
    largest = float(np.max(values, initial=0.0))
    if largest == 0:
        return 0
    values = values / largest
    few = values[:FEW]
    for count in range(1, most + 1):
        if _whole(few * count) and _whole(values * count):
            return count
    return 0


def _whole(values: Array) -> bool:
    return bool(np.all(np.abs(values - np.rint(values)) < 1e-4))


def _error(scaled: Array, layout: WeightFormat, exponent: int, importance: Array) -> float:
    got = layout.mantissa.round(scaled / 2.0**exponent) * 2.0**exponent
    return float(np.sum(importance * (scaled - got) ** 2))


def clipped(source: Projection, part: Projection, scale: Array) -> int:
    """How many weights of a projection are cut down to the largest mantissa.

    Args:
        source: in floating point.
        part: in integers, in one part.
        scale: as for `meant`.
    """
    layout = part.synapse.format
    assert layout is not None
    scaled = source.synapse.weight * per_weight(source.synapse, scale)
    return layout.mantissa.overflow(scaled / 2.0**layout.exponent)


def two_parts(projection: Projection, scale: Array) -> tuple[Projection, ...] | Problem:
    """The weights as a high and a low part that add up: some 15 bits instead of 8.

    The high part is rounded down, so that the low part is excitatory and its unit 1; exponents
    stay where sums are whole numbers, since the floor of a right shift would cost more than
    the bits that it gains. Where the high part is that fine already, there is no low one.

    Args:
        projection: of a `float` Program; the low part is named after it, `NAME.low`.
        scale: as for `meant`.
    """
    synapse, where = projection.synapse, f"projection {projection.name}"
    layout = WeightFormat(sign_mode=sign_mode_of(synapse.weight))
    scaled = synapse.weight * per_weight(synapse, scale)
    whole = -1 if layout.unit == 2 else 0
    exponent = max(least_exponent(scaled, layout), whole)
    if exponent > EXPONENT_MAX:
        return Problem(
            f"the weights need an exponent of {exponent}; the limit is {EXPONENT_MAX}",
            where,
            "bring the weights of the projections into one population closer together",
        )
    step = layout.unit * 2.0**exponent
    high = layout.mantissa.round(layout.unit * np.floor(scaled / step))
    if exponent == whole:
        high = layout.mantissa.round(scaled / 2.0**exponent)
    first = _with_mantissa(projection, high, replace(layout, exponent=exponent))
    if exponent == whole:
        return (first,)
    rest = scaled - high * 2.0**exponent
    fine = WeightFormat(sign_mode="excitatory")
    fine = replace(fine, exponent=max(least_exponent(rest, fine), 0))
    second = replace(projection, name=f"{projection.name}{LOW}")
    low = fine.mantissa.round(rest / 2.0**fine.exponent)
    return (first, _with_mantissa(second, low, fine))


def _with_mantissa(projection: Projection, mantissa: Array, layout: WeightFormat) -> Projection:
    synapse = replace(projection.synapse, weight=mantissa.astype(np.int16), format=layout)
    return replace(projection, synapse=synapse)


def is_low(projection: Projection) -> bool:
    """Whether that is the low part of a projection in two parts."""
    return projection.name.endswith(LOW)


def low_parts(projections: tuple[Projection, ...]) -> dict[str, Projection]:
    """Projection -> its low part, where it has one."""
    return {p.name.removesuffix(LOW): p for p in projections if is_low(p)}


def together(projections: tuple[Projection, ...]) -> tuple[Projection, ...]:
    """Projections with both parts in one: int64 weights with the exponent 0.

    What a source sends reaches both parts alike, so their worst cases are one.
    """
    low = low_parts(projections)
    merged = []
    for projection in projections:
        if is_low(projection):
            continue
        second = low.get(projection.name)
        if second is not None:
            both = [
                p.synapse.weight.astype(np.int64) << p.exponent for p in (projection, second)
            ]
            synapse = replace(projection.synapse, weight=both[0] + both[1], format=None)
            projection = replace(projection, synapse=synapse)
        merged.append(projection)
    return tuple(merged)


def row_sums(synapse: Synapse, weight: Array) -> Array:
    """Sum of some values of the weights' shape over each target neuron, int64 (n_out,)."""
    if isinstance(synapse, Sparse):
        return np.asarray(np.bincount(synapse.row, weight, synapse.shape[0]), np.int64)
    if isinstance(synapse, Conv2d):
        taps = weight.sum(axis=1)
        inside = [_taps_inside(synapse, axis) for axis in (0, 1)]
        total = np.einsum("oij,iy,jx->oyx", taps, *inside)
        return np.asarray(total, np.int64).reshape(-1)
    return np.asarray(weight.sum(axis=1), np.int64)


def _taps_inside(synapse: Conv2d, axis: int) -> Array:
    """Whether each tap of each output position lies inside the input: (taps, positions)."""
    taps, positions = synapse.weight.shape[2 + axis], synapse.output_shape[1 + axis]
    at = np.arange(positions) * synapse.stride[axis] - synapse.padding[axis]
    seen = at + synapse.dilation[axis] * np.arange(taps)[:, None]
    return ((seen >= 0) & (seen < synapse.input_shape[1 + axis])).astype(np.int64)
