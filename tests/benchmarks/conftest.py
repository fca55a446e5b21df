"""A network small enough to be measured in a test."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from slipway.benchmarks.networks import NETWORKS, Network, dense_layers, random_network

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # norse 1.1.0 uses torch.jit.script, now deprecated
    importlib.import_module("norse.torch")


@pytest.fixture(scope="session")
def tiny() -> Network:
    """20-16-4; too few neurons for their rates to lie in a band."""
    made = random_network("t", "tiny", (20,), dense_layers((20, 16, 4)), 8, 24, 4)
    return replace(made, calibrated=False)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    """The four networks of random integers."""
    folder: Path = tmp_path_factory.mktemp("networks")
    return {key: NETWORKS[key](folder) for key in "abcd"}
