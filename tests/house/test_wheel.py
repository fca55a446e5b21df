"""The wheel: built from a copy, installed elsewhere, run from another folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from .tree import ROOT, belongs, sources

IGNORED = shutil.ignore_patterns(
    ".*", "__pycache__", "build", "dist", "out", "tests", "*.egg-info"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from what is in the tree now."""
    home = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, home / "source-tree", ignore=IGNORED)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    done = subprocess.run(
        [*command, "--outdir", str(home / "dist"), str(home / "source-tree")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (home / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel; its needs come by path."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    made = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(made), "-qq"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "needs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {name.removeprefix("slipway/") for name in names if name.startswith("slipway/")}
    assert {str(path) for path in sources()} <= inside
    assert "py.typed" in inside
    assert {
        f"profiles/costs/{path.name}" for path in (ROOT / "profiles/costs").glob("*.toml")
    } <= inside
    assert {
        f"deploy/targets/{path.name}" for path in (ROOT / "deploy/targets").glob("*.toml")
    } <= inside
    strangers = {name for name in inside if not belongs(Path(name))}
    assert strangers == set()
    assert not {name for name in names if "pyproject" in name or "Makefile" in name}
    outside = {name.split("/")[0] for name in names - {f"slipway/{n}" for n in inside}}
    assert all(name.endswith(".dist-info") for name in outside), outside


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("import slipway; print('site-packages' in slipway.__file__)", "True"),
        (
            "from importlib.resources import files\n"
            "print(any(f.name.endswith('.toml') for f in "
            "(files('slipway.profiles') / 'costs').iterdir()))",
            "True",
        ),
        (
            "from importlib.resources import files\n"
            "print(any(f.name.endswith('.toml') for f in "
            "files('slipway.deploy.targets').iterdir()))",
            "True",
        ),
    ],
)
def test_the_installed_package_imports(
    python: Path, tmp_path: Path, code: str, answer: str
) -> None:
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == answer, done.stderr


def test_the_installed_commands_run(python: Path, tmp_path: Path) -> None:
    commands: tuple[list[str | Path], ...] = (
        [python.parent / "slipway", "--version"],
        [python.parent / "nirexport", "--help"],
        [python, "-m", "slipway.cli", "--help"],
        [python.parent / "slipway", "costs"],
        [python.parent / "slipway", "targets"],
    )
    for command in commands:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout
