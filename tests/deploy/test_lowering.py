"""The float Program against an independent reading of NIR, on random graphs."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.features import neuron_features
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.reference import execute
from slipway.deploy.synapses.sparse import Sparse
from slipway.errors import CapacityExceeded, GraphError, UnsupportedNode, UsageError

from .nir_graphs import DT, Builder, random_graph
from .nir_norm import simulate


def agree(seed: int) -> int:
    """Compare every population of one random graph; returns the spikes compared."""
    graph, feedback, x = random_graph(seed)
    norm = simulate(graph, x, DT, feedback)
    program = compile_graph(graph, precision="float")
    given = {name: values[None] for name, values in x.items()}
    trace = execute(program, encode(program, given)[0], record=True)
    total, steps = 0, len(next(iter(x.values())))
    for population in program.populations:
        if population.kind == "bias":
            continue
        raster = trace.rasters[population.name]
        window = slice(population.depth, population.depth + steps)
        if population.kind == "readout":
            expected = np.cumsum(norm[population.name], axis=0)
            np.testing.assert_allclose(
                raster.states["v"][0, window], expected.reshape(steps, -1), atol=1e-9
            )
            continue
        expected = norm[population.name].reshape(steps, -1)
        if population.kind in ("LI", "CubaLI", "I"):
            continue
        np.testing.assert_array_equal(raster.s[0, window], expected, err_msg=f"seed {seed}")
        total += int(np.count_nonzero(expected))
    return total


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_float_program_spikes_as_nir_says(seed: int) -> None:
    agree(seed)


def test_the_random_graphs_do_spike() -> None:
    assert sum(agree(seed) for seed in range(60)) > 800


def test_the_random_graphs_hold_every_model() -> None:
    models, delayed, inputs, outputs = set(), 0, 0, 0
    for seed in range(150):
        graph, _, _ = random_graph(seed)
        program = compile_graph(graph, precision="float")
        for population in program.populations:
            models |= set(neuron_features(population.neuron))
        delayed += any(
            isinstance(p.synapse, Sparse) and p.longest_delay for p in program.projections
        )
        inputs += len(program.inputs) > 1
        outputs += len(program.outputs) > 1
    assert models >= {
        "lif",
        "reset_to_value",
        "reset_by_subtraction",
        "refractory_period",
        "periodic_reset",
        "ternary",
        "adaptive_threshold",
        "resonate_and_fire",
    }
    assert min(delayed, inputs, outputs) > 10


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
    np.testing.assert_allclose(
        outputs["output"][0], simulate(graph, x, DT, set())[build.end][-1]
    )


def small(**metadata: object) -> nir.NIRGraph:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(3)
    build.neuron(("LIF",))
    return build.graph({"dt": DT, "steps": 4, **metadata})


def test_all_unsupported_nodes_are_named_at_once() -> None:
    graph = small()
    graph.nodes["first"] = nir.NIRGraph(
        {"input": nir.Input(np.array([3])), "output": nir.Output(np.array([3]))},
        [("input", "output")],
    )
    graph.nodes["second"] = nir.Threshold(-np.ones(3))
    with pytest.raises(UnsupportedNode) as caught:
        compile_graph(graph)
    text = str(caught.value)
    assert "NIRGraph has no spiking equivalent" in text
    assert "node first" in text
    assert "threshold = -1 is negative" in text
    assert "node second" in text


def test_tau_shorter_than_dt_is_refused_with_the_number() -> None:
    graph = small(dt=1.0)
    with pytest.raises(UnsupportedNode, match=r"shorter than the time step dt = 1 s"):
        compile_graph(graph)


def refused(graph: nir.NIRGraph) -> str:
    with pytest.raises(UnsupportedNode) as caught:
        compile_graph(graph, precision="float")
    return str(caught.value)


def neuron_of(graph: nir.NIRGraph) -> Any:
    return next(node for node in graph.nodes.values() if isinstance(node, nir.LIF))


def test_impossible_neurons_are_refused_with_the_reason() -> None:
    graph = small()
    node = neuron_of(graph)
    threshold = node.v_threshold
    node.v_reset = threshold + 0.5
    assert "is not below v_threshold" in refused(graph)
    node.v_reset = np.full(3, 0.05)
    node.metadata = {"reset": "subtract"}
    assert "reset by subtraction and a v_reset other than 0 exclude each other" in refused(
        graph
    )
    node.metadata, graph.metadata["reset"] = {}, "subtract"
    assert "reset by subtraction and a v_reset other than 0 exclude each other" in refused(
        graph
    )
    graph.metadata["reset"] = "delayed"
    assert "reset 'delayed' is unknown" in refused(graph)
    graph.metadata["reset"] = "zero"
    node.v_reset, node.metadata = np.zeros(3), {}
    node.v_threshold = np.full(3, -1.0)
    assert "v_threshold = -1 is negative" in refused(graph)
    node.v_threshold = threshold
    for metadata, text in (
        ({"negative_threshold": -0.5, "threshold_step": 0.1}, "name two neuron models at once"),
        ({"negative_threshold": -0.5, "refractory": DT}, "neuron has no refractory"),
        (
            {"negative_threshold": -0.5, "reset": "subtract"},
            "ternary LIF neuron has no reset by subtraction",
        ),
        ({"negative_threshold": np.array([-0.5, -0.4, -0.3])}, "has one negative_threshold"),
        ({"refractory": np.array([1.0, 2.0, 3.0]) * DT}, "is not the same for all neurons"),
        ({"refractory": 1.5 * DT}, "is 1.5 steps of 0.001 s; it must be a whole number"),
        (
            {"threshold_step": 0.1, "threshold_tau": DT / 2, "refractory_tau": DT},
            "threshold_tau = 0.0005 s is shorter than the time step",
        ),
    ):
        node.v_threshold = np.full(3, 0.5)
        node.tau = np.full(3, 2 * DT)
        node.metadata = metadata
        assert text in refused(graph)
    graph.nodes["if"] = nir.IF(np.ones(3), np.ones(3))
    graph.nodes["if"].metadata = {"resonator_period": 5 * DT}
    node.metadata = {}
    assert "a resonate-and-fire neuron needs a tau" in refused(graph)
    del graph.nodes["if"]
    graph.nodes["li"] = nir.LI(np.full(3, 2 * DT), np.ones(3), np.zeros(3))
    graph.nodes["li"].metadata = {"negative_threshold": -0.5}
    assert "negative_threshold needs a spiking neuron" in refused(graph)


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
    assert isinstance(first.neuron, CubaLif)
    assert first.neuron.onset == 0
    silent = execute(program, encode(program, np.zeros((1, 6, 2)))[0], record=True)
    np.testing.assert_allclose(silent.rasters[first.name].states["v"], 0.3)
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


def test_delays_that_are_no_whole_steps_are_reported() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    build.add("delay", nir.Delay(np.array([1.0, 2.4]) * DT), (2,))
    build.affine(3)
    build.neuron(("LIF",))
    program = compile_graph(build.graph({"dt": DT, "steps": 4}), precision="float")
    assert program.report["approximated"] == {
        "delay1": "1 of 2 delays are no whole number of steps and were rounded, by at most "
        "0.4 steps"
    }


def test_delays_beyond_the_limit_are_refused() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    build.add("delay", nir.Delay(np.array([0.0, 70.0]) * DT), (2,))
    build.affine(3)
    build.neuron(("LIF",))
    with pytest.raises(
        CapacityExceeded, match=r"^the graph.s own delays need 70 steps; the limit is 62"
    ):
        compile_graph(build.graph({"dt": DT, "steps": 4}), precision="float")


def test_a_v_leak_that_no_model_can_hold_is_refused() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(3)
    tau, one = np.full(3, 4 * DT), np.ones(3)
    node = nir.CubaLIF(tau, tau, one, 0.1 * one, one)
    node.metadata = {"negative_threshold": -0.5}
    build.add("cubalif", node, (3,))
    assert "its v_leak acts on v" in refused(build.graph({"dt": DT, "steps": 4}))


def test_an_assumed_reset_is_said() -> None:
    text = "the file does not say what a spike does to the membrane"
    assumed = compile_graph(small(reset_from="default"), precision="float")
    assert assumed.report["warnings"][0].startswith(text)
    for known in ("file", "user"):
        warnings = compile_graph(small(reset_from=known), precision="float").report["warnings"]
        assert not any(w.startswith(text) for w in warnings)
