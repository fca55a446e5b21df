"""Messages of many steps: one bit each for whether there is one, and values where they differ.

A source's messages are kept channels last, step by step, as words of 64 bits: what is silent
costs a bit, and finding the messages costs a few instructions each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload, register_jitable

from .compiled import INLINE, kernel
from .native import Routine, restored
from .vectors import bits_set, copy_block, fill_block, nonzero_bits, trailing_zeros


class Messages(NamedTuple):
    """What one source sent.

    Attributes:
        bits: uint64 (B, rows, words); bit k of word w: element 64 w + k sent a message.
        values: (B, rows, n) messages of the states' type; uint8 (0, 0, 0) for spikes.
        first: int64 (1,), the step of row 0.
    """

    bits: Any
    values: Any
    first: Any


class Listing(NamedTuple):
    """Messages of the steps of a group, listed; the kernels' scratch.

    Attributes:
        count: int64 (group,).
        where: int32 (group, n + 64), the elements in rising order.
        start: int32 (group, cells + 1), where the messages of a cell of a convolution (the
            channels of one position and group) begin.
        before: int32 (words + 1,), messages in front of a word.
    """

    count: Any
    where: Any
    start: Any
    before: Any


class Cells(NamedTuple):
    """What a convolution looks up its messages by.

    Attributes:
        size: elements of a cell.
        number: how many cells; 0: none are looked up.
    """

    size: int
    number: int


@Routine
def prepare(place: Any, b: int, first: int, steps: int) -> None:
    """List what sample b's source sent in some steps; nothing where there is no such row.

    Of Arguments (cells, bits, start, listing): start[0] is the step of row 0 of the bits.
    """
    cells, bits, start, listing = restored(place)
    for slot in range(steps):
        row = first + slot - start[0]
        listing.count[slot] = 0
        if 0 <= row < bits.shape[1]:
            words = bits[b, row]
            count = list_messages(words, listing.where[slot], listing.before)
            listing.count[slot] = count
            if count and cells.number:
                find_cells(words, listing.before, listing.start[slot], cells)


@register_jitable(**INLINE)
def list_messages(words: Any, where: Any, before: Any) -> int:
    """The elements whose bits are set, and how many they are."""
    k = 0
    for w in range(words.size):
        before[w] = k
        word = words[w]
        while word:
            where[k] = w * 64 + np.int64(trailing_zeros(word))
            k += 1
            word &= word - np.uint64(1)
    before[words.size] = k
    fill_block(where, k, np.int32(words.size * 64))  # places of a row of zeros
    return k


@register_jitable(**INLINE)
def find_cells(words: Any, before: Any, start: Any, cells: Any) -> None:
    """Where the messages of each cell begin; after `list_messages`."""
    for c in range(cells.number + 1):
        element = c * cells.size
        word, bit = element >> 6, element & 63
        begin = before[word]
        if bit:
            begin += np.int64(
                bits_set(words[word] & ((np.uint64(1) << np.uint64(bit)) - np.uint64(1)))
            )
        start[c] = begin


@Routine
def fetch(place: Any, b: int, first: int, steps: int) -> None:
    """The values of listed messages, and zeros behind them.

    Of Arguments (source, listing, values), the last (group, n + 64).
    """
    source, listing, values = restored(place)
    for slot in range(steps):
        row, count, where = first + slot - source.first[0], listing.count[slot], listing.where
        for k in range(count):
            values[slot, k] = source.values[b, row, where[slot, k]]
        fill_block(values[slot], count, values.dtype.type(0))


@kernel
def take_in(given: Any, first: int, rows: int, places: Any, skipped: int, target: Any) -> None:
    """Messages of an input as they are given, to bits and values, channels last.

    Args:
        given: (B, steps, n), channels first.
        first: the first of the steps, from 0.
        rows: how many of them.
        places: int32 (n,), where an element stands channels last; (0,): where it is.
        skipped: row of the target for the first of them.
        target: Messages.
    """
    samples, _, size = given.shape
    full = size // 64
    for b in range(samples):
        for r in range(rows):
            line, bits = given[b, first + r], target.bits[b, skipped + r]
            bits[:] = 0
            for w in range(bits.size):
                if w < full:
                    word = nonzero_bits(line, w * 64)
                else:
                    word = np.uint64(0)
                    for k in range(size - full * 64):
                        if line[full * 64 + k] != 0:
                            word |= np.uint64(1) << np.uint64(k)
                while word:
                    element = w * 64 + np.int64(trailing_zeros(word))
                    place = places[element] if places.size else element
                    bits[place >> 6] |= np.uint64(1) << np.uint64(place & 63)
                    put(target.values, b, skipped + r, place, line[element])
                    word &= word - np.uint64(1)


def put(values: Any, b: int, row: int, element: Any, message: Any) -> None:
    """values[b, row, element] = message, where there are values."""
    raise NotImplementedError


@overload(put, strict=False, jit_options=INLINE)
def _put(values: Any, b: Any, row: Any, element: Any, message: Any) -> Any:
    if values.dtype.name == "uint8":
        return lambda values, b, row, element, message: None

    def given(values: Any, b: Any, row: Any, element: Any, message: Any) -> None:
        values[b, row, element] = message

    return given


@Routine
def rearrange(place: Any, first: int, stop: int, unused: int) -> None:
    """The messages that arrive in the steps from first to stop - 1, in another order.

    Of Arguments (delay, source, places, target): element i of the source at places[i] in the
    target, whose rows are those of the source.
    """
    delay, source, places, target = restored(place)
    low = max(first - 1 - delay - source.first[0], 0)
    high = min(stop - 1 - delay - source.first[0], source.bits.shape[1])
    for b in range(source.bits.shape[0]):
        for row in range(low, high):
            bits = target.bits[b, row]
            bits[:] = 0
            for w in range(bits.size):
                word = source.bits[b, row, w]
                while word:
                    element = w * 64 + np.int64(trailing_zeros(word))
                    to = places[element]
                    bits[to >> 6] |= np.uint64(1) << np.uint64(to & 63)
                    move(source.values, target.values, b, row, element, to)
                    word &= word - np.uint64(1)


def move(source: Any, target: Any, b: int, row: int, element: Any, place: int) -> None:
    """target[b, row, place] = source[b, row, element], where there are values."""
    raise NotImplementedError


@overload(move, strict=False, jit_options=INLINE)
def _move(source: Any, target: Any, b: Any, row: Any, element: Any, place: Any) -> Any:
    if source.dtype.name == "uint8":
        return lambda source, target, b, row, element, place: None

    def given(source: Any, target: Any, b: Any, row: Any, element: Any, place: Any) -> None:
        target[b, row, place] = source[b, row, element]

    return given


@kernel
def density(bits: Any, first: int, last: int, size: int) -> Any:
    """Share of elements that send, over all samples and the rows from first to last - 1."""
    count = np.uint64(0)
    for b in range(bits.shape[0]):
        for row in range(first, last):
            for w in range(bits.shape[2]):
                count += bits_set(bits[b, row, w])
    return count / max(bits.shape[0] * (last - first) * size, 1)


def write(values: Any, b: int, row: int, begin: int, size: int, sent: Any) -> None:
    """values[b, row, begin: begin + size] = sent, where there are values."""
    raise NotImplementedError


@overload(write, strict=False, jit_options=INLINE)
def _write(values: Any, b: Any, row: Any, begin: Any, size: Any, sent: Any) -> Any:
    if values.dtype.name == "uint8":
        return lambda values, b, row, begin, size, sent: None

    def given(values: Any, b: Any, row: Any, begin: Any, size: Any, sent: Any) -> None:
        line = values[b, row, begin : begin + size]
        for i in range(size):
            line[i] = sent[i]

    return given


@register_jitable(**INLINE)
def append(
    where: Any,
    values: Any,
    first: int,
    last: int,
    plus: int,
    merged: Any,
    merged_values: Any,
    m: int,
) -> int:
    """Append the messages from first to last - 1 to `merged`, with `plus` added to where."""
    copy_block(where, first, merged, m, np.int32(plus))
    copy_values(values, first, merged_values, m)
    k = first + 16
    while k < last:
        copy_block(where, k, merged, m + k - first, np.int32(plus))
        copy_values(values, k, merged_values, m + k - first)
        k += 16
    return m + last - first


@register_jitable(**INLINE)
def end_list(where: Any, values: Any, count: int, nowhere: int) -> None:
    """Behind a list, places of a row of zeros."""
    fill_block(where, count, np.int32(nowhere))
    fill_values(values, count)


def fill_values(values: Any, count: int) -> None:
    """16 zeros behind the values, where there are values."""
    raise NotImplementedError


@overload(fill_values, strict=False, jit_options=INLINE)
def _fill_values(values: Any, count: Any) -> Any:
    if values.dtype.name == "uint8":
        return lambda values, count: None
    zero = values.dtype(0)
    return lambda values, count: fill_block(values, count, zero)


def copy_values(values: Any, k: int, merged: Any, m: int) -> None:
    """Copy 16 values, where there are values."""
    raise NotImplementedError


@overload(copy_values, strict=False, jit_options=INLINE)
def _copy_values(values: Any, k: Any, merged: Any, m: Any) -> Any:
    if values.dtype.name == "uint8":
        return lambda values, k, merged, m: None
    zero = values.dtype(0)

    def given(values: Any, k: Any, merged: Any, m: Any) -> None:
        copy_block(values, k, merged, m, zero)

    return given
