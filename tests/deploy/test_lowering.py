"""The float Program against an independent reading of NIR, on random graphs."""

from __future__ import annotations

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy.bounds import spikes as is_spiking
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.reference import execute
from slipway.errors import GraphError, UnsupportedNode, UsageError

from .nir_graphs import DT, Builder, random_graph
from .nir_norm import simulate


def agree(seed: int) -> int:
    """Compare every population of one random graph; returns the spikes compared."""
    graph, feedback, x = random_graph(seed)
    norm = simulate(graph, x, DT, feedback)
    program = compile_graph(graph, precision="float")
    trace = execute(program, encode(program, x[None])[0], record=True)
    total = 0
    for population in program.populations:
        if population.kind == "bias":
            continue
        raster = trace.rasters[population.name]
        window = slice(population.depth, population.depth + len(x))
        if population.kind == "readout":
            expected = np.cumsum(norm[program.output.name], axis=0)
            np.testing.assert_allclose(
                raster.v[0, window], expected.reshape(len(x), -1), atol=1e-9
            )
            continue
        expected = norm[population.name].reshape(len(x), -1)
        if not is_spiking(population.neuron):
            continue
        np.testing.assert_array_equal(raster.s[0, window], expected > 0, err_msg=f"seed {seed}")
        total += int(expected.sum())
    return total


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_float_program_spikes_as_nir_says(seed: int) -> None:
    agree(seed)


def test_the_random_graphs_do_spike() -> None:
    assert sum(agree(seed) for seed in range(30)) > 500


def test_readout_membranes_equal_nir() -> None:
    rng = np.random.default_rng(3)
    build = Builder(rng, (3,))
    build.affine(4)
    build.neuron(("CubaLI",))
    graph = build.graph({"dt": DT, "steps": 6, "readout": "last"})
    x = rng.random((6, 3))
    node = graph.nodes[build.end]
    gain = float((node.w_in * DT / node.tau_syn * node.r * DT / node.tau_mem).ravel()[0])
    program = compile_graph(graph, precision="float")
    outputs = execute(program, encode(program, x[None])[0]).outputs
    assert gain > 0
    np.testing.assert_allclose(outputs[0], simulate(graph, x, DT, set())[build.end][-1])


def small(**metadata: object) -> nir.NIRGraph:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(3)
    build.neuron(("LIF",))
    return build.graph({"dt": DT, "steps": 4, **metadata})


def test_all_unsupported_nodes_are_named_at_once() -> None:
    graph = small()
    graph.nodes["threshold"] = nir.Threshold(np.ones(3))
    graph.nodes["delay"] = nir.Delay(np.ones(3))
    with pytest.raises(UnsupportedNode) as caught:
        compile_graph(graph)
    text = str(caught.value)
    assert "Threshold has no spiking equivalent" in text
    assert "node threshold" in text
    assert "node delay" in text


def test_tau_shorter_than_dt_is_refused_with_the_number() -> None:
    graph = small(dt=1.0)
    with pytest.raises(UnsupportedNode, match=r"shorter than the time step dt = 1 s"):
        compile_graph(graph)


def test_soft_reset_is_refused() -> None:
    with pytest.raises(UnsupportedNode, match=r"reset 'subtract'"):
        compile_graph(small(reset="subtract"))


def test_v_reset_and_negative_threshold_are_refused() -> None:
    graph = small()
    name = next(n for n, node in graph.nodes.items() if isinstance(node, nir.LIF))
    graph.nodes[name].v_reset = np.full(3, 0.25)
    with pytest.raises(UnsupportedNode, match=r"v_reset = 0.25: the neuron model resets to 0"):
        compile_graph(graph)
    graph.nodes[name].v_reset = np.zeros(3)
    graph.nodes[name].v_threshold = np.full(3, -1.0)
    with pytest.raises(UnsupportedNode, match=r"v_threshold = -1 is negative"):
        compile_graph(graph)


def test_dt_and_steps_must_be_known() -> None:
    graph = small()
    graph.metadata = {}
    with pytest.raises(UsageError, match=r"does not say how long a time step is"):
        compile_graph(graph)
    graph.metadata = {"dt": DT}
    with pytest.raises(UsageError, match=r"for how many time steps"):
        compile_graph(graph)
    with pytest.raises(UsageError, match=r"0 time steps are too few"):
        compile_graph(graph, steps=0)


def test_a_readout_cannot_drive_a_layer() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(3)
    build.neuron(("LI",))
    build.affine(2)
    build.neuron(("LIF",))
    with pytest.raises(UnsupportedNode, match=r"LI never spikes, so it cannot drive"):
        compile_graph(build.graph({"dt": DT, "steps": 4}), precision="float")


def test_a_loop_without_a_neuron_is_refused() -> None:
    graph = small()
    graph.nodes["loop"] = nir.Linear(np.eye(3))
    affine = next(n for n in graph.nodes if n.startswith(("affine", "linear")))
    graph.nodes["back"] = nir.Linear(np.ones((2, 3)))
    graph.edges += [(affine, "back"), ("back", affine)]
    del graph.nodes["loop"]
    with pytest.raises(GraphError, match=r"a loop without a neuron"):
        compile_graph(graph, precision="float")


def test_shapes_that_do_not_fit_are_named() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(3)
    build.shape = (4,)
    build.neuron(("LIF",))
    with pytest.raises(
        GraphError, match=r"an input of shape \(3,\) reaches a node of shape \(4,\)"
    ):
        compile_graph(build.graph({"dt": DT, "steps": 4}), precision="float")


def test_a_strong_bias_of_a_deep_population_comes_from_a_generator() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    for _ in range(4):
        weight = np.full((3, build.shape[0]), 0.1)
        build.add("affine", nir.Affine(weight, np.array([3.0, -0.4, 0.2])), (3,))
        tau = np.full(3, 2 * DT)
        last = build.add("lif", nir.LIF(tau, np.ones(3), 0 * tau, np.full(3, 0.4)), (3,))
    graph = build.graph({"dt": DT, "steps": 6})
    program = compile_graph(graph, precision="float")
    assert "bias" in {p.kind for p in program.populations}
    x = np.random.default_rng(1).random((6, 2))
    trace = execute(program, encode(program, x[None])[0], record=True)
    for population in program.populations:  # silence until the first input can have arrived
        raster = trace.rasters[population.name].s[0]
        assert not raster[: population.depth].any()
    depth = program.population(last).depth
    expected = simulate(graph, x, DT, set())[last]
    np.testing.assert_array_equal(trace.rasters[last].s[0, depth : depth + 6], expected > 0)


def resting(bias: float) -> nir.NIRGraph:
    build = Builder(np.random.default_rng(0), (2,))
    build.add("affine", nir.Affine(np.ones((3, 2)), np.full(3, bias)), (3,))
    leak, tau = np.full(3, 0.3), np.full(3, 4 * DT)
    build.add("lif", nir.LIF(tau, np.ones(3), leak, np.full(3, 0.6)), (3,))
    build.affine(2)
    build.neuron(("LIF",))
    return build.graph({"dt": DT, "steps": 6, "initial_voltage": "v_leak"})


def test_a_membrane_can_start_at_its_resting_potential() -> None:
    program = compile_graph(resting(0.0), precision="float")
    first = program.populations[0]
    assert first.neuron.onset == 0
    silent = execute(program, encode(program, np.zeros((1, 6, 2)))[0], record=True)
    np.testing.assert_allclose(silent.rasters[first.name].v, 0.3)
    with pytest.raises(UnsupportedNode, match=r"the membrane starts at v_leak"):
        compile_graph(resting(0.5), precision="float")


def test_a_readout_that_does_not_fit_is_refused() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(3)
    build.neuron(("LI",))
    with pytest.raises(GraphError, match=r"readout 'count' does not fit"):
        compile_graph(
            build.graph({"dt": DT, "steps": 4, "readout": "count"}), precision="float"
        )
