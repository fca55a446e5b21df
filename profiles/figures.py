"""Numbers and names as people read them: few digits, SI prefixes, nothing unprintable."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import Any
from unicodedata import category

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "\u00b5", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
ABSENT = "-"
# Between figure and unit, so that no line ends there.
_GAP = "\u00a0"


def rounded(value: float, digits: int) -> float:
    """The value with that many significant digits."""
    if value == 0 or not isfinite(value):
        return value
    return round(value, digits - 1 - floor(log10(abs(value))))


def quantity(value: float | None, unit: str, digits: int = 2) -> str:
    """A figure with its unit and an SI prefix: 1.2 uJ with the Greek letter."""
    if value is None or not isfinite(value):
        return ABSENT
    value = rounded(value, digits)
    if value == 0:
        return f"0{_GAP}{unit}"
    exponent = 3 * floor(log10(abs(value)) / 3 + 1e-12)
    exponent = min(max(exponent, -15), 9)
    scaled = rounded(value / 10.0**exponent, digits)
    return f"{_plain(scaled, digits)}{_GAP}{_PREFIXES[exponent]}{unit}"


def span(low: float | None, high: float | None, unit: str, digits: int = 2) -> str:
    """A band in words: "1.2 uJ to 3.4 uJ"."""
    if low is None or high is None:
        return ABSENT
    first, last = quantity(low, unit, digits), quantity(high, unit, digits)
    if first == last:
        return first
    # The unit once, where both have the same.
    number, _, ending = first.rpartition(_GAP)
    return f"{number} to {last}" if last.endswith(f"{_GAP}{ending}") else f"{first} to {last}"


def number(value: float | None, digits: int = 3) -> str:
    """A count or mean: integers exact with thousands apart, others to a few digits."""
    if value is None or not isfinite(value):
        return ABSENT
    if isinstance(value, int):
        return f"{value:,}"
    return _plain(rounded(value, digits), digits)


def counted(number: int, noun: str) -> str:
    """A number of things: "1 core", "1,200 cores"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def count(value: float | None) -> str:
    """A count as a headline: from a million on with a prefix."""
    if value is None or abs(value) < 1e6:
        return number(value)
    return quantity(value, "", 3)


def percent(value: float | None, digits: int = 3) -> str:
    """A share of one."""
    if value is None or not isfinite(value):
        return ABSENT
    return f"{_plain(rounded(100 * value, digits), digits)}{_GAP}%"


def share(value: float) -> str:
    """A part of a whole, to two digits; what is below a tenth of a per cent says so."""
    return f"<\u20090.1{_GAP}%" if 0 < value < 0.001 else percent(value, 2)


def ratio(value: float | None) -> str:
    """A figure over another, for a table."""
    if value is None or not isfinite(value):
        return ABSENT
    return f"{_plain(rounded(value, 2), 2)}{_GAP}\u00d7"


def times(value: float) -> str:
    """A figure over another, for a sentence: "2.1 times"."""
    return f"{_plain(rounded(value, 2), 2)}{_GAP}times"


def accuracy(value: float | None) -> str:
    """A share of right answers: one digit after the point, as a test set allows."""
    return "no labels" if value is None else f"{100 * value:.1f}{_GAP}%"


def plain(text: Any) -> str:
    """Text from a file, without control characters and marks that turn the direction."""
    return "".join("\ufffd" if category(c)[0] == "C" else c for c in str(text))


def short(text: Any, width: int) -> str:
    """Plain text, its middle left out where it is longer than `width`."""
    whole = plain(text)
    if len(whole) <= width:
        return whole
    head = (width - 1) // 2
    return f"{whole[:head]}\u2026{whole[len(whole) - (width - 1 - head) :]}"


def _plain(value: float, digits: int) -> str:
    """No exponent, no digits beyond the significant ones."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - floor(log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    if abs(value) < 1e-6:
        return f"{value:.{digits - 1}e}"
    return text
