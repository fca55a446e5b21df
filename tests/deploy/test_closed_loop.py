"""One step at a time: the same states and messages as a whole run, and no arrays made; and
runs one after another."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from slipway.deploy import reference
from slipway.deploy.engine import Engine, execute
from slipway.deploy.engine.result import Result
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.models import model_of
from slipway.deploy.program import Projection
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import Sparse
from slipway.errors import DataError

from .random_programs import random_case
from .test_engine import assert_same, network, silent
from .test_engine_kernels import spiking


@pytest.mark.parametrize("seed", range(24))
def test_step_by_step_equals_the_norm(seed: int) -> None:
    program, stimulus = random_case(seed)
    norm = reference.execute(program, stimulus, record=True)
    engine = Engine(program)
    for _ in range(2):
        engine.reset()
        for t in range(1, norm.executed_steps + 1):
            found = engine.step({i.name: stimulus.at(i.name, t) for i in program.inputs})
            for output in program.outputs:
                raster = norm.rasters[output.population]
                neuron = program.population(output.population).neuron
                membrane = raster.states[model_of(neuron).membrane]
                expected = raster.s if output.readout == "count" else membrane
                np.testing.assert_array_equal(found[output.name], expected[:, t - 1])


def test_a_step_makes_no_arrays() -> None:
    size = 2**16
    rows, columns = np.arange(size, dtype=np.int32), np.zeros(size, np.int32)
    synapse = Sparse(np.full(size, 2, np.int16), rows, columns, (size, 64), WeightFormat())
    program = network(
        Projection("a", "input", "p", Dense(np.full((size, 64), 2, np.int16), WeightFormat())),
        Projection("b", "input", "p", synapse),  # goes through memory of its own
        neuron=silent(),
        size=size,
        inputs=spiking((64,)),
    )
    engine, given = Engine(program), np.ones(64, np.uint8)
    first = engine.step(given)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(20):
        again = engine.step(given)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most - before < size  # the smallest array of the population has a byte a neuron
    assert first["out"] is again["out"]


def test_what_a_step_is_given_must_fit() -> None:
    engine = Engine(network(neuron=silent(), inputs=spiking((3, 2)), size=1))
    engine.step(np.zeros(6, np.uint8))
    with pytest.raises(DataError) as error:
        engine.step(np.zeros((2, 6), np.uint8))
    assert (
        error.value.problems[0].what
        == "1 samples are on their way, and messages for 2 were given"
    )
    assert error.value.problems[0].remedy == "call reset() before another number of samples"
    engine.reset()
    assert engine.step(np.zeros((2, 3, 2), np.uint8))["out"].shape == (2, 1)
    with pytest.raises(DataError) as error:
        engine.step(np.zeros(5, np.uint8))
    assert error.value.problems[0].what == (
        "the messages have shape (5,); the input has 6 elements of shape (3, 2)"
    )
    with pytest.raises(DataError) as error:
        engine.step({"eyes": np.zeros(6, np.uint8)})
    assert error.value.problems[0].what == "a step takes messages for input; given are eyes"


def test_an_interrupted_run_leaves_nothing_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    program, stimulus = random_case(3)
    engine, whole = Engine(program), execute(program, stimulus)

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Result, "keep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.run(stimulus)
    again = engine.run(stimulus)
    assert_same(whole, again, "after an interruption")
    assert again.kernels == whole.kernels
