"""What a student answers, step by step as it is written: the accuracy that is reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from norse.torch.module.lif_box import LIFBoxCell
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import FileError, Problem, UsageError
from . import student

READOUTS = ("last", "mean", "count")
"""How the output over time becomes one number a class: the membrane at the last step, its mean
over the steps, or the number of spikes."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Answers of a student.

    Attributes:
        outputs: (N, classes): membrane or spike count, by the readout.
        predictions: (N,), the first of the largest outputs.
        rates: spikes per neuron and step of each spiking layer, mean over the samples.
        spikes_per_sample: spikes of each spiking layer for one sample, mean.
    """

    outputs: NDArray[np.float32]
    predictions: NDArray[np.int64]
    rates: dict[str, float]
    spikes_per_sample: dict[str, float]


def load_student(name: str, checkpoint: Path) -> nn.Module:
    """Build a student and load its weights, in evaluation mode.

    Raises:
        FileError: the checkpoint is missing, or is not one of this student.
    """
    model: nn.Module = student(name).Student()
    try:
        model.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu"))
    except Exception as error:  # torch raises many kinds; each means that the file is no good
        raise FileError(
            Problem(
                f"cannot load the weights of {name!r}: {error}",
                str(checkpoint),
                "train the student again, or name the checkpoint of this student",
            )
        ) from error
    return model.eval()


def evaluate(
    model: nn.Module,
    x: NDArray[np.float32],
    *,
    steps: int | None = None,
    readout: str | None = None,
    batch: int = 256,
) -> Evaluation:
    """Present each frame for all time steps and read the output.

    Args:
        model: a one-step student, `forward(x, state) -> (output, state)`.
        x: frames, (N, *sample_shape), given as current at each step.
        steps: time steps; None: the student's own.
        readout: one of READOUTS; None: the student's own.
        batch: samples at a time.

    Raises:
        UsageError: the readout has another name, or there are no steps or no samples.
    """
    steps = int(getattr(model, "time_steps", 0)) if steps is None else steps
    readout = str(getattr(model, "readout", "")) if readout is None else readout
    problems = []
    if readout not in READOUTS:
        problems.append(Problem(f"unknown readout {readout!r}", remedy=f"one of {READOUTS}"))
    if steps < 1:
        problems.append(Problem(f"steps is {steps}", remedy="give at least one time step"))
    if len(x) == 0:
        problems.append(Problem("there are no samples in x", remedy="give at least one"))
    if problems:
        raise UsageError(*problems)

    totals: dict[str, tuple[float, int]] = {}
    hooks = [
        cell.register_forward_hook(_counter(name, totals))
        for name, cell in model.named_modules()
        if isinstance(cell, LIFBoxCell)
    ]
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            outputs = np.concatenate(
                [
                    _present(model, torch.as_tensor(x[i : i + batch]), steps, readout).numpy()
                    for i in range(0, len(x), batch)
                ]
            )
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return Evaluation(
        outputs,
        outputs.argmax(axis=1),
        {name: spikes / updates for name, (spikes, updates) in totals.items()},
        {name: spikes / len(x) for name, (spikes, _) in totals.items()},
    )


def _present(model: nn.Module, frames: Tensor, steps: int, readout: str) -> Tensor:
    output: Tensor
    output, state = model(frames, None)
    total = output
    for _ in range(steps - 1):
        output, state = model(frames, state)
        total = total + output
    if readout == "last":
        return output
    return total / steps if readout == "mean" else total


def _counter(name: str, totals: dict[str, tuple[float, int]]) -> Any:
    def count(module: nn.Module, inputs: Any, outputs: Any) -> None:
        spikes, updates = totals.get(name, (0.0, 0))
        fired = outputs[0]
        totals[name] = (spikes + float(fired.sum()), updates + fired.numel())

    return count
