"""Tables and lines of text on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def print_table(
    console: Console, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Print a plain table. A column whose name starts with '>' holds figures."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        show_header=any(column.strip(">") for column in columns),
    )
    for column in columns:
        name = column.removeprefix(">")
        if name != column:  # figures are never broken over two lines
            made.add_column(name, justify="right", no_wrap=True)
        else:
            made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell(value)) for value in row))
    console.print(made)
    console.print()


def cell(value: Any) -> str:
    """A value as people read it: thousands apart, four digits of a fraction."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return " x ".join(map(str, value))
    return str(value)


def percent(value: float | None) -> str:
    """A share of one in per cent."""
    return "-" if value is None else f"{100 * value:.2f} %"
