"""Spiking ResNet-18: CKD's student for CEP-DVS, as published and in a form that deploys.

He et al., AAAI 2024, code Brain-Cog-Lab/Transfer-for-DVS, braincog/model_zoo/resnet.py: blocks
of (batch norm, neuron, convolution), so that residual sums are analog and no neuron stands
between them. The deployable form has (convolution, batch norm, neuron): the sum goes into
neurons, and only spikes leave a block.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from torch import Tensor, nn

from ..blocks.chain import Chain
from ..blocks.neurons import Ties, transfer_lif

Activation: TypeAlias = Literal["pre", "post"]


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class PreBlock(nn.Module):
    """conv 3x3 (LIF(BN(conv 3x3 (LIF(BN x))))) + shortcut; the sum is analog.

    Shortcut: the input itself, or conv 1x1 (LIF(BN x)) where size or channels change.
    """

    stateful = True

    def __init__(self, inputs: int, outputs: int, stride: int, ties: Ties) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.node1 = transfer_lif(ties=ties)
        self.conv1 = _conv(inputs, outputs, 3, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.node2 = transfer_lif(ties=ties)
        self.conv2 = _conv(outputs, outputs, 3)
        self.downsample: Chain | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = Chain(
                bn=nn.BatchNorm2d(inputs),
                node=transfer_lif(ties=ties),
                conv=_conv(inputs, outputs, 1, stride),
            )

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance one step: values (N, inputs, H, W) -> values (N, outputs, H', W')."""
        s1, s2, s3 = (None, None, None) if state is None else state
        y, s1 = self.node1(self.bn1(x), s1)
        y, s2 = self.node2(self.bn2(self.conv1(y)), s2)
        y = self.conv2(y)
        if self.downsample is not None:
            x, s3 = self.downsample(x, s3)
        return y + x, (s1, s2, s3)


class PostBlock(nn.Module):
    """LIF(BN(conv 3x3 (LIF(BN(conv 3x3 x)))) + shortcut): spikes in, spikes out.

    Shortcut: the spikes themselves, or BN(conv 1x1 x) where size or channels change.
    """

    stateful = True

    def __init__(self, inputs: int, outputs: int, stride: int, ties: Ties) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, outputs, 3, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.node1 = transfer_lif(ties=ties)
        self.conv2 = _conv(outputs, outputs, 3)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                _conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )
        self.node2 = transfer_lif(ties=ties)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance one step: spikes (N, inputs, H, W) -> spikes (N, outputs, H', W')."""
        s1, s2 = (None, None) if state is None else state
        y, s1 = self.node1(self.bn1(self.conv1(x)), s1)
        y, s2 = self.node2(self.bn2(self.conv2(y)) + self.downsample(x), s2)
        return y, (s1, s2)


class SpikingResNet18(nn.Module):
    """conv 3x3, four stages of two blocks, mean over the picture, linear."""

    alignment = "features"
    """CKD aligns what `features` returns: the pooled values, as the base's code does here."""
    readout = "mean"
    input_encoding = "current"

    def __init__(
        self,
        *,
        activation: Activation = "pre",
        classes: int = 20,
        inputs: int = 2,
        size: int = 48,
        time_steps: int = 6,
        width: int = 64,
        ties: Ties = "fire",
    ) -> None:
        """Build the network.

        Args:
            activation: "pre", as published, or "post", which deploys.
            classes: outputs.
            inputs: channels of an event frame, one a polarity.
            size: height and width of an event frame, pixel.
            time_steps: event frames of a recording.
            width: channels of the first stage; each further one has twice as many.
            ties: whether a membrane that meets the threshold exactly fires.
        """
        super().__init__()
        self.sample_shape = (inputs, size, size)
        self.time_steps = time_steps
        layers: dict[str, nn.Module] = {"conv1": _conv(inputs, width, 3)}
        block = PreBlock if activation == "pre" else PostBlock
        if activation == "post":
            layers |= {"bn1": nn.BatchNorm2d(width), "node1": transfer_lif(ties=ties)}
        given = width
        for stage, stride in enumerate((1, 2, 2, 2)):
            made = width * 2**stage
            layers[f"layer{stage + 1}"] = Chain(
                first=block(given, made, stride, ties), second=block(made, made, 1, ties)
            )
            given = made
        if activation == "pre":
            layers["bn1"] = nn.BatchNorm2d(given)
        self.features = Chain(**layers, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())
        self.fc = nn.Linear(given, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance one time step: events (N, 2, H, W) -> (logits (N, classes), state)."""
        x, state = self.features(x, state)
        return self.fc(x), state
