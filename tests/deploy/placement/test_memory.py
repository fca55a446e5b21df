"""The memory formulas, against examples worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from slipway.deploy.placement.memory import Lists, Widths, index_bits, sizes
from slipway.deploy.targets import load_target

ONE = np.array([1])


def lists(n: int, span: int | None = None) -> Lists:
    """One list of n targets side by side."""
    entries = np.array([-(-n // 60)])
    return Lists(np.array([n]), np.array([span or n]), entries, np.array([n]), entries, ONE)


def test_nengo_loihi_14_and_25_words() -> None:
    """100 weights of 8 bit: 896 bit dense; sparse with 7 index bits 1600 bit."""
    memory = load_target("loihi1").memory
    memory = replace(memory, formula="nengo-loihi", compressions=("dense", "sparse"))
    found = sizes(memory, lists(100), Widths(8, 0, np.array([7])))
    assert found["dense"].tolist() == [14 * 64]
    assert found["sparse"].tolist() == [25 * 64]


@pytest.mark.parametrize(
    ("n", "dense", "sparse", "run_length"),
    [
        (100, 14, 24, 17),  # 834, 1520, 1034 bit
        (6, 2, 2, 2),  # 65, 100, 77 bit
        (2, 1, 1, 1),  # 33, 40, 37 bit
        (53, 7, 13, 9),  # 441 is 57 above 6 words; 805; 547
    ],
)
def test_nxtf_words(n: int, dense: int, sparse: int, run_length: int) -> None:
    """Headers of 10 bit, 7 index bits, 8 weight bits, 2 skip bits."""
    found = sizes(load_target("loihi1").memory, lists(n), Widths(8, 0, np.array([7])))
    words = {name: int(bits[0]) // 64 for name, bits in found.items()}
    assert words == {"dense": dense, "sparse": sparse, "run-length": run_length}


def test_nxtf_adds_a_word_where_the_last_one_is_full() -> None:
    """10 + 7 + n (8 + delay) bits: 59 and more of the last word, or all of it."""
    memory = load_target("loihi1").memory

    def dense(n: int, delay: int) -> int:
        return int(sizes(memory, lists(n), Widths(8, delay, np.array([7])))["dense"][0]) // 64

    assert dense(5, 0) == 1  # 57 bit
    assert dense(6, 1) == 2  # 71 bit
    assert dense(3, 6) == 2  # 59 bit
    assert dense(1, 0) == 1


def test_synmem_fits_both_rows_of_the_compiler() -> None:
    """2560 inputs x 100 outputs: 66 560 units at 8 bit, 61 440 at 7 bit."""
    memory = load_target("loihi2").memory
    for bits, units in ((8, 66_560), (7, 61_440)):
        found = sizes(memory, lists(100), Widths(bits, 0, np.array([7])))
        assert 2560 * int(found["dense"][0]) // memory.unit_bits == units


def test_index_widths_are_legal_ones() -> None:
    memory = load_target("loihi1").memory
    assert index_bits(memory, [1, 64, 65, 128, 129, 1024]).tolist() == [6, 6, 7, 7, 8, 10]
