"""ResNet-18: the RGB teacher of CKD, and the frame branch of MSKD's hybrid teacher.

He et al., arXiv 1512.03385. Layers have torchvision's names, so that its weights load; it is
written out here because torchvision is not needed for anything else.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor, nn

Stem: TypeAlias = Literal["imagenet", "small"]


class BasicBlock(nn.Module):
    """relu(BN(conv 3x3 (relu(BN(conv 3x3 x)))) + shortcut), identity or BN(conv 1x1)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        y = self.relu1(self.bn1(self.conv1(x)))
        made: Tensor = self.relu2(self.bn2(self.conv2(y)) + self.downsample(x))
        return made


class ResNet18(nn.Module):
    """Stem, four stages of two blocks, mean over the picture, one linear layer."""

    def __init__(
        self,
        *,
        channels: int = 3,
        size: int = 48,
        classes: int = 101,
        width: int = 64,
        stem: Stem = "small",
        strides: tuple[int, int, int, int] = (1, 2, 2, 2),
    ) -> None:
        """Build the network.

        Args:
            channels: of the picture.
            size: its height and width, pixel.
            classes: outputs; 0: no linear layer, for those who read :meth:`features` only.
            width: channels of the first stage; each further one has twice as many.
            stem: "imagenet", conv 7x7 s2 and max-pool 3x3 s2; "small", conv 3x3, as is usual
                for pictures of 32 to 64 pixels.
            strides: of the stages.
        """
        super().__init__()
        self.sample_shape = (channels, size, size)
        large = stem == "imagenet"
        kernel, stride = (7, 2) if large else (3, 1)
        self.conv1 = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1) if large else nn.Identity()
        stages = []
        inputs = width
        for stage, step in enumerate(strides):
            outputs = width * 2**stage
            blocks = BasicBlock(inputs, outputs, step), BasicBlock(outputs, outputs, 1)
            stages.append(nn.Sequential(*blocks))
            inputs = outputs
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, classes) if classes else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        """Pictures -> maps of the last stage, (N, 8 width, H', W')."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, channels, H, W) -> logits (N, classes)."""
        logits: Tensor = self.fc(self.avgpool(self.features(x)).flatten(1))
        return logits
