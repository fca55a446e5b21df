"""SEEN: emotion from one eye, by event and frame; and a hybrid teacher after it.

Zhang et al., ICCV 2023; official code zhanghaiwei1234/Single-eye-Emotion-Recognition,
model_snn_cnn.py, whose names the layers have (fc1 and fc2 are in `head`). Facts and counts:
students.md 1.1 and 1.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..blocks.chain import Chain
from ..blocks.neurons import seen_lif, seen_membrane
from ..sequence import OverTime, walk
from .resnet import ResNet18, Stem

CHANNELS = (64, 256, 512)
HIDDEN = 256


def map_size(size: int) -> int:
    """Height of the third level's maps: strides 2, 2 and 4."""
    for stride in (2, 2, 4):
        size = -(-size // stride)
    return size


def classifier(inputs: int, hidden: int, classes: int) -> Chain:
    """fc1, LIF, fc2, LIF; the output is the last LIF's membrane before its reset."""
    return Chain(
        fc1=nn.Linear(inputs, hidden),
        lif4=seen_lif(),
        fc2=nn.Linear(hidden, classes),
        lif5=seen_membrane(),
    )


class Seen(nn.Module):
    """Frame branch: linear down to a feature that spikes once. Event branch: its kernels.

    h3 = LIF(conv3(conv2(cat(w_i conv_i(f))))) for one step; for each event step
    s3 = LIF(K3 LIF(K2 LIF(Kc cat(w_i K_i e)))), logits = membrane of fc2(LIF(fc1(s3 + h3))).
    w = softmax over the three kernel sizes of a small network on the frame's maps. K are the
    frame branch's kernels without bias.
    """

    def __init__(self, *, size: int = 90, classes: int = 7, detach: bool = True) -> None:
        """Build the network.

        Args:
            size: height and width of frames and events, pixel.
            classes: outputs.
            detach: no gradient reaches the kernels through the event branch's convolutions,
                as in the official code.
        """
        super().__init__()
        self.size, self.detach = size, detach
        first, second, third = CHANNELS
        self.conv0 = nn.Conv2d(6, 3, 1)
        self.conv1_f2 = nn.Conv2d(3, first, 3, 2, padding=1)
        self.conv1_f3 = nn.Conv2d(3, first, 5, 2, padding=2)
        self.conv1_f4 = nn.Conv2d(3, first, 7, 2, padding=3)
        self.conv1_cat = nn.Conv2d(3 * first, first, 1)
        self.conv2_f2 = nn.Conv2d(first, second, 3, 2, padding=1)
        self.conv3_f2 = nn.Conv2d(second, third, 3, 4, padding=1)
        self.mlp_f1, self.mlp_f2, self.mlp_f3 = (_attention(first) for _ in range(3))
        self.lif0, self.lif1, self.lif2, self.lif3 = (seen_lif() for _ in range(4))
        self.head = classifier(third * map_size(size) ** 2, HIDDEN, classes)
        self._classify = OverTime(self.head)

    def forward(self, frames: Tensor, events: Tensor) -> Tensor:
        """Logits of each step; the paper's answer is their mean over the steps.

        Args:
            frames: first and last frame of the clip side by side, (N, 6, H, W).
            events: event frames, (T, N, 3, H, W).

        Returns:
            (T, N, classes), membranes before the reset.
        """
        h3, w = self.frame_branch(frames)
        s3 = self.event_branch(events, w)
        return self._classify(s3 + h3).output

    def frame_branch(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(spikes h3 (N, F), weights of the kernel sizes (N, 3, 1, 1))."""
        x = self.conv0(frames)
        maps = [self.conv1_f2(x), self.conv1_f3(x), self.conv1_f4(x)]
        mlps = (self.mlp_f1, self.mlp_f2, self.mlp_f3)
        scores = [mlp(each) for mlp, each in zip(mlps, maps, strict=True)]
        w = torch.softmax(torch.cat(scores, dim=1), dim=1)
        x = self.conv1_cat(_weighted(maps, w))
        x = self.conv3_f2(self.conv2_f2(x)).flatten(1)
        spikes: Tensor = self.lif0(x)[0]
        return spikes, w

    def event_branch(self, events: Tensor, w: Tensor) -> Tensor:
        """Spikes of the third level, (T, N, F)."""
        steps, samples = events.shape[:2]
        x = events.flatten(0, 1)
        sizes = ((self.conv1_f2, 1), (self.conv1_f3, 2), (self.conv1_f4, 3))
        maps = [self._event(x, conv, 2, padding) for conv, padding in sizes]
        w = w.expand(steps, *w.shape).flatten(0, 1)
        x = self._event(_weighted(maps, w), self.conv1_cat, 1, 0)
        x = walk(self.lif1, x.view(steps, samples, *x.shape[1:]))
        x = self._event(x.flatten(0, 1), self.conv2_f2, 2, 1)
        x = walk(self.lif2, x.view(steps, samples, *x.shape[1:]))
        x = self._event(x.flatten(0, 1), self.conv3_f2, 4, 1)
        return walk(self.lif3, x.reshape(steps, samples, -1))

    def _event(self, x: Tensor, conv: nn.Conv2d, stride: int, padding: int) -> Tensor:
        if self.detach:
            return functional.conv2d(x, conv.weight, None, stride, padding).detach()
        return functional.conv2d(x, conv.weight, None, stride, padding)


def _attention(channels: int) -> nn.Sequential:
    """One score for a map: mean, 1x1, BN, ReLU, 1x1."""
    hidden = channels // 8
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(channels, hidden, 1),
        nn.BatchNorm2d(hidden),
        nn.ReLU(),
        nn.Conv2d(hidden, 1, 1),
    )


def _weighted(maps: list[Tensor], w: Tensor) -> Tensor:
    return torch.cat([w[:, i : i + 1] * each for i, each in enumerate(maps)], dim=1)


class HybridTeacher(nn.Module):
    """A SEEN-like teacher with two branches of their own: ResNet-18 and spiking convolutions.

    MSKD's paper says "ANN-SNN hybrid on event and frame" and no more: this is our reading.
    The frame branch's last stage has stride 1, so that its maps have the size of the event
    branch's; they spike once and are added to each event step, as in SEEN.
    """

    def __init__(
        self,
        *,
        size: int = 90,
        classes: int = 7,
        frame_channels: int = 6,
        event_channels: int = 3,
        channels: tuple[int, int, int] = CHANNELS,
        hidden: int = HIDDEN,
        stem: Stem = "imagenet",
    ) -> None:
        """Build the network.

        Args:
            size: height and width of frames and events, pixel.
            classes: outputs.
            frame_channels: of the first and the last frame together.
            event_channels: of one event frame.
            channels: of the event branch's three convolutions; the ResNet's last stage has as
                many as the last of them.
            hidden: neurons of the first linear layer.
            stem: of the ResNet.
        """
        super().__init__()
        self.size = size
        first, second, third = channels
        width = third // 8
        self.frame = ResNet18(
            channels=frame_channels,
            size=size,
            classes=0,
            width=width,
            stem=stem,
            strides=(1, 2, 2, 1) if stem == "imagenet" else (2, 2, 2, 2),
        )
        self.frame_lif = seen_lif()
        self.event = Chain(
            conv1=nn.Conv2d(event_channels, first, 7, 2, padding=3, bias=False),
            lif1=seen_lif(),
            conv2=nn.Conv2d(first, second, 3, 2, padding=1, bias=False),
            lif2=seen_lif(),
            conv3=nn.Conv2d(second, third, 3, 4, padding=1, bias=False),
            lif3=seen_lif(),
            flatten=nn.Flatten(),
        )
        self.head = classifier(third * map_size(size) ** 2, hidden, classes)
        self._classify, self._see = OverTime(self.head), OverTime(self.event)

    def forward(self, frames: Tensor, events: Tensor) -> Tensor:
        """As Seen: frames (N, C, H, W), events (T, N, C, H, W) -> (T, N, classes)."""
        h3, _ = self.frame_lif(self.frame.features(frames).flatten(1))
        s3 = self._see(events).output
        return self._classify(s3 + h3).output
