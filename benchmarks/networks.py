"""The networks that are measured: a to d of random integers, e and f through the compiler.

a to d have the layers, decays and kind of weights that Lava's speed was first measured with.
Their thresholds are found, not given: layer by layer the one at which the layer fires as often
as RATE says, so that no layer is silent and none is drowned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from slipway.deploy.engine import execute
from slipway.deploy.formats import THRESHOLD, WeightFormat
from slipway.deploy.neurons.cuba_lif import NO_MEMORY, CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection, Synapse
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.trace import Stimulus, Trace

from . import students

Array = npt.NDArray[Any]

INPUT_RATE = 0.1
"""Share of the input elements that spike in a step."""
RATE = 0.06
"""Share of a layer's neurons that its threshold is set to let spike in a step."""
RATE_BAND = (0.03, 0.10)
"""Where the rate of each layer must lie in the whole network."""
VOLTAGE_DECAY = 400
_CALIBRATION_BYTES = 2**23
_CHUNK = 2**22


@dataclass(frozen=True, slots=True)
class Network:
    """A Program, and how it is measured.

    Attributes:
        key: its letter.
        title: what it is.
        program: what the engines run.
        stimulus: (samples, steps) -> encoded samples, the first ones the same in each call.
        steps: for which a sample is presented, on the engine and on the float frameworks.
        alone_steps: the same where one sample alone is measured.
        lava_steps: that Lava runs, its warm-up among them.
        float_batch: samples that the float frameworks take at once.
        calibrated: whether the rates of all layers must lie in RATE_BAND.
    """

    key: str
    title: str
    program: Program
    stimulus: Callable[[int, int], Stimulus]
    steps: int
    alone_steps: int
    lava_steps: int
    float_batch: int
    calibrated: bool = False


@dataclass(frozen=True, slots=True)
class _Layer:
    """Synapses into a population of that shape, and, where it has them, those into itself."""

    synapse: Synapse
    shape: tuple[int, ...]
    recurrent: Synapse | None = None


def spikes(size: int, samples: int, steps: int, rate: float = INPUT_RATE) -> Array:
    """Bernoulli spikes, uint8 (samples, steps, size); sample i is the same in every call."""
    result = np.empty((samples, steps, size), np.uint8)
    rng = np.random.default_rng(1)
    at_once = max(1, _CHUNK // (steps * size))
    for first in range(0, samples, at_once):
        part = result[first : first + at_once]
        part[...] = rng.random(part.shape, np.float32) < rate
    return result


def _weights(rng: np.random.Generator, *shape: int) -> Array:
    """Even mantissas from -64 to 66: the grid of mixed signs."""
    return (2 * rng.integers(-32, 34, shape)).astype(np.int16)


def _dense(rng: np.random.Generator, n_in: int, n_out: int) -> _Layer:
    return _Layer(Dense(_weights(rng, n_out, n_in), WeightFormat()), (n_out,))


def _conv(
    rng: np.random.Generator, source: tuple[int, int, int], channels: int, stride: int
) -> _Layer:
    weight = _weights(rng, channels, source[0], 3, 3)
    synapse = Conv2d(weight, source, (stride, stride), (1, 1), format=WeightFormat())
    return _Layer(synapse, synapse.output_shape)


def dense_layers(sizes: Sequence[int]) -> list[_Layer]:
    """All-to-all layers between populations of these sizes, the input first."""
    rng = np.random.default_rng(0)
    return [_dense(rng, *pair) for pair in pairwise(sizes)]


def _conv_layers(
    source: tuple[int, int, int], convs: Sequence[tuple[int, int]], outputs: int
) -> list[_Layer]:
    """3x3 convolutions (channels, stride) with padding 1, then one dense layer."""
    rng = np.random.default_rng(0)
    layers: list[_Layer] = []
    for channels, stride in convs:
        layers.append(_conv(rng, source, channels, stride))
        source = (channels, layers[-1].shape[1], layers[-1].shape[2])
    return [*layers, _dense(rng, prod(source), outputs)]


def _recurrent_layers() -> list[_Layer]:
    rng = np.random.default_rng(0)
    first = _dense(rng, 700, 256)
    # A quarter as large, on the same grid.
    inner = (2 * (_weights(rng, 256, 256) // 8)).astype(np.int16)
    recurrent = Dense(inner, WeightFormat())
    return [_Layer(first.synapse, first.shape, recurrent), _dense(rng, 256, 20)]


def _program(
    shape: tuple[int, ...], layers: Sequence[_Layer], thresholds: Sequence[int], steps: int
) -> Program:
    """The layers one behind the other."""
    populations, projections = [], []
    source = "input"
    for depth, (layer, threshold) in enumerate(zip(layers, thresholds, strict=True), 1):
        name = f"layer{depth}"
        neuron = CubaLif(
            current_decay=np.array([NO_MEMORY]),
            voltage_decay=np.array([VOLTAGE_DECAY]),
            bias_mantissa=np.zeros(1, np.int64),
            threshold=np.array([threshold]),
            initial_voltage=np.zeros(1, np.int64),
        )
        populations.append(Population(name, "LIF", layer.shape, neuron, depth))
        projections.append(Projection(f"{source}->{name}", source, name, layer.synapse))
        if layer.recurrent is not None:
            projections.append(Projection(f"{name}->{name}", name, name, layer.recurrent))
        source = name
    return Program(
        "fixed",
        1e-3,
        steps,
        (Input("input", shape, False, 1.0, 0, 1),),
        tuple(populations),
        tuple(projections),
        (Output("output", source, "count"),),
        provenance={"source": "benchmarks/networks.py"},
    )


def calibrated(
    shape: tuple[int, ...],
    layers: Sequence[_Layer],
    steps: int,
    longest: int = 0,
    input_rate: float = INPUT_RATE,
) -> Program:
    """A Program whose layers each fire at about RATE with Bernoulli input.

    Each layer is run by itself, on the spikes that the layer before it sent, and its threshold
    is found by bisection: the largest one at which it still fires at RATE.

    Args:
        shape: of the input.
        layers: in order.
        steps: for which samples are presented, to calibrate and later.
        longest: steps that the Program allows, where that is more.
        input_rate: share of the input elements that spike in a step.
    """
    widest = max(prod(shape), *(prod(layer.shape) for layer in layers))
    samples = max(2, min(16, _CALIBRATION_BYTES // (widest * steps)))
    sent = spikes(prod(shape), samples, steps, input_rate)
    thresholds = []
    for layer in layers:
        threshold = _threshold(shape, layer, sent)
        thresholds.append(threshold)
        alone = _program(shape, [layer], [threshold], steps)
        raster = execute(alone, Stimulus({"input": sent}, steps), record=True).rasters
        sent = raster["layer1"].s[:, 1:].astype(np.uint8)  # it lags behind by one step
        shape = layer.shape
    return _program(_input_shape(layers[0].synapse), layers, thresholds, max(steps, longest))


def _input_shape(synapse: Synapse) -> tuple[int, ...]:
    return synapse.input_shape if isinstance(synapse, Conv2d) else (synapse.in_size,)


def _threshold(shape: tuple[int, ...], layer: _Layer, sent: Array) -> int:
    """The largest threshold at which the layer fires at RATE, or a little more."""
    steps = sent.shape[1]
    stimulus = Stimulus({"input": sent}, steps)
    low, high = 0, THRESHOLD.maximum
    while high - low > 1:
        middle = (low + high) // 2
        trace = execute(_program(shape, [layer], [middle], steps), stimulus)
        fired = trace.messages["layer1"].mean() / steps
        low, high = (middle, high) if fired >= RATE else (low, middle)
    return low


def rates(program: Program, trace: Trace, steps: int) -> dict[str, float]:
    """Messages of each input and population per element and presented step."""
    names = [i.name for i in program.inputs] + [p.name for p in program.populations]
    return {name: float(trace.messages[name].mean() / steps) for name in names}


def random_network(
    key: str,
    title: str,
    shape: tuple[int, ...],
    layers: Sequence[_Layer],
    steps: int,
    alone_steps: int,
    float_batch: int,
) -> Network:
    """Calibrated layers and Bernoulli spikes; arguments as Network and `calibrated` have."""

    def stimulus(samples: int, presented: int) -> Stimulus:
        return Stimulus({"input": spikes(prod(shape), samples, presented)}, presented)

    program = calibrated(shape, layers, steps, alone_steps)
    times = (steps, alone_steps, alone_steps)
    return Network(key, title, program, stimulus, *times, float_batch, calibrated=True)


def _mlp(folder: Path) -> Network:
    layers = dense_layers((784, 512, 512, 10))
    return random_network("a", "MLP 784-512-512-10", (784,), layers, 32, 400, 256)


def _small_conv(folder: Path) -> Network:
    layers = _conv_layers((2, 34, 34), ((16, 2), (32, 2)), 10)
    return random_network("b", "conv 2x34x34, 16-32-10", (2, 34, 34), layers, 32, 150, 64)


def _vgg(folder: Path) -> Network:
    convs = ((32, 1), (64, 2), (64, 1), (128, 2), (128, 2))
    layers = _conv_layers((1, 64, 64), convs, 10)
    title = "VGG-like 64x64, 32-64-64-128-128-10"
    return random_network("c", title, (1, 64, 64), layers, 12, 12, 16)


def _srnn(folder: Path) -> Network:
    title = "recurrent 700-256-20"
    return random_network("d", title, (700,), _recurrent_layers(), 100, 400, 256)


def _digits(folder: Path) -> Network:
    program, stimulus = students.digits(folder)
    steps = program.steps
    return Network("e", "digits, the demo's student", program, stimulus, steps, steps, 200, 64)


def _faces(folder: Path) -> Network:
    program, stimulus = students.faces(folder)
    title = "Mini-ResEmoteNet C as IF (simulated)"
    steps = program.steps
    return Network("f", title, program, stimulus, steps, steps, 30, 16)


NETWORKS: dict[str, Callable[[Path], Network]] = {
    "a": _mlp,
    "b": _small_conv,
    "c": _vgg,
    "d": _srnn,
    "e": _digits,
    "f": _faces,
}
"""Letter -> what builds the network; the folder is for what takes long to make."""
