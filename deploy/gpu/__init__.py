"""The fast executor on a GPU: torch, and Triton where it is there.

Importing this package imports neither: both are optional, and are asked for when an engine is
made.
"""

from __future__ import annotations

from .engine import GpuEngine

__all__ = ["GpuEngine"]
