"""VGG-SNN: CKD's student for N-Caltech101, eight spiking convolutions and one linear layer.

Ye et al., arXiv 2507.09269, on the base of He et al., AAAI 2024, code
Brain-Cog-Lab/Transfer-for-DVS, braincog/model_zoo/vgg_snn.py. Table: students.md 3.1.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ...errors import UsageError
from ..blocks.chain import Chain
from ..blocks.neurons import Ties, transfer_lif

LAYERS = ((64, False), (128, True), (256, False), (256, True)) + 2 * ((512, False), (512, True))
"""Channels of each convolution, and whether average pooling follows its neurons."""


class VggSnn(nn.Module):
    """Eight times conv 3x3 without bias, batch norm, LIF; four average poolings; linear.

    `features` is what both streams of CKD share; `fc` is the head of the event stream, the
    only one that is deployed. TransferPair adds the other.
    """

    alignment = "lif8"
    """Neurons of `features` whose membranes CKD aligns between the streams."""
    readout = "mean"
    input_encoding = "current"

    def __init__(
        self,
        *,
        classes: int = 101,
        inputs: int = 2,
        size: int = 48,
        time_steps: int = 10,
        divisor: int = 1,
        ties: Ties = "fire",
    ) -> None:
        """Build the network.

        Args:
            classes: outputs.
            inputs: channels of an event frame, one a polarity.
            size: height and width of an event frame, a multiple of 16, pixel.
            time_steps: event frames of a recording.
            divisor: of the number of channels; the whole network is about one Loihi 2.
            ties: whether a membrane that meets the threshold exactly fires.

        Raises:
            UsageError: size or divisor do not fit.
        """
        super().__init__()
        if size < 16 or size % 16 or divisor not in (1, 2, 4, 8, 16, 32, 64):
            raise UsageError(
                f"size is {size}, divisor is {divisor}",
                where="VggSnn",
                remedy="a size that is a multiple of 16, a divisor 1, 2, 4, ..., 64",
            )
        self.sample_shape = (inputs, size, size)
        self.time_steps = time_steps
        layers: dict[str, nn.Module] = {}
        for level, (width, pooled) in enumerate(LAYERS, 1):
            outputs = width // divisor
            layers[f"conv{level}"] = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            layers[f"bn{level}"] = nn.BatchNorm2d(outputs)
            layers[f"lif{level}"] = transfer_lif(ties=ties)
            if pooled:
                layers[f"pool{level}"] = nn.AvgPool2d(2)
            inputs = outputs
        self.features = Chain(**layers, flatten=nn.Flatten())
        self.fc = nn.Linear(inputs * (size // 16) ** 2, classes)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance one time step: events (N, 2, H, W) -> (logits (N, classes), state)."""
        x, state = self.features(x, state)
        return self.fc(x), state
