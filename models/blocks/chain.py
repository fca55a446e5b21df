"""Layers one after the other, some of which keep a state from step to step."""

from __future__ import annotations

from typing import Any

from norse.torch.module.snn import SNNCell
from torch import Tensor, nn


def is_stateful(layer: nn.Module) -> bool:
    """Whether a layer is called as layer(x, state) and returns (output, state)."""
    return isinstance(layer, SNNCell) or bool(getattr(layer, "stateful", False))


class Chain(nn.Sequential):
    """Named layers in order: one time step of a feed-forward spiking network.

    The state is a tuple with one entry for each layer that keeps one, None before the first
    step, and is never changed in place.
    """

    stateful = True

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance one step: (output, state)."""
        states: list[Any] = []
        for layer in self:
            if is_stateful(layer):
                x, own = layer(x, None if state is None else state[len(states)])
                states.append(own)
            else:
                x = layer(x)
        return x, tuple(states)
