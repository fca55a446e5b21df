"""What CKD's two students have in training only: a second stream, a second head, weights c_t.

He et al., AAAI 2024, code Brain-Cog-Lab/Transfer-for-DVS, Transfer_VGG_SNN, Transfer_ResNet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ..sequence import Order, OverTime
from .spiking_resnet import SpikingResNet18
from .vgg_snn import VggSnn

Heads: TypeAlias = Literal[1, 2]


@dataclass(frozen=True, slots=True)
class Streams:
    """Both streams of a batch over T steps.

    Attributes:
        static_logits, event_logits: (T, N, classes).
        static_features, event_features: what domain alignment compares, (T, N, F).
    """

    static_logits: Tensor
    event_logits: Tensor
    static_features: Tensor
    event_features: Tensor


class TransferPair(nn.Module):
    """One spiking network on two streams: pictures and events.

    The student is deployed without this wrapper: `pair.student` is all that is exported.
    """

    def __init__(
        self, student: VggSnn | SpikingResNet18, *, heads: Heads = 1, order: Order = "layer"
    ) -> None:
        """Wrap a student.

        Args:
            student: shares its features between the streams; its head reads the events.
            heads: 1: the same head reads the pictures (CKD's figure); 2: one more (the base).
            order: how batch norm sees the steps; see models/sequence.py. The base: "step".
        """
        super().__init__()
        self.student = student
        self._run = OverTime(student.features, order)
        other = nn.Linear(student.fc.in_features, student.fc.out_features)
        self.static_head: nn.Linear | None = other if heads == 2 else None
        self.coefficients = nn.Parameter(torch.ones(student.time_steps))

    def forward(self, static: Tensor, events: Tensor) -> Streams:
        """Run both streams, each from the initial state: (T, N, 2, H, W) each."""
        first, second = self._features(static), self._features(events)
        head = self.student.fc if self.static_head is None else self.static_head
        return Streams(head(first[0]), self.student.fc(second[0]), first[1], second[1])

    def _features(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        name = self.student.alignment
        watch = () if name == "features" else (name,)
        done = self._run(frames, watch)
        compared = done.membranes[name] if watch else done.output
        return done.output, compared.flatten(2)
