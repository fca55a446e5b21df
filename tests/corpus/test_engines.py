"""Small graphs of every writer, compiled to integers: the engines agree, stock Lava too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from slipway.converters.read import read_graph
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.engine import execute as fast
from slipway.deploy.lava.environment import probe
from slipway.deploy.program import Program
from slipway.deploy.reference import execute as reference
from slipway.deploy.storage import save_program

from . import writers as w

STEPS, SAMPLES, TIMEOUT = 16, 3, 240
SCRIPT = Path(__file__).with_name("stock_lava.py")
Made = tuple[Any, float, tuple[int, ...]]
Maker = Callable[[np.random.Generator], Made]


def snntorch(generator: np.random.Generator) -> Made:
    """Recurrent, current-based; hard reset."""
    fc, rec = w.affine(generator, 12, 10, 1.5), w.affine(generator, 10, 10, 1.0)
    alpha, beta = generator.uniform(0.3, 0.7, (2, 10))
    cell = w.recurrent(w.synaptic(alpha, beta, np.ones(10)), rec, 10)
    leaky = w.leaky(generator.uniform(0.5, 0.9, 4), np.full(4, 0.4))
    nodes = {"input": w.given(12), "0": fc, "1": cell, "2": w.affine(generator, 10, 4, 2.0)}
    return w.graph({**nodes, "3": leaky, "output": w.read(4)}), w.DT, (12,)


def spikingjelly(generator: np.random.Generator) -> Made:
    """Convolution, average pooling, Flatten."""
    pool = nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    nodes = {
        "input_1": w.given(2, 8, 8),
        "_0": w.conv2d(generator, (2, 4), (8, 8)),
        "_1": w.jelly_lif((4, 8, 8), 2.0, False),
        "_2": pool,
        "_3": w.conv2d(generator, (4, 4), (4, 4)),
        "_4": w.jelly_if((4, 4, 4), 0.1),
        "_5": w.flatten(4, 4, 4),
        "_6": w.affine(generator, 64, 5, 3.0),
        "_7": w.jelly_lif((5,), 2.0, True),
        "output": w.read(5),
    }
    return w.graph(nodes), w.DT, (2, 8, 8)


def sinabs(generator: np.random.Generator) -> Made:
    """IF neurons that count in steps, sum pooling between convolutions."""
    nodes = {
        "input": w.given(2, 8, 8),
        "0": w.conv2d(generator, (2, 4), (8, 8)),
        "1": w.sinabs_if((4, 8, 8)),
        "2": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "3": w.conv2d(generator, (4, 3), (4, 4)),
        "4": w.sinabs_if((3, 4, 4), 1.0),
        "5": w.flatten(3, 4, 4),
        "6": w.affine(generator, 48, 5, 3.0),
        "7": w.sinabs_if((5,)),
        "output": w.read(5),
    }
    return w.graph(nodes), 1.0, (2, 8, 8)


def rockpool(generator: np.random.Generator) -> Made:
    """Current-based, single w_in, a batch axis and a time axis in the shapes."""
    nodes = {
        "input": w.given(1, 20, 12),
        "0_LinearTorch": w.affine(generator, 12, 8, 12.0),
        "1_LIFTorch": w.rockpool_lif(8, generator.uniform(0.01, 0.03, 8), 1e-3),
        "2_LinearTorch": w.affine(generator, 8, 4, 20.0),
        "3_LIFTorch": w.rockpool_lif(4, np.full(4, 0.02), 1e-3),
        "output": w.read(1, 20, 4),
    }
    return w.graph(nodes), 1e-3, (12,)


def norse(generator: np.random.Generator) -> Made:
    """Parameters of a single neuron, tau too small by the factor dt, a batch axis."""
    nodes = {"input": w.given(1, 12), "0": w.affine(generator, 12, 8, 3.0), "1": w.norse_lif()}
    nodes |= {"2": w.affine(generator, 8, 4, 3.0), "3": w.norse_lif(), "output": w.read(1, 4)}
    return w.graph(nodes), 1e-6, (12,)


def delays(generator: np.random.Generator) -> Made:
    """A delay for each neuron, before and behind a weight, and a skip over two layers."""
    late = [nir.Delay(generator.integers(0, 6, n) * 1e-4) for n in (12, 8)]
    nodes = {
        "input": w.given(12),
        "early": late[0],
        "fc1": w.affine(generator, 12, 8, 2.5),
        "lif1": w.jelly_lif((8,), 2.0, False),
        "late": late[1],
        "fc2": w.affine(generator, 8, 8, 2.5),
        "lif2": w.jelly_lif((8,), 2.0, False),
        "fc3": w.affine(generator, 8, 4, 2.5),
        "skip": w.affine(generator, 12, 4, 2.5),
        "lif3": w.jelly_lif((4,), 2.0, False),
        "output": w.read(4),
    }
    way = ["input", "early", "fc1", "lif1", "late", "fc2", "lif2", "fc3", "lif3", "output"]
    edges = [*pairwise(way), ("input", "skip"), ("skip", "lif3")]
    return w.graph(nodes, edges), w.DT, (12,)


def readout(generator: np.random.Generator) -> Made:
    """A CubaLI that never spikes, read at its last step."""
    ones = np.ones(4)
    cell = nir.CubaLI(20 * w.DT * ones, 30 * w.DT * ones, 30 * ones, 0 * ones, 20 * ones)
    nodes = {
        "input": w.given(12),
        "0": w.affine(generator, 12, 8, 2.5),
        "1": w.leaky(np.full(8, 0.8), np.full(8, 0.4)),
        "2": w.affine(generator, 8, 4),
        "3": cell,
        "output": w.read(4),
    }
    return w.graph(nodes), w.DT, (12,)


def convolution_in_time(generator: np.random.Generator) -> Made:
    """Conv1d: 'same', then stride, dilation and groups, then recurrent."""
    how = {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}
    back = w.jelly_conv1d(generator, (4, 4), 3, 8, padding=1)
    nodes = {
        "input_1": w.given(2, 16),
        "_0": w.jelly_conv1d(generator, (2, 4), 4, 16, padding="same"),
        "_1": w.jelly_lif((4, 16), 2.0, False),
        "_2": w.jelly_conv1d(generator, (4, 4), 3, 16, **how),
        "_3": w.jelly_lif((4, 8), 2.0, False),
        "_4": w.flatten(4, 8),
        "_5": w.affine(generator, 32, 5, 3.0),
        "_6": w.jelly_lif((5,), 2.0, False),
        "output": w.read(5),
        "back": back,
    }
    edges = [*pairwise([name for name in nodes if name != "back"])]
    return w.graph(nodes, [*edges, ("_3", "back"), ("back", "_3")]), w.DT, (2, 16)


def flattened(generator: np.random.Generator) -> Made:
    """A Flatten between a convolution and its neurons, and between two layers of neurons."""
    nodes = {
        "input": w.given(2, 6, 6),
        "0": w.conv2d(generator, (2, 4), (6, 6)),
        "1": w.flatten(4, 6, 6),
        "2": w.sinabs_if((144,)),
        "3": w.affine(generator, 144, 96, 3.0),
        "4": w.sinabs_if((96,)),
        "output": w.read(96),
    }
    return w.graph(nodes), 1.0, (2, 6, 6)


def one_to_one(generator: np.random.Generator) -> Made:
    """Neurons that drive neurons: through a Flatten, and with a factor for each."""
    nodes = {
        "input": w.given(3, 4, 5),
        "0": nir.Scale(generator.uniform(0.4, 1.4, (3, 4, 5))),
        "1": w.sinabs_if((3, 4, 5), 0.7),
        "2": w.flatten(3, 4, 5),
        "3": w.sinabs_if((60,), 1.5),
        "output": w.read(60),
    }
    return w.graph(nodes), 1.0, (3, 4, 5)


MAKERS: dict[str, Maker] = {
    made.__name__: made
    for made in (
        *(snntorch, spikingjelly, sinabs, rockpool, norse, delays, readout),
        *(convolution_in_time, flattened, one_to_one),
    )
}

CONVOLUTIONS = ("spikingjelly", "sinabs", "convolution_in_time", "flattened", "one_to_one")
"""Those in which Lava's Conv can stand for a projection."""


def compiled(name: str, folder: Path) -> tuple[Program, np.ndarray[Any, Any]]:
    """The graph written with nir, read by us, compiled with calibration."""
    generator = np.random.default_rng(len(name))
    graph, dt, shape = MAKERS[name](generator)
    nir.write(folder / "graph.nir", graph)
    source = read_graph(folder / "graph.nir", dt=dt)
    source.metadata["input_encoding"] = "spikes"
    x = (generator.random((SAMPLES, STEPS, *shape)) < 0.4).astype(np.float32)
    return compile_graph(source, calibration=x, steps=STEPS), x


@pytest.mark.parametrize("name", MAKERS)
def test_reference_and_fast_engine(name: str, tmp_path: Path) -> None:
    program, x = compiled(name, tmp_path)
    stimulus, _ = encode(program, x)
    one, other = (run(program, stimulus, record=True) for run in (reference, fast))
    for population, raster in one.rasters.items():
        np.testing.assert_array_equal(raster.s, other.rasters[population].s, population)
        for state, values in raster.states.items():
            found = other.rasters[population].states[state]
            np.testing.assert_array_equal(values, found, f"{population}.{state}")
    for spec in program.populations:
        assert spec.kind not in ("IF", "LIF") or one.rasters[spec.name].s.any()
    for output, values in one.outputs.items():
        np.testing.assert_array_equal(values, other.outputs[output])


@pytest.mark.skipif(not probe().lava_usable, reason=f"Lava: {probe().lava_reason}")
@pytest.mark.parametrize("name", MAKERS)
def test_stock_lava(name: str, tmp_path: Path) -> None:
    """Lava's own processes and sinks, made from the integers by another hand."""
    program, x = compiled(name, tmp_path)
    save_program(program, tmp_path / "graph.slip")
    np.savez(tmp_path / "data.npz", x=x)
    flag = ["--conv"] if name in CONVOLUTIONS else []
    command = [sys.executable, SCRIPT, tmp_path / "graph.slip", tmp_path / "data.npz", "1"]
    worker = subprocess.Popen(
        [str(part) for part in [*command, *flag]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        told, failure = worker.communicate(timeout=TIMEOUT)
    finally:
        with suppress(ProcessLookupError):  # Lava's own processes, if it hangs
            os.killpg(worker.pid, signal.SIGKILL)
    assert worker.returncode == 0, told + failure[-2000:]
    facts = json.loads(told.splitlines()[-1])
    assert facts["mismatches"] == 0
    assert facts["compared"] > 0 < facts["spikes"]
    assert ("Conv" in facts["processes"]) == bool(flag)
