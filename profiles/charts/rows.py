"""Charts of one row a thing: bars, stacked bars, points with their band, ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..figures import quantity
from .frame import (
    LETTERS,
    MOST_ROWS,
    LogAxis,
    axis,
    axis_text,
    dot,
    frame,
    legend,
    rect,
    row,
    tick,
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A label, a length and its figure in words; a value of None draws no bar."""

    label: str
    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """A row of a stacked bar: the label, a value for each colour, the figure in words."""

    label: str
    values: Sequence[float]
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A label and low, nominal, high; None where there is no figure.

    `style` is the class of the dot: "dot", or "dot other" for what it is compared with.
    """

    label: str
    band: tuple[float, float, float] | None
    text: str
    style: str = "dot"


@dataclass(frozen=True, slots=True)
class Range:
    """A label and where a figure goes to at the ends of a band."""

    label: str
    low: float
    high: float
    text: str


def bars(
    title: str,
    rows: Sequence[Bar],
    *,
    most: float | None = None,
    mark: tuple[float, str] | None = None,
    letters: int = LETTERS,
) -> Markup:
    """Horizontal bars from zero.

    Args:
        title: what is drawn, in which unit.
        rows: at most MOST_ROWS are drawn.
        most: value of the full width; the largest value if not given.
        mark: a value to draw a line at, and its words.
        letters: a longer label loses its middle.
    """
    shown = rows[:MOST_ROWS]
    values = [bar.value or 0.0 for bar in shown]
    reach = most or max([*values, *([mark[0] * 1.15] if mark else [])], default=0.0) or 1.0
    body = [] if not mark else [axis([axis_text(100 * mark[0] / reach, mark[1])])]
    for bar in shown:
        shapes = [rect("track", 0, 100)]
        if bar.value:
            shapes.append(rect("bar", 0, 100 * min(1.0, bar.value / reach)))
        if mark:
            shapes.append(tick("mark", 100 * mark[0] / reach))
        body.append(row(bar.label, bar.text, shapes, letters=letters))
    told = [f"{bar.label}: {bar.text}" for bar in shown]
    return frame(title, told, body, rows=len(rows))


def stacks(
    title: str, names: Sequence[str], rows: Sequence[Part], *, whole: bool = False
) -> Markup:
    """Stacked bars; names of the colours in order.

    Args:
        title: what is drawn, in which unit.
        names: what each value of a row is.
        rows: at most MOST_ROWS are drawn.
        whole: each bar fills the width, so that it shows shares.
    """
    shown = rows[:MOST_ROWS]
    reach = max((sum(part.values) for part in shown), default=0.0) or 1.0
    body = []
    for part in shown:
        scale = 100 / ((sum(part.values) if whole else reach) or 1.0)
        shapes, x = [rect("track", 0, 100)], 0.0
        for number, value in enumerate(part.values, start=1):
            if value > 0:
                shapes.append(rect(f"s{number}", x, value * scale))
                x += value * scale
        body.append(row(part.label, part.text, shapes))
    told = [f"{part.label}: {part.text}" for part in shown]
    keys = legend((f"s{number}", name) for number, name in enumerate(names, start=1))
    return frame(title, told, body, rows=len(rows), legend=keys)


def spans(
    title: str,
    rows: Sequence[Span],
    unit: str,
    *,
    scale: LogAxis | None = None,
    zone: tuple[float, float] | None = None,
    keys: Markup | None = None,
    letters: int = LETTERS,
) -> Markup:
    """Points with their band on a logarithmic axis.

    Args:
        title: what is drawn.
        rows: at most MOST_ROWS are drawn.
        unit: of the axis; "" for plain numbers, "%" for shares given in per cent.
        scale: the axis, where several charts share one.
        zone: a stretch of the axis to mark in every row.
        keys: what the colours mean.
        letters: a longer label loses its middle.
    """
    shown = rows[:MOST_ROWS]
    values = [value for span in shown if span.band for value in span.band]
    found = scale or LogAxis.over([*values, *(zone or ())])
    body = [found.drawn(unit)]
    for span in shown:
        shapes = []
        if zone:
            first, last = map(found.place, zone)
            shapes.append(rect("zone", first, last - first, 0, 18))
        if span.band and span.band[1] > 0:
            low, nominal, high = map(found.place, span.band)
            if high > low:
                shapes.append(rect("range", low, high - low))
            shapes.append(dot(span.style, nominal))
        body.append(row(span.label, span.text, shapes, letters=letters))
    told = [f"{span.label}: {span.text}" for span in shown]
    width = f"--n:{found.decades}"
    return frame(title, told, body, rows=len(rows), style="rows grid", wide=width, legend=keys)


def spreads(title: str, rows: Sequence[Span]) -> Markup:
    """Points with their range, as shares of one, on a linear axis from 0 to 100 %."""
    body = [axis(axis_text(x, f"{x} %") for x in (0, 50, 100))]
    for span in rows:
        shapes = [rect("track", 0, 100)]
        if span.band:
            low, middle, high = (100 * min(1.0, value) for value in span.band)
            shapes += [rect("range", low, high - low), dot(span.style, middle)]
        body.append(row(span.label, span.text, shapes))
    told = [f"{span.label}: {span.text}" for span in rows]
    return frame(title, told, body, style="rows grid", wide="--n:2")


def ranges(title: str, nominal: float, rows: Sequence[Range], unit: str) -> Markup:
    """A tornado: how far a figure moves from its nominal value, row by row."""
    shown = rows[:MOST_ROWS]
    ends = [value for r in shown for value in (r.low, r.high)] + [nominal]
    first, last = min(ends), max(ends)
    reach = (last - first) or 1.0

    def place(value: float) -> float:
        return 100 * (value - first) / reach

    middle = place(nominal)
    body = [axis([axis_text(middle, f"nominal {quantity(nominal, unit)}")])]
    for r in shown:
        low, high = place(min(r.low, r.high)), place(max(r.low, r.high))
        shapes = [rect("track", 0, 100)]
        if low < middle:
            shapes.append(rect("less", low, middle - low))
        if high > middle:
            shapes.append(rect("more", middle, high - middle))
        shapes.append(tick("axis", middle))
        body.append(row(r.label, r.text, shapes))
    told = [f"{r.label}: {r.text}" for r in shown]
    return frame(title, told, body, rows=len(rows))
