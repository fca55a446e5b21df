"""Samples as messages of a Program's inputs, a section of them at a time.

``message = clip(round(value * scale), minimum, maximum)`` at precision `fixed`; of an input
whose messages are changes, the differences of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import DataError, Problem
from .program import Input, Program
from .rows import Rows
from .samples import Data, Samples, as_data, not_finite
from .trace import Stimulus

Array = npt.NDArray[Any]
Take: TypeAlias = Callable[[int], tuple[Stimulus, Array]]
"""Called with a number of samples; returns the next ones encoded, and int64 (N,) counts of
their clipped values."""

CLIPPED_LIMIT = 0.01
"""Share of input values that may lie outside the calibrated range before it is an error."""

BLOCK_BYTES = 2**22
"""Most memory that the encoding itself takes, where a sample needs no more."""
_COMPARED, _COMPUTED = 3, 32
"""Memory for each value while it is checked and encoded, beside what it is read into and ends
in: truths only, or float64 too."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """An input, and the array that feeds it.

    Attributes:
        spec: the input.
        name, rows: the array, and its name in the file.
        shape: of one sample's messages: (n,), or (steps, n) over time.
        dtype: of the messages.
        place: where the array is, for messages to the user.
    """

    spec: Input
    name: str
    rows: Rows
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    place: str

    @property
    def over_time(self) -> bool:
        """Whether the array has an axis of time."""
        return len(self.rows.shape) == len(self.spec.shape) + 2

    @property
    def values(self) -> int:
        """Numbers in one sample."""
        return prod(self.rows.shape[1:])

    @property
    def rounded(self) -> bool:
        """Whether values become messages by scaling, rounding and clipping."""
        return self.spec.graded and self.dtype.kind == "i"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How data become messages of a Program; names and shapes fit, values are yet unseen.

    Attributes:
        entries: one for each input.
        samples: how many there are.
        steps: for which a sample is presented.
        block_bytes: most memory that is taken for encoding and checking, where a sample needs
            no more.
    """

    entries: tuple[_Entry, ...]
    samples: int
    steps: int
    block_bytes: int

    @property
    def bytes_per_sample(self) -> int:
        """Memory of one encoded sample."""
        return sum(prod(e.shape) * e.dtype.itemsize for e in self.entries)

    @property
    def scratch_bytes(self) -> int:
        """Memory that encoding and checking take, beside their result."""
        return max(self._at_once(e) * _scratch(e) for e in self.entries)

    @property
    def least_scratch_bytes(self) -> int:
        """The same, sample by sample."""
        return max(_scratch(e) for e in self.entries)

    def check(self, *, whole: bool = True) -> None:
        """Look at every value once, so that a long run does not end at a bad one.

        Args:
            whole: whether these are all the samples that will run, so that many values out of
                range are an error.

        Raises:
            DataError: not finite, no spikes, or too many values out of range.
            FileError: the file is damaged.
        """
        found = [p for e in self.entries if (p := self._check(e, whole)) is not None]
        if found:
            raise DataError(*found)

    @contextmanager
    def encoder(self, start: int = 0) -> Iterator[Take]:
        """A function that encodes the next samples, the first ones from `start` on.

        Each call may overwrite what the one before it returned: fresh memory for every section
        costs as much as filling it.
        """
        room: dict[str, Array] = {}
        with ExitStack() as stack:
            reads = [stack.enter_context(e.rows.reader(start)) for e in self.entries]

            def take(count: int) -> tuple[Stimulus, Array]:
                clipped = np.zeros(count, np.int64)
                for entry, read in zip(self.entries, reads, strict=True):
                    name, at_once = entry.spec.name, self._at_once(entry)
                    if name not in room or len(room[name]) < count:
                        room[name] = np.empty((count, *entry.shape), entry.dtype)
                    for first in range(0, count, at_once):
                        block = slice(first, min(first + at_once, count))
                        part = read(block.stop - first)
                        clipped[block] += _write(entry, part, room[name][block])
                values = {name: messages[:count] for name, messages in room.items()}
                return Stimulus(values, self.steps), clipped

            yield take

    def _at_once(self, entry: _Entry) -> int:
        return max(1, min(self.block_bytes // _scratch(entry), self.samples))

    def _check(self, entry: _Entry, whole: bool) -> Problem | None:
        """The first bad value of an input, or how many lie out of range."""
        spec, at_once = entry.spec, self._at_once(entry)
        outside = np.zeros(self.samples if entry.rounded else 0, np.int64)
        with entry.rows.reader() as read:
            for start in range(0, self.samples, at_once):
                part = read(min(at_once, self.samples - start))
                problem = not_finite(entry.place, entry.name, part, start)
                if problem is None and not spec.graded:
                    problem = _no_spikes(spec, part, start)
                if problem is not None:
                    return problem
                if whole and entry.rounded and _reaches_out(spec, part):
                    outside[start : start + len(part)] = _round(spec, part)[1]
        return _too_many(spec, outside, self.samples * entry.values)


def encoding_of(program: Program, data: Data, block_bytes: int = BLOCK_BYTES) -> Encoding:
    """How these data become messages of that Program.

    Args:
        program: the Program that will run.
        data: (N, *shape) frames, each shown at every step, or (N, T, *shape) over time; one
            array, or one for each input by its name.
        block_bytes: memory for encoding and checking; at most BLOCK_BYTES are of use.

    Raises:
        DataError: names or shapes do not fit.
    """
    given = _by_name(program, data.rows)
    problems, lasting = [], {}
    for spec in program.inputs:
        found = _duration(program, spec, given[spec.name][1])
        if isinstance(found, Problem):
            problems.append(found)
        elif found:
            lasting[spec.name] = found
    if len(set(lasting.values())) > 1:
        told = ", ".join(f"{name} {steps}" for name, steps in lasting.items())
        what = f"the inputs last unequal numbers of steps: {told}"
        problems.append(Problem(what, "inputs", "give all of them the same time axis"))
    if problems:
        raise DataError(*problems)
    steps = next(iter(lasting.values()), program.steps)
    entries = []
    for spec in program.inputs:
        name, rows = given[spec.name]
        over_time = spec.name in lasting or spec.delta
        shape = (steps, spec.size) if over_time else (spec.size,)
        dtype = _message_type(program, spec)
        entries.append(_Entry(spec, name, rows, shape, dtype, data.place(name, rows)))
    return Encoding(tuple(entries), data.samples, steps, min(block_bytes, BLOCK_BYTES))


def encode(program: Program, x: Samples) -> tuple[Stimulus, Array]:
    """Check and encode samples in memory, all at once.

    Returns:
        The stimulus, and int64 (N,) counts of clipped values.

    Raises:
        DataError: names, shape, type or range do not fit.
    """
    encoding = encoding_of(program, as_data(x))
    encoding.check()
    with encoding.encoder() as take:
        return take(encoding.samples)


def _message_type(program: Program, spec: Input) -> np.dtype[Any]:
    """float64 at precision `float`; uint8 for spikes; int32 for what may be larger or less."""
    if program.precision == "float":
        return np.dtype(np.float64)
    return np.dtype(np.int32 if spec.graded or spec.delta else np.uint8)


def _scratch(entry: _Entry) -> int:
    """Memory for encoding one sample."""
    computed = entry.rounded or entry.spec.delta
    return entry.values * (entry.rows.dtype.itemsize + (_COMPUTED if computed else _COMPARED))


def _by_name(
    program: Program, rows: Rows | Mapping[str, Rows]
) -> Mapping[str, tuple[str, Rows]]:
    """Input -> the array that feeds it, and its name."""
    names = [spec.name for spec in program.inputs]
    if not isinstance(rows, Mapping):
        if len(names) > 1:
            raise DataError(
                f"the network has {len(names)} inputs, and the samples are one array",
                where="inputs",
                remedy=f"give one array for each, named {', '.join(names)}",
            )
        return {names[0]: ("x", rows)}
    missing = [name for name in names if name not in rows]
    if missing:
        raise DataError(
            f"there are no samples for {', '.join(missing)}; given are {', '.join(rows)}",
            where="inputs",
            remedy="name the array x"
            if len(names) == 1
            else f"give one array for each input, named {', '.join(names)}",
        )
    return {name: (name, rows[name]) for name in names}


def _duration(program: Program, spec: Input, rows: Rows) -> int | Problem:
    """Steps that samples over time last; 0 for frames."""
    shape, given, where = tuple(spec.shape), rows.shape[1:], f"input {spec.name}"
    over_time = given[1:] == shape and len(given) == len(shape) + 1
    if not over_time and given != shape:
        return Problem(
            f"the samples have shape {given}; the network's input has {shape}",
            where,
            f"give x as (N, {', '.join(map(str, shape))}) for frames, or as "
            f"(N, T, {', '.join(map(str, shape))}) over time",
        )
    steps = given[0] if over_time else 0
    if steps > program.steps:
        return Problem(
            f"the samples last {steps} steps; the bounds are proven for {program.steps}",
            where,
            f"compile with --steps {steps}",
        )
    return steps


def _no_spikes(spec: Input, part: Array, start: int) -> Problem | None:
    """The first value that is neither 0 nor 1."""
    if part.dtype.kind in "bui":
        fine = part.dtype.kind == "b" or (part.min() >= 0 and part.max() <= 1)
    else:
        fine = bool(((part == 0) | (part == 1)).all())
    if fine:
        return None
    odd = tuple(int(i) for i in np.argwhere((part != 0) & (part != 1))[0])
    return Problem(
        f"the input takes spikes (0 or 1), but x holds {part[odd]}",
        f"input {spec.name}, sample {start + odd[0]}, index {odd[1:]}",
        "export with --input-encoding current for graded values",
    )


def _reaches_out(spec: Input, part: Array) -> bool:
    """Whether any value is clipped: rounding and scaling keep the order."""
    ends = np.rint(np.array([part.min(), part.max()], np.float64) * spec.scale)
    return bool((ends < spec.minimum).any() or (ends > spec.maximum).any())


def _round(spec: Input, part: Array) -> tuple[Array, Array]:
    """Scaled and rounded values, float64, and how many of each sample lie out of range."""
    messages = part.astype(np.float64)
    messages *= spec.scale
    np.rint(messages, out=messages)
    outside = (messages < spec.minimum) | (messages > spec.maximum)
    return messages, outside.reshape(len(part), -1).sum(axis=1)


def _too_many(spec: Input, outside: Array, values: int) -> Problem | None:
    total = int(outside.sum())
    if total <= CLIPPED_LIMIT * values:
        return None
    return Problem(
        f"{100 * total / values:.1f} % of the values lie outside the "
        f"calibrated range {spec.minimum / spec.scale:g} to {spec.maximum / spec.scale:g}; "
        f"the limit is {100 * CLIPPED_LIMIT:g} %",
        f"input {spec.name}, sample {int(np.argmax(outside))}",
        "scale the data as in training, or calibrate with data like these",
    )


def _write(entry: _Entry, part: Array, messages: Array) -> Array | int:
    """Write the messages of some samples; returns how many values of each were clipped."""
    clipped: Array | int = 0
    if entry.rounded:
        part, clipped = _round(entry.spec, part)
        np.clip(part, entry.spec.minimum, entry.spec.maximum, out=part)
    if entry.spec.delta and not entry.over_time:  # a frame never grows
        messages[:, 0], messages[:, 1:] = part.reshape(len(part), -1), 0
        return clipped
    messages[...] = part.reshape(messages.shape)
    if entry.spec.delta:  # the value at the first step, then what it grew by
        messages[:, 1:] -= messages[:, :-1].copy()
    return clipped
