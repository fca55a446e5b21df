"""Pools: sums and means equal torch's, the maximum of spikes is their OR at each step."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import nir
import norse.torch as norse
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.converters.export import export
from slipway.converters.shapes import graph_shapes
from slipway.errors import UnsupportedNode
from torch import nn
from torch.nn import functional

from .interpreter import Interpreter
from .nets import lif_box, run_torch

RNG = np.random.default_rng(0)


def reread(graph: nir.NIRGraph) -> nir.NIRGraph:
    """Through nir's own file format, with its type check."""
    buffer = io.BytesIO()
    nir.write(buffer, graph)
    back = nir.read(buffer, type_check=True)
    back.metadata["dt"] = 1e-3
    assert graph_shapes(back)[1] == []
    return back


def run(graph: nir.NIRGraph, frames: Any) -> Any:
    machine = Interpreter(reread(graph))
    return np.stack([machine.step(frame) for frame in frames])


def window(draw: Any, axes: int) -> tuple[Any, Any, Any]:
    """Kernel, stride and padding that torch takes: padding up to half of the kernel."""
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    return kernel, stride, tuple(draw(st.integers(0, k // 2)) for k in kernel)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), include=st.booleans(), ceil=st.booleans(), divisor=st.integers(0, 7))
def test_averages_equal_torch(
    data: st.DataObject, include: bool, ceil: bool, divisor: int
) -> None:
    kernel, stride, padding = window(data.draw, 2)
    size = (data.draw(st.integers(5, 9)), data.draw(st.integers(5, 9)))
    layer = nn.AvgPool2d(kernel, stride, padding, ceil, include, divisor or None)
    x = RNG.normal(size=(3, *size))
    wanted = layer(torch.from_numpy(x)[None])[0].numpy()
    floor = nn.AvgPool2d(kernel, stride, padding)(torch.from_numpy(x)[None])[0].shape
    if wanted.shape != floor:  # a window over the border, and nothing else, is refused
        with pytest.raises(UnsupportedNode, match="where a window hangs over the border"):
            export(layer, x.shape)
        return
    graph = export(layer, x.shape)
    np.testing.assert_allclose(run(graph, [x])[0], wanted, atol=1e-6)
    kinds = {type(node).__name__ for node in graph.nodes.values()}
    plain = not divisor and (include or not any(padding))
    assert kinds == {"Input", "Output"} | ({"AvgPool2d"} if plain else {"SumPool2d", "Scale"})


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_averages_over_one_axis_equal_torch(data: st.DataObject) -> None:
    (kernel,), (stride,), (padding,) = window(data.draw, 1)
    layer = nn.AvgPool1d(kernel, stride, padding)
    x = RNG.normal(size=(3, data.draw(st.integers(5, 9))))
    wanted = layer(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(run(export(layer, x.shape), [x])[0], wanted, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), axes=st.integers(1, 2), density=st.floats(0.01, 0.9))
def test_the_maximum_of_input_spikes_is_torchs(
    data: st.DataObject, axes: int, density: float
) -> None:
    kernel, stride, padding = window(data.draw, axes)
    size = tuple(data.draw(st.integers(5, 9)) for _ in range(axes))
    kinds: list[Any] = [nn.MaxPool1d, nn.MaxPool2d]
    layer = kinds[axes - 1](kernel, stride, padding)
    x = (np.random.default_rng(1).random((12, 2, *size)) < density).astype(np.float32)
    graph = export(layer, x.shape[1:], input_encoding="spikes")
    wanted = layer(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(run(graph, x), wanted)
    with pytest.raises(UnsupportedNode, match="it takes the maximum of currents or sums"):
        export(layer, x.shape[1:])  # the input carries values


class Spiking(nn.Module):
    """Convolution, spikes, a max-pool of them, and another one."""

    def __init__(self, first: Any, second: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.lif, self.fc = nn.Conv2d(1, 3, 3), lif_box(0.05), nn.LazyLinear(4)
        self.first, self.second, self.out = first, second, lif_box(0.02)

    def forward(self, x: Any, state: Any = None) -> Any:
        a, b = state if state is not None else (None, None)
        x, a = self.lif(self.conv(x), a)
        x = self.second(nn.functional.dropout(self.first(x), training=False))
        x, b = self.out(self.fc(x.flatten(1)), b)
        return x, (a, b)


@pytest.mark.parametrize(
    "pools",
    [
        (nn.MaxPool2d(2), nn.MaxPool2d(2)),
        (nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2)),
        (lambda x: functional.max_pool2d(x, 2), lambda x: torch.max_pool2d(x, 3, 1)),
        (lambda x: functional.max_pool2d(x, (2, 3), padding=(1, 1)), nn.Identity()),
    ],
)
def test_the_maximum_of_spikes_step_by_step(pools: Any) -> None:
    model = Spiking(*pools)
    frames = np.random.default_rng(1).normal(size=(40, 1, 10, 10)) * 2
    run_torch(model, frames[:1])  # gives the lazy layer its width
    graph = export(model, (1, 10, 10))
    wanted = run_torch(model, frames)
    assert 10 < wanted.sum() < 150
    np.testing.assert_array_equal(run(graph, frames), wanted)
    pairs = [n for n, node in graph.nodes.items() if node.metadata.get("pooling") == "max"]
    sums = [a for n in pairs for a, b in graph.edges if b == n]
    assert all(isinstance(graph.nodes[n], nir.SumPool2d) for n in sums)
    assert len(pairs) == len(sums) >= 1
    assert not any("pooling_of" in graph.nodes[n].metadata for n in pairs)


def test_the_maximum_over_one_axis_step_by_step() -> None:
    torch.manual_seed(0)
    model = norse.SequentialState(
        nn.Conv1d(2, 3, 3), lif_box(0.1), nn.MaxPool1d(3, 2, 1, dilation=1), nn.MaxPool1d(2)
    )
    frames = RNG.normal(size=(30, 2, 12)) * 2
    wanted = run_torch(model, frames)
    assert 0.05 < wanted.mean() < 0.95
    np.testing.assert_array_equal(run(export(model, (2, 12)), frames), wanted)
    dilated = norse.SequentialState(lif_box(0.1), nn.MaxPool1d(2, 1, dilation=3))
    np.testing.assert_array_equal(
        run(export(dilated, (2, 12)), frames), run_torch(dilated, frames)
    )


class Rates(nn.Module):
    """A ReLU network with two max-pools, the second behind the first."""

    def __init__(self, branch: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.relu, self.fc = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Linear(16, 3)
        self.one, self.two, self.branch = nn.MaxPool2d(2), nn.MaxPool2d(2), branch

    def forward(self, x: Any) -> Any:
        x = self.relu(self.conv(x))
        y = self.two(self.one(x))
        if self.branch:
            y = y + functional.avg_pool2d(x, 4)
        return self.fc(y.flatten(1))


@pytest.mark.parametrize("branch", [False, True])
def test_behind_a_relu_the_pair_pools_its_spikes(branch: bool) -> None:
    x = RNG.normal(size=(20, 1, 10, 10))
    graph = export(Rates(branch), (1, 10, 10), calibration=x)
    reread(graph)
    edges = set(graph.edges)
    chain = ["relu", "one_sum", "one", "two_sum", "two", "two_scale"]
    assert set(pairwise(chain)) <= edges
    assert "one_scale" not in graph.nodes  # what it would scale went on as spikes
    assert ("relu_scale" in graph.nodes) == branch
    assert [graph.nodes[n].metadata for n in ("relu", "one", "two")] == [
        {},
        {"pooling": "max", "pooling_of": "rates"},
        {"pooling": "max", "pooling_of": "rates"},
    ]
    scale = graph.nodes["relu"].v_threshold.flat[0]
    np.testing.assert_allclose(graph.nodes["two_scale"].scale, np.full((4, 2, 2), scale))
    # spike by spike: the pool is the OR of the IF neurons' spikes
    machine = Interpreter(graph)
    for _ in range(30):
        machine.step(x[0])
        spikes = torch.from_numpy(machine.sent["relu"])[None]
        pooled = functional.max_pool2d(functional.max_pool2d(spikes, 2), 2)[0].numpy()
        np.testing.assert_array_equal(machine.sent["two"], pooled)
    assert machine.sent["relu"].any()


class Wrong(nn.Module):
    """A ReLU network that pools what has no spikes."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.conv, self.relu = how, nn.Conv2d(1, 2, 3), nn.ReLU()
        self.pool, self.line = nn.MaxPool2d(2), nn.MaxPool1d(2)

    def forward(self, x: Any) -> Any:
        y = self.relu(self.conv(x))
        if self.how == "before":
            return self.relu(self.pool(self.conv(x)))
        if self.how == "sum":
            return self.pool(y + self.conv(x))
        if self.how == "doubled":
            return self.pool(y + y)
        if self.how == "two":
            return self.pool(torch.cat([y, self.relu(self.conv(x))], 1))
        return self.line(y.flatten(2))


@pytest.mark.parametrize("how", ["before", "sum", "doubled", "two", "line"])
def test_what_is_no_maximum_of_spikes(how: str) -> None:
    x = RNG.normal(size=(20, 1, 8, 8))
    with pytest.raises(UnsupportedNode) as caught:
        export(Wrong(how), (1, 8, 8), calibration=x)
    assert "it takes the maximum of currents or sums, which no spiking neuron computes" in str(
        caught.value
    )
    assert "move the pool behind the spiking layer or ReLU, or train with AvgPool2d" in str(
        caught.value
    )


def test_a_line_behind_a_relu() -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.MaxPool1d(2))
    with pytest.raises(UnsupportedNode) as caught:
        export(model, (1, 8), calibration=RNG.normal(size=(20, 1, 8)))
    assert "so a rate's maximum cannot be told apart" in str(caught.value)
    assert "use MaxPool2d on (channels, length, 1)" in str(caught.value)


def test_a_pool_of_what_was_refused_is_not_named_again() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sigmoid(), nn.MaxPool2d(2))
    with pytest.raises(UnsupportedNode) as caught:
        export(model, (1, 8, 8))
    assert len(caught.value.problems) == 1
