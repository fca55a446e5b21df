"""Our shape rules against torch, where nir's are wrong; and along edges."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.converters.conv_forms import Convolution, padded_same, squared, ungrouped
from slipway.converters.shapes import ShapeError, graph_shapes, output_shape, record

torch = pytest.importorskip("torch")
pair = st.tuples(st.integers(1, 3), st.integers(1, 3))


def conv(weight: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> nir.Conv2d:
    return nir.Conv2d(None, weight, stride, padding, dilation, groups, np.zeros(len(weight)))


@settings(max_examples=100, deadline=None)
@given(kernel=pair, stride=pair, padding=pair, dilation=pair, groups=st.integers(1, 3))
def test_convolution_shapes_are_torchs(
    kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> None:
    weight = np.zeros((2 * groups, 2, *kernel))
    node = record(conv(weight, stride, padding, dilation, groups))
    x = torch.zeros(1, 2 * groups, 9, 12)
    wanted = torch.nn.functional.conv2d(
        x, torch.from_numpy(weight).float(), None, stride, padding, dilation, groups
    )
    assert output_shape(node, (2 * groups, 9, 12)) == tuple(wanted.shape[1:])


def test_where_nir_is_wrong() -> None:
    narrow = record(conv(np.zeros((1, 1, 3, 5)), (1, 1), (0, 0), (1, 1), 1))
    assert output_shape(narrow, (1, 10, 10)) == (1, 8, 6)
    depthwise = record(conv(np.zeros((8, 1, 3, 3)), (1, 1), (1, 1), (1, 1), 8))
    assert output_shape(depthwise, (8, 5, 5)) == (8, 5, 5)
    same = record(conv(np.zeros((8, 1, 3, 5)), (1, 1), "same", (1, 1), 8))
    assert output_shape(same, (8, 5, 6)) == (8, 5, 6)
    valid = record(conv(np.zeros((1, 1, 3, 5)), (2, 2), "valid", (1, 1), 1))
    assert output_shape(valid, (1, 10, 10)) == (1, 4, 3)


@pytest.mark.parametrize("kind", [nir.AvgPool2d, nir.SumPool2d])
def test_pools(kind: Any) -> None:
    node = record(kind(np.array([3, 2]), np.array([2, 2]), np.array([1, 0])))
    assert output_shape(node, (4, 7, 6)) == (4, 4, 3)
    with pytest.raises(ShapeError, match=r"takes \(channels, height, width\)"):
        output_shape(node, (4, 7))


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [(0, -1, (24,)), (1, -1, (2, 12)), (0, 1, (6, 4)), (-2, -1, (2, 12)), (0, 0, (2, 3, 4))],
)
def test_flatten(first: int, last: int, wanted: tuple[int, ...]) -> None:
    node = record(nir.Flatten({"input": np.array([2, 3, 4])}, first, last))
    assert output_shape(node, (2, 3, 4)) == wanted
    with pytest.raises(ShapeError, match="takes"):
        output_shape(node, (2, 3, 5))


def test_flatten_of_axes_that_are_not_there() -> None:
    with pytest.raises(ShapeError, match="has no axes 3 to -1"):
        output_shape(record(nir.Flatten(None, 3, -1)), (2, 3))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((4,), "takes (3,); is the weight transposed?"),
        ((3, 1), "a Flatten with start_dim 0 is missing: NIR counts axes without the batch"),
    ],
)
def test_hints_for_linear_nodes(given: tuple[int, ...], text: str) -> None:
    with pytest.raises(ShapeError) as caught:
        output_shape(record(nir.Linear(np.zeros((4, 3)))), given)
    assert text in str(caught.value)


def test_back_edges_are_checked_too() -> None:
    nodes = {
        "input": nir.Input({"input": np.array([3])}),
        "lif": nir.LI(*[np.ones(3)] * 3),
        "back": nir.Linear(np.zeros((2, 3))),
        "output": nir.Output({"output": np.array([3])}),
    }
    edges = [("input", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "output")]
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    shapes, problems = graph_shapes(graph)
    assert shapes["back"] == ((3,), (2,))
    assert [p.what for p in problems] == ["back sends (2,), but lif (LI) takes (3,)"]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), groups=st.integers(1, 3))
def test_rewritten_convolutions_compute_the_same(data: st.DataObject, groups: int) -> None:
    """padded_same, ungrouped and squared change the form, never the values."""
    kernel, dilation = data.draw(pair), data.draw(pair)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    weight = rng.normal(size=(2 * groups, 2, *kernel))
    x = torch.from_numpy(rng.normal(size=(1, 2 * groups, 8, 9)))

    def run(c: Convolution) -> Any:
        w = torch.from_numpy(c.weight)
        y = torch.nn.functional.conv2d(x, w, None, c.stride, c.padding, c.dilation, c.groups)
        return y.numpy()

    stride, padding = data.draw(pair), data.draw(pair)
    plain = Convolution(weight, stride, padding, dilation, groups)
    np.testing.assert_allclose(run(ungrouped(plain)), run(plain), atol=1e-12)
    square = squared(plain, (8, 9))
    if square is not None:
        assert square.weight.shape[2] == square.weight.shape[3]
        np.testing.assert_allclose(run(square), run(plain), atol=1e-12)
    same = padded_same(weight, dilation, groups)
    if all(d * (k - 1) % 2 == 0 for d, k in zip(dilation, kernel, strict=True)):
        assert same.weight is weight
    assert run(same).shape == (1, 2 * groups, 8, 9)
