"""Where recipes lie; nothing is read here, so that asking costs no import of torch."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "recipes"


def names() -> list[str]:
    """The recipes that come with slipway."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(recipe: str, beside: Path | None = None) -> Path | None:
    """The file of a recipe: a name, or the path of a .toml file; None: there is none."""
    if recipe in names():
        return FOLDER / f"{recipe}.toml"
    path = (beside / recipe) if beside else Path(recipe)
    return path if path.suffix == ".toml" else None
