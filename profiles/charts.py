"""Charts as inline SVG: fluid in width, coloured by the page's style sheet, with a text twin.

Positions along x are in per cent and sizes of letters in pixels, so that a chart fits a phone
and paper without its text being scaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup

from .figures import plain, quantity, short

# Rows beyond this number are left to the table beside the chart.
MOST_ROWS = 60
_ROW = 34
_LABEL = 26  # letters that leave room for the figure on a phone


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: a label, a length and its figure in words; `None` draws no bar."""

    label: str
    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """One row: a label and low, nominal, high; with `reason` instead if there is none."""

    label: str
    band: tuple[float, float, float] | None
    text: str


def bars(
    key: str,
    title: str,
    rows: Sequence[Bar],
    *,
    most: float | None = None,
    mark: tuple[float, str] | None = None,
    letters: int = _LABEL,
) -> Markup:
    """Horizontal bars from zero.

    Args:
        key: unique on the page; names the title and description.
        title: what is drawn.
        rows: at most MOST_ROWS are drawn.
        most: value of the full width; the largest value if not given.
        mark: a value to draw a line at, and its words.
        letters: a longer label loses its middle.
    """
    shown = rows[:MOST_ROWS]
    values = [bar.value or 0.0 for bar in shown]
    reach = most or max([*values, *([mark[0] * 1.15] if mark else [])], default=0.0) or 1.0
    top = 22 if mark else 0
    height = top + _ROW * len(shown)
    drawn, captions = [], []
    for number, bar in enumerate(shown):
        y = top + _ROW * number
        captions.append(_caption(bar.label, bar.text, y, letters))
        drawn.append(_rect("track", 0, 100, y + 20))
        if bar.value:
            drawn.append(_rect("bar", 0, 100 * min(1.0, bar.value / reach), y + 20))
    if mark:
        drawn += _mark(
            100 * mark[0] / reach, mark[1], [top + _ROW * n for n in range(len(shown))]
        )
    parts = [*drawn, *captions]
    told = [f"{bar.label}: {bar.text}" for bar in shown]
    return _svg(key, title, told, len(rows), height, parts)


def _mark(x: float, words: str, rows: Sequence[int]) -> list[Markup]:
    """A line across each bar, and its words on top; captions stay clear of it."""
    top = Markup(
        '<text class="note" x="{x:.2f}%" y="11" text-anchor="{anchor}">{words}</text>'
    ).format(x=x, anchor="end" if x > 50 else "start", words=words)
    line = Markup('<line class="mark" x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}"/>')
    return [top, *(line.format(x=x, a=y + 17, b=y + 31) for y in rows)]


def spans(key: str, title: str, rows: Sequence[Span], unit: str) -> Markup:
    """Points with their range on a logarithmic axis; rows without a figure say so."""
    values = [v for row in rows if row.band for v in row.band if v > 0]
    first = floor(log10(min(values)) + 1e-9) if values else 0
    last = ceil(log10(max(values)) - 1e-9) if values else 1
    last = max(last, first + 1)
    height = 24 + _ROW * len(rows)
    parts, captions = _axis(first, last, unit, height), []

    def place(value: float) -> float:
        return 100 * (log10(value) - first) / (last - first)

    for number, row in enumerate(rows):
        y = 24 + _ROW * number
        captions.append(_caption(row.label, row.text, y))
        if row.band is None or row.band[1] <= 0:
            continue
        low, nominal, high = (place(max(value, 10.0**first)) for value in row.band)
        if high > low:
            parts.append(_rect("range", low, high - low, y + 20))
        parts.append(
            Markup('<circle class="dot" cx="{x:.2f}%" cy="{y}" r="4.5"/>').format(
                x=nominal, y=y + 24
            )
        )
    told = [f"{row.label}: {row.text}" for row in rows]
    return _svg(key, title, told, len(rows), height, [*parts, *captions])


def _axis(first: int, last: int, unit: str, height: int) -> list[Markup]:
    """A line a decade; a label where there is room for five."""
    every = max(1, ceil((last - first) / 4))
    parts = []
    for decade in range(first, last + 1):
        x = 100 * (decade - first) / (last - first)
        parts.append(
            Markup('<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="18" y2="{y}"/>').format(
                x=x, y=height
            )
        )
        if (decade - first) % every:
            continue
        anchor = "start" if decade == first else "end" if decade == last else "middle"
        parts.append(
            Markup(
                '<text class="note" x="{x:.2f}%" y="11" text-anchor="{anchor}">{words}</text>'
            ).format(x=x, anchor=anchor, words=quantity(10.0**decade, unit, 1))
        )
    return parts


def _caption(label: str, text: str, y: int, letters: int = _LABEL) -> Markup:
    return Markup(
        '<text class="label" x="0" y="{y}">{label}</text>'
        '<text class="value" x="100%" y="{y}" text-anchor="end">{text}</text>'
    ).format(y=y + 14, label=short(label, letters), text=text)


def _rect(style: str, x: float, width: float, y: int) -> Markup:
    return Markup(
        '<rect class="{style}" x="{x:.2f}%" y="{y}" width="{width:.2f}%" height="8" rx="2"/>'
    ).format(style=style, x=x, y=y, width=width)


def _svg(
    key: str, title: str, told: Sequence[str], rows: int, height: int, parts: Sequence[Markup]
) -> Markup:
    """The frame: role, title and a description that says every figure."""
    words = "; ".join(short(line, 80) for line in told)
    if rows > len(told):
        words += f"; {rows - len(told)} more rows are in the table"
    return Markup(
        '<svg class="chart" role="img" aria-labelledby="{key}-t {key}-d" width="100%" '
        'height="{height}" xmlns="http://www.w3.org/2000/svg">'
        '<title id="{key}-t">{title}</title><desc id="{key}-d">{words}.</desc>{body}</svg>'
    ).format(
        key=key,
        title=plain(title),
        words=words or "no rows",
        height=height,
        body=Markup("").join(parts),
    )
