"""The kernels at their edges: which is taken, and that each equals the norm there."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy import reference
from slipway.deploy.engine import compiled, execute, neuron_kernels, vectors
from slipway.deploy.engine.packing import update_of
from slipway.deploy.formats import WeightFormat, sign_mode_of
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.trace import Stimulus, Trace

from ..house.tree import ROOT
from .test_engine import assert_same, network, one, silent


def test_the_narrow_kernel_is_taken_where_32_bits_are_proven() -> None:
    narrow, wide = neuron_kernels.CubaLifNarrow, neuron_kernels.CubaLifWide
    most = (2**31 - 1 - 2**23 - 131071 * 64) / 64
    for neuron in (silent(), silent(reset_interval=3), silent(reset="subtract")):
        assert update_of(neuron, True, most).kernel is narrow
        assert update_of(neuron, True, most + 1).kernel is wide
    keeps = replace(
        silent(), current_decay=one(2047)
    )  # half of u stays: u can be twice what arrives
    assert update_of(keeps, True, most / 2).kernel is narrow
    assert update_of(keeps, True, most / 2 + 1).kernel is wide
    assert update_of(silent(refractory=2), True, 1.0).kernel is wide
    assert update_of(silent(), False, 1.0).kernel is wide


def test_only_what_a_network_needs_is_compiled() -> None:
    script = (
        "import numpy as np\n"
        "from tests.deploy.test_engine import *\n"
        "from slipway.deploy.engine import counting, messages, synapse_kernels\n"
        "from slipway.deploy.engine import population_kernels\n"
        "dense = Dense(np.array([[2]], np.int16), WeightFormat())\n"
        "program = network(Projection('a', 'input', 'p', dense), neuron=silent())\n"
        "execute(program, Stimulus({'input': np.ones((1, 4, 1), np.int32)}, 4))\n"
        "found = {}\n"
        "for module in counting, messages, synapse_kernels, population_kernels:\n"
        "    for name, code in vars(module).items():\n"
        "        signatures = getattr(getattr(code, 'compiled', code), 'signatures', ())\n"
        "        if signatures: found[name] = len(signatures)\n"
        "print(*sorted(found.items()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split(") (") == [
        "('_tally', 1",
        *(f"'{name}', 1" for name in ("advance", "dense", "drive", "fetch", "prepare")),
        "'take_in', 1)\n",
    ]


TWO_PROCESSES = """
import sys
from tests.deploy.test_engine import *
from slipway.deploy.engine import native
from slipway.deploy.engine.population_kernels import advance
from slipway.deploy.neurons.ternary_lif import TernaryLif

native.cores = lambda: 2
def run(neuron):
    dense = Dense(np.array([[2]], np.int16), WeightFormat())
    program = network(Projection('a', 'input', 'p', dense), neuron=neuron)
    stimulus = Stimulus({'input': np.ones((1, 4, 1), np.int32)}, 4)
    assert_same(reference.execute(program, stimulus), execute(program, stimulus), 'run')
    return [sum(c.values()) for c in (advance.compiled.stats)[1:]], advance.elsewhere

there, sys.executable = sys.executable, '/is/not/there'
print(*run(silent()))
sys.executable = there
found, process = run(TernaryLif(one(4095), one(0), one(0), one(9), one(-9), one(0)))
print(found, process.returncode)
print(run(TernaryLif(one(4095), one(0), one(0), one(9), one(-9), one(0)))[1] is process)
"""


def test_the_very_first_run_is_compiled_by_two_processes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_PROCESSES],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
    )
    # Found kept, and compiled: first without the other process, then by it, then nothing.
    assert done.stdout.splitlines() == ["[0, 1] None", "[1, 1] 0", "True"], done.stderr


def test_kept_code_is_stale_as_soon_as_any_file_of_the_kernels_changes() -> None:
    kernel = compiled.kernel(lambda x: x)
    stamp = kernel._cache._cache_file._source_stamp
    assert compiled._stamp() in stamp
    assert len(compiled._stamp()) == 64


def spiking(shape: tuple[int, ...]) -> tuple[Input, ...]:
    return (Input("input", shape, False, 1.0, 0, 1),)


def bernoulli(size: int, rate: float, steps: int, samples: int = 2, seed: int = 0) -> Stimulus:
    rng = np.random.default_rng(seed)
    values = (rng.random((samples, steps, size)) < rate).astype(np.uint8)
    return Stimulus({"input": values}, steps)


def both(program: Program, stimulus: Stimulus) -> Trace:
    """The fast engine's trace, which is that of the norm."""
    norm = reference.execute(program, stimulus, record=True)
    fast = execute(program, stimulus)
    assert_same(norm, replace(fast, rasters=norm.rasters), "without recording")
    assert_same(norm, execute(program, stimulus, record=True), "step by step")
    return fast


@pytest.mark.parametrize("rate", [0.01, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("exponent", [-3, 0, 2])
def test_dense_messages_go_through_a_matrix_product(rate: float, exponent: int) -> None:
    rng = np.random.default_rng(1)
    for weight in (2 * rng.integers(-128, 128, (37, 300)), rng.integers(0, 256, (37, 300))):
        mantissas = weight.astype(np.int16)
        synapse = Dense(mantissas, WeightFormat(8, exponent, sign_mode_of(mantissas)))
        neuron = replace(silent(threshold=one(9000)), voltage_decay=one(300))
        program = network(
            Projection("a", "input", "p", synapse, 1),
            neuron=neuron,
            size=37,
            inputs=spiking((300,)),
            readout="count",
            steps=9,
        )
        trace = both(program, bernoulli(300, rate, 9))
        kind = "dense" if rate > 0.5 else "event"
        assert trace.kernels["a"] == {kind: 2 * 10}


def test_more_messages_than_16_bits_hold_the_sum_of() -> None:
    weight = np.full((70, 1000), -256, np.int16)
    program = network(
        Projection("a", "input", "p", Dense(weight, WeightFormat())),
        neuron=silent(),
        size=70,
        inputs=spiking((1000,)),
        steps=2,
    )
    for messages in (247, 248, 249, 496, 499):  # below the density of a matrix product
        values = np.zeros((1, 2, 1000), np.uint8)
        values[0, 0, :messages] = 1
        trace = both(program, Stimulus({"input": values}, 2))
        assert trace.kernels["a"] == {"event": 3}
        assert (trace.outputs["out"] == max(-256 * messages * 64, 1 - 2**23)).all()
    assert vectors.ROWS_AT_ONCE * 128 < 2**15


CONVOLUTIONS = [
    Conv2d(np.zeros((16, 3, 3, 3)), (3, 11, 13), (1, 1), (1, 1)),
    Conv2d(np.zeros((32, 2, 3, 5)), (2, 34, 21), (2, 2), (1, 2)),
    Conv2d(np.zeros((48, 2, 5, 4)), (2, 9, 9), (1, 3), (4, 3)),
    Conv2d(np.zeros((16, 2, 1, 2)), (2, 8, 9), (3, 4), (0, 0)),  # some columns reach nothing
    Conv2d(np.zeros((16, 2, 3, 3)), (2, 12, 12), (1, 1), (2, 2), (2, 1)),
    Conv2d(np.zeros((5, 3, 3, 3)), (3, 11, 13), (1, 2), (1, 1)),
    Conv2d(np.zeros((32, 1, 3, 3)), (32, 7, 7), (1, 1), (1, 1), groups=32),
    Conv2d(np.zeros((12, 4, 3, 3)), (8, 10, 10), (2, 1), (1, 3), (1, 2), groups=2),
    Conv2d(np.zeros((128, 70, 3, 3)), (70, 6, 6), (1, 1), (1, 1)),
]


@pytest.mark.parametrize("place", range(len(CONVOLUTIONS)))
@pytest.mark.parametrize("rate", [0.003, 0.15, 0.9])
def test_convolutions_of_every_geometry_from_both_sides(place: int, rate: float) -> None:
    rng = np.random.default_rng(place)
    shape = CONVOLUTIONS[place].weight.shape
    weight = (2 * rng.integers(-128, 128, shape)).astype(np.int16)
    synapse = replace(CONVOLUTIONS[place], weight=weight, format=WeightFormat())
    population = Population(
        "p",
        "LIF",
        synapse.output_shape,
        replace(silent(threshold=one(500)), voltage_decay=one(100)),
        1,
    )
    program = Program(
        "fixed",
        1e-3,
        12,
        spiking(synapse.input_shape),
        (population,),
        (Projection("a", "input", "p", synapse),),
        (Output("out", "p", "count"),),
    )
    trace = both(program, bernoulli(synapse.in_size, rate, 12))
    (kind,) = trace.kernels["a"]
    window = rate * shape[1] * shape[2] * shape[3]
    blocks = synapse.groups == 1 and synapse.dilation[1] == 1 and shape[0] % 16 == 0
    if not blocks:
        assert kind == "event"
    elif not 4 < window < 8:
        assert kind == ("scatter" if window < 6 else "gather")


def test_where_nothing_can_be_kept_the_kernels_are_compiled_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_folder(*arguments: Any) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("numba.core.dispatcher.FunctionCache", no_folder)
    assert compiled.kernel(lambda x: x + 1)(1) == 2


def test_without_numbas_compiler_the_engine_says_so() -> None:
    script = (
        "from slipway.errors import UsageError\n"
        "try:\n    import slipway.deploy.engine\n"
        "except UsageError as error:\n    print(error.problems[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )
    assert done.stdout == (
        "NUMBA_DISABLE_JIT is set: without its compiler the fast engine cannot run\n"
        "  to do: unset it, or use --engine reference\n"
    )
