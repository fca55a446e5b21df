from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Where real data may lie; each test looks whether its own is there."""
    root = os.environ.get("SLIPWAY_DATA")
    return Path(root) if root else Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def real_fer2013(data_folder: Path) -> Path:
    folder = data_folder / "fer2013"
    if not (folder / "fer2013_a.zip").is_file() or not (folder / "fer2013_b.zip").is_file():
        pytest.skip(f"FER2013 is not in {folder}: set SLIPWAY_DATA")
    return folder
