"""A tiny network, made once by the commands themselves, and a way to call them."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from slipway.cli import main

NETS = """
import torch


def tiny():
    return torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)
    )


def unsupported():
    return torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.GELU(), torch.nn.Softplus(), torch.nn.Linear(6, 3)
    )


def raises():
    raise ValueError("no weights on Mondays")
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Slipway = Callable[..., Outcome]


def call(*arguments: object) -> Outcome:
    """Run `slipway` in this process; other packages may warn, as they may in a shell."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = int(left.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def slipway() -> Slipway:
    """Run `slipway` in this process."""
    return call


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything from the model's code to run.json."""
    import torch

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny_nets.py").write_text(NETS)
    torch.manual_seed(1)
    layers = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
    torch.save(layers.state_dict(), folder / "tiny.pt")
    random = np.random.default_rng(0)
    x, y = random.random((12, 4), np.float32), random.integers(0, 3, 12)
    np.savez(folder / "data.npz", x=x, y=y)
    before = os.getcwd()
    os.chdir(folder)
    try:
        for command in (
            "export tiny.pt --model tiny_nets:tiny --sample-shape 4 --calibrate data.npz "
            "--steps 8 -o tiny.nir",
            "compile tiny.nir --calibrate data.npz -o tiny.slip",
            "compile tiny.nir --precision float -o float.slip",
            "run tiny.slip --data data.npz -o run.json",
        ):
            outcome = call(*command.split())
            assert outcome.code == 0, outcome.err
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, as the current one."""
    monkeypatch.chdir(home)
    return home
