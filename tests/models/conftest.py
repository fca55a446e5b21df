"""One digits training for all tests that need a trained student."""

from __future__ import annotations

import importlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from slipway.models.train import train

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # norse 1.1.0 uses torch.jit.script, now deprecated
    importlib.import_module("norse.torch")


@dataclass(frozen=True, slots=True)
class Trained:
    folder: Path
    metrics: dict[str, Any]
    heard: list[tuple[float, str]]


@pytest.fixture(scope="session")
def trained_digits(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("digits")
    heard: list[tuple[float, str]] = []
    metrics = train("digits", folder, progress=lambda done, text: heard.append((done, text)))
    return Trained(folder, metrics, heard)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    root = os.environ.get("SLIPWAY_DATA")
    folder = Path(root) if root else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (folder / "fer2013" / "fer2013_a.zip").is_file():
        pytest.skip(f"FER2013 is not in {folder}: set SLIPWAY_DATA")
    return folder
