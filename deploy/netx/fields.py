"""The fields of one layer, read one by one; what is wrong with them is collected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import Problem
from ..formats import IntegerFormat

Array = npt.NDArray[Any]

# Fields that change nothing of what is computed: sizes that the weights state again,
# surrogate gradients of the training.
UNUSED = (
    "inFeatures",
    "outFeatures",
    "inChannels",
    "outChannels",
    "kernelSize",
    "neuron/theta",
    "neuron/tauRho",
    "neuron/scaleRho",
)


@dataclass(slots=True)
class Fields:
    """Access to the fields of a layer by keys such as "neuron/iDecay".

    Attributes:
        place: file and layer, for messages.
        values: what the file holds; groups are mappings.
        problems: everything that was found wrong.
        used: keys that were asked for.
    """

    place: str
    values: Mapping[str, Any]
    problems: list[Problem] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def find(self, key: str) -> Any:
        """The value, or None."""
        self.used.add(key)
        value: Any = self.values
        for part in key.split("/"):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def __contains__(self, key: str) -> bool:
        return self.find(key) is not None

    def refuse(self, key: str, what: str, remedy: str) -> None:
        """Note a problem of a field."""
        where = f"{self.place}, field {key}" if key else self.place
        self.problems.append(Problem(what, where, remedy))

    def text(self, key: str) -> str:
        """A text, or "" where there is none."""
        value = self.find(key)
        if isinstance(value, (np.ndarray, np.bytes_)):
            value = np.ravel(value)[0] if np.size(value) else ""
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return "" if value is None else str(value)

    def numbers(self, key: str) -> Array | None:
        """Finite numbers as float64 in the file's shape, or None: missing or refused."""
        value = self.find(key)
        if value is None:
            return None
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            self.refuse(key, f"{_short(value)} is no number", "write the file again")
            return None
        array = array.astype(np.float64)
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad:
            what = f"{bad} of {array.size} values are not finite"
            self.refuse(key, what, "train or export the network again")
            return None
        return array

    def integers(self, key: str, limits: IntegerFormat | None = None) -> Array | None:
        """Whole numbers within limits as int64 in the file's shape, or None.

        netx truncates fractions and checks no range; here both are refused.
        """
        array = self.numbers(key)
        if array is None:
            return None
        fractions = array != np.rint(array)
        if fractions.any():
            self.refuse(
                key,
                f"{np.count_nonzero(fractions)} of {array.size} values are no whole numbers, "
                f"such as {array[fractions].flat[0]:g}; netx would cut off their fractions",
                "quantise the network before it is exported (slayer's pre_hook_fx=quantize)",
            )
            return None
        whole = array.astype(np.int64)
        if limits is not None:
            outside = (whole < limits.minimum) | (whole > limits.maximum)
            if outside.any():
                self.refuse(
                    key,
                    f"{np.count_nonzero(outside)} of {whole.size} values lie outside "
                    f"{limits.minimum} to {limits.maximum} ({limits.name}), such as "
                    f"{whole[outside].flat[0]}",
                    "train with parameters that the hardware has",
                )
                return None
        return whole

    def spread(
        self, key: str, shape: tuple[int, ...], limits: IntegerFormat, default: int | None = 0
    ) -> Array:
        """One value, or one per neuron (n,): from one, one per channel, or one per neuron.

        Args:
            key: of the field.
            shape: of the population.
            limits: of the values.
            default: where the field is missing; None if it must be there.
        """
        values = self.integers(key, limits)
        if values is None:
            if default is None and key not in self:
                self.refuse(key, "the field is missing", "write the file again")
            return np.full(1, default or 0, np.int64)
        size, channels = int(np.prod(shape)), shape[0]
        if values.ndim == 3 and values.shape == shape[::-1]:  # as netx takes it: W, H, C
            values = values.transpose(2, 1, 0)
        flat = values.reshape(-1)
        if flat.size in (1, size):
            made = flat
        elif flat.size == channels:
            made = np.repeat(flat, size // channels)
        else:
            self.refuse(
                key,
                f"{flat.size} values for {size} neurons in {channels} channels",
                "give one value, one per channel, or one per neuron",
            )
            return np.zeros(1, np.int64)
        return made[:1].copy() if bool(np.all(made == made[0])) else made

    def flag(self, key: str) -> bool:
        """Whether a field is there and not zero; netx asks of some only whether it is there."""
        value = self.numbers(key)
        return value is not None and bool(np.any(value))

    def unread(self) -> list[str]:
        """Fields that nobody asked for."""
        known = {*self.used, *UNUSED}
        return [key for key in _keys(self.values) if key not in known]


def _keys(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        inner = _keys(value, f"{prefix}{key}/") if isinstance(value, Mapping) else None
        found += [f"{prefix}{key}"] if inner is None else inner
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
