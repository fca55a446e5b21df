"""A Program as layers of torch modules in float32: what the float frameworks compute.

The numbers are the Program's own, divided by each neuron's threshold, so that every neuron
fires above 1 and the spikes are nearly those of the integers. What a user of a framework would
not have written is taken back: a pooling that was folded into the next convolution is a pooling
again, and a bias is that of the convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from slipway.deploy.formats import THRESHOLD
from slipway.deploy.neurons.arithmetic import DECAY_UNITY, STATE_SHIFT
from slipway.deploy.neurons.cuba_lif import NO_MEMORY, CubaLif
from slipway.deploy.program import Population, Program, Projection
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from torch import Tensor, nn

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Connection:
    """Weights from a source into a layer.

    Attributes:
        source: name of the input or layer.
        pooled: whether the source's messages are averaged over 2x2 first.
        weights: messages (N, *source shape) -> currents (N, *layer shape).
    """

    source: str
    pooled: bool
    weights: nn.Module


@dataclass(frozen=True, slots=True)
class Layer:
    """Neurons ``v = (1 - leak) v + current``, that fire above 1 and start again at 0.

    Attributes:
        name: of the population.
        leak: what v loses in a step, as a fraction.
        spiking: False for a readout, whose currents are summed up.
        connections: from the input and other layers.
        recurrent: from the layer itself, one step late.
    """

    name: str
    leak: float
    spiking: bool
    connections: tuple[Connection, ...]
    recurrent: nn.Module | None = None


@dataclass(frozen=True, slots=True)
class FloatNetwork:
    """Layers in an order in which each follows its sources; the last one is the output."""

    input: str
    shape: tuple[int, ...]
    layers: tuple[Layer, ...]


def float_network(program: Program) -> FloatNetwork:
    """The Program's layers. Takes Programs of one input and one output of CubaLif neurons."""
    (entry,), (output,) = program.inputs, program.outputs
    layers = tuple(_layer(program, population) for population in program.populations)
    assert layers[-1].name == output.population
    return FloatNetwork(entry.name, entry.shape, layers)


def _layer(program: Program, population: Population) -> Layer:
    neuron = population.neuron
    assert isinstance(neuron, CubaLif)
    assert neuron.reset == "zero"
    assert np.all(neuron.current_decay == NO_MEMORY)
    spiking = bool(neuron.threshold.max() < THRESHOLD.maximum)
    threshold = neuron.threshold if spiking else np.ones(1)
    scale = 1.0 / np.broadcast_to(threshold, (population.size,)).reshape(population.shape)
    bias = neuron.bias_mantissa * 2.0 ** (neuron.bias_exponent - STATE_SHIFT)
    shift = scale * np.broadcast_to(bias, (population.size,)).reshape(population.shape)
    into = program.into(population.name)
    feeding = [p for p in into if p.source != population.name]
    recurrent = next((p for p in into if p.source == population.name), None)
    # One connection carries the bias of the layer.
    shifts = [shift, *[np.zeros_like(shift)] * (len(feeding) - 1)]
    return Layer(
        population.name,
        _one(neuron.voltage_decay) / DECAY_UNITY,
        spiking,
        tuple(_connection(*pair, scale) for pair in zip(feeding, shifts, strict=True)),
        _linear(recurrent, scale, np.zeros_like(scale)) if recurrent else None,
    )


def _one(values: Array) -> float:
    """The value that all elements share."""
    assert np.all(values == values.flat[0])
    return float(values.flat[0])


def _connection(projection: Projection, shift: Array, scale: Array) -> Connection:
    synapse = projection.synapse
    if isinstance(synapse, Conv2d):
        pooled, conv = _unpooled(synapse)
        module = _conv(conv, projection.exponent, scale, shift)
        return Connection(projection.source, pooled, module)
    return Connection(projection.source, False, _linear(projection, scale, shift))


def _linear(projection: Projection, scale: Array, shift: Array) -> nn.Module:
    synapse = projection.synapse
    assert isinstance(synapse, Dense)
    weight = synapse.weight * 2.0**projection.exponent * scale.reshape(-1, 1)
    module = nn.Linear(synapse.in_size, synapse.out_size, bias=bool(shift.any()))
    _fill(module, weight, shift.reshape(-1))
    return nn.Sequential(nn.Flatten(), module)


def _conv(synapse: Conv2d, exponent: int, scale: Array, shift: Array) -> nn.Module:
    (out, per_in, *kernel), groups = synapse.weight.shape, synapse.groups
    module = nn.Conv2d(
        per_in * groups,
        out,
        (kernel[0], kernel[1]),
        synapse.stride,
        synapse.padding,
        synapse.dilation,
        groups,
        bias=bool(shift.any()),
    )
    of_channel = _per_channel(scale).reshape(-1, 1, 1, 1)
    _fill(module, synapse.weight * 2.0**exponent * of_channel, _per_channel(shift))
    return module


def _per_channel(values: Array) -> Array:
    """(C, H, W), the same over each channel -> (C,)."""
    first = values.reshape(len(values), -1)[:, 0]
    assert np.allclose(values, first[:, None, None])
    return first


def _fill(module: nn.Linear | nn.Conv2d, weight: Array, bias: Array) -> None:
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        if module.bias is not None:
            module.bias.copy_(torch.from_numpy(np.ascontiguousarray(bias)))


def _unpooled(synapse: Conv2d) -> tuple[bool, Conv2d]:
    """Whether 2x2 pooling was folded into it, and the convolution behind that pooling."""
    weight = synapse.weight
    even = (*weight.shape[2:], *synapse.stride, *synapse.padding, *synapse.input_shape[1:])
    corner = weight[:, :, ::2, ::2]
    if any(number % 2 for number in even) or synapse.dilation != (1, 1):
        return False, synapse
    if not np.array_equal(np.repeat(np.repeat(corner, 2, 2), 2, 3), weight):
        return False, synapse
    channels, height, width = synapse.input_shape
    return True, Conv2d(
        4.0 * corner,
        (channels, height // 2, width // 2),
        (synapse.stride[0] // 2, synapse.stride[1] // 2),
        (synapse.padding[0] // 2, synapse.padding[1] // 2),
        groups=synapse.groups,
    )


def as_input(network: FloatNetwork, values: Array) -> Tensor:
    """Messages as a float32 tensor: (N, n) -> (N, *shape), (N, T, n) -> (T, N, *shape)."""
    x = torch.from_numpy(values).float()
    if x.ndim == 2:
        return x.reshape(len(x), *network.shape)
    samples, steps, _ = x.shape
    return x.transpose(0, 1).reshape(steps, samples, *network.shape).contiguous()
