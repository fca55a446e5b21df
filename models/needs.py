"""Optional packages: asked for by name, so that a missing one is told with its command."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import MissingDependency, Problem

# Import name -> what `pip install` calls it.
_PACKAGES = {
    "torch": "torch",
    "norse.torch": "norse",
    "sklearn.datasets": "scikit-learn",
    "PIL.Image": "pillow",
    "scipy.io": "scipy",
    "aedat": "aedat",
    "lightning_fabric": "lightning-fabric",
    "torchmetrics": "torchmetrics",
    "torchmetrics.functional.classification": "torchmetrics",
    "tensorboard": "tensorboard",
}
# Those of the extra "data"; the others come with "train".
_DATA = {"scipy", "aedat"}


def require(module: str, purpose: str) -> Any:
    """Import an optional module.

    Args:
        module: import name, one of those in the table above.
        purpose: what it is needed for, to complete "... is needed to".

    Raises:
        MissingDependency: it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = _PACKAGES[module]
        extra = "data" if package in _DATA else "train"
        remedy = f"pip install 'slipway[{extra}]'"
        if extra == "train":
            remedy += " (norse and nirtorch with --no-deps)"
        raise MissingDependency(
            Problem(
                f"{package} is needed to {purpose}, and cannot be imported ({error})",
                remedy=remedy,
            )
        ) from error
