"""Number formats of Loihi-style integers: each knows its range, its rounding and its overflow.

Source of the weight rule: lava-nc 0.10.0, `lava/utils/weightutils.py`, `clip_weights` and
`truncate_weights`. Source of the other ranges: lava-nc 0.10.0, `lava/proc/lif/models.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SignMode: TypeAlias = Literal["mixed", "excitatory", "inhibitory"]

EXPONENT_MIN, EXPONENT_MAX = -7, 7
WEIGHT_BITS_MAX = 8


@dataclass(frozen=True, slots=True)
class IntegerFormat:
    """Whole numbers from `minimum` to `maximum`, in steps of `unit`.

    Attributes:
        name: what it holds, for messages.
        minimum, maximum: legal range, inclusive; both multiples of `unit`.
        unit: distance of two neighbours.
    """

    name: str
    minimum: int
    maximum: int
    unit: int = 1

    def round(self, values: Any) -> Array:
        """The nearest legal numbers, int64; ties to even multiples; beyond the range: clipped.

        Count what `overflow` says before relying on the clipping.
        """
        whole = self.unit * np.rint(np.asarray(values, np.float64) / self.unit)
        rounded: Array = np.clip(whole, self.minimum, self.maximum).astype(np.int64)
        return rounded

    def overflow(self, values: Any) -> int:
        """How many values lie beyond the range once they are rounded."""
        whole = self.unit * np.rint(np.asarray(values, np.float64) / self.unit)
        return int(np.count_nonzero((whole < self.minimum) | (whole > self.maximum)))

    def holds(self, values: Any) -> bool:
        """Whether all values are legal as they are."""
        array = np.asarray(values)
        inside = (array >= self.minimum) & (array <= self.maximum)
        return bool(np.all(inside & (array % self.unit == 0)))


DECAY = IntegerFormat("decay", 0, 4095)
"""12 bits; a decay d leaves (4096 - d) / 4096 of a state after a step."""
THRESHOLD = IntegerFormat("threshold", 0, 131071)
"""17 bits, compared with the membrane after a shift by 6."""
BIAS_MANTISSA = IntegerFormat("bias mantissa", -4096, 4095)
BIAS_EXPONENT = IntegerFormat("bias exponent", 0, 7)
STATE = IntegerFormat("state", 1 - 2**23, 2**23 - 1)
"""24 bits signed: u and v; v is clipped to it, u must be proven to stay inside."""
CURRENT = IntegerFormat("current of one step", -131071, 131071)
"""Beyond it the public emulators disagree (u wraps); it meets u after a shift by 6."""
ACCUMULATOR = IntegerFormat("sum of weights", 1 - 2**31, 2**31 - 1)
DELAY = IntegerFormat("delay", 0, 62)


def payload(bits: int) -> IntegerFormat:
    """Signed graded messages of that many bits."""
    return IntegerFormat(f"{bits}-bit message", 1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """Weights ``mantissa * 2**exponent`` of one projection.

    Lava and the chip keep the highest `bits` bits of an 8-bit magnitude, one less where signs
    are mixed: mantissas are multiples of ``2**n, n = 8 - bits + (1 if mixed else 0)``.

    Attributes:
        bits: 1 to 8.
        exponent: -7 to 7; the sum over synapses is shifted, a right shift floors it.
        sign_mode: stated, never derived from the content.
    """

    bits: int = WEIGHT_BITS_MAX
    exponent: int = 0
    sign_mode: SignMode = "mixed"

    @property
    def unit(self) -> int:
        """Distance of two neighbouring mantissas."""
        return 1 << (WEIGHT_BITS_MAX - self.bits + (self.sign_mode == "mixed"))

    @property
    def mantissa(self) -> IntegerFormat:
        """What a mantissa can be."""
        low = {"mixed": -256, "excitatory": 0, "inhibitory": -255}[self.sign_mode]
        high = {"mixed": 255, "excitatory": 255, "inhibitory": 0}[self.sign_mode]
        unit = self.unit
        return IntegerFormat(
            "weight mantissa", -(-low // unit) * unit, high // unit * unit, unit
        )

    @property
    def largest(self) -> int:
        """Largest magnitude that both signs reach, or the one sign that there is."""
        low, high = self.mantissa.minimum, self.mantissa.maximum
        return min(-low, high) if self.sign_mode == "mixed" else max(-low, high)


def sign_mode_of(weight: Array) -> SignMode:
    """Excitatory where no weight is negative, inhibitory where none is positive, else mixed."""
    if np.min(weight, initial=0.0) >= 0:
        return "excitatory"
    return "inhibitory" if np.max(weight, initial=0.0) <= 0 else "mixed"


def shift(total: Array, exponent: int) -> Array:
    """``total * 2**exponent``: left shift, or right shift that floors."""
    return total << exponent if exponent >= 0 else total >> -exponent
