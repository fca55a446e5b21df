"""The exported graph computes what the torch or norse model computes."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import nir
import nirtorch
import norse.torch as norse
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from slipway.converters.calibrate import TopValues
from slipway.converters.export import export
from slipway.converters.read import read_graph
from slipway.converters.shapes import graph_shapes
from slipway.converters.write import write_graph
from slipway.errors import UnsupportedNode, UsageError
from torch import nn

from .interpreter import Interpreter
from .nets import Faces, Rates, digits, lif, lif_box, nested, run_torch, warm

RNG = np.random.default_rng(0)


def reread(graph: nir.NIRGraph) -> nir.NIRGraph:
    """Through nir's own file format, with its type check."""
    buffer = io.BytesIO()
    nir.write(buffer, graph)
    return nir.read(buffer, type_check=True)


def run_nir(graph: nir.NIRGraph, frames: Any) -> Any:
    machine = Interpreter(graph)
    return np.stack([machine.step(frame) for frame in frames])


@pytest.mark.parametrize(
    ("build", "shape", "expected"),
    [(digits, (1, 6, 6), "last"), (nested, (12,), "last"), (Faces, (1, 8, 8), "last")],
)
def test_equals_norse(
    build: Any, shape: tuple[int, ...], expected: str, tmp_path: Path
) -> None:
    model = build()
    frames = RNG.normal(size=(40, *shape)) * 2
    graph = export(model, shape)
    assert graph.metadata["readout"] == expected
    assert graph.metadata["dt"] == pytest.approx(1e-3)
    wanted = run_torch(model, frames)
    np.testing.assert_allclose(run_nir(graph, frames), wanted, atol=2e-5)
    assert np.abs(wanted).max() > 0.01
    reread(graph)
    assert graph_shapes(graph)[1] == []
    write_graph(graph, tmp_path / "g.nir")
    ours = read_graph(tmp_path / "g.nir")
    assert ours.metadata == graph.metadata
    assert set(ours.edges) == set(graph.edges)
    np.testing.assert_array_equal(run_nir(ours, frames), run_nir(graph, frames))


def test_spikes_are_the_same_in_a_hidden_layer() -> None:
    torch.manual_seed(0)
    model = norse.SequentialState(nn.Linear(20, 30), lif_box(0.1))
    frames = RNG.normal(size=(100, 20)) * 2
    graph = export(model, (20,))
    wanted = run_torch(model, frames)
    assert 100 < wanted.sum() < 2500
    np.testing.assert_array_equal(run_nir(graph, frames), wanted)
    assert graph.metadata["readout"] == "count"


def test_norses_own_reader_runs_the_exported_network() -> None:
    """An unbatched run through norse.torch.from_nir: same membrane, same spikes."""
    model = digits()
    head = norse.SequentialState(model[0], model[1])
    frames = RNG.normal(size=(30, 1, 6, 6)) * 2
    graph = reread(export(model, (1, 6, 6)))
    from norse.torch.functional.leaky_integrator_box import LIBoxParameters
    from norse.torch.module.leaky_integrator_box import LIBoxCell
    from norse.torch.utils.import_nir import _import_norse_module as norses_map

    def complete(node: Any) -> Any:
        """norse 1.1.0 reads all nodes of this graph but LI, which it passes through."""
        if isinstance(node, nir.LI):
            tau, leak = (
                torch.from_numpy(node.tau).float(),
                torch.from_numpy(node.v_leak).float(),
            )
            return LIBoxCell(LIBoxParameters(tau_mem_inv=1 / tau, v_leak=leak))
        return norses_map(node)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nirtorch.load(graph, complete)
        spiking = norse.from_nir(reread(export(head, (1, 6, 6))))
    state = spike_state = None
    for frame, wanted, spikes in zip(
        torch.from_numpy(frames.astype(np.float32)),
        run_torch(model, frames),
        run_torch(head, frames),
        strict=True,
    ):
        with torch.no_grad():
            output, state = theirs(frame, state)
            fired, spike_state = spiking(frame, spike_state)
        np.testing.assert_allclose(output.numpy(), wanted, atol=1e-5)
        np.testing.assert_array_equal(fired.numpy(), spikes)


def test_relu_network_as_rates_equals_torch() -> None:
    model = Rates()
    x = RNG.normal(size=(50, 2, 8, 8))
    graph = export(model, (2, 8, 8), calibration=x)
    assert [type(graph.nodes[n]).__name__ for n in ("relu", "relu_1", "relu_2")] == ["IF"] * 3
    machine = Interpreter(graph, rates=True)
    with torch.no_grad():
        wanted = model.eval()(torch.from_numpy(x.astype(np.float32))).numpy()
    for frame, row in zip(x, wanted, strict=True):
        np.testing.assert_allclose(machine.step(frame), row, atol=1e-4)
    assert graph.metadata["readout"] == "last"
    reread(graph)


def test_relu_rates_approach_the_activation() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    x = RNG.uniform(size=(200, 8))
    graph = export(model, (8,), calibration=x)
    with torch.no_grad():
        wanted = model(torch.from_numpy(x[0].astype(np.float32))).numpy()
    errors = [
        np.abs(run_nir(graph, [x[0]] * steps).mean(axis=0) - wanted).max()
        for steps in (16, 1024)
    ]
    assert errors[1] < errors[0]
    assert errors[1] < 0.35


def test_scale_is_the_percentile_of_each_relu() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3), nn.ReLU())
    x = RNG.normal(size=(300, 6))
    with torch.no_grad():
        first = model[:2](torch.from_numpy(x.astype(np.float32))).numpy()
    for percentile in (99.9, 90.0, 100.0):
        graph = export(model, (6,), calibration=x[:, None], percentile=percentile)
        scale = np.percentile(first, percentile)
        np.testing.assert_allclose(graph.nodes["1"].v_threshold, np.full(10, scale), rtol=1e-6)
        np.testing.assert_allclose(graph.nodes["1_scale"].scale, np.full(10, scale), rtol=1e-6)
    # the last ReLU is read by its spikes: its scale is told apart
    assert ("3", "output") in graph.edges
    assert "3_scale" not in graph.nodes
    assert graph.metadata["output_scale"] == pytest.approx(graph.nodes["3"].v_threshold[0])
    assert graph.metadata["readout"] == "count"
    assert graph.nodes["1"].r[0] == pytest.approx(1000)


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-5, 5), min_size=1, max_size=60),
    percentile=st.floats(1, 100),
    parts=st.integers(1, 5),
)
def test_streamed_percentile_is_numpys(
    values: list[float], percentile: float, parts: int
) -> None:
    top = TopValues(len(values), percentile)
    for part in np.array_split(np.array(values), parts):
        top.add(part)
    assert top.result() == pytest.approx(np.percentile(values, percentile), abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_convolutions_equal_torch(data: st.DataObject) -> None:
    """All geometries; the graph loads in nir with its type check and computes the same."""
    draw = data.draw
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    axes = draw(st.sampled_from([1, 2, 2, 2]))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(axes))
    same = draw(st.booleans())
    stride = (1,) * axes if same else tuple(draw(st.integers(1, 3)) for _ in range(axes))
    padding: Any = "same"
    if not same:
        padding = draw(
            st.sampled_from(["valid", tuple(draw(st.integers(0, 2)) for _ in kernel)])
        )
    size = tuple(draw(st.integers(7, 11)) for _ in range(axes))
    kind: Any = (nn.Conv1d, nn.Conv2d)[axes - 1]
    layer = kind(
        2 * groups, 2 * groups, kernel, stride, padding, dilation, groups, draw(st.booleans())
    )
    x = RNG.normal(size=(1, 2 * groups, *size)).astype(np.float32)
    try:
        graph = export(layer, x.shape[1:])
    except UnsupportedNode as error:
        assume("zero taps cannot make this one square" not in str(error))
        raise
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = layer(torch.from_numpy(x))[0].numpy()
    back = reread(graph)
    back.metadata["dt"] = 1e-3
    np.testing.assert_allclose(Interpreter(back).step(x[0]), wanted, atol=1e-4)
    shapes, problems = graph_shapes(back)
    assert not problems
    assert shapes["output"][0] == wanted.shape


def test_reshapes_pools_and_doubled_branches() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3, padding=1)
            self.bn = nn.BatchNorm2d(4)
            self.line = nn.Conv1d(4, 4, 3)
            self.norm = nn.BatchNorm1d(4)
            self.fc = nn.Linear(4 * 14, 6)
            self.fc_norm = nn.BatchNorm1d(6, affine=False)
            warm_bias = torch.rand(6)
            assert self.fc_norm.running_mean is not None
            self.fc_norm.running_mean.copy_(warm_bias)

        def forward(self, x: Any) -> Any:
            x = self.bn(self.conv(x))
            x = nn.functional.avg_pool2d(x + x, 3, 2, 1) + nn.functional.adaptive_avg_pool2d(
                x, 4
            )
            x = torch.flatten(x, 2)
            x += x
            x = self.norm(self.line(x))
            x = nn.functional.dropout(x, training=self.training)
            return self.fc_norm(self.fc(x.reshape(x.shape[0], -1).contiguous()))

    model = Net()
    model.norm = warm(nn.Sequential(model.norm))[0]  # type: ignore[index]
    graph = export(model, (2, 8, 8))
    x = RNG.normal(size=(2, 8, 8))
    with torch.no_grad():
        wanted = model.eval()(torch.from_numpy(x.astype(np.float32))[None])[0].numpy()
    np.testing.assert_allclose(Interpreter(reread(graph)).step(x), wanted, atol=1e-4)
    assert isinstance(graph.nodes["fc"], nir.Affine)


def test_a_batch_norm_of_a_sum_is_folded_into_all_its_layers() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 1, bias=False)
            self.norm = warm(nn.Sequential(nn.BatchNorm2d(3)))

        def forward(self, x: Any) -> Any:
            return self.norm(self.a(x) + self.b(x))

    torch.manual_seed(0)
    model = Net().eval()
    graph = reread(export(model, (2, 5, 5)))
    graph.metadata["dt"] = 1e-3
    x = RNG.normal(size=(2, 5, 5))
    with torch.no_grad():
        wanted = model(torch.from_numpy(x.astype(np.float32))[None])[0].numpy()
    np.testing.assert_allclose(Interpreter(graph).step(x), wanted, atol=1e-5)
    assert set(graph.nodes) == {"input", "a", "b", "output"}


def test_model_is_left_as_it_was() -> None:
    model = Faces()
    model.train()
    model.pool.eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    export(model, (1, 8, 8))
    assert model.training
    assert not model.pool.training
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_options_come_from_argument_then_model_then_default() -> None:
    faces, plain = Faces(), digits()
    graph = export(faces, (1, 8, 8))
    assert (graph.metadata["steps"], graph.metadata["steps_from"]) == (12, "model")
    assert graph.metadata["initial_voltage"] == "v_leak"
    graph = export(faces, (1, 8, 8), steps=5, readout="mean", input_encoding="spikes")
    found = {k: graph.metadata[k] for k in ("steps", "steps_from", "readout", "input_encoding")}
    assert list(found.values()) == [5, "argument", "mean", "spikes"]
    graph = export(plain, (1, 6, 6))
    assert (graph.metadata["steps"], graph.metadata["steps_from"]) == (32, "default")
    assert "initial_voltage" not in graph.metadata
    plain.readout, plain.input_encoding = "mean", "spikes"
    graph = export(plain, (1, 6, 6))
    assert (graph.metadata["readout"], graph.metadata["input_encoding"]) == ("mean", "spikes")
    linear = nn.Linear(3, 2)
    assert export(linear, (3,), dt=0.5).metadata["dt"] == 0.5
    assert export(linear, (3,)).edges == [("input", "linear"), ("linear", "output")]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"steps": 0}, "steps must be a whole number from 1 on, it is 0"),
        ({"dt": -1.0}, "dt must be positive, it is -1.0"),
        ({"dt": 0.1}, "dt 0.1 s contradicts the cells of the model, which step 0.001 s"),
        ({"readout": "max"}, "readout must be one of count, last, mean, it is 'max'"),
        ({"readout": "count"}, "counts spikes, but the output is LI, which does not spike"),
        ({"input_encoding": "x"}, "input_encoding must be one of current, spikes, it is 'x'"),
        ({"percentile": 0}, "percentile must lie in (0, 100], it is 0"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        export(digits(), (1, 6, 6), **options)
    assert text in str(caught.value)


@pytest.mark.parametrize("shape", [(), (0, 3), (1.5,), (-1,), (2**20, 2**20)])
def test_sample_shapes_that_make_no_sense(shape: Any) -> None:
    with pytest.raises(UsageError, match="is not a list of positive whole numbers"):
        export(digits(), shape)


def test_half_precision_weights() -> None:
    model = nn.Sequential(nn.Linear(4, 3), lif()).bfloat16()
    assert export(model[0], (4,)).nodes["linear"].weight.dtype == np.float32
