"""Integer weights of a file: the number format that holds them, and what netx makes of them.

A file states effective integer weights and no exponent. netx shifts a dense layer's weights to
the left until 8 bits are full and gives Lava the opposite exponent; it passes the weights of a
convolution as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log2
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import (
    EXPONENT_MAX,
    EXPONENT_MIN,
    WEIGHT_BITS_MAX,
    SignMode,
    WeightFormat,
    sign_mode_of,
)

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class OffGrid:
    """Weights that no format holds exactly.

    Attributes:
        what: how many of how many, an example, and the grid.
    """

    what: str


def exact_format(weight: Array, *, fill: bool) -> tuple[Array, WeightFormat] | OffGrid:
    """Mantissas (int16) and the format in which ``mantissa * 2**exponent`` is the weight.

    Args:
        weight: int64, any shape.
        fill: as netx does for dense layers, the mantissas fill their 8 bits, so that few
            weight bits are stored; else an exponent of 0 where it is legal.
    """
    mode = sign_mode_of(weight)
    if not weight.any():
        return weight.astype(np.int16), WeightFormat(1, 0, mode)
    exponents = range(EXPONENT_MIN, EXPONENT_MAX + 1)
    for exponent in exponents if fill else sorted(exponents, key=abs):
        mantissa = _scaled(weight, exponent)
        if mantissa is None:
            continue
        for bits in range(1, WEIGHT_BITS_MAX + 1):
            layout = WeightFormat(bits, exponent, mode)
            if layout.mantissa.holds(mantissa):
                return mantissa.astype(np.int16), layout
    return OffGrid(_why(weight, mode))


def _scaled(weight: Array, exponent: int) -> Array | None:
    """``weight / 2**exponent`` if that is whole."""
    if exponent <= 0:
        return weight << -exponent
    return None if np.any(weight % (1 << exponent)) else weight >> exponent


def _why(weight: Array, mode: SignMode) -> str:
    low, high = int(weight.min()), int(weight.max())
    for exponent in range(EXPONENT_MIN, EXPONENT_MAX + 1):
        grid = WeightFormat(WEIGHT_BITS_MAX, exponent, mode).mantissa
        if grid.minimum * 2.0**exponent <= low and high <= grid.maximum * 2.0**exponent:
            unit = max(int(grid.unit * 2.0**exponent), 1)
            off = weight % unit != 0
            return (
                f"{np.count_nonzero(off)} of {weight.size} weights are off the grid of "
                f"{mode} 8-bit weights from {low} to {high}, such as {weight[off].flat[0]}: "
                f"legal are multiples of {unit}, and the hardware would floor the rest"
            )
    reach = WeightFormat(WEIGHT_BITS_MAX, EXPONENT_MAX, mode).largest << EXPONENT_MAX
    return f"weights from {low} to {high}; 8 bits and an exponent of 7 reach {reach}"


def netx_problem(weight: Array, recurrent: Array | None = None) -> str:
    """Why netx and Lava would not compute with these weights of a dense layer; "" if they do.

    A transcription of `optimize_weight_bits` (lava-dl 0.6.0, `netx/utils.py`) and of the
    truncation in Lava's Dense, in exact integers.

    Args:
        weight: (n_out, n_in) effective weights, int64.
        recurrent: (n, n); netx gives both one exponent.
    """
    together = weight if recurrent is None else np.hstack([weight, recurrent])
    low, high = int(together.min()), int(together.max())
    if low == 0 == high:
        return "all weights are 0, where netx stops with an OverflowError"
    if low < 0 < high and (high > 254 or low < -256):
        return f"signs are mixed, and netx clips weights from {low} to {high} to -256..254"
    mixed = low < 0 <= high  # max == 0 included, where Lava says inhibitory
    if mixed:
        scale = min(127 / high if high else np.inf, -128 / low)
    else:
        scale = -256 / low if low < 0 else 255 / high
    shift = floor(log2(scale)) + mixed
    if shift < 0:
        return (
            f"weights reach {max(-low, high)}, and netx shifts them by {shift} bits to the "
            "left, which leaves nothing of them"
        )
    whole = next(n for n in range(WEIGHT_BITS_MAX, -1, -1) if not np.any(together % (1 << n)))
    bits = WEIGHT_BITS_MAX - shift - (whole - mixed)
    if not 1 <= bits <= WEIGHT_BITS_MAX:
        return f"netx asks for {bits} weight bits; the hardware has 1 to {WEIGHT_BITS_MAX}"
    for part in (weight,) if recurrent is None else (weight, recurrent):
        made = _truncated(part << shift, bits)
        wrong = made != part << shift
        if wrong.any():
            first = part[wrong].flat[0]
            got = made[wrong].flat[0] / (1 << shift)
            return (
                f"netx and Lava would change {np.count_nonzero(wrong)} of {part.size} weights, "
                f"such as {first} to {got:g}"
            )
    return ""


def _truncated(mantissa: Array, bits: int) -> Array:
    """What Lava's Dense keeps; it takes the signs from the content."""
    mode = sign_mode_of(mantissa)
    low, high = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}[mode]
    clipped = np.clip(mantissa, low, high)
    n = WEIGHT_BITS_MAX - bits + (mode == "mixed")
    if mode == "inhibitory":
        return -((-clipped >> n) << n)
    kept: Array = (clipped >> n) << n
    return kept
