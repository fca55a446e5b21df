"""The synapses' loops, compiled by numba; all arrays channels last.

A message that is zero costs one comparison: the work follows the spikes. What is compiled is
what is called: a network without convolutions compiles none.
"""

from __future__ import annotations

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def dense(messages: Any, weight: Any, total: Any) -> None:
    """total[b] += sum_i messages[b, i] * weight[i]; weight (n_in, n_out)."""
    for b in range(messages.shape[0]):
        for i in range(messages.shape[1]):
            value = messages[b, i]
            if value == 0:
                continue
            row = weight[i]
            target = total[b]
            if value == 1:
                for o in range(target.size):
                    target[o] += row[o]
            else:
                for o in range(target.size):
                    target[o] += row[o] * value


@njit(cache=True, nogil=True)
def sparse(messages: Any, start: Any, row: Any, weight: Any, total: Any) -> None:
    """total[b, row[k]] += messages[b, i] * weight[k] for k from start[i] to start[i + 1]."""
    for b in range(messages.shape[0]):
        for i in range(messages.shape[1]):
            value = messages[b, i]
            if value == 0:
                continue
            target = total[b]
            for k in range(start[i], start[i + 1]):
                target[row[k]] += weight[k] * value


@njit(cache=True, nogil=True)
def sparse_delayed(
    messages: Any, start: Any, row: Any, weight: Any, delay: Any, ring: Any, first: int
) -> None:
    """The same, with synapse k delivered to ring[(first + delay[k]) % len(ring)]."""
    slots = ring.shape[0]
    for b in range(messages.shape[0]):
        for i in range(messages.shape[1]):
            value = messages[b, i]
            if value == 0:
                continue
            for k in range(start[i], start[i + 1]):
                slot = first + delay[k]
                if slot >= slots:
                    slot -= slots
                ring[slot, b, row[k]] += weight[k] * value


@njit(cache=True, nogil=True)
def conv2d(messages: Any, weight: Any, total: Any, rows: Any, columns: Any) -> None:
    """Scatter each message over the outputs that see it.

    messages (B, H, W, groups, C_in / groups); weight (K_h, K_w, groups, C_in / groups,
    C_out / groups); total (B, H_out, W_out, groups, C_out / groups); rows (H, K_h): where a
    message reaches through a tap of the kernel, -1 where it reaches nothing; columns (W, K_w).
    """
    _, height, width, groups, channels = messages.shape
    for b in range(messages.shape[0]):
        for y in range(height):
            for x in range(width):
                for g in range(groups):
                    for c in range(channels):
                        value = messages[b, y, x, g, c]
                        if value == 0:
                            continue
                        for i in range(weight.shape[0]):
                            row = rows[y, i]
                            if row < 0:
                                continue
                            for j in range(weight.shape[1]):
                                column = columns[x, j]
                                if column < 0:
                                    continue
                                taps = weight[i, j, g, c]
                                target = total[b, row, column, g]
                                if value == 1:
                                    for o in range(target.size):
                                        target[o] += taps[o]
                                else:
                                    for o in range(target.size):
                                        target[o] += taps[o] * value


@njit(cache=True, nogil=True)
def take_shifted(total: Any, shift: int, arriving: Any) -> None:
    """Arriving += total >> shift (floor); leaves zeros in total."""
    for b in range(total.shape[0]):
        for i in range(total.shape[1]):
            arriving[b, i] += total[b, i] >> shift
            total[b, i] = 0


@njit(cache=True, nogil=True)
def add(total: Any, arriving: Any) -> None:
    """Arriving += total."""
    for b in range(total.shape[0]):
        for i in range(total.shape[1]):
            arriving[b, i] += total[b, i]
