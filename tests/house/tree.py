"""Where the tree lies, and what belongs to the package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent

# Top-level folders that are no part of the package.
OUTSIDE = {"tests", "examples", "docs", "benchmarks", "requirements", "build", "dist", "out"}

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def settings() -> dict[str, Any]:
    """The content of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def folders() -> list[Path]:
    """Folders with an __init__.py that belong to the package, relative to the root."""
    found = [path.parent.relative_to(ROOT) for path in ROOT.rglob("__init__.py")]
    return sorted(path for path in found if belongs(path / "__init__.py"))


def belongs(path: Path) -> bool:
    """Whether a path relative to the root is part of the package."""
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not hidden and path.parts[0] not in OUTSIDE


def sources() -> list[Path]:
    """Python files of the package, relative to the root."""
    found = [path.relative_to(ROOT) for path in ROOT.rglob("*.py")]
    return sorted(path for path in found if belongs(path))
