"""The float frameworks compute the network that the engine computes."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from slipway.benchmarks.float_network import _unpooled, as_input, float_network
from slipway.benchmarks.frameworks import FRAMEWORKS
from slipway.benchmarks.networks import Network
from slipway.benchmarks.passes import PASSES
from slipway.deploy.engine import Engine
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.program import Program
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.trace import Stimulus
from torch.nn import functional

# norse compiles with torch.jit, which torch would rather not have.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def spikes_of(program: Program, stimulus: Stimulus, name: str, way: str) -> dict[str, int]:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: make bench installs it")
    network, counts = float_network(program), dict[str, int]()
    x = as_input(network, stimulus.values[network.input])
    with torch.inference_mode():
        result = PASSES[way](network, FRAMEWORKS[name], x, stimulus.steps, counts)
    assert result.shape == (stimulus.samples, program.populations[-1].size)
    assert int(result.sum()) == counts[program.populations[-1].name]
    return counts


def spikes_of_engine(program: Program, stimulus: Stimulus) -> dict[str, int]:
    trace = Engine(program).run(stimulus)
    return {p.name: int(trace.messages[p.name].sum()) for p in program.populations}


@pytest.mark.parametrize("key", ["a", "b", "d"])
@pytest.mark.parametrize("way", PASSES)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_layers_fire_as_often(built: dict[str, Network], name: str, way: str, key: str) -> None:
    program, stimulus = built[key].program, built[key].stimulus(3, 20)
    counts, engine = (
        spikes_of(program, stimulus, name, way),
        spikes_of_engine(program, stimulus),
    )
    assert counts.keys() == engine.keys()
    for layer, count in engine.items():
        assert counts[layer] == pytest.approx(count, rel=0.02, abs=3), layer


@pytest.mark.parametrize("way", PASSES)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_frames_biases_and_no_leak(tiny: Network, name: str, way: str) -> None:
    """What the compiled networks have and the random ones have not."""
    first, last = tiny.program.populations
    assert isinstance(first.neuron, CubaLif)
    bias = np.linspace(-60, 90, first.size).astype(np.int64)
    biased = replace(
        first.neuron, bias_mantissa=bias, bias_exponent=6, voltage_decay=np.zeros(1, np.int64)
    )
    program = replace(tiny.program, populations=(replace(first, neuron=biased), last))
    frames = tiny.stimulus(5, 1).values["input"][:, 0]
    stimulus = Stimulus({"input": frames}, 12)
    counts, engine = (
        spikes_of(program, stimulus, name, way),
        spikes_of_engine(program, stimulus),
    )
    without = spikes_of_engine(tiny.program, stimulus)
    assert engine[first.name] != pytest.approx(without[first.name], rel=0.2)
    # While its pipeline drains, the engine's first layer goes on for two steps without input.
    assert counts[first.name] == pytest.approx(engine[first.name], rel=0.25)


def pooled(kernel: int, stride: int, padding: int) -> Conv2d:
    """A convolution behind a 2x2 pooling, as one convolution."""
    rng = np.random.default_rng(0)
    corner = 2 * rng.integers(-9, 9, (3, 2, kernel, kernel))
    weight = np.repeat(np.repeat(corner, 2, 2), 2, 3).astype(np.int16)
    pairs = ((2 * stride,) * 2, (2 * padding,) * 2)
    return Conv2d(weight, (2, 12, 12), *pairs, format=WeightFormat())


@pytest.mark.parametrize("sizes", [(3, 1, 1), (3, 2, 1), (1, 2, 0)])
def test_a_folded_pooling_is_found_again(sizes: tuple[int, int, int]) -> None:
    whole = pooled(*sizes)
    found, conv = _unpooled(whole)
    assert found
    assert conv.weight.shape[2:] == (sizes[0],) * 2
    x = np.random.default_rng(1).integers(0, 2, (4, whole.in_size)).astype(np.float64)
    pictures = torch.from_numpy(x.reshape(4, *whole.input_shape))
    small = functional.avg_pool2d(pictures, 2).reshape(4, -1).numpy()
    np.testing.assert_allclose(conv.accumulate(small), whole.accumulate(x))


def test_other_convolutions_stay_as_they_are() -> None:
    whole = pooled(3, 1, 1)
    changed: Any = whole.weight.copy()
    changed[0, 0, 0, 0] += 2
    assert not _unpooled(replace(whole, weight=changed))[0]
    assert not _unpooled(replace(whole, stride=(1, 1)))[0]
    assert not _unpooled(Conv2d(changed[:, :, :3, :3], (2, 12, 12)))[0]
