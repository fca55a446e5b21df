"""Parameters, multiply-accumulates and neurons of each layer of a network.

Meant for torch's meta device: tensors there have shapes and no values, so that the largest
teacher takes neither memory nor time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from norse.torch.module.snn import SNNCell
from torch import Tensor, nn

from .blocks.squeeze import SqueezeExcitation


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network.

    Attributes:
        name: path in the network.
        kind: its type.
        output: shape of one sample's output.
        parameters: numbers that are trained; batch norm's scale and shift, not its statistics.
        macs: multiply-accumulates of one sample (and step) in convolutions, linear layers and
            gates, all inputs taken as non-zero; biases, batch norm and pooling are not counted.
        neurons: outputs of a ReLU or of a spiking or integrating cell.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int
    neurons: int


def parameters_of(model: nn.Module) -> int:
    """Numbers that are trained."""
    return sum(each.numel() for each in model.parameters())


@torch.no_grad()
def layers_of(model: nn.Module, *shapes: tuple[int, ...]) -> tuple[Layer, ...]:
    """Each layer in the order in which it is first called.

    Args:
        model: called with one tensor a shape, a batch of one; a network over time takes one
            step. Its layers are counted when called as modules.
        shapes: of one sample of each input.
    """
    found: dict[str, Layer] = {}
    hooks = []

    def listen(name: str) -> Any:
        def hear(layer: nn.Module, inputs: Any, result: Any) -> None:
            output = result[0] if isinstance(result, tuple) else result
            macs, neurons = _costs(layer, inputs[0], output)
            known = found.get(name)
            if known is not None:  # called again: dropout is
                found[name] = replace(known, macs=known.macs + macs)
                return
            shape = tuple(output.shape[1:])
            kind = type(layer).__name__
            found[name] = Layer(name, kind, shape, parameters_of(layer), macs, neurons)

        return hear

    for name, layer in _leaves(model, ""):
        hooks.append(layer.register_forward_hook(listen(name)))
    training = model.training
    device = next(model.parameters()).device
    model.eval()
    try:
        model(*(torch.zeros((1, *shape), device=device) for shape in shapes))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return tuple(found.values())


def _leaves(module: nn.Module, path: str) -> Iterable[tuple[str, nn.Module]]:
    whole = isinstance(module, SqueezeExcitation | SNNCell) or not any(module.children())
    if whole:
        yield path, module
        return
    for name, child in module.named_children():
        yield from _leaves(child, f"{path}.{name}" if path else name)


def _costs(layer: nn.Module, given: Tensor, made: Tensor) -> tuple[int, int]:
    """(multiply-accumulates, neurons) of one call, for one sample."""
    shape = tuple(made.shape[1:])
    if isinstance(layer, nn.Conv2d):
        return prod(shape) * prod(layer.weight.shape[1:]), 0
    if isinstance(layer, nn.Linear):
        return prod(shape) * layer.in_features, 0
    if isinstance(layer, SqueezeExcitation):
        return parameters_of(layer), 0
    if isinstance(layer, nn.ReLU | SNNCell):
        return 0, prod(shape)
    return 0, 0
