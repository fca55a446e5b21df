"""Counts of messages from their bits: at every border of the types that hold them."""

from __future__ import annotations

import numpy as np
import pytest
from slipway.deploy.engine import Engine
from slipway.deploy.engine.counting import (
    MOST_ROWS,
    MOST_SUMS,
    TILE,
    Elements,
    tally,
    tally_steps,
    weights_of,
)
from slipway.deploy.engine.layout import NOWHERE, order_of
from slipway.deploy.trace import Stimulus

from .test_engine import network, silent
from .test_engine_kernels import spiking


@pytest.mark.parametrize(
    ("samples", "rows", "size", "rate"),
    [
        (3, 5, 10, 0.3),
        (2, 2 * MOST_ROWS + 7, 70, 1.0),  # sums of 8 bits are full
        (2 * MOST_SUMS + 3, MOST_ROWS, 3, 1.0),  # and those of 16 bits
        (2, 9, 64 * TILE + 65, 0.5),
    ],
)
def test_tallies_are_what_the_bits_sum_up_to(
    samples: int, rows: int, size: int, rate: float
) -> None:
    rng = np.random.default_rng(size)
    sent = rng.random((samples, rows, size)) < rate
    words = -(-size // 64)
    bits = np.zeros((samples, rows, 8 * words), np.uint8)
    bits[..., : -(-size // 8)] = np.packbits(sent, axis=-1, bitorder="little")
    fan = rng.integers(1, [2, 32768, 2**31, 2**40], (size, 4))
    fan[0] = 1, 32767, 2**31 - 1, 0  # the largest digits
    weights = weights_of(fan, order_of((size,)))
    totals = np.zeros((samples, len(weights.digits)), np.int64)
    elements, counts = Elements(weights), np.zeros((samples, size), np.int32)
    for first, last in ((1, rows), (0, 1)):  # counts are added to what is there
        tally(
            *(bits.view(np.uint64), first, last, weights.digits),
            *(totals, elements, NOWHERE, counts),
        )
    expected = sent.sum(axis=1)
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(totals @ weights.places, expected @ fan)
    np.testing.assert_array_equal(elements.total()[:size], expected.sum(axis=0))
    of_steps = np.zeros((rows - 1, len(weights.digits)), np.int64)
    for _ in range(2):
        tally_steps(bits.view(np.uint64), 1, rows, weights, of_steps)
    of_step = sent[:, 1:].sum(axis=0)
    np.testing.assert_array_equal(of_steps @ weights.places, 2 * of_step @ fan)


@pytest.mark.parametrize("samples", [1, 40])
def test_words_that_weigh_the_same_are_summed_up_first(samples: int) -> None:
    """12 x 12 pixels, 128 channels: a fan of each channel, and another one at the border."""
    rng = np.random.default_rng(samples)
    inside = np.zeros((12, 12), int)
    inside[1:-1, 1:-1] = 1
    fan = rng.integers(1, 2**31, (2, 128, 2))[inside]  # (12, 12, 128, 2), channels last
    weights = weights_of(fan.reshape(-1, 2), order_of((12 * 12 * 128,)))
    assert weights.runs[0].tolist() == [0, 0, 2, 13]  # a line of the border and a pixel more
    assert len(weights.runs) < 80
    sent = rng.random((samples, 3, 12 * 12 * 128)) < [[0.1], [0.9], [1.0]]
    bits = np.packbits(sent, axis=-1, bitorder="little").view(np.uint64)
    totals = np.zeros((3, len(weights.digits)), np.int64)
    tally_steps(bits, 0, 3, weights, totals)
    of_step = sent.sum(axis=0)
    np.testing.assert_array_equal(totals @ weights.places, of_step @ fan.reshape(-1, 2))


def test_equal_columns_are_summed_once_and_zeros_never() -> None:
    fan = np.array([[1, 9, 9, 0], [1, 4, 4, 0], [1, 2**15, 2**15, 0]])
    weights = weights_of(fan, order_of((3,)))
    assert len(weights.digits) == 3  # ones, and two digits
    np.testing.assert_array_equal((weights.digits.T.astype(int) @ weights.places)[:3], fan)


def test_a_run_that_does_not_count_gives_the_same_but_for_the_counts() -> None:
    program = network(neuron=silent(), inputs=spiking((3,)), size=2)
    stimulus = Stimulus({"input": np.ones((2, 4, 3), np.uint8)}, 4)
    trace = Engine(program).run(stimulus, counting=False)
    assert not any(counts.any() for counts in trace.messages.values())
    np.testing.assert_array_equal(
        trace.outputs["out"], Engine(program).run(stimulus).outputs["out"]
    )


def test_the_same_fans_are_converted_once() -> None:
    program = network(neuron=silent(), inputs=spiking((3,)), size=2)
    stimulus = Stimulus({"input": np.ones((2, 4, 3), np.uint8)}, 4)
    engine = Engine(program)
    fans = {"input": np.array([[1], [2], [3]]), "p": np.ones((2, 1))}
    for _ in range(2):
        np.testing.assert_array_equal(engine.run(stimulus, fans=fans).totals["input"], 24)
    fans["input"] = 2 * fans["input"]
    np.testing.assert_array_equal(engine.run(stimulus, fans=fans).totals["input"], 48)
