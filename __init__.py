"""slipway: from a trained student network to Loihi-style integers, spike by spike."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> module that defines it. Imported on first use, so that `import slipway`
# costs nothing.
_PUBLIC = {
    "SlipwayError": "errors",
    "Program": "deploy.program",
    "Run": "deploy.run",
    "compile_graph": "deploy.compile",
    "run": "deploy.run",
    "verify": "deploy.verify",
    "export": "converters.export",
    "read_graph": "converters.read",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module = importlib.import_module(f"slipway.{_PUBLIC[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'slipway' has no attribute {name!r}")
