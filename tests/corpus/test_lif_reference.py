"""One LIF neuron on eleven platforms: the NIR paper's traces, see docs/lif-reference.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from slipway.converters.read import read_graph
from slipway.deploy import reference
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.engine import execute as fast
from slipway.deploy.formats import WeightFormat
from slipway.deploy.lava import execute as lava
from slipway.deploy.lava import probe
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.trace import Stimulus

from .test_real_files import FOLDER

EXACT = [460, 510, 710, 760]
LATE = [461, 511, 711, 761]
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is absent")
needs_lava = pytest.mark.skipif(not probe().lava_usable, reason="Lava is not installed")
Array = np.ndarray[Any, Any]


def trace_of(platform: str) -> tuple[Array, Array, list[int]]:
    """Input spikes, membrane, and the 0-based steps of the output spikes."""
    table = np.loadtxt(FOLDER / f"lif_{platform}.csv", delimiter=",")
    return (table[:, 0] > 0).astype(float), table[:, 1], np.flatnonzero(table[:, 2]).tolist()


def compiled(precision: Any, reset: str = "zero") -> tuple[Program, Stimulus]:
    graph = read_graph(FOLDER / "lif_norse.nir", dt=1e-4)
    graph.metadata.update(input_encoding="spikes", steps=1000, reset=reset)
    x = trace_of("exact")[0][None, :, None]
    program = compile_graph(graph, precision=precision, calibration=x)
    return program, encode(program, x)[0]


def spikes(trace: Any, name: str = "1") -> list[int]:
    """0-based steps as they are executed, the source's step plus the population's depth."""
    return np.flatnonzero(trace.rasters[name].s[0, :, 0]).tolist()


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_the_float_reference_has_the_exact_solutions_spikes(reset: str) -> None:
    program, stimulus = compiled("float", reset)
    found = spikes(reference.execute(program, stimulus, record=True))
    depth = program.population("1").depth
    assert [step - depth for step in found] == EXACT
    for platform in ("exact", "norse", "snntorch", "nengo", "spinnaker2"):
        assert trace_of(platform)[2] == EXACT


def test_the_membrane_is_norses_and_lavas() -> None:
    program, stimulus = compiled("float")
    v = reference.execute(program, stimulus, record=True).rasters["1"].states["v"][0, :, 0]
    np.testing.assert_allclose(v[1:1001], trace_of("norse")[1], atol=3e-8)  # float32 there
    np.testing.assert_allclose(v[:1000], trace_of("lava_cpu_float")[1], atol=5e-8)


def test_exponential_decay_with_eulers_gain_spikes_elsewhere() -> None:
    """Rockpool and sinabs: the gain dt/tau of Euler beside exp(-dt/tau), soft reset."""
    x, v = trace_of("rockpool")[0], 0.0
    late: list[int] = []
    for step, spike in enumerate(x):
        v = v * np.exp(-0.04) + 0.04 * spike
        if v > 0.1:
            v, late = v - 0.1, [*late, step]
    assert late == trace_of("rockpool")[2] == trace_of("sinabs")[2] == [450, 500, 710, 760]


@needs_lava
@pytest.mark.parametrize("precision", ["float", "fixed"])
def test_our_lava_run_has_lavas_published_spikes(precision: str) -> None:
    program, stimulus = compiled(precision)
    assert spikes(lava(program, stimulus, record=True)) == LATE
    for platform in ("lava_cpu_float", "lava_cpu_fixed", "lava_loihi_fixed", "spyx"):
        assert trace_of(platform)[2] == LATE


def published(x: Array) -> tuple[Program, Stimulus]:
    """The paper's own integers: 10 a spike, threshold 25, a voltage decay of 163 / 4096."""
    one = np.ones(1, np.int64)
    neuron = CubaLif(4095 * one, 163 * one, 0 * one, 25 * one, 0 * one)
    synapse = Dense(np.array([[10]], np.int16), WeightFormat(8, 0, "excitatory"))
    program = Program(
        "fixed",
        1e-4,
        1000,
        (Input("input", (1,), False, 1.0, 0, 1),),
        (Population("1", "LIF", (1,), neuron, 1),),
        (Projection("input->1", "input", "1", synapse),),
        (Output("output", "1", "count"),),
    )
    return program, Stimulus({"input": x[None, :, None].astype(np.int32)}, 1000)


@pytest.mark.parametrize(
    "execute", [reference.execute, fast, pytest.param(lava, marks=needs_lava)]
)
def test_the_papers_integers_give_lavas_published_trace_bit_for_bit(execute: Any) -> None:
    x, v, late = trace_of("lava_cpu_fixed")
    program, stimulus = published(x)
    trace = execute(program, stimulus, record=True)
    np.testing.assert_array_equal(trace.rasters["1"].states["v"][0, :1000, 0], v)
    assert spikes(trace) == late


def test_the_chips_trace_differs_in_the_steps_of_the_spikes_only() -> None:
    chip, cpu = trace_of("lava_loihi_fixed")[1], trace_of("lava_cpu_fixed")[1]
    assert np.flatnonzero(chip != cpu).tolist() == LATE
    assert set(chip[LATE]) == {128.0}
    assert set(cpu[LATE]) == {0.0}
