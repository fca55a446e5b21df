"""ResEmoteNet, the teacher of Mini-ResEmoteNet, and the same network with fewer channels.

Roy et al., arXiv 2409.10545; official code ArnabKumarRoy02/ResEmoteNet, whose names the layers
have, so that its checkpoints load. Students A, B and C of Murtada et al., arXiv 2501.18538, are
the network with a half, a quarter and an eighth of the channels.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ...errors import Problem, UsageError
from ..blocks.squeeze import FrozenGate, Squeeze, SqueezeExcitation, squeeze_layer

Pooling: TypeAlias = Literal["max", "average", "stride"]
Head: TypeAlias = Literal["scaled", "kept"]

SQUEEZES = ("sigmoid", "hard-sigmoid", "frozen", "none")
POOLINGS = ("max", "average", "stride")
HEADS = ("scaled", "kept")
WIDTHS = (64, 128, 256)
"""Channels of the three convolutions; the three blocks double them each time."""


class ResidualBlock(nn.Module):
    """relu(BN(conv 3x3 (relu(BN(conv 3x3 s2 x)))) + BN(conv 1x1 s2 x))."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=2), nn.BatchNorm2d(outputs)
        )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ceil(H / 2), ceil(W / 2))."""
        y = self.relu1(self.bn1(self.conv1(x)))
        made: Tensor = self.relu2(self.bn2(self.conv2(y)) + self.shortcut(x))
        return made


class ResEmoteNet(nn.Module):
    """Three convolutions with pooling, a gate, three residual blocks, four linear layers.

    Layers, parameters and multiply-accumulates: students.md 4.1; convolutions with bias.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        size: int = 64,
        classes: int = 7,
        divisor: int = 1,
        head: Head = "scaled",
        squeeze: Squeeze = "sigmoid",
        pooling: Pooling = "max",
        dropout: tuple[float, float] = (0.2, 0.5),
    ) -> None:
        """Build the network; the defaults are the paper's teacher.

        Args:
            channels: of the picture.
            size: its height and width; only said on, the weights do not depend on it.
            classes: outputs.
            divisor: of the number of channels: 1, 2, 4, ..., 64; students A, B, C: 2, 4, 8.
            head: whether the linear layers shrink, too, or stay 1024, 512, 256.
            squeeze: the gate behind the third convolution; see blocks/squeeze.py.
            pooling: after each of the three convolutions: the maximum of 2x2, their average,
                or no pooling and a convolution of stride 2.
            dropout: after the first two poolings, and in the head.

        Raises:
            UsageError: an option has no such value.
        """
        super().__init__()
        _check(divisor, head, squeeze, pooling, dropout)
        self.sample_shape = (channels, size, size)
        self.squeeze, self.pooling = squeeze, pooling
        first, second, third = (width // divisor for width in WIDTHS)
        widths = [width // (divisor if head == "scaled" else 1) for width in (1024, 512, 256)]
        stride = 2 if pooling == "stride" else 1
        self.conv1 = nn.Conv2d(channels, first, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, 3, stride, padding=1)
        self.bn2 = nn.BatchNorm2d(second)
        self.conv3 = nn.Conv2d(second, third, 3, stride, padding=1)
        self.bn3 = nn.BatchNorm2d(third)
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.pool1, self.pool2, self.pool3 = (_pool(pooling) for _ in range(3))
        self.dropout1, self.dropout2 = (nn.Dropout(rate) for rate in dropout)
        self.se = squeeze_layer(third, squeeze)
        self.res_block1 = ResidualBlock(third, 2 * third)
        self.res_block2 = ResidualBlock(2 * third, 4 * third)
        self.res_block3 = ResidualBlock(4 * third, 8 * third)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(8 * third, widths[0])
        self.fc2 = nn.Linear(widths[0], widths[1])
        self.fc3 = nn.Linear(widths[1], widths[2])
        self.fc4 = nn.Linear(widths[2], classes)
        self.relu4, self.relu5, self.relu6 = nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, channels, H, W) -> logits (N, classes)."""
        x = self.dropout1(self.pool1(self.relu1(self.bn1(self.conv1(x)))))
        x = self.dropout1(self.pool2(self.relu2(self.bn2(self.conv2(x)))))
        x = self.se(self.pool3(self.relu3(self.bn3(self.conv3(x)))))
        x = self.res_block3(self.res_block2(self.res_block1(x)))
        x = self.flatten(self.pool(x))
        x = self.dropout2(self.relu4(self.fc1(x)))
        x = self.dropout2(self.relu5(self.fc2(x)))
        x = self.dropout2(self.relu6(self.fc3(x)))
        x = self.fc4(x)
        return x


def _pool(pooling: Pooling) -> nn.Module:
    if pooling == "stride":
        return nn.Identity()
    return nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)


def _check(
    divisor: int, head: str, squeeze: str, pooling: str, dropout: tuple[float, float]
) -> None:
    choices = (
        ("head", head, HEADS),
        ("squeeze", squeeze, SQUEEZES),
        ("pooling", pooling, POOLINGS),
        ("divisor", divisor, tuple(2**i for i in range(7))),
    )
    problems = [
        Problem(f"{name} is {value!r}", "ResEmoteNet", f"one of {', '.join(map(str, allowed))}")
        for name, value, allowed in choices
        if value not in allowed
    ]
    problems += [
        Problem(f"dropout is {rate}", "ResEmoteNet", "rates from 0 up to, not including, 1")
        for rate in dropout
        if not 0 <= rate < 1
    ]
    if problems:
        raise UsageError(*problems)


@torch.no_grad()
def freeze_gates(model: ResEmoteNet, batches: Iterable[Tensor]) -> ResEmoteNet:
    """A copy whose gates are constants: their mean over the given pictures.

    Args:
        model: with a gate that depends on the input; not changed.
        batches: pictures, (N, channels, H, W) each, of the training set.

    Returns:
        The copy, in evaluation mode, squeeze "frozen"; :func:`fold_gates` takes it on.

    Raises:
        UsageError: the model has no such gate, or there are no pictures.
    """
    if not isinstance(model.se, SqueezeExcitation):
        raise UsageError(
            f"there is no gate to freeze: squeeze is {model.squeeze!r}",
            remedy="freeze a network with squeeze 'sigmoid' or 'hard-sigmoid'",
        )
    frozen = copy.deepcopy(model).eval()
    gates: list[Tensor] = []
    assert isinstance(frozen.se, SqueezeExcitation)
    watch = frozen.se.fc.register_forward_hook(lambda *call: gates.append(call[2].double()))
    for batch in batches:
        frozen(batch)
    watch.remove()
    values = torch.cat(gates) if gates else torch.empty(0)
    if not len(values):
        raise UsageError("there are no pictures to take the mean gate of")
    gate = FrozenGate(values.shape[1]).to(values.device)
    gate.factor.copy_(values.mean(dim=0))
    frozen.se, frozen.squeeze = gate, "frozen"
    return frozen


@torch.no_grad()
def fold_gates(model: ResEmoteNet) -> ResEmoteNet:
    """A copy without gate, whose next convolutions have the constant gate in their weights.

    conv(g * x) = conv'(x) with W'_oi = W_oi g_i, exact at the borders, too: padding is 0.

    Raises:
        UsageError: the gate is not a constant.
    """
    if not isinstance(model.se, FrozenGate):
        raise UsageError(
            f"only a constant gate can be folded: squeeze is {model.squeeze!r}",
            remedy="freeze_gates(model, batches) first",
        )
    folded = copy.deepcopy(model)
    assert isinstance(folded.se, FrozenGate)
    shortcut = folded.res_block1.shortcut[0]
    assert isinstance(shortcut, nn.Conv2d)
    for layer in (folded.res_block1.conv1, shortcut):
        layer.weight.mul_(folded.se.factor[None, :, None, None])
    folded.se, folded.squeeze = nn.Identity(), "none"
    return folded
