"""Convolutions and pools of foreign files, in every form of NIR, equal torch's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slipway.converters.read import read_graph

from .interpreter import Interpreter

torch = pytest.importorskip("torch")
ANY_FOLDER = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def written(path: Path, layer: Any, given: tuple[int, ...], sent: tuple[int, ...]) -> Path:
    """nir's own writer; its shape inference, wrong for many of these, is not asked."""
    nodes = {
        "input": nir.Input({"input": np.array(given)}),
        "layer": layer,
        "output": nir.Output({"output": np.array(sent)}),
    }
    edges = [("input", "layer"), ("layer", "output")]
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    return path


@ANY_FOLDER
@given(data=st.data(), depthwise=st.booleans())
def test_convolutions(tmp_path: Path, data: st.DataObject, depthwise: bool) -> None:
    draw = data.draw
    axes = draw(st.integers(1, 2))
    groups = draw(st.integers(1, 3))
    per_in = 1 if depthwise else draw(st.integers(1, 2))
    per_out = draw(st.integers(1, 2))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(axes))
    form = draw(st.sampled_from(["same", "valid", "numbers"]))
    stride = (1,) * axes
    if form != "same":
        stride = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    padding: Any = form
    if form == "numbers":
        padding = tuple(draw(st.integers(0, 2)) for _ in range(axes))
    size = tuple(draw(st.integers(7, 10)) for _ in range(axes))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    weight = rng.normal(size=(groups * per_out, per_in, *kernel)).astype(np.float32)
    bias = rng.normal(size=groups * per_out).astype(np.float32)
    x = rng.normal(size=(groups * per_in, *size)).astype(np.float32)
    convolve = (torch.nn.functional.conv1d, torch.nn.functional.conv2d)[axes - 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's remark on even kernels with 'same'
        wanted = convolve(
            torch.from_numpy(x)[None],
            torch.from_numpy(weight),
            torch.from_numpy(bias),
            stride,
            padding,
            dilation,
            groups,
        )[0].numpy()
    if axes == 1:
        number = padding if isinstance(padding, str) else padding[0]
        layer = nir.Conv1d(size[0], weight, stride[0], number, dilation[0], groups, bias)
    else:
        layer = nir.Conv2d(size, weight, stride, padding, dilation, groups, bias)
    path = written(tmp_path / "a.nir", layer, x.shape, wanted.shape)
    if draw(st.booleans()):  # older writers leave the input shape to the reader
        with h5py.File(path, "a") as file:
            del file["node/nodes/layer/input_shape"]
    graph = read_graph(path, dt=1e-3)
    np.testing.assert_allclose(Interpreter(graph).step(x), wanted, atol=1e-4)
    assert not isinstance(graph.nodes["layer"].padding, str)
    assert tuple(np.ravel(graph.nodes["layer"].input_shape)) == size


@ANY_FOLDER
@given(data=st.data(), average=st.booleans())
def test_pools(tmp_path: Path, data: st.DataObject, average: bool) -> None:
    draw = data.draw
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    padding = (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2)))
    x = np.random.default_rng(0).normal(size=(2, draw(st.integers(5, 9)), 7))
    divisor = None if average else 1
    wanted = torch.nn.functional.avg_pool2d(
        torch.from_numpy(x)[None], kernel, stride, padding, divisor_override=divisor
    )[0].numpy()
    kind = nir.AvgPool2d if average else nir.SumPool2d
    layer = kind(np.array(kernel), np.array(stride), np.array(padding))
    path = written(tmp_path / "a.nir", layer, x.shape, wanted.shape)
    np.testing.assert_allclose(
        Interpreter(read_graph(path, dt=1e-3)).step(x), wanted, atol=1e-12
    )
