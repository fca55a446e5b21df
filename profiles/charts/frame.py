"""What all charts share: the frame with its title and text alternative, a row, an axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup

from ..figures import plain, quantity, short

# Rows beyond this number are left to the table beside the chart.
MOST_ROWS = 40
LETTERS = 30
# Steps of the colour scale, light to dark: classes h1 to h6 of the style sheet.
LEVELS = 6
# Pixels: a letter of an axis, and the narrowest axis.
_LETTER, _NARROWEST = 6.4, 180


def frame(
    title: str,
    told: Sequence[str],
    body: Iterable[Markup],
    *,
    rows: int | None = None,
    style: str = "rows",
    legend: Markup | None = None,
    wide: str = "",
) -> Markup:
    """A figure: its title, its colours in words, and the drawing with its text alternative.

    Args:
        title: what is drawn, in which unit.
        told: one text a row, with the row's figure.
        body: the drawing.
        rows: how many rows the data have, where the drawing shows fewer.
        style: class of the drawing.
        legend: what the colours mean.
        wide: custom properties of the drawing, as "--n:4".
    """
    words = "; ".join(short(line, 90) for line in told) or "nothing to draw"
    if rows is not None and rows > len(told):
        words += f"; {rows - len(told)} more rows are in the table"
    return Markup(
        '<figure class="chart"><figcaption>{title}</figcaption>{legend}'
        '<div class="{style}"{wide} role="img" aria-label="{label}">{body}</div></figure>'
    ).format(
        title=title,
        legend=legend or "",
        style=style,
        wide=Markup(' style="{}"').format(wide) if wide else "",
        label=f"{plain(title)}. {words}.",
        body=Markup("").join(body),
    )


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """(class, words) of each colour."""
    found = [Markup('<li class="{}">{}</li>').format(*entry) for entry in entries]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(found))


def row(label: str, text: str, shapes: Iterable[Markup], *, letters: int = LETTERS) -> Markup:
    """Label, figure and a strip of shapes whose x positions are in per cent."""
    return line(label, text, strip(shapes), letters=letters)


def line(label: str, text: str, drawing: Markup, *, letters: int = LETTERS) -> Markup:
    """Label, figure and a drawing between them."""
    return Markup("<span>{}</span><b>{}</b>{}").format(short(label, letters), text, drawing)


def strip(shapes: Iterable[Markup], style: str = "p") -> Markup:
    """Shapes of one row."""
    return Markup('<svg class="{}" aria-hidden="true">{}</svg>').format(
        style, Markup("").join(shapes)
    )


def rect(style: str, x: float, width: float, y: int = 4, height: int = 10) -> Markup:
    """A bar; x and width in per cent, y and height in pixels."""
    return Markup('<rect class="{}" x="{}%" y="{}" width="{}%" height="{}"/>').format(
        style, digits(x), y, digits(width), height
    )


def dot(style: str, x: float) -> Markup:
    """A point at x per cent."""
    return Markup('<circle class="{}" cx="{}%" cy="9" r="4.5"/>').format(style, digits(x))


def tick(style: str, x: float) -> Markup:
    """An upright line at x per cent, as high as the row."""
    return Markup('<line class="{0}" x1="{1}%" x2="{1}%" y1="0" y2="18"/>').format(
        style, digits(x)
    )


def digits(value: float) -> str:
    """A coordinate, as short as it may be."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis over whole decades, from 10**first to 10**last."""

    first: int
    last: int

    @classmethod
    def over(cls, values: Iterable[float]) -> LogAxis:
        """The least axis on which all positive values lie."""
        positive = [value for value in values if value > 0]
        first = floor(log10(min(positive)) + 1e-9) if positive else 0
        last = ceil(log10(max(positive)) - 1e-9) if positive else 1
        return cls(first, max(last, first + 1))

    def place(self, value: float) -> float:
        """Where a value lies, in per cent."""
        value = min(max(value, 10.0**self.first), 10.0**self.last)
        return 100 * (log10(value) - self.first) / (self.last - self.first)

    @property
    def decades(self) -> int:
        """How many decades."""
        return self.last - self.first

    def drawn(self, unit: str) -> Markup:
        """The row of labels on top: at most five of them."""
        every = ceil(self.decades / 4)
        texts = [
            axis_text(
                100 * (decade - self.first) / self.decades,
                quantity(10.0**decade, unit, 1) if unit else _power(decade),
            )
            for decade in range(self.first, self.last + 1, every)
        ]
        return axis(texts)


def _power(decade: int) -> str:
    return f"{10.0**decade:,.{max(0, -decade)}f}"


def axis(texts: Iterable[Markup]) -> Markup:
    """The row of labels of an axis."""
    return Markup("<i></i><i></i>{}").format(strip(texts, "a"))


def axis_text(x: float, words: str) -> Markup:
    """A label at x per cent, beside it where its middle would leave the axis at an end."""
    half = 100 * _LETTER * len(words) / 2 / _NARROWEST
    anchor = "start" if x < half else "end" if x > 100 - half else "middle"
    return Markup('<text x="{}%" y="11" text-anchor="{}">{}</text>').format(
        digits(x), anchor, words
    )
