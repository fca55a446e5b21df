"""The report as one page that needs nothing else: no network, no script, no font."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import PurePath
from typing import Any

from markupsafe import Markup

from . import figures, names
from .charts.frame import MOST_ROWS
from .charts.steps import MOST_RASTERS
from .cores import core_name
from .drawings import drawings

# Cores that the page lists; the other outputs list all.
MOST_CORES = 128


def render_html(report: Mapping[str, Any]) -> str:
    """The page of a report that `build_report` made.

    Names from the user's network are escaped; the page loads nothing and runs no script.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals.update(
        command=_command, most=MOST_ROWS, rasters=MOST_RASTERS, most_cores=MOST_CORES
    )
    page = environment.get_template("report.html").render(
        r=report, charts=drawings(report), title=title_of(report)
    )
    return page.lstrip()


def title_of(report: Mapping[str, Any]) -> str:
    """The name of the program that ran, without its folder."""
    program = report["provenance"]["runs"][0].get("program")
    file = program.get("file") if isinstance(program, Mapping) else None
    return PurePath(file).name if isinstance(file, str) and file else "A network"


def _source(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _clean(value: Any) -> Any:
    """No control characters in any text of the page, wherever it comes from."""
    text = isinstance(value, str) and not isinstance(value, Markup)
    return figures.plain(value) if text else value


def _si(value: float, unit: str) -> str:
    """A constant in its unit: joule, second or watt."""
    return figures.quantity(value, {"joule": "J", "second": "s", "watt": "W"}.get(unit, ""), 3)


def _per(total: float | None, samples: int) -> str:
    return figures.number(None if total is None else total / samples)


def _unit(unit: str | None, resource: str) -> str:
    """The unit of a limit, unless the resource's name says it."""
    return "" if not unit or unit in names.words(resource).lower() else figures.plain(unit)


def _cell(value: Any) -> str:
    """Whatever a compile report holds, short."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, (int, float)):
        return figures.number(value)
    if isinstance(value, (list, tuple)) and len(value) <= 8:
        cells = [_cell(item) for item in value]
        if len(cells) == 2:
            return cells[0] if cells[0] == cells[1] else f"{cells[0]} to {cells[1]}"
        return " x ".join(cells)
    if isinstance(value, str):
        return figures.short(value, 60)
    return figures.short(json.dumps(value, default=str), 60)


def _command(value: Any) -> str:
    """A command line as one types it."""
    if isinstance(value, (list, tuple)):
        return figures.plain(shlex.join(map(str, value)))
    return figures.plain(value or "")


FILTERS: dict[str, Callable[..., str]] = {
    "plain": figures.plain,
    "number": figures.number,
    "count": figures.count,
    "counted": figures.counted,
    "percent": figures.percent,
    "share": figures.share,
    "accuracy": figures.accuracy,
    "quantity": figures.quantity,
    "span": figures.span,
    "ratio": figures.ratio,
    "times": figures.times,
    "short": figures.short,
    "per": _per,
    "unit": _unit,
    "si": _si,
    "cell": _cell,
    "core": core_name,
    "term": names.term,
    "words": names.words,
    "load": names.load,
    "placer": names.placer,
    "traffic": names.traffic,
}
