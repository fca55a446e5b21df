"""What can arrive at a population, and what its states can become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Currents of one projection and delay: what can arrive from step `first` to step `last`.

    Attributes:
        low, high: least (<= 0) and greatest (>= 0) current of each neuron, int64 (n,).
        sum_low, sum_high: the same of all that arrives over the steps, before any shift to
            the right.
    """

    port: str
    first: int
    last: int
    low: Array
    high: Array
    sum_low: Array
    sum_high: Array


@dataclass(frozen=True, slots=True)
class Drive:
    """All that can arrive at a population of n neurons."""

    size: int
    parts: tuple[Part, ...]

    def current(self, t: int, sign: int, port: str = "") -> Array:
        """The greatest (sign 1) or least (sign -1) current of each neuron in step t."""
        total = np.zeros(self.size, np.int64)
        for part in self.parts:
            if part.port == port and part.first <= t <= part.last:
                total += part.high if sign > 0 else part.low
        return total

    def extreme(self, sign: int, port: str = "") -> Array:
        """The same if all parts arrived together."""
        found = [p.high if sign > 0 else p.low for p in self.parts if p.port == port]
        return np.asarray(sum(found, start=np.zeros(self.size, np.int64)), np.int64)

    def total(self, sign: int, port: str = "") -> Array:
        """The greatest (sign 1) or least (sign -1) sum of currents over all steps."""
        found = [p.sum_high if sign > 0 else p.sum_low for p in self.parts if p.port == port]
        return np.asarray(sum(found, start=np.zeros(self.size, np.int64)), np.int64)

    def changes(self) -> list[int]:
        """Steps at which the currents are not those of the step before, in order."""
        return sorted({t for p in self.parts for t in (p.first, p.last + 1)})

    def of(self, index: Array) -> Drive:
        """Of some of the neurons."""
        chosen = [
            Part(
                p.port,
                p.first,
                p.last,
                *(side[index] for side in (p.low, p.high, p.sum_low, p.sum_high)),
            )
            for p in self.parts
        ]
        return Drive(len(index), tuple(chosen))


@dataclass(frozen=True, slots=True)
class Extreme:
    """A value that a state can reach, by which neuron, and in which step."""

    value: int
    neuron: int
    step: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What the states of a population can become.

    Attributes:
        states: state -> (lowest, highest); a membrane before clipping and spike.
        limits: state -> magnitude that it must not exceed. A membrane that may saturate
            (counted in every run) has none.
        proven_steps: steps up to which no membrane without a limit is clipped; None: for all.
        clipped: the extreme that is clipped first; None where none is.
        message: (lowest, highest) message.
    """

    states: Mapping[str, tuple[Extreme, Extreme]]
    limits: Mapping[str, int]
    proven_steps: int | None = None
    clipped: Extreme | None = None
    message: tuple[int, int] = (0, 1)
