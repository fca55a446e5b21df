"""The list of packages and of data files is the tree, no more and no less."""

from __future__ import annotations

from pathlib import Path

from .tree import ROOT, belongs, folders, settings, sources

# Files of the package folders that are not installed.
NOT_INSTALLED = {".py", ".pyc", ".nbi", ".nbc"}


def dotted(folder: Path) -> str:
    return ".".join(["slipway", *folder.parts])


def test_every_package_is_listed_and_every_listed_package_exists() -> None:
    listed = settings()["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(map(dotted, folders()))
    assert len(set(listed)) == len(listed)


def test_every_data_file_is_matched_by_exactly_one_pattern() -> None:
    patterns = settings()["tool"]["setuptools"]["package-data"]
    matched: dict[Path, int] = {}
    for package, globs in patterns.items():
        home = ROOT.joinpath(*package.split(".")[1:])
        for pattern in globs:
            for path in home.glob(pattern):
                matched[path.relative_to(ROOT)] = matched.get(path.relative_to(ROOT), 0) + 1
    top = {folder.parts[0] for folder in folders() if folder.parts}
    data = {
        path.relative_to(ROOT)
        for name in top
        for path in (ROOT / name).rglob("*")
        if path.is_file()
        and path.suffix not in NOT_INSTALLED
        and belongs(path.relative_to(ROOT))
    }
    assert set(matched) == data | {Path("py.typed")}
    assert set(matched.values()) == {1}


def test_no_file_has_grown_past_one_sitting() -> None:
    long = {
        str(path): lines
        for path in sources()
        if (lines := len((ROOT / path).read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}
