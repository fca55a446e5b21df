"""`slipway export` of a model with several inputs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from .conftest import Slipway

NETS = """
import torch
from torch import nn


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.relu = nn.Linear(4, 6), nn.Conv2d(1, 6, 2), nn.ReLU()
        self.out = nn.Linear(12, 3)

    def forward(self, sound, picture):
        parts = [self.a(sound), self.b(picture).flatten(1)]
        y = self.relu(torch.cat(parts, dim=1))
        return {"label": self.out(y), "code": y}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import torch

    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "two_nets", raising=False)
    (tmp_path / "two_nets.py").write_text(NETS)
    space: dict[str, type[torch.nn.Module]] = {}
    exec(NETS, space)
    torch.save(space["Two"]().state_dict(), "two.pt")
    random = np.random.default_rng(0)
    np.savez("two.npz", sound=random.random((9, 4)), picture=random.random((9, 1, 2, 2)))
    return tmp_path


COMMON = ("export", "two.pt", "--model", "two_nets:Two", "-o", "two.nir", "--json")


def test_a_sample_shape_per_tensor(folder: Path, slipway: Slipway) -> None:
    shapes = ("--sample-shape", "4", "--sample-shape", "1,2,2")
    outcome = slipway(*COMMON, *shapes, "--calibrate", "two.npz")
    assert outcome.code == 0, outcome.err
    nodes = json.loads(outcome.out)["nodes"]
    kinds = {name: node["type"] for name, node in nodes.items()}
    assert {n for n in kinds if kinds[n] == "Input"} == {"sound", "picture"}
    assert {n for n in kinds if kinds[n] == "Output"} == {"label", "code"}
    assert nodes["sound"]["output"] == [4]
    assert nodes["picture"]["output"] == [1, 2, 2]


def test_a_sample_shape_too_few(folder: Path, slipway: Slipway) -> None:
    outcome = slipway(*COMMON, "--sample-shape", "4", "--calibrate", "two.npz")
    assert outcome.code == 2
    assert (
        "forward takes sound, picture, but no sample shape is given for picture" in outcome.err
    )
    assert "--sample-shape 1,28,28 --sample-shape 12" in outcome.err
