"""Contenders timed side by side: in turns, so that what disturbs the machine disturbs all."""

from __future__ import annotations

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
