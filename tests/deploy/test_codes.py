"""Neural codes of ReLU networks: what each computes, against the network itself."""

from __future__ import annotations

import itertools
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy import reference
from slipway.deploy.codes import CEILING, RESOLUTION
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.lower import lower
from slipway.deploy.program import Program
from slipway.errors import UnsupportedNode, UsageError

DT = 1e-3
Array = np.ndarray[Any, Any]


def relu_net(seed: int, residual: bool = False) -> tuple[Any, Array, list[tuple[Array, Array]]]:
    """8 - 12 - 12 - 4, thresholds are the activations' maxima; samples; the weights."""
    rng = np.random.default_rng(seed)
    sizes = (8, 12, 12, 4)
    layers = [
        (rng.normal(0, 0.4, (b, a)), rng.normal(0, 0.2, b))
        for a, b in itertools.pairwise(sizes)
    ]
    x = rng.random((24, 8))
    scales, activation = [], x
    for index, (weight, bias) in enumerate(layers[:-1]):
        before = activation
        activation = np.maximum(activation @ weight.T + bias, 0)
        scales.append(float(activation.max()))
        if residual and index == 1:
            activation = activation + before
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([8])})}
    for index, (weight, bias) in enumerate(layers):
        nodes[f"dense{index}"] = nir.Affine(weight, bias)
        if index < len(scales):
            n = len(bias)
            threshold = np.full(n, scales[index])
            nodes[f"relu{index}"] = nir.IF(np.full(n, 1 / DT), threshold, np.zeros(n))
            nodes[f"scale{index}"] = nir.Scale(threshold)
    nodes["output"] = nir.Output({"output": np.array([4])})
    names = list(nodes)
    edges = list(itertools.pairwise(names))
    if residual:
        edges.append(("scale0", "dense2"))
    graph = nir.NIRGraph(nodes, edges, metadata={"dt": DT, "steps": 32})
    return graph, x, layers


def ann(x: Array, layers: list[tuple[Array, Array]], quantise: Any, residual: bool) -> Array:
    """The ReLU network with its activations passed through `quantise(layer, values)`."""
    before = x
    for index, (weight, bias) in enumerate(layers[:-1]):
        activation = quantise(index, np.maximum(before @ weight.T + bias, 0))
        before = activation + before if residual and index == 1 else activation
    return before @ layers[-1][0].T + layers[-1][1]


def outputs(program: Program, x: Array) -> Array:
    trace = reference.execute(program, encode(program, x)[0])
    return np.asarray(trace.outputs["output"], np.float64)


def maxima(graph: Any) -> list[float]:
    return [float(n.v_threshold[0]) for n in graph.nodes.values() if isinstance(n, nir.IF)]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.integers(2, 40))
def test_first_spikes_compute_the_network_with_activations_in_ticks(
    seed: int, residual: bool, ticks: int
) -> None:
    if residual and ticks > 61:
        return
    graph, x, layers = relu_net(seed, residual)
    top = maxima(graph)

    def in_ticks(layer: int, a: Array) -> Array:
        spent = np.ceil(np.round(a / top[layer] * ticks - 0.5, 9))
        return np.clip(spent, 0, ticks) / ticks * top[layer]

    program = lower(graph, dt=DT, steps=ticks, target="loihi2", code="ttfs")
    expected = ann(x, layers, in_ticks, residual)
    np.testing.assert_allclose(outputs(program, x) / ticks, expected, atol=1e-8)
    trace = reference.execute(program, encode(program, x)[0])
    for name in ("relu0", "relu1"):
        assert trace.messages[name].max() <= 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_sigma_delta_computes_the_network_within_a_grid_step(seed: int, residual: bool) -> None:
    graph, x, layers = relu_net(seed, residual)
    top, exact = maxima(graph), ann(x, layers, lambda layer, a: a, residual)
    program = lower(graph, dt=DT, steps=1, target="loihi2", code="sigma-delta")
    # Each activation is off by half a grid step at most, carried on by the weights.
    weights = [np.abs(w) for w, _ in layers]
    off = [np.full(len(layers[0][1]), top[0] * RESOLUTION / 2)]
    off.append(weights[1] @ off[0] + top[1] * RESOLUTION / 2)
    limit = weights[2] @ (off[1] + (off[0] if residual else 0))
    assert np.all(np.abs(outputs(program, x) - exact) <= limit + 1e-9)
    assert program.inputs[0].delta


def test_a_film_costs_what_changes() -> None:
    graph, x, layers = relu_net(3)
    film = np.repeat(x[:1, None], 6, axis=1)
    film[0, 3:, 2] += 0.3
    program = compile_graph(graph, steps=6, calibration=film, code="sigma-delta")
    stimulus, _ = encode(program, film)
    trace = reference.execute(program, stimulus, record=True)
    sent = np.count_nonzero(stimulus.values["input"][0], axis=1)
    assert sent.tolist() == [8, 0, 0, 1, 0, 0]
    expected = ann(film[0, -1:], layers, lambda layer, a: a, False)
    scale = program.population("output").scale
    got = trace.outputs["output"] / scale
    assert np.abs(got - expected).max() < 0.1 * np.abs(expected).max()
    for name in ("relu0", "relu1"):
        raster = trace.rasters[name].s[0]
        population = program.population(name)
        assert not raster[population.depth + 1 : population.depth + 3].any()
        assert raster[population.depth + 3].any()
        assert raster.any(axis=1).sum() == 2


@pytest.mark.parametrize("code", ["sigma-delta", "ttfs"])
@pytest.mark.parametrize("residual", [False, True])
def test_in_integers(code: Any, residual: bool) -> None:
    graph, x, _layers = relu_net(7, residual)
    steps = 24 if code == "ttfs" else 1
    program = compile_graph(graph, steps=steps, calibration=x, code=code)
    floating = lower(graph, dt=DT, steps=steps, target="loihi2", code=code)
    one, other = outputs(floating, x), outputs(program, x)
    scaled = other / program.population("output").scale
    assert np.abs(scaled - one).max() < 0.05 * np.ptp(one)
    for projection in program.projections:  # what is kept for ever is never floored
        assert projection.exponent >= 0
    for entry in program.report["populations"].values():
        assert not entry["saturated"]


def test_a_sum_never_leaves_its_ceiling() -> None:
    graph, x, _ = relu_net(5)
    program = lower(graph, dt=DT, steps=1, target="loihi2", code="sigma-delta")
    trace = reference.execute(program, encode(program, 100 * x)[0], record=True)
    assert trace.rasters["relu0"].states["sent"].max() == CEILING


def refused(graph: Any, code: Any) -> str:
    with pytest.raises(UnsupportedNode) as caught:
        lower(graph, dt=DT, steps=8, target="loihi2", code=code)
    return str(caught.value)


@pytest.mark.parametrize("code", ["sigma-delta", "ttfs"])
def test_what_stands_for_no_relu_is_refused(code: str) -> None:
    graph, _, _ = relu_net(0)
    graph.nodes["relu0"].metadata = {"refractory": 2 * DT}
    graph.nodes["relu1"] = nir.LIF(np.full(12, 0.01), np.ones(12), np.zeros(12), np.ones(12))
    text = refused(graph, code)
    assert f"--code {code} needs IF nodes, which stand for ReLUs" in text
    assert "node relu1 (LIF)" in text
    assert f"--code {code} knows no refractory period, v_reset or periodic reset" in text
    graph, _, _ = relu_net(0)
    graph.nodes["back"] = nir.Linear(np.eye(12))
    graph.edges += [("relu1", "back"), ("back", "relu0")]
    assert f"--code {code} cannot run loops" in refused(graph, code)
    graph, _, _ = relu_net(0)
    graph.nodes["wait"] = nir.Delay(np.full(12, DT))
    graph.edges.remove(("scale0", "dense1"))
    graph.edges += [("scale0", "wait"), ("wait", "dense1")]
    assert "decides itself when a message arrives: no Delay nodes" in refused(graph, code)


def pooled(seed: int) -> tuple[Any, Array, Array]:
    """Two channels of 4 x 4, ReLU, max-pool by two, a readout; and what it should compute."""
    rng = np.random.default_rng(seed)
    x = rng.random((6, 2, 4, 4))
    weight, bias = rng.normal(0, 1, (2, 2, 1, 1)), np.array([0.2, -0.1])
    hidden = np.einsum("oc,ncyx->noyx", weight[:, :, 0, 0], x) + bias[:, None, None]
    top = float(hidden.max())
    last = rng.normal(0, 0.5, (3, 8))
    shape = (2, 4, 4)
    nodes = {
        "input": nir.Input({"input": np.array(shape)}),
        "conv": nir.Conv2d((4, 4), weight, 1, 0, 1, 1, bias),
        "relu": nir.IF(np.full(shape, 1 / DT), np.full(shape, top), np.zeros(shape)),
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "or": nir.IF(np.full((2, 2, 2), 1 / DT), np.full((2, 2, 2), 0.5), np.zeros((2, 2, 2))),
        "scale": nir.Scale(np.full((2, 2, 2), top)),
        "flat": nir.Flatten({"input": np.array([2, 2, 2])}, 0, -1),
        "dense": nir.Linear(last),
        "output": nir.Output({"output": np.array([3])}),
    }
    nodes["or"].metadata = {"pooling": "max"}
    names = list(nodes)
    edges = list(itertools.pairwise(names))
    graph = nir.NIRGraph(nodes, edges, metadata={"dt": DT, "steps": 16}, type_check=False)
    ticks = np.clip(np.ceil(np.round(np.maximum(hidden, 0) / top * 16 - 0.5, 9)), 0, 16)
    largest = ticks.reshape(6, 2, 2, 2, 2, 2).max(axis=(3, 5)) / 16 * top
    return graph, x, largest.reshape(6, 8) @ last.T


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_a_max_pool_of_first_spikes_is_the_earliest(seed: int) -> None:
    graph, x, expected = pooled(seed)
    program = lower(graph, dt=DT, steps=16, target="loihi2", code="ttfs")
    np.testing.assert_allclose(outputs(program, x) / 16, expected, atol=1e-9)


def test_a_max_pool_has_no_form_in_changes() -> None:
    assert "a max-pool has no exact form under --code sigma-delta" in refused(
        pooled(0)[0], "sigma-delta"
    )


def test_a_max_pool_of_rates_is_refused() -> None:
    graph = pooled(0)[0]
    lower(graph, dt=DT, steps=4, target="loihi2")  # spikes of a spiking network: exact
    graph.nodes["or"].metadata["pooling_of"] = "rates"
    assert "a max-pool over rates has no exact form" in refused(graph, "rate")


def test_an_unknown_code() -> None:
    with pytest.raises(UsageError, match=r"there is no code 'phase'"):
        lower(relu_net(0)[0], dt=DT, steps=4, target="loihi2", code="phase")  # type: ignore[arg-type]
