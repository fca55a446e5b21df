"""Networks of the kinds that the students use."""

from __future__ import annotations

from typing import Any

import norse.torch as norse
import numpy as np
import torch
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.module.leaky_integrator_box import LIBoxCell
from norse.torch.module.lif_box import LIFBoxCell
from torch import nn


def lif_box(v_th: float = 0.2, **fields: float) -> LIFBoxCell:
    given = {"v_th": v_th, **fields}
    return LIFBoxCell(LIFBoxParameters(**{k: torch.as_tensor(v) for k, v in given.items()}))


def lif(v_th: float = 0.2, **fields: float) -> norse.LIFCell:
    given = {"v_th": v_th, **fields}
    return norse.LIFCell(LIFParameters(**{k: torch.as_tensor(v) for k, v in given.items()}))


def digits() -> Any:
    """The digits student."""
    torch.manual_seed(1)
    return norse.SequentialState(
        nn.Conv2d(1, 4, 3, padding=1),
        lif_box(0.05),
        nn.Flatten(),
        nn.Linear(4 * 36, 10),
        LIBoxCell(),
    )


def nested() -> Any:
    torch.manual_seed(2)
    block = norse.SequentialState(nn.Linear(12, 9), lif(0.1), nn.Dropout(0.5))
    return norse.SequentialState(block, nn.Linear(9, 5, bias=False), norse.LICell())


def warm(model: nn.Module) -> nn.Module:
    """Give batch norms statistics that matter."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            n = module.num_features
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.copy_(torch.randn(n) * 0.2)
            module.running_var.copy_(torch.rand(n) + 0.5)
            with torch.no_grad():
                module.weight.copy_(torch.rand(n) + 0.5)
                module.bias.copy_(torch.randn(n) * 0.2)
    return model


class Faces(nn.Module):
    """Batch norm, residual addition, average pooling, own state tuples: as for FER2013."""

    time_steps = 12

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding="same"), nn.BatchNorm2d(4))
        self.lif0 = lif_box(0.1)
        self.conv1 = nn.Conv2d(4, 4, (3, 5), padding=(1, 2), groups=2, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.lif1 = lif_box(0.15, v_leak=0.05, v_reset=0.02)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(4)
        self.lif2 = lif(0.3)
        self.pool = nn.AvgPool2d(2)
        self.fc = nn.Linear(4 * 16, 7)
        self.readout = LIBoxCell()
        warm(self)

    def forward(self, x: Any, state: Any = None) -> Any:
        s0, s1, s2, s3 = state if state is not None else (None,) * 4
        x, s0 = self.lif0(self.stem(x), s0)
        y, s1 = self.lif1(self.bn1(self.conv1(x)), s1)
        y, s2 = self.lif2(self.bn2(self.conv2(y)) + x, s2)
        y = self.fc(self.pool(y).flatten(1))
        y, s3 = self.readout(y, s3)
        return y, (s0, s1, s2, s3)


class Rates(nn.Module):
    """A stateless ReLU network with a residual and a ReLU module that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.c1, self.b1 = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.c2, self.b2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.fc = nn.Linear(16, 5)
        self.relu = nn.ReLU()
        self.drop = nn.Dropout2d()
        warm(self)

    def forward(self, x: Any) -> Any:
        x = self.relu(self.b1(self.c1(x)))
        y = self.drop(self.b2(self.c2(x)))
        y = self.relu(torch.add(y, x) + x)
        y = nn.functional.adaptive_avg_pool2d(y, (2, 2))
        return self.fc(torch.relu(y.view(y.size(0), -1)))


def run_torch(model: nn.Module, frames: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Outputs (T, ...) of a norse model on (T, ...) inputs, batch of one."""
    state, outputs = None, []
    with torch.no_grad():
        for frame in torch.from_numpy(frames.astype(np.float32)):
            output, state = model.eval()(frame[None], state)
            outputs.append(output[0].numpy())
    return np.stack(outputs)
