"""MSKD's student: emotion from one eye by a frame-only spiking network.

Wang et al., arXiv 2407.09521. The paper does not state its layers: this is SEEN's event path
fed with intensity frames, its three kernel sizes merged into one of 7x7 (students.md 1.3 and
6.3, fold 3). Convolutions have no bias, as on SEEN's event path; linear layers have.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from torch import Tensor, nn

from ..blocks.chain import Chain
from ..blocks.neurons import seen_integrator, seen_lif, seen_membrane
from ..teachers.seen import CHANNELS, HIDDEN, map_size

Readout: TypeAlias = Literal["integrator", "membrane"]
Norm: TypeAlias = Literal["none", "batch"]

SMALL: dict[str, Any] = {
    "size": 48,
    "inputs": 1,
    "channels": (32, 64, 128),
    "hidden": 64,
}
"""Options of the small variant."""


class MskdStudent(nn.Module):
    """Conv 7x7 s2, LIF, conv 3x3 s2, LIF, conv 3x3 s4, LIF, linear, LIF, linear, readout."""

    time_steps = 4
    readout = "mean"
    input_encoding = "current"

    def __init__(
        self,
        *,
        size: int = 90,
        inputs: int = 3,
        classes: int = 7,
        channels: tuple[int, int, int] = CHANNELS,
        hidden: int = HIDDEN,
        norm: Norm = "none",
        readout: Readout = "integrator",
    ) -> None:
        """Build the network.

        Args:
            size: height and width of a frame, pixel.
            inputs: channels of a frame: 3, grey repeated as in SEEN, or 1.
            classes: outputs.
            channels: of the three convolutions.
            hidden: neurons of the first linear layer.
            norm: "batch": batch norm after each convolution, which export folds away.
            readout: "integrator": the membrane of neurons that never spike. "membrane": that
                of SEEN's spiking neurons before their reset, which no chip reads out.
        """
        super().__init__()
        self.sample_shape = (inputs, size, size)
        layers: dict[str, nn.Module] = {}
        shapes = zip((inputs, *channels[:2]), channels, (7, 3, 3), (2, 2, 4), strict=True)
        for level, (given, made, kernel, stride) in enumerate(shapes, 1):
            layers[f"conv{level}"] = nn.Conv2d(
                given, made, kernel, stride, padding=kernel // 2, bias=False
            )
            if norm == "batch":
                layers[f"bn{level}"] = nn.BatchNorm2d(made)
            layers[f"lif{level}"] = seen_lif()
        self.layers = Chain(
            **layers,
            flatten=nn.Flatten(),
            fc1=nn.Linear(channels[2] * map_size(size) ** 2, hidden),
            lif4=seen_lif(),
            fc2=nn.Linear(hidden, classes),
            output=seen_integrator() if readout == "integrator" else seen_membrane(),
        )

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance one time step: frame (N, inputs, H, W) -> (logits (N, classes), state)."""
        x, state = self.layers(x, state)
        return x, state


def mskd_small() -> MskdStudent:
    """The variant for tests and small chips: 48x48 grey, channels 32, 64, 128, hidden 64."""
    return MskdStudent(**SMALL)
