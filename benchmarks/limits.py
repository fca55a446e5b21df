"""What the machine can do: bytes read from memory, and small integers added, a second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

REPETITIONS = 15
MEMORY_BYTES = 2**29
"""Far more than a cache holds, of all threads together."""
_ROW = 512
"""Accumulators of a thread: as many as a small layer has neurons, 1 kB."""
# Type and rows of tables of weights: 16 kB, for the first-level cache; 256 kB, for the second.
_TABLES = ((np.int8, 32), (np.int8, 512), (np.int16, 16), (np.int16, 256))
_PASSES = 2**15


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _read(values: Any) -> Any:
    total = np.int64(0)
    for i in range(values.size):
        total ^= values[i]
    return total


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add(table: Any, rows: Any, total: Any, passes: Any) -> None:
    """Let ``total += table[row]`` for each row, four rows at a time, `passes` times over."""
    for _ in range(passes):
        for i in range(0, rows.size, 4):
            a, b = table[rows[i]], table[rows[i + 1]]
            c, d = table[rows[i + 2]], table[rows[i + 3]]
            for j in range(total.size):
                total[j] += a[j] + b[j] + c[j] + d[j]


def _together(work: Callable[[int], object], threads: int) -> float:
    """Seconds until all threads have done their work, undisturbed: the fastest repetition."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))  # compiled, and in the caches
        seconds = []
        for _ in range(REPETITIONS):
            started = time.perf_counter()
            list(pool.map(work, range(threads)))
            seconds.append(time.perf_counter() - started)
    return min(seconds)


def memory_bandwidth(size: int = MEMORY_BYTES) -> float:
    """Bytes read a second by all cores from arrays of `size` bytes in all."""
    threads = cores()
    parts = [np.ones(size // 8 // threads, np.int64) for _ in range(threads)]
    seconds = _together(lambda thread: _read(parts[thread]), threads)
    return sum(part.nbytes for part in parts) / seconds


def integer_adds(passes: int = _PASSES) -> float:
    """int16 additions a second by all cores: table rows into an accumulator in the L1 cache.

    The rows are int8 or int16 and come from the first- or the second-level cache, whatever is
    fastest. Four are added at a time: the accumulator is loaded and stored once for them.
    """
    return max(_integer_adds(dtype, rows, passes) for dtype, rows in _TABLES)


def _integer_adds(dtype: Any, rows: int, passes: int) -> float:
    threads = cores()
    rng = np.random.default_rng(0)
    table = rng.integers(-64, 66, (rows, _ROW)).astype(dtype)
    order = rng.permutation(rows)
    totals = [np.zeros(_ROW, np.int16) for _ in range(threads)]
    passes = max(1, passes * 32 // rows)
    seconds = _together(lambda thread: _add(table, order, totals[thread], passes), threads)
    return threads * passes * rows * _ROW / seconds
