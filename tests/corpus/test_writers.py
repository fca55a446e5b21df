"""Graphs as other frameworks write them, read as what their authors meant.

Where a framework's own equations are those of NIR, they stand here in a few lines of NumPy, and
the compiled `float` program must spike as they do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np
import numpy.typing as npt
import pytest
from slipway.converters.read import read_graph
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.program import Program
from slipway.deploy.reference import execute
from slipway.errors import GraphError, UsageError

from . import writers as w

Array = npt.NDArray[Any]
STEPS, SAMPLES = 24, 3


def compiled(graph: Any, folder: Path, dt: float, **metadata: Any) -> Program:
    """Written with nir, read by us, compiled at precision `float`."""
    nir.write(folder / "graph.nir", graph)
    source = read_graph(folder / "graph.nir", dt=dt)
    source.metadata.update({"input_encoding": "spikes", **metadata})
    return compile_graph(source, precision="float", steps=STEPS)


def spikes(program: Program, x: Array) -> Array:
    """What the first output's population sends, aligned with the source's steps: (N, T, n)."""
    stimulus, clipped = encode(program, x)
    assert not clipped.any()
    trace = execute(program, stimulus, record=True)
    name = program.outputs[0].population
    depth = program.population(name).depth
    return trace.rasters[name].s[:, depth : depth + STEPS]


def frames(generator: np.random.Generator, *shape: int) -> Array:
    return (generator.random((SAMPLES, STEPS, *shape)) < 0.4).astype(np.float32)


def test_snntorch_leaky_with_reset_to_zero(tmp_path: Path) -> None:
    """mem = beta ((1 - reset) mem) + x, spk = mem > threshold; reset by the mem before."""
    generator = np.random.default_rng(1)
    fc1, fc2 = w.affine(generator, 12, 16, 2.0), w.affine(generator, 16, 5, 2.0)
    betas = generator.uniform(0.5, 0.95, 16), generator.uniform(0.5, 0.95, 5)
    limits = np.full(16, 0.5), np.full(5, 0.5)
    nodes = {"input": w.given(12), "0": fc1, "1": w.leaky(betas[0], limits[0])}
    nodes |= {"2": fc2, "3": w.leaky(betas[1], limits[1]), "output": w.read(5)}
    x = frames(generator, 12)

    sent = x.astype(np.float64)
    for fc, beta, limit in zip((fc1, fc2), betas, limits, strict=True):
        memory, layer = np.zeros((SAMPLES, len(beta))), []
        for t in range(STEPS):
            memory = np.where(memory > limit, 0.0, memory)
            memory = beta * memory + sent[:, t] @ fc.weight.T.astype(np.float64) + fc.bias
            layer.append(memory > limit)
        sent = np.stack(layer, axis=1).astype(np.float64)
    program = compiled(w.graph(nodes), tmp_path, w.DT)
    np.testing.assert_array_equal(spikes(program, x), sent)
    assert 20 < sent.sum() < sent.size / 2


def recurrent_reference(
    x: Array, fc: Any, rec: Any, alpha: Array, beta: Array, limit: float
) -> Array:
    """snnTorch's RSynaptic, reset at once: what was sent comes back in the next step."""
    n = len(beta)
    synapse, memory, sent = np.zeros((3, SAMPLES, n))
    layer = []
    for t in range(STEPS):
        arriving = x[:, t] @ fc.weight.T.astype(np.float64) + fc.bias
        arriving = arriving + sent @ rec.weight.T.astype(np.float64) + rec.bias
        synapse = alpha * synapse + arriving
        memory = beta * memory + synapse
        sent = (memory > limit).astype(np.float64)
        memory = np.where(sent > 0, 0.0, memory)
        layer.append(sent)
    return np.stack(layer, axis=1)


def test_snntorch_recurrent_synaptic(tmp_path: Path) -> None:
    """A nested graph; the bias of the recurrent weights flows in every step."""
    generator = np.random.default_rng(2)
    fc, rec = w.affine(generator, 12, 10, 1.5), w.affine(generator, 10, 10, 1.0)
    alpha, beta = generator.uniform(0.3, 0.7, (2, 10))
    cell = w.recurrent(w.synaptic(alpha, beta, np.ones(10)), rec, 10)
    nodes = {"input": w.given(12), "0": fc, "1": cell, "output": w.read(10)}
    x = frames(generator, 12)
    program = compiled(w.graph(nodes), tmp_path, w.DT)
    expected = recurrent_reference(x.astype(np.float64), fc, rec, alpha, beta, 1.0)
    np.testing.assert_array_equal(spikes(program, x), expected)
    assert 20 < expected.sum() < expected.size / 2


@pytest.mark.parametrize("decay_input", [True, False])
def test_spikingjelly_lif(tmp_path: Path, decay_input: bool) -> None:
    """h = v - (v - v_reset) / tau + x (/ tau), hard reset, v_reset that is not 0."""
    generator = np.random.default_rng(3)
    fc = w.affine(generator, 12, 8, 3.0)
    tau, rest = 2.5, -0.1
    nodes = {"input_1": w.given(12), "_0": fc, "_1": w.jelly_lif((8,), tau, decay_input, rest)}
    nodes["output"] = w.read(8)
    x = frames(generator, 12)
    v, sent = np.full((SAMPLES, 8), rest), []
    for t in range(STEPS):
        arriving = x[:, t].astype(np.float64) @ fc.weight.T.astype(np.float64) + fc.bias
        v = v - (v - rest) / tau + (arriving / tau if decay_input else arriving)
        sent.append(v > 0.3)
        v = np.where(v > 0.3, rest, v)
    # It starts at v_reset, NIR's membranes at 0; one spike later there is no difference.
    program = compiled(w.graph(nodes), tmp_path, w.DT)
    expected, found = np.stack(sent, axis=1), spikes(program, x)
    for sample in range(SAMPLES):
        for neuron in range(8):
            both = found[sample, :, neuron] & expected[sample, :, neuron]
            start = np.argmax(both) if both.any() else STEPS
            np.testing.assert_array_equal(
                found[sample, start:, neuron], expected[sample, start:, neuron]
            )
    assert (found & expected).any(axis=1).mean() > 0.3


def axes_of_a_sample(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Any:
    generator = np.random.default_rng(4)
    fc1, fc2 = w.affine(generator, 12, 8, 3.0), w.affine(generator, 8, 5, 3.0)
    nodes = {"input": w.given(*inputs), "0": fc1, "1": w.norse_lif(), "2": fc2}
    return w.graph({**nodes, "3": w.norse_lif(), "output": w.read(*outputs)})


@pytest.mark.parametrize("axes", [(1,), (1, 1), (1, 20)])
def test_batch_and_time_axes_are_dropped(tmp_path: Path, axes: tuple[int, ...]) -> None:
    """norse and rockpool write the shape of the sample that the network was traced with."""
    nir.write(tmp_path / "graph.nir", axes_of_a_sample((*axes, 12), (*axes, 5)))
    graph = read_graph(tmp_path / "graph.nir", dt=1e-6)
    assert tuple(graph.nodes["input"].input_type["input"]) == (12,)
    assert tuple(graph.nodes["output"].output_type["output"]) == (5,)
    assert graph.metadata["dropped_axes"] == " x ".join(map(str, axes))
    assert graph.nodes["1"].tau.shape == (8,)


def test_shapes_that_fit_lose_no_axis(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    nodes = {"input": w.given(1, 6, 6), "0": w.conv2d(generator, (1, 2), (6, 6))}
    nodes |= {"1": w.sinabs_if((2, 6, 6)), "output": w.read(2, 6, 6)}
    nir.write(tmp_path / "graph.nir", w.graph(nodes))
    graph = read_graph(tmp_path / "graph.nir", dt=1)
    assert tuple(graph.nodes["input"].input_type["input"]) == (1, 6, 6)
    assert "dropped_axes" not in graph.metadata


def test_other_axes_are_refused(tmp_path: Path) -> None:
    """Thirty-two may be a batch, or channels."""
    nir.write(tmp_path / "graph.nir", axes_of_a_sample((32, 12), (32, 5)))
    with pytest.raises(GraphError) as caught:
        read_graph(tmp_path / "graph.nir", dt=1e-6)
    assert (
        "input sends (32, 12), but 0 (Affine) takes (12,); do the axes (32,) count samples or "
        "steps? NIR's shapes have neither" in str(caught.value)
    )


def test_norse_computes_with_the_step_that_is_advised(tmp_path: Path) -> None:
    """v <- v + dt tau_mem_inv ((v_leak - v) + x), threshold, reset; dt 1 ms."""
    graph = axes_of_a_sample((1, 12), (1, 5))
    nir.write(tmp_path / "graph.nir", graph)
    with pytest.raises(GraphError) as caught:
        read_graph(tmp_path / "graph.nir", dt=1e-3)
    text = str(caught.value)
    assert "node '1' has a time constant of 1e-05 s, below dt = 0.001 s" in text
    assert "if norse wrote it, --dt 1e-06 computes what norse does" in text
    with pytest.raises(UsageError, match=r"any dt below 1e-05 s.*\n.*\n.*--dt 1e-06"):
        read_graph(tmp_path / "graph.nir")

    x = frames(np.random.default_rng(6), 12)
    sent = x.astype(np.float64)
    for name in ("0", "2"):
        weight, bias = graph.nodes[name].weight.astype(np.float64), graph.nodes[name].bias
        v, layer = np.zeros((SAMPLES, len(bias))), []
        for t in range(STEPS):
            v = v + 0.1 * (sent[:, t] @ weight.T + bias - v)
            layer.append(v > np.float32(0.1))
            v = np.where(layer[-1], 0.0, v)
        sent = np.stack(layer, axis=1).astype(np.float64)
    found = spikes(compiled(graph, tmp_path, 1e-6), x)
    np.testing.assert_array_equal(found, sent)
    assert found.sum() > 20


def test_rockpool_says_its_step(tmp_path: Path) -> None:
    generator = np.random.default_rng(7)
    cell = w.rockpool_lif(8, generator.uniform(0.01, 0.05, 8), 1e-3)
    nodes = {"input": w.given(1, 12), "0": w.affine(generator, 12, 8), "1": cell}
    nir.write(tmp_path / "graph.nir", w.graph({**nodes, "output": w.read(1, 8)}))
    with pytest.raises(UsageError) as caught:
        read_graph(tmp_path / "graph.nir")
    assert "it suggests 0.001 s (r = tau exp(-dt / tau) / dt, as rockpool" in str(caught.value)
    assert "--dt 0.001" in str(caught.value)


def test_a_long_tau_is_no_rockpool(tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    tau, gain = generator.uniform(0.01, 0.05, (2, 8))
    cell = nir.LIF(tau, 100 * gain, np.zeros(8), np.ones(8))
    nodes = {"input": w.given(12), "0": w.affine(generator, 12, 8), "1": cell}
    nir.write(tmp_path / "graph.nir", w.graph({**nodes, "output": w.read(8)}))
    with pytest.raises(UsageError) as caught:
        read_graph(tmp_path / "graph.nir")
    assert "suggests" not in str(caught.value)
    assert "--dt 0.001" in str(caught.value)
