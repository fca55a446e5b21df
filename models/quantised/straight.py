"""Roundings whose gradients pass straight through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .grid import Sender


@dataclass(frozen=True, slots=True)
class Weights:
    """One projection on the grid.

    Attributes:
        ratio: units of the sum for a weight of 1.
        step: distance of two neighbours, units of the sum.
        low, high: least and largest, units of the sum.
    """

    ratio: float
    step: float
    low: float
    high: float

    def rounded(self, weight: Tensor) -> Tensor:
        """The integers, as float32; the gradient passes."""
        made: Tensor = _OnGrid.apply(weight, self)  # type: ignore[no-untyped-call]
        return made


def message(total: Tensor, sender: Sender) -> Tensor:
    """What is sent of a sum; the gradient is that of the clip alone."""
    made: Tensor = _Message.apply(total, sender)  # type: ignore[no-untyped-call]
    return made


def whole(values: Tensor, ratio: float) -> Tensor:
    """Rounded multiples, in the precision of the values."""
    made: Tensor = _Whole.apply(values, ratio)  # type: ignore[no-untyped-call]
    return made


@contextmanager
def whole_precision(cuda: bool) -> Iterator[None]:
    """Without TF32, whose 11 bits hold no sum of messages."""
    if not cuda:
        yield
        return
    known = torch.backends.cudnn
    with known.flags(
        enabled=known.enabled,
        benchmark=known.benchmark,
        deterministic=known.deterministic,
        allow_tf32=False,
    ):
        yield


class _OnGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, grid: Weights) -> Tensor:
        ctx.ratio = grid.ratio
        steps = (weight * (grid.ratio / grid.step)).round_()
        return steps.mul_(grid.step).clamp_(grid.low, grid.high)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.ratio, None


class _Message(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, total: Tensor, sender: Sender) -> Tensor:
        ctx.save_for_backward((total > 0) & (total < sender.ceiling))
        ctx.unit = 2.0**-sender.exponent
        x = total.clamp(0, sender.ceiling)
        sent = torch.floor((x + sender.half) * ctx.unit)
        return torch.where(x >= sender.threshold, sent, 0.0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (passes,) = ctx.saved_tensors
        return grads[0] * passes * ctx.unit, None


class _Whole(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, ratio: float) -> Tensor:
        ctx.ratio = ratio
        return torch.round(values * ratio)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.ratio, None
