"""Which installed packages each feature needs, and the exact commands that install them."""

from __future__ import annotations

import sys
from dataclasses import dataclass

_PIP = "python -m pip install"
_LAVA = (
    f"{_PIP} 'slipway[lava]'"
    if sys.version_info < (3, 11)
    else f"{_PIP} 'slipway[lava]' && {_PIP} --no-deps --ignore-requires-python lava-nc==0.10.0"
)

# Import name -> command. norse and nirtorch ask for torchvision, which slipway never needs.
INSTALL: dict[str, str] = {
    "torch": f"{_PIP} torch",
    "norse": f"{_PIP} --no-deps norse==1.1.0 nirtorch==2.6",
    "nirtorch": f"{_PIP} --no-deps norse==1.1.0 nirtorch==2.6",
    "sklearn": f"{_PIP} scikit-learn",
    "PIL": f"{_PIP} pillow",
    "lava": _LAVA,
    "scipy": f"{_PIP} scipy",
    "networkx": f"{_PIP} networkx",
    "asteval": f"{_PIP} 'asteval<0.10'",
}

# Import name -> name of the distribution, where the two differ.
DISTRIBUTION: dict[str, str] = {"lava": "lava-nc", "sklearn": "scikit-learn", "PIL": "pillow"}


@dataclass(frozen=True, slots=True)
class Feature:
    """A part of slipway that needs optional packages.

    Attributes:
        name: what the user asks `slipway doctor` for.
        purpose: the commands that need it.
        packages: import names.
    """

    name: str
    purpose: str
    packages: tuple[str, ...]


FEATURES: tuple[Feature, ...] = (
    Feature(
        "core",
        "check, compile, run, verify, report",
        ("numpy", "h5py", "nir", "numba", "safetensors", "typer", "rich", "jinja2"),
    ),
    Feature("export", "nirexport of torch checkpoints", ("torch",)),
    Feature("norse", "nirexport of norse networks", ("torch", "norse", "nirtorch")),
    Feature("train", "slipway train", ("torch", "norse", "nirtorch", "sklearn", "PIL")),
    Feature(
        "lava",
        "run --engine lava, verify --engines lava",
        ("lava", "scipy", "networkx", "sklearn", "asteval"),
    ),
)
