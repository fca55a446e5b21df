"""Start-up: what is imported and how long it takes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .tree import SCRIPTS

BUDGET_SECONDS = 0.150
HEAVY = (
    "torch",
    "numpy",
    "numba",
    "h5py",
    "nir",
    "lava",
    "norse",
    "rich",
    "jinja2",
    "scipy",
)


def test_help_is_quick() -> None:
    """The best of up to 20 starts: a busy machine slows most of them, hardly all."""
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        subprocess.run([SCRIPTS / "slipway", "--help"], check=True, capture_output=True)
        best = min(best, time.perf_counter() - started)
        if best < BUDGET_SECONDS:
            return
    pytest.fail(f"slipway --help took {best:.3f} s, the budget is {BUDGET_SECONDS} s")


@pytest.mark.parametrize(
    "statement",
    [
        "import slipway",
        "import slipway.cli",
        "from slipway.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from slipway.cli import main\ntry: main(['run', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_nothing_heavy_is_imported(statement: str) -> None:
    code = f"import sys\n{statement}\nprint([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "command", [[str(SCRIPTS / "slipway")], [sys.executable, "-m", "slipway.cli"]]
)
def test_a_folder_with_the_same_names_does_no_harm(tmp_path: Path, command: list[str]) -> None:
    """Nearly every training repository has a models package of its own."""
    for name in ("models", "deploy", "converters", "profiles", "cli"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the wrong one')\n")
    for arguments in (["--version"], ["costs", "--json"], ["doctor", "-q"]):
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "the wrong one" not in done.stderr


@pytest.mark.parametrize("mode", ["importlib", "prepend"])
def test_pytest_collects_in_both_modes(mode: str) -> None:
    here = Path(__file__).parent
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--import-mode={mode}",
            str(here / "test_layout.py"),
            str(here.parent / "cli" / "test_errors.py"),
        ],
        cwd=here.parents[1],
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
