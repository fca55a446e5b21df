"""Loops through several populations: in one call for all steps, or in pieces and blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from slipway.deploy import reference
from slipway.deploy.engine import Engine
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.ternary_lif import TernaryLif
from slipway.deploy.program import Output, Population, Program, Projection
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.trace import Stimulus

from .test_engine import assert_same, one, silent
from .test_engine_kernels import spiking

SHAPE = (16, 6, 6)
STEPS = 70
SIZE = int(np.prod(SHAPE))


def kernel(seed: int, low: int, high: int, channels: int = 16) -> Conv2d:
    weight = 2 * np.random.default_rng(seed).integers(low, high, (16, channels, 3, 3))
    return Conv2d(
        weight.astype(np.int16), (channels, 6, 6), (1, 1), (1, 1), format=WeightFormat()
    )


def dense(seed: int, fan_out: int, fan_in: int) -> Dense:
    weight = 2 * np.random.default_rng(seed).integers(-20, 21, (fan_out, fan_in))
    return Dense(weight.astype(np.int16), WeightFormat())


def leaky(threshold: int) -> Any:
    return replace(silent(threshold=one(threshold)), voltage_decay=one(900))


def ternary(threshold: int) -> TernaryLif:
    return TernaryLif(one(4095), one(900), one(0), one(threshold), one(-threshold), one(0))


def loop(neuron: Any, delays: tuple[int, int], last: Any) -> Program:
    """Input -> p <-> q by convolutions, q -> q, and p <-> r, which sees them as a row."""
    projections = (
        Projection("input->p", "input", "p", kernel(0, -30, 61, 1)),
        Projection("p->q", "p", "q", kernel(1, -20, 31), delays[0]),
        Projection("q->p", "q", "p", kernel(2, -20, 21), delays[1]),
        Projection("q->q", "q", "q", kernel(3, -20, 21), 2),
        Projection("p->r", "p", "r", dense(4, 8, SIZE)),
        Projection("r->p", "r", "p", dense(5, SIZE, 8), 1),
    )
    populations = (
        Population("p", "LIF", SHAPE, neuron, 1),
        Population("q", "LIF", SHAPE, neuron, 2),
        Population("r", "LIF", (8,), last, 2),
    )
    outputs = (Output("out", "q", "count"), Output("last", "r", "last"))
    return Program("fixed", 1e-3, STEPS, spiking((1, 6, 6)), populations, projections, outputs)


def rising(samples: int) -> Stimulus:
    """Silent at first, then more and more messages."""
    rng = np.random.default_rng(7)
    rate = np.clip(np.arange(STEPS) / STEPS - 0.2, 0, 1)[:, None]
    return Stimulus(
        {"input": (rng.random((samples, STEPS, 36)) < rate).astype(np.uint8)}, STEPS
    )


@pytest.mark.parametrize("delays", [(0, 0), (3, 20)])
@pytest.mark.parametrize("neuron", [leaky(300), ternary(300)])
@pytest.mark.parametrize("last", [leaky(100), ternary(100)])
def test_loops_of_convolutions_equal_the_norm(
    neuron: Any, last: Any, delays: tuple[int, int]
) -> None:
    program, stimulus = loop(neuron, delays, last), rising(3)
    norm = reference.execute(program, stimulus, record=True)
    assert all(norm.messages[name].any() for name in ("p", "q", "r"))
    engine = Engine(program)
    trace = engine.run(stimulus)
    assert_same(replace(norm, rasters={}), trace, "all at once")
    assert_same(norm, engine.run(stimulus, record=True), "step by step")
    each = engine.bytes_needed()
    assert engine.sizes(stimulus).steps == trace.executed_steps
    small = Engine(program, memory=each[0] + 23 * each[2])
    assert small.sizes(stimulus).steps == 23
    assert_same(replace(norm, rasters={}), small.run(stimulus), "in chunks")
    # The kernels follow the messages, which are few at first and many in the end.
    for name in ("p->q", "q->p"):
        assert trace.kernels[name].keys() == {"scatter", "gather"}
        assert sum(trace.kernels[name].values()) == 3 * trace.executed_steps


def test_a_loop_takes_as_many_steps_at_once_as_its_fastest_synapse() -> None:
    neuron = leaky(300)
    for delays, block in (((0, 0), 1), ((3, 20), 1)):
        (component,) = Engine(loop(neuron, delays, neuron)).plan.components
        assert component.block == block  # p -> r has no delay
    program = loop(neuron, (3, 20), neuron)
    slow = tuple(replace(p, delay=p.delay + 4) for p in program.projections)
    (component,) = Engine(replace(program, projections=slow)).plan.components
    assert component.block == 5
    stimulus = rising(2)
    norm = reference.execute(replace(program, projections=slow), stimulus, record=True)
    trace = Engine(replace(program, projections=slow)).run(stimulus)
    assert_same(replace(norm, rasters={}), trace, "in blocks of five steps")
