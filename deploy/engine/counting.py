"""Messages counted behind a chunk of steps: from their bits, 64 elements at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from .compiled import kernel
from .layout import Order
from .vectors import add_sums, sum_bits, weighted_sum

Array = npt.NDArray[Any]

MOST_ROWS = 255
"""Steps whose messages a sum of 8 bits holds."""
MOST_SUMS = 257
"""Sums of 8 bits whose sum 16 bits hold."""
ROWS = 8
"""Rows that are read side by side: more may share one place in the first cache."""
TILE = 64
"""Words whose sums, and what they are added to, stay in the first cache; at most 128, for
which `weighted_sum` holds."""
FEWEST_ALIKE = 4
"""Words with the same weights, in the mean, that are worth being summed up before they are
weighted."""
DIGIT_BITS = 15
"""Weights are cut into digits of so many bits: 16-bit numbers from 0."""


class Weights(NamedTuple):
    """Weights (n, k) of a source's messages, cut into digits; equal columns are one.

    Attributes:
        digits: int16 (r, n rounded up to 64), channels last.
        places: int64 (r, k), 2**(15 j) where row r holds digit j of column k; else 0.
        runs: int64 (k, 4), words of 64 elements that have the same digits, as the pixels of a
            channel have: the first element of the first such word; number of the first word of
            the run, words from one to the next, how many. Equal ones lie together; none where
            too few are equal.
    """

    digits: Array
    places: Array
    runs: Array


UNWEIGHTED = Weights(
    np.zeros((0, 0), np.int16), np.zeros((0, 0), np.int64), np.zeros((0, 4), np.int64)
)
"""No weights: messages are counted element by element."""


def weights_of(fan: Array, order: Order) -> Weights:
    """The columns of `fan`, whole numbers from 0 in channels first order."""
    columns = np.ascontiguousarray(np.asarray(fan)[order.last].T, np.int64)
    known: dict[bytes, int] = {}  # np.unique would sort whole columns
    which = np.array([known.setdefault(column.tobytes(), len(known)) for column in columns])
    different = [int(np.argmax(which == k)) for k in range(len(known))]
    rest = columns[different].T
    spare = -len(rest) % 64
    digits, places, shift = [], [], 0
    while rest.any():
        digit = rest & ((1 << DIGIT_BITS) - 1)
        for column in np.flatnonzero(digit.any(axis=0)):
            digits.append(np.pad(digit[:, column], (0, spare)))
            places.append((which == column) * (np.int64(1) << shift))
        rest, shift = rest >> DIGIT_BITS, shift + DIGIT_BITS
    table = np.array(digits, np.int16).reshape(-1, columns.shape[1] + spare)
    return Weights(table, np.array(places, np.int64).reshape(-1, len(columns)), _runs(table))


def _runs(digits: Array) -> Array:
    """See `Weights`."""
    words = digits.reshape(len(digits), -1, 64).swapaxes(0, 1)
    alike: dict[bytes, list[int]] = {}
    for number, word in enumerate(words):
        alike.setdefault(word.tobytes(), []).append(number)
    if len(alike) * FEWEST_ALIKE > len(words):
        return UNWEIGHTED.runs
    runs = []
    for numbers in alike.values():
        first = 0
        while first < len(numbers):
            step = numbers[first + 1] - numbers[first] if first + 1 < len(numbers) else 1
            last = first
            while last + 1 < len(numbers) and numbers[last + 1] - numbers[last] == step:
                last += 1
            runs.append((64 * numbers[0], numbers[first], step, last - first + 1))
            first = last + 1
    return np.array(runs, np.int64).reshape(-1, 4)


class Elements:
    """Messages of each element of a source, over all samples that a thread has seen.

    Args:
        weights: of its messages.
    """

    def __init__(self, weights: Weights) -> None:
        size = weights.digits.shape[1]
        self.sums = np.zeros(size, np.int64)
        self.several = np.zeros(size, np.uint16)  # up to MOST_SUMS sums that are still to add
        self.held = np.zeros(1, np.int64)  # how many

    def total(self) -> Array:
        """All of them."""
        return self.sums + self.several


def tally(
    bits: Array,
    first: int,
    last: int,
    digits: Array,
    totals: Array,
    elements: Elements,
    places: Array,
    counts: Array,
) -> None:
    """Count the messages of the rows from first to last - 1.

    Args:
        bits: uint64 (B, rows, words), see Messages.
        first: the first row.
        last: the last one and 1.
        digits: int16 (r, 64 words).
        totals: int64 (B, r), to which the messages times the digits are added.
        elements: to which those of all samples are added.
        places: int32 (n,), where an element stands in `counts`; (0,): where it is.
        counts: int32 (B, n), to which the messages are added; (0, 0): not wanted.
    """
    sums = np.empty(64 * TILE, np.uint8)
    several, held = elements.several, elements.held
    _tally(
        bits, first, last, digits, sums, totals, several, held, elements.sums, places, counts
    )


@kernel
def _tally(
    bits: Any,
    first: int,
    last: int,
    digits: Any,
    sums: Any,
    totals: Any,
    several: Any,
    held: Any,
    elements: Any,
    places: Any,
    counts: Any,
) -> None:
    """See `tally`."""
    samples, rows, words = bits.shape
    passes = held[0]
    for begin in range(0, words, TILE):
        size = (min(begin + TILE, words) - begin) * 64
        start, passes = begin * 64, held[0]
        for b in range(samples):
            for low in range(first, last, MOST_ROWS):
                high = min(low + MOST_ROWS, last)
                sums[:size] = 0
                for row in range(low, high, ROWS):
                    together = min(row + ROWS, high) - row
                    for w in range(size // 64):
                        word = (b * rows + row) * words + begin + w
                        sum_bits(bits, word, words, together, sums, w * 64)
                for r in range(digits.shape[0]):
                    totals[b, r] += weighted_sum(digits, r, start, sums, size)
                if elements.size:
                    if passes == MOST_SUMS:
                        for i in range(start, start + size):
                            elements[i] += several[i]
                            several[i] = 0
                        passes = 0
                    for w in range(size // 64):
                        add_sums(sums, w * 64, several, start + w * 64)
                    passes += 1
                for i in range(start, min(start + size, counts.shape[1])):
                    counts[b, places[i] if places.size else i] += np.int32(sums[i - start])
    held[0] = passes


def tally_steps(bits: Array, first: int, last: int, weights: Weights, totals: Array) -> None:
    """Count the messages of each row from first to last - 1, of all samples together.

    Words whose elements weigh the same are summed up before they are weighted.

    Args:
        bits: as for `tally`.
        first: the first row.
        last: the last one and 1.
        weights: of the messages.
        totals: int64 (last - first, r), to which the messages times the digits are added.
    """
    sums = np.zeros(64 * TILE, np.uint8)
    if len(weights.runs):
        _tally_runs(bits, first, last, weights.digits, weights.runs, sums, totals)
    else:
        _tally_rows(bits, first, last, weights.digits, sums, totals)


@kernel
def _tally_runs(
    bits: Any, first: int, last: int, digits: Any, runs: Any, sums: Any, totals: Any
) -> None:
    """See `tally_steps`; begins and ends with sums of 0."""
    samples, rows, words = bits.shape
    for row in range(first, last):
        total, held = totals[row - first], 0
        for k in range(len(runs)):
            column, start, stride, count = runs[k]
            for b in range(samples):
                done = 0
                while done < count:
                    together = min(count - done, MOST_ROWS - held)
                    word = (b * rows + row) * words + start + done * stride
                    sum_bits(bits, word, stride, together, sums, 0)
                    done, held = done + together, held + together
                    if held == MOST_ROWS:
                        _weigh(digits, column, sums, total)
                        held = 0
            if held and (k + 1 == len(runs) or runs[k + 1, 0] != column):
                _weigh(digits, column, sums, total)
                held = 0


@register_jitable
def _weigh(digits: Any, column: int, sums: Any, total: Any) -> None:
    """Add 64 sums times the digits from `column` on to the total; they are 0 then."""
    for r in range(digits.shape[0]):
        total[r] += weighted_sum(digits, r, column, sums, 64)
    for i in range(64):
        sums[i] = 0


@kernel
def _tally_rows(bits: Any, first: int, last: int, digits: Any, sums: Any, totals: Any) -> None:
    """See `tally_steps`."""
    samples, rows, words = bits.shape
    for begin in range(0, words, TILE):  # whose digits stay in the first cache
        size = (min(begin + TILE, words) - begin) * 64
        for row in range(first, last):
            for low in range(0, samples, MOST_ROWS):
                together = min(MOST_ROWS, samples - low)
                sums[:size] = 0
                for w in range(size // 64):
                    word = (low * rows + row) * words + begin + w
                    sum_bits(bits, word, rows * words, together, sums, w * 64)
                for r in range(digits.shape[0]):
                    totals[row - first, r] += weighted_sum(digits, r, begin * 64, sums, size)
