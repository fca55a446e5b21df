"""Contenders timed side by side: in turns, so that what disturbs the machine disturbs all."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

REPETITIONS = 5
FEWEST_REPETITIONS = 3
BUDGET = 60.0
"""Seconds after which a comparison is content with FEWEST_REPETITIONS."""
_LEAST_SECONDS = 0.05
_PAUSE_SECONDS = 0.03

_PAIRS = 31
_PAIR_SECONDS = 0.1

Contender = Callable[[], "float | None"]
"""Does its work once; returns the seconds it took where it knows better than its caller."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one contender.

    Attributes:
        seconds: the median.
        spread: the distance of slowest and fastest over it.
        fastest: undisturbed.
    """

    seconds: float
    spread: float
    fastest: float


def in_turns(
    contenders: Mapping[str, Contender],
    repetitions: int = REPETITIONS,
    budget: float = BUDGET,
) -> dict[str, Times]:
    """Time every contender once, then all of them again, and so on.

    What takes less than 50 ms is done several times in a row and the mean is taken. The caller
    has warmed everything up.
    """
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    started = time.perf_counter()
    for turn in range(repetitions):
        for name, contender in contenders.items():
            # The threads of other libraries go on spinning for a moment.
            time.sleep(_PAUSE_SECONDS)
            measured[name].append(_seconds(contender))
        if turn + 1 >= FEWEST_REPETITIONS and time.perf_counter() - started > budget:
            break
    return {name: _times(seconds) for name, seconds in measured.items()}


@dataclass(frozen=True, slots=True)
class Extra:
    """What one of two calls takes more than the other, as a share of the other's time.

    Attributes:
        processor: by the processor's time of all threads; the median of all pairs.
        clock: by the clock.
        spread: of the middle half of the pairs, by the processor's time.
    """

    processor: float
    clock: float
    spread: tuple[float, float]


def extra(more: Callable[[], object], less: Callable[[], object], pairs: int = _PAIRS) -> Extra:
    """Time two calls side by side, in pairs whose order alternates.

    What disturbs the machine for longer than a pair disturbs both, and what disturbs one call
    alone is left out by the median. Of calls shorter than 0.1 s several are made in a row.
    """
    started = time.perf_counter()
    less()
    calls = math.ceil(_PAIR_SECONDS / (time.perf_counter() - started))
    found = []
    for pair in range(pairs):
        time.sleep(_PAUSE_SECONDS)
        if pair % 2:
            first, second = _both_clocks(less, calls), _both_clocks(more, calls)
            found.append((second[0] / first[0], second[1] / first[1]))
        else:
            first, second = _both_clocks(more, calls), _both_clocks(less, calls)
            found.append((first[0] / second[0], first[1] / second[1]))
    processor, clock = zip(*found, strict=True)
    low, middle, high = statistics.quantiles(processor, n=4)
    return Extra(middle - 1, statistics.median(clock) - 1, (low - 1, high - 1))


def _both_clocks(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """Seconds of the processor, in all threads, and of the clock."""
    busy, started = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call()
    return time.process_time() - busy, time.perf_counter() - started


def _seconds(contender: Contender) -> float:
    started, calls = time.perf_counter(), 0
    while True:
        known = contender()
        calls += 1
        elapsed = time.perf_counter() - started
        if known is not None:
            return known
        if elapsed >= _LEAST_SECONDS:
            return elapsed / calls


def _times(seconds: list[float]) -> Times:
    middle = statistics.median(seconds)
    return Times(middle, (max(seconds) - min(seconds)) / middle, min(seconds))
