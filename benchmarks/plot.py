"""The scaling as one SVG: a panel a quantity, with the times and the line that fits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

_WIDTH, _HEIGHT = 440, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 16, 44, 46
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.head{font-weight:600}"
    ".grid{stroke:#ddd}.line{stroke:#b35c00;stroke-dasharray:4 3}.dot{fill:#1f5f8b}"
)


def scaling(found: Mapping[str, Any]) -> str:
    """An SVG document of what `scaling.measure` found."""
    panels = [
        Markup('<g transform="translate({x},{y})">{panel}</g>').format(
            x=_WIDTH * (place % 2), y=_HEIGHT * (place // 2), panel=_panel(name, each)
        )
        for place, (name, each) in enumerate(found.items())
    ]
    rows = -(-len(panels) // 2)
    told = "; ".join(_told(name, each) for name, each in found.items())
    text = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="t d" '
        'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        '<title id="t">Time of the engine</title><desc id="d">{told}.</desc>'
        '<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{panels}</svg>\n'
    ).format(
        width=2 * _WIDTH,
        height=_HEIGHT * rows,
        told=told,
        style=_STYLE,
        panels=Markup("").join(panels),
    )
    return str(text)


def _told(name: str, each: Mapping[str, Any]) -> str:
    pairs = zip(each["values"], each["milliseconds"], strict=True)
    return f"{name}: " + ", ".join(f"{value:g} {time:.3g} ms" for value, time in pairs)


def _panel(name: str, each: Mapping[str, Any]) -> Markup:
    """Axes from zero, a dot a measurement, the fitted line."""
    values, times = each["values"], each["milliseconds"]
    line = [each["intercept"] + each["slope"] * x for x in (0, max(values))]
    right, top = _round_up(max(values)), _round_up(max(*times, line[1]))

    def x(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / right

    def y(time: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * time / top

    parts = [
        _text(_LEFT, 18, f"milliseconds over {name}", style="head"),
        _text(_LEFT, 34, f"line: {100 * each['largest_deviation']:.1f} % off at most"),
        *_axes(right, top, x, y),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, each["title"], "middle"),
        Markup('<line class="line" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
            x(0), y(max(line[0], 0.0)), x(max(values)), y(line[1])
        ),
    ]
    for value, time in zip(values, times, strict=True):
        dot = Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="4"/>')
        parts.append(dot.format(x(value), y(time)))
    return Markup("").join(parts)


def _axes(right: float, top: float, x: Any, y: Any) -> Sequence[Markup]:
    rule = Markup('<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    parts = []
    for part in range(5):
        time, value = top * part / 4, right * part / 4
        parts.append(rule.format(x(0), y(time), x(right), y(time)))
        parts.append(_text(_LEFT - 6, y(time) + 4, f"{time:g}", "end"))
        parts.append(_text(x(value), y(0) + 16, f"{value:g}", "middle"))
    return parts


def _text(x: float, y: float, words: str, anchor: str = "start", style: str = "") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, words
    )


def _round_up(value: float) -> float:
    """The next number of one digit and a multiple of four, so that quarters are round."""
    unit = 1.0
    while unit > value / 4:
        unit /= 10
    while unit <= value / 40:
        unit *= 10
    return next(unit * n for n in (4, 6, 8, 10, 12, 16, 20, 24, 32, 40) if unit * n >= value)
