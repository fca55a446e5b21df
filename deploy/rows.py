"""Rows of an array, such as samples, read in order: the one interface of memory and file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Read: TypeAlias = Callable[[int], Array]
"""Called with how many rows are wanted; returns the next ones."""


class Rows(Protocol):
    """An array whose first axis counts rows."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As of any array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of any array."""

    def reader(self, start: int = 0) -> AbstractContextManager[Read]:
        """A function that returns the next rows, the first ones from row `start` on."""


@dataclass(frozen=True, slots=True)
class ArrayRows:
    """Rows of an array in memory, which are not copied."""

    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the array."""
        return self.array.dtype

    @contextmanager
    def reader(self, start: int = 0) -> Iterator[Read]:
        """A function that returns the next rows, the first ones from row `start` on."""
        at = start

        def read(count: int) -> Array:
            nonlocal at
            at += count
            return self.array[at - count : at]

        yield read
