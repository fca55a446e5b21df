"""Charts over the steps of an inference: rates by layer, rasters, the busiest core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from markupsafe import Markup

from ..figures import percent, short
from .frame import (
    LETTERS,
    LEVELS,
    MOST_ROWS,
    axis,
    axis_text,
    digits,
    frame,
    legend,
    line,
    strip,
)

# More steps than this share a column: their mean in a heat map, their sum in a raster.
MOST_COLUMNS = 240
MOST_RASTERS = 16
# Strokes of all rasters together: what a page under 1 MB has room for.
MOST_STROKES = 12_000


@dataclass(frozen=True, slots=True)
class Heat:
    """A row of a heat map: a label, a value a step, the row's figure in words."""

    label: str
    values: Sequence[float]
    text: str


@dataclass(frozen=True, slots=True)
class Raster:
    """A population: number of rows, (step, row) of each spike, the figure in words."""

    label: str
    rows: int
    spikes: Sequence[Sequence[int]]
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """Columns of one colour: class, name, a value a column."""

    style: str
    name: str
    values: Sequence[float]


def heat(title: str, rows: Sequence[Heat]) -> Markup:
    """A row a layer, a column a step; the darker the higher."""
    shown = rows[:MOST_ROWS]
    steps = max((len(row.values) for row in shown), default=0)
    binned = [_binned(row.values) for row in shown]
    most = max((value for values in binned for value in values), default=0.0)
    body = [axis(_ticks(steps))] if steps else []
    for row, values in zip(shown, binned, strict=True):
        body.append(line(row.label, row.text, _cells(values, most)))
    told = [
        f"{row.label}: {row.text}, at most {percent(max(row.values, default=0.0))} in a step"
        for row in shown
    ]
    shades = [(f"h{level}", words) for level, words in _scale(most)]
    return frame(title, told, body, rows=len(rows), legend=legend(shades))


def rasters(title: str, rows: Sequence[Raster], steps: int) -> Markup:
    """A panel a population: a line a neuron, a dash a spike."""
    shown = rows[:MOST_RASTERS]
    width = max(1, ceil(steps / MOST_COLUMNS))
    every = max(1, ceil(sum(len(row.spikes) for row in shown) / MOST_STROKES))
    body = []
    for row in shown:
        marks = sorted({(s[1] // every, s[0] // width) for s in row.spikes if not s[1] % every})
        lines = max(1, ceil(row.rows / every))
        body.append(
            Markup(
                '<section><span>{}</span><b>{}</b><svg class="raster" aria-hidden="true" '
                'viewBox="0 0 {} {}" preserveAspectRatio="none" style="height:{}px">'
                '<path d="{}"/></svg>{}</section>'
            ).format(
                short(row.label, LETTERS),
                row.text,
                max(1, ceil(steps / width)),
                lines,
                max(16, 2 * lines),
                _strokes(marks),
                strip(_ticks(steps), "a"),
            )
        )
    told = [f"{row.label}: {row.text}" for row in shown]
    # A panel is as wide as its steps need, at most half of the page.
    wide = f"--w:{min(480, max(230, 9 * steps))}px"
    return frame(title, told, body, rows=len(rows), style="panels", wide=wide)


def columns(
    title: str,
    series: Sequence[Series],
    told: Sequence[str],
    *,
    ends: tuple[str, str, str],
    level: tuple[float, str] | None = None,
) -> Markup:
    """Columns from zero, one series before the other: the largest first.

    Args:
        title: what is drawn.
        series: all of one length.
        told: the figures in words.
        ends: words at the left, in the middle and at the right of the axis.
        level: a value to draw a line at, and its words.
    """
    count = len(series[0].values)
    reach = max((value for one in series for value in one.values), default=0.0) or 1.0
    width = max(1, ceil(count / MOST_COLUMNS))
    across = max(1, ceil(count / width))
    shapes = [
        Markup('<path class="{}" d="{}"/>').format(s.style, _columns(s.values, reach, width))
        for s in series
    ]
    keys = [(one.style, one.name) for one in series]
    if level is not None:
        y = digits(100 - 96 * level[0] / reach)
        shapes.append(Markup('<path class="level" d="M0 {}h{}"/>').format(y, across))
        keys.append(("level", level[1]))
    drawing = Markup(
        '<svg class="columns-chart" aria-hidden="true" viewBox="0 0 {} 100" '
        'preserveAspectRatio="none">{}</svg>'
    ).format(across, Markup("").join(shapes))
    texts = [axis_text(x, words) for x, words in zip((0, 50, 100), ends, strict=True) if words]
    under = strip(texts, "a")
    return frame(title, told, [drawing, under], style="whole", legend=legend(keys))


def _ticks(steps: int) -> list[Markup]:
    """Steps are counted from 1."""
    middle = (steps + 1) // 2
    texts = [axis_text(0, "step 1")]
    if steps > 8:
        texts.append(axis_text(100 * (middle - 0.5) / steps, str(middle)))
    if steps > 1:
        texts.append(axis_text(100, str(steps)))
    return texts


def _binned(values: Sequence[float]) -> list[float]:
    width = ceil(len(values) / MOST_COLUMNS) if values else 1
    parts = [values[start : start + width] for start in range(0, len(values), width)]
    return [sum(part) / len(part) for part in parts]


def _level(value: float, most: float) -> int:
    """0 for nothing, then 1 to LEVELS."""
    return 0 if value <= 0 or most <= 0 else max(1, ceil(LEVELS * value / most - 1e-9))


def _scale(most: float) -> list[tuple[int, str]]:
    if most <= 0:
        return [(0, "no spikes")]
    return [
        (level, f"to {percent(most * level / LEVELS, 2)}") for level in (1, LEVELS // 2, LEVELS)
    ]


def _cells(values: Sequence[float], most: float) -> Markup:
    """One path a level; neighbours of one level are one rectangle."""
    paths: dict[int, str] = {}
    start = 0
    for index in range(1, len(values) + 1):
        level = _level(values[start], most)
        if index < len(values) and _level(values[index], most) == level:
            continue
        if level:
            length = index - start
            paths[level] = paths.get(level, "") + f"M{start} 0h{length}v1h-{length}z"
        start = index
    drawn = [Markup('<path class="h{}" d="{}"/>').format(*entry) for entry in paths.items()]
    return Markup(
        '<svg class="heat" aria-hidden="true" viewBox="0 0 {} 1" '
        'preserveAspectRatio="none">{}</svg>'
    ).format(max(1, len(values)), Markup("").join(drawn))


def _strokes(marks: Sequence[tuple[int, int]]) -> str:
    """A dash in each cell, as (line, column); the gap between dashes shows the steps."""
    return "".join(f"M{x}.15 {y}.5h.7" for y, x in marks)


def _columns(values: Sequence[float], reach: float, width: int) -> str:
    """An outline over columns; the largest of those that share one."""
    parts = ["M0 100"]
    for start in range(0, len(values), width):
        top = digits(100 - 96 * max(values[start : start + width]) / reach)
        parts.append(f"V{top}h1")
    return "".join([*parts, "V100z"])
