"""torch's layers as NIR nodes: one function a layer, two tables.

Shapes here are without batch axis, weights NumPy float32 or float64, outputs NIR nodes that
nir 1.0.8 can read back with its type check.
"""

from __future__ import annotations

import operator
from math import prod
from typing import Any

import nir
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..errors import Problem
from .batchnorm import fold
from .conv_forms import Convolution, padded_same, squared, ungrouped
from .network import Array, Network, Signal
from .torch_call import Call, Handler
from .torch_pools import (
    MAX_REASON,
    adaptive,
    average,
    average_line,
    ints,
    maximum,
    maximum_line,
)


def numpy_of(tensor: torch.Tensor) -> Array:
    """A parameter as float32, or float64 where it has that precision."""
    tensor = tensor.detach().cpu()
    return tensor.to(torch.float64 if tensor.dtype == torch.float64 else torch.float32).numpy()


def _parameters(net: Network, call: Call) -> tuple[Array, Array | None]:
    layer = call.module
    weight = net.finite(call.where, "weight", numpy_of(layer.weight))
    if layer.bias is None:
        return weight.copy(), None
    return weight.copy(), net.finite(call.where, "bias", numpy_of(layer.bias)).copy()


def _linear(net: Network, call: Call) -> Signal:
    weight, bias = _parameters(net, call)
    if len(call.given) != 1:
        return net.refuse(
            call.where,
            f"a linear layer on {len(call.given)} axes {call.given} has no NIR node",
            "put a Flatten before it",
            call.wanted,
        )
    node = nir.Linear(weight) if bias is None else nir.Affine(weight, bias)
    return net.add(call.name, node, call.source, call.wanted)


def _conv(net: Network, call: Call) -> Signal:
    layer, axes = call.module, call.module.weight.ndim - 2
    weight, bias = _parameters(net, call)
    if layer.padding_mode != "zeros":
        return net.refuse(
            call.where,
            f"padding_mode {layer.padding_mode!r} has no NIR node, only zeros have",
            "train with padding_mode='zeros'",
            call.wanted,
        )
    dilation = ints(layer.dilation, axes)
    if layer.padding == "same":
        conv = padded_same(weight, dilation, layer.groups)
    else:
        padding = (0,) * axes if layer.padding == "valid" else ints(layer.padding, axes)
        conv = Convolution(weight, ints(layer.stride, axes), padding, dilation, layer.groups)
    square = squared(ungrouped(conv), call.given[1:])
    if square is None:
        return net.refuse(
            call.where,
            "nir 1.0.8 takes every kernel for a square one and infers a wrong output shape "
            f"for {tuple(weight.shape[2:])}; zero taps cannot make this one square",
            "use kernel sizes that are both odd or both even",
            call.wanted,
        )
    bias = np.zeros(len(weight), weight.dtype) if bias is None else bias
    fields = (square.weight, square.stride, square.padding, square.dilation, 1, bias)
    if axes == 1:
        one = (square.weight, square.stride[0], square.padding[0], square.dilation[0], 1, bias)
        return net.add(call.name, nir.Conv1d(call.given[1], *one), call.source, call.wanted)
    return net.add(call.name, nir.Conv2d(call.given[1:], *fields), call.source, call.wanted)


def _batch_norm(net: Network, call: Call) -> Signal:
    layer = call.module
    if layer.running_mean is None:
        return net.refuse(
            call.where,
            "this batch norm keeps no running statistics",
            "train with track_running_stats=True",
            call.wanted,
        )
    ones = np.ones(layer.num_features)
    gain = ones if layer.weight is None else numpy_of(layer.weight)
    shift = 0 * ones if layer.bias is None else numpy_of(layer.bias)
    mean, variance = numpy_of(layer.running_mean), numpy_of(layer.running_var)
    named = {"weight": gain, "bias": shift, "running_mean": mean, "running_var": variance}
    for name, values in named.items():
        net.finite(call.where, name, values)
    factor = gain.astype(np.float64) / np.sqrt(variance.astype(np.float64) + layer.eps)
    return fold(net, call.where, call.source, factor, shift - mean * factor)


def _reshape(net: Network, call: Call) -> Signal:
    """Flatten, flatten(), view() and reshape(): known by what they did to the shape."""
    given, wanted = call.given, call.wanted
    if given == wanted:
        return call.source
    for start in range(len(given)):
        end = start + len(given) - len(wanted)
        merged = prod(given[start : end + 1])
        if end > start and (*given[:start], merged, *given[end + 1 :]) == wanted:
            last = -1 if end == len(given) - 1 else end
            node = nir.Flatten({"input": np.array(given)}, start, last)
            result = net.add(call.name, node, call.source, wanted)
            return net.mark_spikes(result) if net.is_spikes(call.source) else result
    return net.refuse(
        call.where,
        f"reshaping {given} to {wanted} has no NIR node, only merging neighbouring axes has",
        "use nn.Flatten()",
        wanted,
    )


def _nothing(net: Network, call: Call) -> Signal:
    return call.source


def _relu(net: Network, call: Call) -> Signal:
    """``IF`` with v <- v + x and threshold = scale, then spikes times scale: rate ~ ReLU."""
    scale = own_scale(call.module) or call.scales.get(call.node)
    if scale is None:
        net.uncalibrated.append(call.where)
        scale = 1.0  # nothing will come of it, but what follows is looked at
    shape = call.wanted
    neuron = nir.IF(
        r=np.full(shape, 1.0 / call.dt),
        v_threshold=np.full(shape, scale),
        v_reset=np.zeros(shape),
    )
    spikes = net.add(call.name, neuron, call.source, shape)
    (name, _), *_ = spikes.terms
    return net.add_activation(name, scale, spikes, shape)


def own_scale(module: Any) -> float | None:
    """What a ReLU was trained with: its `activation_scale`, if it has one."""
    scale = getattr(module, "activation_scale", None)
    return float(scale) if isinstance(scale, torch.Tensor) and scale.numel() == 1 else None


MODULES: dict[type[nn.Module], Handler] = {
    nn.Linear: _linear,
    nn.Conv1d: _conv,
    nn.Conv2d: _conv,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.AvgPool1d: average_line,
    nn.AvgPool2d: average,
    nn.AdaptiveAvgPool2d: adaptive,
    nn.MaxPool1d: maximum_line,
    nn.MaxPool2d: maximum,
    nn.Flatten: _reshape,
    nn.Dropout: _nothing,
    nn.Dropout1d: _nothing,
    nn.Dropout2d: _nothing,
    nn.Identity: _nothing,
    nn.ReLU: _relu,
}

_WINDOW = ("kernel_size", "stride", "padding")
_AVERAGE = (*_WINDOW, "ceil_mode", "count_include_pad", "divisor_override")
_MAXIMUM = (*_WINDOW, "dilation", "ceil_mode", "return_indices")

# Function or method name -> handler and torch's names of its arguments after the tensor.
FUNCTIONS: dict[Any, tuple[Handler, tuple[str, ...]]] = {
    torch.flatten: (_reshape, ()),
    torch.reshape: (_reshape, ()),
    "flatten": (_reshape, ()),
    "view": (_reshape, ()),
    "reshape": (_reshape, ()),
    "contiguous": (_nothing, ()),
    functional.dropout: (_nothing, ()),
    functional.dropout2d: (_nothing, ()),
    torch.relu: (_relu, ()),
    torch.relu_: (_relu, ()),
    functional.relu: (_relu, ()),
    functional.relu_: (_relu, ()),
    "relu": (_relu, ()),
    "relu_": (_relu, ()),
    functional.avg_pool1d: (average_line, _AVERAGE[:-1]),
    functional.avg_pool2d: (average, _AVERAGE),
    functional.adaptive_avg_pool2d: (adaptive, ()),
    functional.max_pool1d: (maximum_line, _MAXIMUM),
    functional.max_pool2d: (maximum, _MAXIMUM),
    torch.max_pool1d: (maximum_line, _MAXIMUM[:-1]),
    torch.max_pool2d: (maximum, _MAXIMUM[:-1]),
}

ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
CONCATENATIONS = (torch.cat, torch.concat, torch.concatenate)

# Type or function name, in lower case -> reason, remedy.
HINTS: dict[str, tuple[str, str]] = {
    "adaptivemaxpool2d": (
        "the maximum over windows of unequal size has no node",
        "use MaxPool2d with a kernel, right behind a spiking layer or ReLU",
    ),
    "maxpool3d": (MAX_REASON, "train with two axes and MaxPool2d"),
    "max_pool2d_with_indices": (
        "NIR cannot pass indices on",
        "train with return_indices=False",
    ),
    "stack": (
        "it makes a new axis, and NIR cannot lay signals side by side along one",
        "concatenate along the channel axis: torch.cat(tensors, dim=1)",
    ),
    "lstm": ("NIR has no gated units", "train with norse's spiking cells"),
    "layernorm": (
        "its statistics depend on the input, so it cannot be folded",
        "train with BatchNorm",
    ),
    "sigmoid": ("no NIR neuron computes it", "train with ReLU, or a norse cell"),
    "softmax": ("no NIR neuron computes it", "leave it out: the largest output stays the same"),
    "mul": ("NIR has no product of signals", "fold a constant factor into the weights"),
    "sub": ("NIR has no difference node", "negate the weights of one branch and add"),
    "convtranspose2d": ("NIR has no transposed convolution", "train without it"),
    "upsample": ("NIR has no upsampling", "train without it"),
    "getitem": ("NIR cannot cut a signal", "let a layer produce just what is needed"),
    "linear": ("weights of a function are not read", "use the layer nn.Linear"),
    "conv2d": ("weights of a function are not read", "use the layer nn.Conv2d"),
}
_ALIKE = {
    **dict.fromkeys(
        ("adaptivemaxpool1d", "adaptive_max_pool1d", "adaptive_max_pool2d"), "adaptivemaxpool2d"
    ),
    **dict.fromkeys(("hstack", "vstack", "dstack"), "stack"),
    "max_pool3d": "maxpool3d",
    "max_pool1d_with_indices": "max_pool2d_with_indices",
    **dict.fromkeys(("gru", "rnn", "multiheadattention"), "lstm"),
    **dict.fromkeys(("groupnorm", "instancenorm2d", "batchnorm3d"), "layernorm"),
    **dict.fromkeys(
        ("tanh", "gelu", "silu", "leakyrelu", "elu", "relu6", "prelu", "hardtanh", "softplus"),
        "sigmoid",
    ),
    **dict.fromkeys(("logsoftmax", "log_softmax"), "softmax"),
    **dict.fromkeys(("truediv", "matmul", "imul", "div"), "mul"),
    "isub": "sub",
}


def hint(name: str) -> tuple[str, str]:
    """Reason and remedy for something unsupported, by its type or function name."""
    key = name.lower()
    supported = sorted(layer.__name__ for layer in MODULES)
    return HINTS.get(
        _ALIKE.get(key, key),
        ("it has no NIR equivalent here", f"use {', '.join(supported)} or norse's cells"),
    )


def module_handler(module: nn.Module) -> Handler | None:
    """The handler of a layer; a subclass counts if it kept the layer's forward."""
    for base, handler in MODULES.items():
        if isinstance(module, base) and type(module).forward is base.forward:
            return handler
    return None


def is_relu(root: nn.Module, op: str, target: Any) -> bool:
    """Tell whether this call computes a ReLU."""
    if op == "call_module":
        return module_handler(root.get_submodule(str(target))) is _relu
    return target in FUNCTIONS and FUNCTIONS[target][0] is _relu


def uncalibrated_problem(names: list[str]) -> Problem:
    """What to say when ReLUs have no activation scale."""
    return Problem(
        f"{len(names)} ReLU layers need calibration data: their activation scale becomes the "
        "threshold of IF neurons",
        where=", ".join(names),
        remedy="give frames of the training set: --calibrate train.npz (export(..., "
        "calibration=x))",
    )
