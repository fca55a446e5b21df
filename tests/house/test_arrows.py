"""Imports go one way, and heavy packages stay where they belong. By parsing, not by running."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tree import ROOT, sources

COMMON = {"errors", "files"}
# Part -> the parts that it may import. models and converters do not know each other.
ALLOWED = {
    "__init__": set[str](),
    "errors": set[str](),
    "files": {"errors"},
    "models": COMMON | {"models"},
    "converters": COMMON | {"converters"},
    "deploy": COMMON | {"converters", "deploy"},
    "profiles": COMMON | {"deploy", "profiles"},
    "cli": COMMON | {"models", "converters", "deploy", "profiles", "cli"},
}
# Package -> where alone it may be imported, even inside a function.
ONLY_IN = {
    "torch": ("models", "converters", "deploy/gpu"),
    "triton": ("deploy/gpu",),
    "norse": ("models", "converters"),
    "nirtorch": ("models", "converters"),
    "sklearn": ("models",),
    "lava": ("deploy/lava",),
    "numba": ("deploy/engine", "deploy/placement", "models"),
    "jinja2": ("profiles",),
    "typer": ("cli",),
}
NOWHERE = {"torchvision", "click", "matplotlib"}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(level, dotted module) of every import statement, wherever it stands."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.level, node.module
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, alias.name) for alias in node.names)


def reached(path: Path, level: int, module: str) -> str:
    """The part of slipway that a relative import reaches."""
    home = path.parts[:-1]
    kept = home[: len(home) - (level - 1)]
    return [*kept, *module.split(".")][0]


@pytest.mark.parametrize("path", sources(), ids=str)
def test_arrows(path: Path) -> None:
    part = path.parts[0].removesuffix(".py")
    relative = [(level, module) for level, module in imports(path) if level]
    if part == "__init__":
        assert relative == [], "the root __init__ is collected by pytest as a bare module"
    for level, module in relative:
        target = reached(path, level, module)
        if target != "__version__":
            assert target in ALLOWED[part], f"{path} imports {target}"


@pytest.mark.parametrize("path", sources(), ids=str)
def test_heavy_packages_stay_in_their_part(path: Path) -> None:
    for level, module in imports(path):
        package = module.split(".")[0]
        if level or package not in {*ONLY_IN, *NOWHERE}:
            continue
        homes = ONLY_IN.get(package, ())
        assert path.as_posix().startswith(homes), f"{path} imports {package}"
