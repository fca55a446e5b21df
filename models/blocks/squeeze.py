"""Squeeze-and-excitation: a gate for each channel, from the mean of all channels.

Hu et al., arXiv 1709.01507; as ResEmoteNet has it, without bias.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

Squeeze: TypeAlias = Literal["sigmoid", "hard-sigmoid", "frozen", "none"]
"""The gate that depends on the input, with the paper's function or with one that is linear in
pieces; a constant gate; or no gate."""

REDUCTION = 16


class SqueezeExcitation(nn.Module):
    """y = x * g(W2 relu(W1 mean(x))), the mean over height and width, g a sigmoid."""

    def __init__(self, channels: int, gate: Literal["sigmoid", "hard-sigmoid"]) -> None:
        """Make the gate of `channels` channels; its hidden layer has a sixteenth of them."""
        super().__init__()
        hidden = max(1, channels // REDUCTION)
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid() if gate == "sigmoid" else nn.Hardsigmoid(),
        )

    def gate(self, x: Tensor) -> Tensor:
        """The factor of each channel: (N, C, H, W) -> (N, C), between 0 and 1."""
        factor: Tensor = self.fc(x.mean(dim=(2, 3)))
        return factor

    def forward(self, x: Tensor) -> Tensor:
        """Multiply each channel by its gate."""
        return x * self.gate(x)[:, :, None, None]


class FrozenGate(nn.Module):
    """y = x * g with a constant g for each channel; ones at first."""

    factor: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("factor", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply each channel by its constant."""
        return x * self.factor[None, :, None, None]


def squeeze_layer(channels: int, squeeze: Squeeze) -> nn.Module:
    """The layer of that option."""
    if squeeze == "none":
        return nn.Identity()
    return FrozenGate(channels) if squeeze == "frozen" else SqueezeExcitation(channels, squeeze)
