"""Mini-ResEmoteNet C as a spiking network: 48x48 grey faces, 7 emotions, 35,168 neurons.

After Murtada et al., arXiv 2501.18538, student C: ResEmoteNet with an eighth of its channels.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..cells import lif
from ..recipe import Recipe

RECIPE = Recipe(
    dataset="fer2013",
    epochs=24,
    batch=64,
    learning_rate=2e-3,
    curriculum=((0.0, 0), (0.1, 4)),
    weight_decay=0.1,
    warm_up=0.05,
    surrogate_width=0.5,
    label_smoothing=0.1,
    logit_gain=6.0,
    rate_target=0.25,
    rate_weight=0.1,
    augment=True,
    budget_second=1140.0,
    deviations=(
        "spiking: LIF neurons in place of every ReLU; the outputs of 4 time steps are added",
        "no squeeze-and-excitation gate: a product that depends on the input",
        "average pooling in place of maximum pooling",
        "all layers scaled by 1/8, the fully connected head too (256-128-64-32-7)",
        "48x48x1 input in place of 64x64x3; convolutions without bias before batch norm",
        "batch norm in the fully connected head, no dropout there",
        "no knowledge distillation: trained on the labels alone",
        "trained for minutes on two CPU cores",
    ),
)

A = 0.5
"""Step fraction dt / tau of every neuron: tau = 2 ms."""

THRESHOLD = 0.4
"""A constant current of 0.8 fires at every step."""


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, then batch norm, which export folds into it."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


def _linear(inputs: int, outputs: int) -> nn.Sequential:
    """Linear layer without bias, then batch norm: without it these layers fall silent."""
    return nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs))


class Block(nn.Module):
    """Residual block: LIF(conv 3x3 s2), then LIF(conv 3x3 of it + conv 1x1 s2 of the input)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, outputs, 3, 2)
        self.lif1 = lif(A, THRESHOLD)
        self.conv2 = _conv(outputs, outputs, 3)
        self.shortcut = _conv(inputs, outputs, 1, 2)
        self.lif2 = lif(A, THRESHOLD)

    def forward(self, x: Tensor, s1: Any, s2: Any) -> tuple[Tensor, Any, Any]:
        """Advance one step: spikes (N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""
        y, s1 = self.lif1(self.conv1(x), s1)
        y, s2 = self.lif2(self.conv2(y) + self.shortcut(x), s2)
        return y, s1, s2


class Student(nn.Module):
    """Three convolutions with pooling, three residual blocks, four linear layers.

    Departures from the paper stand in RECIPE.deviations: no squeeze-and-excitation, average in
    place of maximum pooling, LIF in place of ReLU, all layers scaled, no distillation.
    """

    sample_shape = (1, 48, 48)
    time_steps = 4
    readout = "mean"
    input_encoding = "current"

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _conv(1, 8, 3)
        self.lif1 = lif(A, THRESHOLD)
        self.conv2 = _conv(8, 16, 3)
        self.lif2 = lif(A, THRESHOLD)
        self.conv3 = _conv(16, 32, 3)
        self.lif3 = lif(A, THRESHOLD)
        self.pool = nn.AvgPool2d(2)
        self.block1 = Block(32, 64)
        self.block2 = Block(64, 128)
        self.block3 = Block(128, 256)
        self.flatten = nn.Flatten()
        self.fc1 = _linear(256, 128)
        self.lif4 = lif(A, THRESHOLD)
        self.fc2 = _linear(128, 64)
        self.lif5 = lif(A, THRESHOLD)
        self.fc3 = _linear(64, 32)
        self.lif6 = lif(A, THRESHOLD)
        self.fc4 = nn.Linear(32, 7)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance one time step.

        Args:
            x: input current, (N, 1, 48, 48), values from 0 to 1.
            state: what the previous step returned, None at the first.

        Returns:
            The output of this step (N, 7), and the state.
        """
        s = (None,) * 12 if state is None else state
        x, s1 = self.lif1(self.conv1(x), s[0])
        x, s2 = self.lif2(self.conv2(self.pool(x)), s[1])
        x, s3 = self.lif3(self.conv3(self.pool(x)), s[2])
        x, s4, s5 = self.block1(self.pool(x), s[3], s[4])
        x, s6, s7 = self.block2(x, s[5], s[6])
        x, s8, s9 = self.block3(x, s[7], s[8])
        x, s10 = self.lif4(self.fc1(self.flatten(x)), s[9])
        x, s11 = self.lif5(self.fc2(x), s[10])
        x, s12 = self.lif6(self.fc3(x), s[11])
        return self.fc4(x), (s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12)
