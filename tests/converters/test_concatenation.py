"""A concatenation becomes weights of 0 and 1, and computes what torch computes."""

from __future__ import annotations

import io
from typing import Any

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.converters.export import export
from slipway.converters.shapes import graph_shapes
from torch import nn

from .interpreter import Interpreter
from .nets import lif_box, run_torch, warm

RNG = np.random.default_rng(0)


def reread(graph: nir.NIRGraph) -> nir.NIRGraph:
    """Through nir's own file format, with its type check."""
    buffer = io.BytesIO()
    nir.write(buffer, graph)
    return nir.read(buffer, type_check=True)


class Branches(nn.Module):
    """Branches of unequal width side by side; the first also stands there as it came in."""

    def __init__(self, channels: list[int], follow: nn.Module, axes: int, dim: int) -> None:
        super().__init__()
        kinds: list[Any] = [nn.Linear, nn.Conv1d, nn.Conv2d]
        kernel: list[Any] = [] if axes == 0 else [1]
        layers = [kinds[axes](2, n, *kernel, bias=bool(n % 2)) for n in channels]
        self.branches = nn.ModuleList(layers)
        self.follow, self.dim = follow, dim

    def forward(self, x: Any) -> Any:
        parts = [x, *(layer(x) for layer in self.branches), x]
        return self.follow(torch.cat(parts, dim=self.dim))


@settings(max_examples=40, deadline=None)
@given(
    channels=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    axes=st.integers(0, 2),
    negative=st.booleans(),
    follow=st.sampled_from(["nothing", "weights", "flatten", "pool", "norm"]),
    seed=st.integers(0, 1000),
)
def test_equals_torch(
    channels: list[int], axes: int, negative: bool, follow: str, seed: int
) -> None:
    torch.manual_seed(seed)
    size = (6,) * axes
    total = 4 + sum(channels)
    weights: list[Any] = [nn.Linear, nn.Conv1d, nn.Conv2d]
    norms: list[Any] = [nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d]
    pools: list[Any] = [nn.Identity(), nn.AvgPool1d(2), nn.AvgPool2d(3, 2, 1)]
    after: Any = {
        "nothing": nn.Identity(),
        "weights": weights[axes](total, 3, *([3] * bool(axes))),
        "flatten": nn.Sequential(nn.Flatten(), nn.Linear(total * 6**axes, 5)),
        "pool": pools[axes],
        "norm": nn.Identity(),
    }[follow]
    if follow == "norm":
        after = norms[axes](total)
        warm(nn.Sequential(after))
    model = Branches(channels, after, axes, -1 - axes if negative else 1).eval()
    graph = reread(export(model, (2, *size)))
    graph.metadata["dt"] = 1e-3
    assert graph_shapes(graph)[1] == []
    x = RNG.normal(size=(2, *size))
    with torch.no_grad():
        wanted = model(torch.from_numpy(x.astype(np.float32))[None])[0].numpy()
    np.testing.assert_allclose(Interpreter(graph).step(x), wanted, atol=1e-4)


def test_weights_are_a_place_for_each_channel() -> None:
    graph = export(Branches([1, 2], nn.Identity(), 0, 1), (2,))
    placed = [node.weight for name, node in graph.nodes.items() if name.startswith("cat")]
    assert [w.shape for w in placed] == [(7, 2), (7, 1), (7, 2), (7, 2)]
    np.testing.assert_array_equal(np.concatenate(placed, axis=1), np.eye(7))
    assert all(w.dtype == np.float32 for w in placed)


@pytest.mark.parametrize("function", [torch.cat, torch.concat, torch.concatenate])
def test_spikes_stay_spikes(function: Any) -> None:
    """Concatenations within one another, and a max-pool of the whole, step by step."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.a, self.b = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(1, 3, 3, padding=1)
            self.one, self.two = lif_box(0.1), lif_box(0.1)
            self.pool = nn.MaxPool2d(2)

        def forward(self, x: Any, state: Any = None) -> Any:
            s, t = state if state is not None else (None, None)
            y, s = self.one(self.a(x), s)
            z, t = self.two(self.b(x), t)
            both = function([function((y, z), 1), y], dim=-3)
            return self.pool(both), (s, t)

    model, frames = Net(), RNG.normal(size=(30, 1, 6, 6)) * 2
    graph = reread(export(model, (1, 6, 6)))
    graph.metadata["dt"] = 1e-3
    machine = Interpreter(graph)
    wanted = run_torch(model, frames)
    assert 0.02 < wanted.mean() < 0.98
    np.testing.assert_array_equal(np.stack([machine.step(f) for f in frames]), wanted)
