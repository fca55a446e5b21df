"""Randomness that does not go on from batch to batch.

Whatever is drawn is a function of the training's seed and of the place (epoch, batch): the
order of the items, their variation, dropout, the draws of sliding replacement. A training that
goes on in the middle therefore needs no generator's state, whatever ran before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

ORDER, VARIATION, LAYERS, WEIGHTS, PAIRING = range(5)
"""What is drawn; each has numbers of its own."""


def seed_of(seed: int, what: int, epoch: int = 0, batch: int = 0, rank: int = 0) -> int:
    """A seed of 63 bits for one use at one place."""
    sequence = np.random.SeedSequence([seed, what, epoch, batch, rank])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(
    seed: int, what: int, epoch: int = 0, batch: int = 0, rank: int = 0
) -> torch.Generator:
    """A generator on the CPU with that seed."""
    return torch.Generator().manual_seed(seed_of(seed, what, epoch, batch, rank))


def order(count: int, seed: int, epoch: int) -> Tensor:
    """The order of the items in an epoch."""
    return torch.randperm(count, generator=generator(seed, ORDER, epoch))


@contextmanager
def repeatable(threads: int, strict: bool) -> Iterator[int]:
    """Fix torch's threads and algorithms; the caller's settings come back.

    Args:
        threads: of torch; 0: its own number.
        strict: refuse what has no deterministic algorithm; else torch warns (GPUs).

    Yields:
        the number of threads.
    """
    deterministic: Any = torch.utils.deterministic
    before = torch.get_num_threads(), torch.get_rng_state()
    was = torch.are_deterministic_algorithms_enabled(), deterministic.fill_uninitialized_memory
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(threads or before[0])
    torch.use_deterministic_algorithms(True, warn_only=not strict)
    deterministic.fill_uninitialized_memory = False  # slow, and nothing reads it
    try:
        yield torch.get_num_threads()
    finally:
        deterministic.fill_uninitialized_memory = was[1]
        torch.use_deterministic_algorithms(was[0], warn_only=warned)
        torch.set_num_threads(before[0])
        torch.set_rng_state(before[1])
