"""The grid of weights where sums are kept: few bits, two parts, and weights that lie on it."""

from __future__ import annotations

import itertools
from typing import Any

import nir
import numpy as np
import pytest
from slipway.deploy.compile import compile_graph
from slipway.deploy.program import Program

DT = 1e-3
Array = np.ndarray[Any, Any]


def relu_net(weights: list[Array], x: Array) -> Any:
    """A ReLU network as IF and Scale nodes; the thresholds are the activations' maxima."""
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([x.shape[1]])})}
    activation = x
    for index, weight in enumerate(weights):
        nodes[f"dense{index}"] = nir.Linear(weight)
        if index + 1 < len(weights):
            activation = np.maximum(activation @ weight.T, 0)
            top = np.full(len(weight), activation.max())
            nodes[f"relu{index}"] = nir.IF(np.full(len(weight), 1 / DT), top, 0 * top)
            nodes[f"scale{index}"] = nir.Scale(top)
    nodes["output"] = nir.Output({"output": np.array([len(weights[-1])])})
    edges = list(itertools.pairwise(nodes))
    return nir.NIRGraph(nodes, edges, metadata={"dt": DT, "steps": 1})


def untrained(seed: int, sizes: tuple[int, ...]) -> tuple[Any, Array]:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, (2 / a) ** 0.5, (b, a)) for a, b in itertools.pairwise(sizes)]
    x = np.rint(255 * rng.random((64, sizes[0]))) / 255
    return relu_net(weights, x), x


def errors(program: Program) -> list[float]:
    """Relative error of each projection's weights; both parts together have one."""
    entries = program.report["projections"].values()
    return [each["weight_error_relative"] for each in entries if each["part"] != "low"]


@pytest.mark.parametrize("sizes", [(16, 24, 5), (64, 256, 256, 10)], ids=str)
@pytest.mark.parametrize("code", ["sigma-delta", "ttfs"])
@pytest.mark.parametrize("seed", [0, 1])
def test_weights_in_two_parts_are_never_coarser(
    code: Any, sizes: tuple[int, ...], seed: int
) -> None:
    graph, x = untrained(seed, sizes)
    one, two = (
        errors(compile_graph(graph, calibration=x, code=code, steps=16, weight_bits=bits))
        for bits in (8, 16)
    )
    # Where the 24 bits of a sum are what limits, two parts gain little.
    assert all(b < a for a, b in zip(one, two, strict=True))


def test_few_bits_take_all_their_mantissas() -> None:
    graph, x = untrained(2, (64, 256, 10))
    for bits in (2, 3, 4, 5, 6, 7, 8):
        program = compile_graph(graph, calibration=x, code="sigma-delta", weight_bits=bits)
        for projection in program.projections:
            layout = projection.synapse.format
            assert layout is not None
            # A shift to the right never takes a bit away from a sum that is kept.
            assert layout.unit * 2.0**layout.exponent >= 1
            levels = np.abs(projection.synapse.weight).max() / layout.unit
            assert levels > 0.7 * layout.largest / layout.unit


@pytest.mark.parametrize("bits", [3, 4, 5, 8])
def test_weights_on_the_grid_are_met_exactly(bits: int) -> None:
    rng = np.random.default_rng(bits)
    step, x = 0.013, np.rint(255 * rng.random((64, 40))) / 255
    unit = 1 << (9 - bits)
    top = 255 // unit
    mantissas = [rng.integers(-top, top + 1, shape) for shape in ((48, 40), (48, 48), (6, 48))]
    for mantissa in mantissas:
        mantissa[0, 0] = top  # the largest weight decides the scale
    graph = relu_net([(step * m).astype(np.float32) for m in mantissas], x)
    program = compile_graph(graph, calibration=x, code="sigma-delta", weight_bits=bits)
    for projection, mantissa in zip(program.projections, mantissas, strict=True):
        assert np.array_equal(projection.synapse.weight, unit * mantissa)
