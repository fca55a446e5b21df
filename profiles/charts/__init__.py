"""Charts as HTML and inline SVG: no script, any width, each with a text that says its figures.

Words are HTML, set by the page, so that they wrap and never lie on each other; only shapes are
SVG, with positions in per cent. Colours are the style sheet's, so that a chart follows light,
dark and paper.
"""

from .mesh import core_maps
from .rows import Bar, Part, Range, Span, bars, ranges, spans, spreads, stacks
from .steps import Heat, Raster, Series, columns, heat, rasters

__all__ = [
    "Bar",
    "Heat",
    "Part",
    "Range",
    "Raster",
    "Series",
    "Span",
    "bars",
    "columns",
    "core_maps",
    "heat",
    "ranges",
    "rasters",
    "spans",
    "spreads",
    "stacks",
]
