"""The digits student: 8x8 pictures, 1,536 spiking neurons, trained in seconds; the example.

No pooling and no batch norm, and no biases: every weight that is trained is a weight on the
chip, and norse's own NIR import runs the exported graph as it is.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..cells import lif
from ..recipe import Recipe

RECIPE = Recipe(
    dataset="digits", epochs=25, batch=64, learning_rate=0.01, curriculum=((0.0, 8),), threads=1
)


class Student(nn.Module):
    """Conv 1-16, LIF, conv 16-32 stride 2, LIF, linear 10; the outputs are added over time."""

    sample_shape = (1, 8, 8)
    time_steps = 8
    readout = "mean"
    input_encoding = "current"

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.lif1 = lif(0.4, 0.5)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.lif2 = lif(0.4, 0.5)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(512, 10, bias=False)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance one time step.

        Args:
            x: input current, (N, 1, 8, 8), values from 0 to 1.
            state: what the previous step returned, None at the first.

        Returns:
            The output of this step (N, 10), and the state.
        """
        s1, s2 = (None, None) if state is None else state
        x, s1 = self.lif1(self.conv1(x), s1)
        x, s2 = self.lif2(self.conv2(x), s2)
        return self.linear(self.flatten(x)), (s1, s2)
