"""Models with several inputs and outputs: names, shapes, encodings, and what they compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from norse.torch.module.leaky_integrator_box import LIBoxCell
from slipway.converters.export import export
from slipway.converters.metadata import input_encoding, readout
from slipway.converters.read import read_graph
from slipway.converters.write import write_graph
from slipway.errors import DataError, SlipwayError, UnsupportedNode, UsageError
from torch import nn

from .interpreter import Interpreter
from .nets import lif_box

RNG = np.random.default_rng(0)


class Senses(nn.Module):
    """Sound and picture; a class from both, and a position from the picture alone."""

    def __init__(self, form: str = "tuple") -> None:
        super().__init__()
        torch.manual_seed(5)
        self.form = form
        self.eye, self.ear = nn.Conv2d(1, 2, 3), nn.Linear(5, 8)
        self.seen, self.heard = lif_box(0.03), lif_box(0.03)
        self.label, self.place = nn.Linear(40, 3), nn.Linear(32, 2)
        nn.init.uniform_(self.place.weight, 0, 0.3)
        self.named, self.placed = LIBoxCell(), lif_box(0.01)

    def forward(self, picture: Any, sound: Any, state: Any = None) -> Any:
        a, b, c, d = state if state is not None else (None,) * 4
        x, a = self.seen(self.eye(picture), a)
        y, b = self.heard(self.ear(sound), b)
        flat = x.flatten(1)
        u, c = self.named(self.label(torch.cat([flat, y], dim=1)), c)
        v, d = self.placed(self.place(flat), d)
        out: Any = {"tuple": (u, v), "list": [u, v], "dict": {"label": u, "place": v}}
        return out[self.form], (a, b, c, d)


SHAPES = ((1, 6, 6), (5,))


def frames(steps: int) -> dict[str, Any]:
    shapes = {"picture": (1, 6, 6), "sound": (5,)}
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=(steps, *shape)) * 2 for name, shape in shapes.items()}


def wanted(model: nn.Module, data: dict[str, Any]) -> list[list[Any]]:
    state, rows = None, []
    with torch.no_grad():
        for row in zip(*data.values(), strict=True):
            tensors = [torch.from_numpy(x.astype(np.float32))[None] for x in row]
            out, state = model.eval()(*tensors, state)
            values = out.values() if isinstance(out, dict) else out
            rows.append([value[0].numpy() for value in values])
    return rows


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("tuple", ["output_0", "output_1"]),
        ("list", ["output_0", "output_1"]),
        ("dict", ["label", "place"]),
    ],
)
@pytest.mark.parametrize("shapes", [SHAPES, {"sound": (5,), "picture": (1, 6, 6)}])
def test_several_inputs_and_outputs(
    form: str, names: list[str], shapes: Any, tmp_path: Path
) -> None:
    model, data = Senses(form), frames(40)
    write_graph(export(model, shapes), tmp_path / "a.nir")
    graph = read_graph(tmp_path / "a.nir")
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    assert sorted(n for n in kinds if kinds[n] == "Input") == ["picture", "sound"]
    assert sorted(n for n in kinds if kinds[n] == "Output") == names
    assert [readout(graph, name) for name in names] == ["last", "count"]
    machine, rows = Interpreter(graph), wanted(model, data)
    for step, (u, v) in enumerate(rows):
        found = machine.step({name: x[step] for name, x in data.items()})
        np.testing.assert_allclose(found[names[0]], u, atol=2e-5)
        np.testing.assert_array_equal(found[names[1]], v)
    assert sum(v.sum() for _, v in rows) > 5


def test_a_layer_yields_its_name_to_an_output() -> None:
    graph = export(Senses("dict"), SHAPES)
    assert type(graph.nodes["label"]).__name__ == "Output"
    assert ("label_1", "named") in graph.edges


class Pair(NamedTuple):
    low: Any
    high: Any


class Split(nn.Module):
    """Two ReLU branches of two inputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.one, self.two, self.three = nn.Linear(4, 6), nn.Linear(3, 6), nn.Linear(6, 2)
        self.relu = nn.ReLU()

    def forward(self, a: Any, b: Any) -> Any:
        x = self.relu(self.one(a) + self.two(b))
        return Pair(low=self.three(x), high=x)


def test_relus_of_two_inputs_are_calibrated_together(tmp_path: Path) -> None:
    model = Split()
    data = {"a": RNG.normal(size=(90, 4)), "b": RNG.normal(size=(90, 3))}
    graph = export(model, ((4,), (3,)), calibration=data, percentile=100)
    with torch.no_grad():
        low, high = model(*(torch.from_numpy(x.astype(np.float32)) for x in data.values()))
    scale = float(high.max())
    np.testing.assert_allclose(graph.nodes["relu"].v_threshold, scale, rtol=1e-6)
    # each output is read by what it is; the last ReLU by its spikes
    assert [readout(graph, name) for name in ("low", "high")] == ["last", "count"]
    assert graph.nodes["high"].metadata["output_scale"] == pytest.approx(scale)
    assert ("relu", "high") in graph.edges
    machine = Interpreter(graph, rates=True)
    for step in range(5):
        found = machine.step({name: x[step] for name, x in data.items()})
        np.testing.assert_allclose(found["low"], low[step], atol=1e-4)
        np.testing.assert_allclose(found["high"] * scale, high[step], atol=1e-4)
    write_graph(graph, tmp_path / "a.nir")
    assert read_graph(tmp_path / "a.nir").metadata == graph.metadata


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (np.zeros((5, 4)), "calibration data must hold a, b; they hold one array"),
        ({"a": np.zeros((5, 4))}, "calibration data must hold a, b; they hold a"),
        (
            {"a": np.zeros((5, 4)), "b": np.zeros((5, 2))},
            "calibration data of b have shape (5, 2), expected (N, *(3,)) or (N, T, *(3,))",
        ),
        (
            {"a": np.zeros((5, 4)), "b": np.zeros((6, 3))},
            "calibration data have unequal numbers of frames: a 5, b 6",
        ),
        ({"a": np.zeros((0, 4)), "b": np.zeros((0, 3))}, "calibration data of a are empty"),
    ],
)
def test_calibration_of_two_inputs(data: Any, text: str) -> None:
    with pytest.raises(DataError) as caught:
        export(Split(), ((4,), (3,)), calibration=data)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        ((1, 6, 6), "forward takes picture, sound, state (optional), but no sample shape is"),
        (((1, 6, 6),), "but no sample shape is given for sound"),
        ((*SHAPES, (2,), (2,)), "but 4 sample shapes are given"),
        ({"picture": (1, 6, 6), "noise": (5,)}, "but sample shapes are given for noise"),
        ({}, "but sample shapes are given for nothing"),
        (((1, 6, 6), ()), "the sample shape () is not a list of positive whole numbers"),
        (((1, 6, 6), 5), "is not a list of positive whole numbers"),
    ],
)
def test_shapes_that_do_not_fit_forward(shapes: Any, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        export(Senses(), shapes)
    assert text in str(caught.value)
    assert "--sample-shape" in str(caught.value)


def test_inputs_must_come_first() -> None:
    class Late(nn.Module):
        def forward(self, a: Any, state: Any = None, b: Any = None) -> Any:
            return a + b

    with pytest.raises(UsageError, match="but the inputs must be its first arguments"):
        export(Late(), {"a": (3,), "b": (3,)})


def test_inputs_without_names_are_numbered() -> None:
    class Any_(nn.Module):
        def forward(self, *x: Any) -> Any:
            return x[0] + x[1]

    graph = export(Any_(), ((3,), (3,)))
    assert set(graph.edges) == {("input_0", "output"), ("input_1", "output")}


def test_a_shape_by_name_names_the_input() -> None:
    graph = export(nn.Linear(3, 2), {"input": (3,)})
    assert set(graph.nodes) == {"input", "linear", "output"}

    class Named(nn.Module):
        def forward(self, pressure: Any) -> Any:
            return {"same": pressure}

    assert set(export(Named(), {"pressure": (3,)}).nodes) == {"pressure", "same"}
    assert set(export(Named(), (3,)).nodes) == {"input", "same"}


def test_a_wrong_shape_of_several_is_named() -> None:
    with pytest.raises(DataError) as caught:
        export(Senses(), ((1, 6, 6), (4,)))
    text = str(caught.value)
    assert (
        "ear (Linear) cannot take what the sample shapes picture (1, 6, 6), sound (4,)" in text
    )
    assert "expected (5,), given (4,)" in text


def test_encodings_and_readouts_by_name() -> None:
    options: Any = {
        "input_encoding": {"sound": "spikes"},
        "readout": {"output_0": "mean"},
    }
    graph = export(Senses(), SHAPES, **options)
    assert [input_encoding(graph, n) for n in ("picture", "sound")] == ["current", "spikes"]
    assert [readout(graph, n) for n in ("output_0", "output_1")] == ["mean", "count"]
    both = export(Senses(), SHAPES, readout="mean", input_encoding="spikes")
    assert (both.metadata["readout"], both.metadata["input_encoding"]) == ("mean", "spikes")
    assert not any(both.nodes[n].metadata for n in ("picture", "sound", "output_0", "output_1"))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"readout": {"output": "mean"}},
            "readout is given for output; the model has output_0",
        ),
        ({"readout": {"output_0": "max"}}, "readout must be one of count, last, mean, it is"),
        ({"readout": {"output_0": "count"}}, "counts spikes, but the output is LI"),
        ({"readout": "count"}, "where: readout of output_0"),
        ({"input_encoding": {"x": "spikes"}}, "input_encoding is given for x; the model has"),
    ],
)
def test_choices_that_do_not_fit(options: Any, text: str) -> None:
    with pytest.raises(SlipwayError) as caught:
        export(Senses(), SHAPES, **options)
    assert type(caught.value) is UsageError
    assert text in str(caught.value)


def test_an_output_that_is_a_sum_is_named() -> None:
    class Sum(Senses):
        def forward(self, picture: Any, sound: Any, state: Any = None) -> Any:
            a, b = state if state is not None else (None, None)
            x, a = self.seen(picture, a)
            y, b = self.heard(sound, b)
            return {"both": x + y, "one": x}, (a, b)

    with pytest.raises(UnsupportedNode) as caught:
        export(Sum(), ((5,), (5,)))
    assert "the output both is a sum of neurons" in str(caught.value)
