"""Placement: which core holds which neurons, what each core uses, and what travels between."""

from .placement import Placement, load_placement, save_placement
from .placer import place
from .splitter import naive

__all__ = ["Placement", "load_placement", "naive", "place", "save_placement"]
