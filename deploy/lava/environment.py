"""What is installed, what it is for, and how to get the rest; looks at metadata only."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from ...errors import MissingDependency

LAVA_VERSION = "0.10.0"
"""The one Lava release whose integers slipway reproduces, and the last one there is."""

_LAVA_NEEDS = ("numpy", "scipy", "networkx", "asteval")

_TORCH = 'pip install "slipway[torch]"'
_LAVA_EXTRA = 'pip install "slipway[lava]"'
_CORE = "pip install --upgrade slipway"

# distribution, what it is for, how to install it
_KNOWN: tuple[tuple[str, str, str], ...] = (
    ("numpy", "everything", _CORE),
    ("nir", "reading and writing NIR graphs", _CORE),
    ("h5py", "NIR files", _CORE),
    ("numba", "the fast engine", _CORE),
    ("safetensors", "compiled programs (.slip)", _CORE),
    ("typer", "the command line", _CORE),
    ("rich", "tables on the terminal", _CORE),
    ("jinja2", "HTML reports", _CORE),
    ("torch", "exporting checkpoints and training", _TORCH),
    ("norse", "exporting and training Norse networks", "pip install --no-deps norse==1.1.0"),
    ("nirtorch", "needed by Norse", "pip install --no-deps nirtorch"),
    ("scikit-learn", "splitting training data", 'pip install "slipway[train]"'),
    ("pillow", "reading images for training", 'pip install "slipway[train]"'),
    ("lightning-fabric", "devices and precision in training", 'pip install "slipway[train]"'),
    ("torchmetrics", "figures of a training", 'pip install "slipway[train]"'),
    ("tensorboard", "the log of a training", 'pip install "slipway[train]"'),
    ("lava-nc", "running and verifying on Lava", ""),
    ("scipy", "Lava's convolutions and sparse synapses", _LAVA_EXTRA),
    ("networkx", "Lava's compiler", _LAVA_EXTRA),
    ("asteval", "imported by Lava", _LAVA_EXTRA),
)


@dataclass(frozen=True, slots=True)
class Package:
    """One distribution: installed `version` or None, its `purpose`, the `install` command."""

    name: str
    version: str | None
    purpose: str
    install: str


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything `slipway doctor` prints.

    Attributes:
        python: version of the interpreter.
        platform: operating system and machine.
        packages: what slipway can use, installed or not.
        lava_usable: whether the Lava executor can run here.
        lava_reason: why not, or which Lava is used and how.
    """

    python: str
    platform: str
    packages: tuple[Package, ...]
    lava_usable: bool
    lava_reason: str

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values; packages by name."""
        values = asdict(self)
        values["packages"] = {
            p.name: {"version": p.version, "purpose": p.purpose, "install": p.install}
            for p in self.packages
        }
        return values


def version_of(distribution: str) -> str | None:
    """Installed version, or None; never imports it."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def lava_command() -> str:
    """The exact command that installs Lava for this Python."""
    if sys.version_info < (3, 11):
        return _LAVA_EXTRA
    return (
        f"{_LAVA_EXTRA} && "
        f"pip install --no-deps --ignore-requires-python lava-nc=={LAVA_VERSION}"
    )


def _lava_state() -> tuple[bool, str]:
    if not hasattr(os, "fork"):
        return False, f"Lava needs processes that fork, which {sys.platform} does not have"
    installed = version_of("lava-nc")
    if installed is None:
        return False, "lava-nc is not installed"
    if installed != LAVA_VERSION:
        return False, f"lava-nc {installed} is installed, slipway works with {LAVA_VERSION}"
    missing = [name for name in _LAVA_NEEDS if version_of(name) is None]
    if missing:
        return False, f"lava-nc {installed} is installed without {', '.join(missing)}"
    stock = sys.version_info < (3, 11) and str(version_of("numpy")).startswith("1.")
    how = "as it is" if stock else "with slipway's repairs for this Python and numpy"
    return True, f"lava-nc {installed}, used {how}"


def require_lava() -> None:
    """Raises MissingDependency with the command that repairs it, unless Lava can run."""
    usable, reason = _lava_state()
    if not usable:
        raise MissingDependency(
            f"the Lava executor cannot run: {reason}",
            where=f"Python {platform.python_version()}, {sys.executable}",
            remedy=lava_command(),
        )


def probe() -> Environment:
    """Look at what is installed. Imports none of it; takes milliseconds."""
    usable, reason = _lava_state()
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        packages=tuple(
            Package(name, version_of(name), purpose, install or lava_command())
            for name, purpose, install in _KNOWN
        ),
        lava_usable=usable,
        lava_reason=reason,
    )
