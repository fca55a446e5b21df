"""The two networks that went through export and compile: the demo's student, and faces.

The faces are simulated, weights and pictures alike: Mini-ResEmoteNet C with random weights, its
batch norms fitted to smooth random pictures of the faces' shape. It costs what the trained one
costs where the rates are alike; its answers mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from slipway.converters.checkpoint import load_model
from slipway.converters.export import export
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode, load_data
from slipway.deploy.program import Program
from slipway.deploy.storage import load_program, save_program
from slipway.deploy.trace import Stimulus
from slipway.errors import FileError
from slipway.models.train import train

if TYPE_CHECKING:
    from torch import nn

Array = npt.NDArray[Any]
Sampler = Callable[[int, int], Stimulus]

DEMO = Path("out/demo")
"""Where `make demo` leaves the student."""
FACES_STEPS = 16
_FACES_SHAPE = (1, 48, 48)
_CALIBRATION = 256


def digits(folder: Path, demo: Path = DEMO) -> tuple[Program, Sampler]:
    """The demo's student and its test pictures; trained into `folder` if `demo` has none."""
    found = _demo(demo)
    if found is None:
        train("digits", folder)
        module = "slipway.models.students.digits"
        graph = export(load_model(folder / "student.pt", f"{module}:Student"), (1, 8, 8))
        program = compile_graph(graph, calibration=load_data(folder / "calibrate.npz").x)
        save_program(program, folder / "student.slip")
        found = program, load_data(folder / "test.npz").x
    program, x = found
    return program, _shown(program, x)


def _demo(demo: Path) -> tuple[Program, Any] | None:
    """What `make demo` left; None where there is nothing that can be read."""
    try:
        return load_program(demo / "student.slip"), load_data(demo / "test.npz").x
    except FileError:
        return None


def faces(
    folder: Path, steps: int = FACES_STEPS, calibration: int = _CALIBRATION
) -> tuple[Program, Sampler]:
    """Mini-ResEmoteNet C as integrate-and-fire, and simulated pictures.

    Args:
        folder: not used: nothing here takes long to make.
        steps: for which a picture is shown.
        calibration: pictures that batch norm and activation scales are fitted to.
    """
    import torch

    x = pictures(max(2 * calibration, 512))
    fitted = x[:calibration]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = mini_resemotenet()
    _fit_norms(model, fitted)
    graph = export(model, _FACES_SHAPE, steps=steps, calibration=fitted)
    program = compile_graph(graph, calibration=fitted[:64], code="rate")
    return program, _shown(program, x[calibration:])


def _shown(program: Program, x: Any) -> Sampler:
    """Frames, each shown at all steps; from the first one again where more are asked for."""
    encoded, _ = encode(program, x)
    name = program.inputs[0].name
    frames: Array = encoded.values[name]

    def sample(samples: int, steps: int) -> Stimulus:
        return Stimulus({name: frames[np.arange(samples) % len(frames)]}, steps)

    return sample


def pictures(samples: int) -> Array:
    """Smooth random pictures, float32 (samples, 1, 48, 48) from 0 to 1: 7x7 noise, enlarged."""
    coarse = np.random.default_rng(0).random((samples, 7, 7))
    place = np.linspace(0, 6, 48)
    left = np.minimum(place.astype(int), 5)
    weight = np.zeros((48, 7))
    weight[np.arange(48), left] = 1 - (place - left)
    weight[np.arange(48), left + 1] = place - left
    smooth = weight @ coarse @ weight.T
    return np.asarray(smooth[:, None], np.float32)


def mini_resemotenet() -> nn.Module:
    """Student C of Murtada et al., arXiv 2501.18538, with ReLUs, weights as torch draws them.

    As models/students/mini_resemotenet.py has it: no squeeze-and-excitation, average pooling.
    """
    from torch import Tensor, nn

    def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def linear(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()
        )

    class Block(nn.Module):
        """Residual block; halves height and width."""

        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.conv1, self.relu1 = conv(inputs, outputs, 3, 2), nn.ReLU()
            self.conv2, self.relu2 = conv(outputs, outputs, 3), nn.ReLU()
            self.shortcut = conv(inputs, outputs, 1, 2)

        def forward(self, x: Tensor) -> Tensor:
            """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""
            y: Tensor = self.relu2(self.conv2(self.relu1(self.conv1(x))) + self.shortcut(x))
            return y

    return nn.Sequential(
        *(conv(1, 8, 3), nn.ReLU(), nn.AvgPool2d(2)),
        *(conv(8, 16, 3), nn.ReLU(), nn.AvgPool2d(2)),
        *(conv(16, 32, 3), nn.ReLU(), nn.AvgPool2d(2)),
        *(Block(32, 64), Block(64, 128), Block(128, 256), nn.Flatten()),
        *(linear(256, 128), linear(128, 64), linear(64, 32), nn.Linear(32, 7)),
    )


def _fit_norms(model: nn.Module, x: Array) -> None:
    """Set the batch norms to the mean and variance of these pictures."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.momentum = None  # the plain average
    model.train()
    with torch.no_grad():
        model(torch.from_numpy(x))
    model.eval()
