"""NIR graphs, compiled for lava-dl, written, and run by netx: spike by spike as the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from slipway.deploy.compile import compile_graph
from slipway.deploy.netx import read_net, write_net
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.program import Program
from slipway.errors import CapacityExceeded, SlipwayError, UnsupportedNode

from ..nir_graphs import DT, Builder
from .running import assert_alike, needs_netx, run_netx

STEPS = 30


def graph(kind: str, seed: int) -> Any:
    """A convolutional stack, a recurrent one, or one with biases and slow synapses."""
    rng = np.random.default_rng(seed)
    build = Builder(rng, (2, 7, 6) if kind == "conv" else (9,))
    if kind == "conv":
        build.conv(4, 3, 1)
        build.add("lif", _lif(build.shape, 0.4), build.shape)
        build.pool()
        build.conv(3, 2, 0)
        build.add("lif", _lif(build.shape, 0.2), build.shape)
        build.flatten()
    for size in (8, 6):
        weight = build.normal(size, build.shape[0]) / np.sqrt(build.shape[0])
        build.add("linear", nir.Linear(weight), (size,))
        last = build.add("lif", _lif((size,), 0.2, kind == "slow"), (size,))
    if kind == "recurrent":
        build.loop(last)
    build.add("linear", nir.Linear(build.normal(4, 6)), (4,))
    build.add("lif", _lif((4,), 0.3), (4,))
    return build.graph({"dt": DT, "steps": STEPS, "input_encoding": "spikes"})


def _lif(shape: tuple[int, ...], threshold: float, slow: bool = False) -> Any:
    tau, one = np.full(shape, 5 * DT), np.ones(shape)
    if slow:
        return nir.CubaLIF(tau / 2, tau, one, 0 * one, threshold * one, w_in=2 * one)
    return nir.LIF(tau, 5 * one, 0 * one, threshold * one)


def messages(program: Program, seed: int) -> Any:
    shape = (STEPS, program.inputs[0].size)
    return (np.random.default_rng(seed).random(shape) < 0.4).astype(np.int32)


def compiled(kind: str, seed: int = 0) -> Program:
    x = (
        np.random.default_rng(seed + 1).random(
            (4, STEPS, *graph(kind, seed).nodes["input"].input_type["input"])
        )
        < 0.4
    )
    return compile_graph(graph(kind, seed), target="loihi2-netx", calibration=x)


@pytest.mark.parametrize("kind", ["conv", "recurrent", "slow"])
def test_what_is_written_is_read_back(tmp_path: Path, kind: str) -> None:
    program = compiled(kind)
    for projection in program.projections:
        assert projection.exponent == 0
    write_net(program, tmp_path / "a.net")
    again = read_net(tmp_path / "a.net", steps=STEPS)
    for one, other in zip(program.populations, again.populations, strict=True):
        assert isinstance(one.neuron, CubaLif)
        assert isinstance(other.neuron, CubaLif)
        assert np.array_equal(one.neuron.threshold, other.neuron.threshold)


@needs_netx
@pytest.mark.parametrize("kind", ["conv", "recurrent", "slow"])
@pytest.mark.parametrize("seed", [0, 1])
def test_netx_spikes_as_the_program(tmp_path: Path, kind: str, seed: int) -> None:
    program = compiled(kind, seed)
    loading = write_net(program, tmp_path / "a.net")
    sent = messages(program, seed)
    theirs = run_netx(tmp_path, tmp_path / "a.net", sent, loading.arguments)
    assert assert_alike(program, sent, theirs) > 40


def test_a_program_for_the_chip_says_how_to_compile_for_netx(tmp_path: Path) -> None:
    program = compile_graph(graph("recurrent", 0))
    with pytest.raises(UnsupportedNode) as caught:
        write_net(program, tmp_path / "a.net")
    assert "compile with --target loihi2-netx" in str(caught.value)
    assert not (tmp_path / "a.net").exists()


def test_neurons_that_netx_cannot_make_are_refused_when_compiling() -> None:
    made = graph("recurrent", 0)
    made.metadata["reset"] = "subtract"
    with pytest.raises(SlipwayError, match="netx makes Lava LIF, which resets to 0"):
        compile_graph(made, target="loihi2-netx")


def test_biases_are_multiples_of_64_or_refused() -> None:
    build = Builder(np.random.default_rng(0), (3,))
    build.add("affine", nir.Affine(np.ones((4, 3)), np.full(4, 0.13)), (4,))
    build.add("lif", _lif((4,), 0.7), (4,))
    made = build.graph({"dt": DT, "steps": 5, "input_encoding": "spikes"})
    program = compile_graph(made, target="loihi2-netx")
    neuron, synapse = program.populations[0].neuron, program.projections[0].synapse
    assert isinstance(neuron, CubaLif)
    assert neuron.bias_exponent == 6
    assert synapse.format is not None
    assert synapse.format.exponent == 0
    # Of weights of 1, to half a step of the bias.
    (weight,) = set(synapse.weight.ravel().tolist())
    (bias,) = neuron.bias_mantissa.tolist()
    assert bias >= 16
    assert abs(bias - 0.13 * weight) <= 0.5
    made = build.graph({"dt": DT, "steps": 5, "input_encoding": "spikes"})
    first = next(n for n in made.nodes.values() if isinstance(n, nir.LIF))
    slow = _lif((4,), 0.7, True)
    made.nodes = {k: slow if n is first else n for k, n in made.nodes.items()}
    with pytest.raises(
        CapacityExceeded, match="a bias with an exponent of 0; the target has 6"
    ):
        compile_graph(made, target="loihi2-netx")
