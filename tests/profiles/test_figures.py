"""Numbers and names as they are shown."""

from __future__ import annotations

import pytest
from slipway.profiles import figures


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (None, 2, "-"),
        (float("nan"), 2, "-"),
        (0.0, 2, "0 J"),
        (1.234e-6, 2, "1.2 \u00b5J"),
        (123.4e-6, 2, "120 \u00b5J"),
        (123.4e-6, 3, "123 \u00b5J"),
        (9.99e-7, 2, "1.0 \u00b5J"),
        (9.94e-7, 2, "990 nJ"),
        (1e-3, 1, "1 mJ"),
        (1e-12, 2, "1.0 pJ"),
        (3e-14, 2, "30 fJ"),
        (1.0, 2, "1.0 J"),
        (2.5e4, 2, "25 kJ"),
        (1e15, 2, "1,000,000 GJ"),
    ],
)
def test_quantity(value: float | None, digits: int, expected: str) -> None:
    assert figures.quantity(value, "J", digits).replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (1234567, "1,234,567"),
        (1234567.0, "1,230,000"),
        (0.012345, "0.0123"),
        (97.04, "97.0"),
        (0.0, "0"),
        (1.5e-9, "1.50e-09"),
    ],
)
def test_number(value: float | None, expected: str) -> None:
    assert figures.number(value) == expected


@pytest.mark.parametrize("exponent", range(-15, 10))
def test_powers_of_ten_have_one_digit(exponent: int) -> None:
    assert figures.quantity(10.0**exponent, "s", 1).split("\u00a0")[0] in ("1", "10", "100")


def test_shares_and_accuracy() -> None:
    assert figures.share(0.0005).startswith("<")
    assert figures.share(0.0).startswith("0")
    assert figures.share(0.7612) == "76\u00a0%"
    assert figures.accuracy(None) == "no labels"
    assert figures.accuracy(0.63449) == "63.4\u00a0%"


def test_names() -> None:
    assert figures.plain("a\x1b[0m\nb\u202e") == "a\ufffd[0m\ufffdb\ufffd"
    assert figures.short("abcdefghij", 5) == "ab\u2026ij"
    assert figures.short("abc", 5) == "abc"
