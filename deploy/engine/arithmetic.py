"""Arithmetic of the neurons' loops: the same words for whole numbers and for fractions.

Which is meant is chosen by the type of the first argument, int32 or int64 at precision `fixed`
and float64 at `float`.
"""

# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from ..neurons.arithmetic import STATE_LIMIT
from .compiled import INLINE

LIMIT = STATE_LIMIT - 1
"""Where a state of 24 bits is clipped."""


def scaled(x: Any, factor: Any) -> Any:
    """Floats: x * factor. Integers: x * factor / 4096, rounded towards zero."""
    raise NotImplementedError


def lifted(x: Any, bits: Any) -> Any:
    """Integers: x << bits, as int64. Floats: x."""
    raise NotImplementedError


def lowered(x: Any, bits: Any) -> Any:
    """Integers: x >> bits, which floors. Floats: x."""
    raise NotImplementedError


def bounded(x: Any) -> Any:
    """Integers: clipped to 24 bits, symmetric. Floats: x."""
    raise NotImplementedError


def at_limit(x: Any) -> Any:
    """Integers: whether x stands where `bounded` clips. Floats: never."""
    raise NotImplementedError


@overload(scaled, strict=False, jit_options=INLINE)
def _scaled(x: Any, factor: Any) -> Any:
    def whole(x: Any, factor: Any) -> Any:
        product = np.int64(x) * factor
        return (product + ((product >> 63) & 4095)) >> 12

    return whole if isinstance(x, types.Integer) else lambda x, factor: x * factor


@overload(lifted, strict=False, jit_options=INLINE)
def _lifted(x: Any, bits: Any) -> Any:
    if isinstance(x, types.Integer):
        return lambda x, bits: np.int64(x) << bits
    return lambda x, bits: x


@overload(lowered, strict=False, jit_options=INLINE)
def _lowered(x: Any, bits: Any) -> Any:
    return (lambda x, bits: x >> bits) if isinstance(x, types.Integer) else lambda x, bits: x


@overload(bounded, strict=False, jit_options=INLINE)
def _bounded(x: Any) -> Any:
    if isinstance(x, types.Integer):
        return lambda x: min(max(x, -LIMIT), LIMIT)
    return lambda x: x


@overload(at_limit, strict=False, jit_options=INLINE)
def _at_limit(x: Any) -> Any:
    if isinstance(x, types.Integer):
        return lambda x: x == LIMIT or x == -LIMIT
    return lambda x: False


@register_jitable(**INLINE)
def scaled_narrow(x: Any, factor: Any) -> Any:
    """Multiply by factor / 4096, rounded towards zero, without a number beyond 32 bits."""
    low = np.int32(np.int32(x & np.int32(4095)) * factor)
    low = np.int32(low + np.int32(np.int32(x >> 31) & np.int32(4095)))
    return np.int32(np.int32(np.int32(x >> 12) * factor) + np.int32(low >> 12))
