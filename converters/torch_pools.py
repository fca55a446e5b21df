"""Pooling layers as NIR nodes: sums and means exactly, the maximum of spikes as an OR."""

from __future__ import annotations

from collections import Counter
from typing import Any

import nir
import numpy as np

from .network import Array, Network, Signal
from .torch_call import Call, Shape

MAX_REASON = (
    "it takes the maximum of currents or sums, which no spiking neuron computes; only the "
    "maximum of one layer's spikes is their OR"
)
MAX_REMEDY = (
    "move the pool behind the spiking layer or ReLU, or train with AvgPool2d or a convolution "
    "with a stride"
)


def ints(value: Any, axes: int) -> Shape:
    """One value for every axis, or one value an axis."""
    values = (value,) * axes if isinstance(value, int) else tuple(value)
    values = values * axes if len(values) == 1 else values
    return tuple(int(v) for v in values)


def _geometry(call: Call, axes: int) -> tuple[Any, Shape, Shape, Shape]:
    """Options of the layer or function; kernel, stride and padding."""
    options = call.arguments if call.module is None else vars(call.module)
    kernel = ints(options["kernel_size"], axes)
    stride = ints(options.get("stride") or kernel, axes)
    return options, kernel, stride, ints(options.get("padding", 0), axes)


def _cuts_a_window(call: Call, kernel: Shape, stride: Shape, padding: Shape) -> bool:
    """Whether ceil_mode made windows that hang over the border."""
    axes = zip(call.given[1:], kernel, stride, padding, strict=True)
    return call.wanted[1:] != tuple((n + 2 * p - k) // s + 1 for n, k, s, p in axes)


def average(net: Network, call: Call) -> Signal:
    """``AvgPool2d``; with another divisor a ``SumPool2d`` and a ``Scale`` by its inverse."""
    options, kernel, stride, padding = _geometry(call, 2)
    if options.get("ceil_mode") and _cuts_a_window(call, kernel, stride, padding):
        return net.refuse(
            call.where,
            "average pooling with ceil_mode=True has no NIR node where a window hangs over the "
            f"border: {call.given} becomes {call.wanted}",
            "train without ceil_mode, or with sizes that the stride divides",
            call.wanted,
        )
    divisor = options.get("divisor_override")
    inside_only = any(padding) and not options.get("count_include_pad", True)
    if divisor is None and not inside_only:
        return mean(net, call, kernel, stride, padding)
    count: Array = np.full(call.wanted, float(divisor or 1))
    if divisor is None:
        sizes = call.given[1:]
        inside = [
            _inside(*axis)
            for axis in zip(sizes, call.wanted[1:], kernel, stride, padding, strict=True)
        ]
        count = np.broadcast_to(np.multiply.outer(*inside), call.wanted)
    total = net.add(f"{call.name}_sum", _sum(kernel, stride, padding), call.source, call.wanted)
    return net.add(call.name, nir.Scale((1 / count).astype(np.float32)), total, call.wanted)


def _inside(size: int, windows: int, kernel: int, stride: int, padding: int) -> Array:
    """How many elements of each window are no padding."""
    start = np.arange(windows) * stride - padding
    return np.minimum(start + kernel, size) - np.maximum(start, 0)


def mean(net: Network, call: Call, kernel: Shape, stride: Shape, padding: Shape) -> Signal:
    """``AvgPool2d``: the sum of a window, zeros of the padding included, by its size."""
    node = nir.AvgPool2d(np.array(kernel), np.array(stride), np.array(padding))
    return net.add(call.name, node, call.source, call.wanted)


def _sum(kernel: Shape, stride: Shape, padding: Shape) -> nir.SumPool2d:
    return nir.SumPool2d(np.array(kernel), np.array(stride), np.array(padding))


def adaptive(net: Network, call: Call) -> Signal:
    """Adaptive average pooling whose windows all have one size."""
    given, wanted = call.given[1:], call.wanted[1:]
    if given == wanted:
        return call.source
    if any(n % m for n, m in zip(given, wanted, strict=True)):
        return net.refuse(
            call.where,
            f"adaptive pooling from {given} to {wanted} has windows of unequal size",
            "choose an output size that divides the input size",
            call.wanted,
        )
    kernel = tuple(n // m for n, m in zip(given, wanted, strict=True))
    return mean(net, call, kernel, kernel, (0, 0))


def maximum(net: Network, call: Call) -> Signal:
    """Max pooling of spikes: their sum over the window, and an IF that any one makes fire.

    v is 0 before each step, since the IF either heard nothing or fired and was reset: the pair
    is the window's OR, step by step. torch pads with minus infinity and this with 0, which is
    the same for spikes. Behind a ReLU the pair stands between its IF and its Scale: exact where
    the earlier spike is the larger value, and marked as no maximum of rates.
    """
    options, kernel, stride, padding = _geometry(call, 2)
    wrong = _unlike(call, options, kernel, stride, padding)
    if set(ints(options.get("dilation", 1), 2)) != {1}:
        wrong = wrong or ("dilation has no NIR node", "train with dilation=1")
    if wrong:
        return _refuse(net, call, *wrong)
    if not call.source.terms:
        return Signal(Counter(), call.wanted)
    spikes = net.spikes_behind(call.source)
    if spikes is None:
        return _refuse(net, call, MAX_REASON, MAX_REMEDY)
    total = net.add(f"{call.name}_sum", _sum(kernel, stride, padding), spikes, call.wanted)
    pooled = _any(net, call, total)
    (name, _), *_ = pooled.terms
    net.nodes[name].metadata["pooling"] = "max"
    if spikes is call.source:
        return pooled
    net.nodes[name].metadata["pooling_of"] = "rates"
    scale = net.activation_scale(call.source)
    return net.add_activation(name, scale, pooled, call.wanted)


def _any(net: Network, call: Call, total: Signal) -> Signal:
    """An IF that fires where the sum of spikes is not 0: ``v <- v + x > 0.5``."""
    shape = call.wanted
    neuron = nir.IF(
        r=np.full(shape, 1.0 / call.dt),
        v_threshold=np.full(shape, 0.5),
        v_reset=np.zeros(shape),
    )
    return net.mark_spikes(net.add(call.name, neuron, total, shape))


def _unlike(
    call: Call, options: Any, kernel: Shape, stride: Shape, padding: Shape
) -> tuple[str, str] | None:
    """Reason and remedy for options of a max-pool that are not taken."""
    if options.get("return_indices"):
        return "NIR cannot pass indices on", "train with return_indices=False"
    if options.get("ceil_mode") and _overhangs(call, options, kernel, stride, padding):
        return (
            f"with ceil_mode=True a window hangs over the border: {call.given} becomes "
            f"{call.wanted}",
            "train without ceil_mode, or with sizes that the stride divides",
        )
    return None


def _overhangs(call: Call, options: Any, kernel: Shape, stride: Shape, padding: Shape) -> bool:
    """Whether ceil_mode changes anything, for dilated windows too."""
    dilation = ints(options.get("dilation", 1), len(kernel))
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    return _cuts_a_window(call, reach, stride, padding)


def _refuse(net: Network, call: Call, reason: str, remedy: str) -> Signal:
    return net.refuse(
        call.where, f"{call.where} is not supported: {reason}", remedy, call.wanted
    )


def average_line(net: Network, call: Call) -> Signal:
    """``AvgPool1d`` as a convolution, since NIR pools over two axes only."""
    options, kernel, stride, padding = _geometry(call, 1)
    if options.get("ceil_mode") and _cuts_a_window(call, kernel, stride, padding):
        return _refuse(
            net,
            call,
            f"with ceil_mode=True a window hangs over the border: {call.given} becomes "
            f"{call.wanted}",
            "train without ceil_mode, or with sizes that the stride divides",
        )
    if any(padding) and not options.get("count_include_pad", True):
        reason = "with count_include_pad=False the border has a divisor of its own"
        return _refuse(net, call, reason, "train with count_include_pad=True")
    node = _window(call, kernel[0], stride[0], padding[0], 1, 1.0 / kernel[0])
    return net.add(call.name, node, call.source, call.wanted)


def maximum_line(net: Network, call: Call) -> Signal:
    """``MaxPool1d`` of spikes: as :func:`maximum`, with a convolution of ones for the sum."""
    options, kernel, stride, padding = _geometry(call, 1)
    wrong = _unlike(call, options, kernel, stride, padding)
    if wrong:
        return _refuse(net, call, *wrong)
    if not call.source.terms:
        return Signal(Counter(), call.wanted)
    spikes = net.spikes_behind(call.source)
    if spikes is None:
        return _refuse(net, call, MAX_REASON, MAX_REMEDY)
    if spikes is not call.source:
        reason = "NIR has no pooling over one axis, so a rate's maximum cannot be told apart"
        return _refuse(net, call, reason, "use MaxPool2d on (channels, length, 1)")
    dilation = ints(options.get("dilation", 1), 1)[0]
    node = _window(call, kernel[0], stride[0], padding[0], dilation, 1.0)
    return _any(net, call, net.add(f"{call.name}_sum", node, spikes, call.wanted))


def _window(
    call: Call, kernel: int, stride: int, padding: int, dilation: int, weight: float
) -> nir.Conv1d:
    channels = call.given[0]
    taps = np.repeat(weight * np.eye(channels, dtype=np.float32)[:, :, None], kernel, axis=2)
    bias = np.zeros(channels, np.float32)
    return nir.Conv1d(call.given[1], taps, stride, padding, dilation, 1, bias)
