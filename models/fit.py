"""The training loop: surrogate gradients through all time steps, one schedule, one clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .augment import vary
from .data import Dataset
from .evaluate import evaluate
from .recipe import Recipe
from .unroll import Unrolled

# Share of the time that is left for the validation and the test after the training.
_RESERVE = 0.05


def fit(
    model: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    start: float,
    budget: float | None,
    report: Callable[[float, str], object],
) -> dict[str, Any]:
    """Train a student in place.

    The schedule runs over the fraction of the work that is done, or over the fraction of the
    time that is gone where that is ahead: on a slow machine it ends earlier, but complete.

    Args:
        model: the student; left in evaluation mode.
        data: what to train on; its validation split is only reported.
        recipe: hyperparameters.
        seed: of the order and the variation of the pictures.
        start: time.monotonic() at which the budget began to run.
        budget: second, or None.
        report: called once an epoch with the fraction done and a line of text.

    Returns:
        Epochs done, last training loss, validation accuracy, and whether time ran short.
    """
    pixels, labels = torch.as_tensor(data.train.x), torch.as_tensor(data.train.y)
    generator = torch.Generator().manual_seed(seed)
    unrolled = Unrolled(model, recipe.surrogate_width)
    optimiser = _optimiser(model, recipe)
    batch = min(recipe.batch, len(labels))
    updates = len(labels) // batch
    clock = _Clock(updates * recipe.epochs, budget and start + budget * (1.0 - _RESERVE))
    readout, full = str(model.readout), recipe.curriculum[-1][1]
    epoch, done = 0, 0
    _reorder(model, torch.channels_last)  # twice as fast on CPUs
    model.train()
    while clock.progress() < 1.0:
        order = torch.randperm(len(labels), generator=generator)
        losses = []
        for update in range(updates):
            progress = clock.progress()
            if progress >= 1.0:
                break
            steps = recipe.steps_at(progress)
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate_at(progress)
            chosen = order[update * batch : (update + 1) * batch]
            frames = pixels[chosen].float() / data.full_scale
            frames = vary(frames, generator) if recipe.augment else frames
            loss = _loss(unrolled, frames, labels[chosen], steps, readout, recipe)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
            clock.work += (steps + 1) / (full + 1)
        epoch, done = epoch + 1, done + len(losses)
        if losses:
            mean = sum(losses) / len(losses)
            report(clock.progress(), f"epoch {epoch}, {steps} steps, loss {mean:.4f}")
    _reorder(model, torch.contiguous_format)
    model.eval()
    result: dict[str, Any] = {
        "epochs": round(done / updates, 2),
        "updates": done,
        "schedule_seconds_bound": clock.hurried,
        "fit_seconds": round(time.monotonic() - clock.begun, 2),
    }
    if data.validation is not None:
        answers = evaluate(model, data.frames(data.validation.x))
        right = answers.predictions == data.validation.y
        result["accuracy_validation"] = float(right.mean())
    return result


def _reorder(model: nn.Module, order: torch.memory_format) -> None:
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=order)


class _Clock:
    """How far the training is: by its work, or by its time where that is ahead."""

    def __init__(self, total: float, end: float | None) -> None:
        self.total, self.end, self.begun = total, end, time.monotonic()
        self.work, self.hurried = 0.0, False

    def progress(self) -> float:
        """Fraction done, 0 to 1."""
        # A little slack: the fractions add up to the total but for rounding.
        worked = 1.0 if self.work > self.total - 0.1 else self.work / self.total
        if self.end is None:
            return worked
        gone = (time.monotonic() - self.begun) / max(self.end - self.begun, 1e-9)
        self.hurried = self.hurried or gone > worked
        return min(1.0, max(worked, gone))


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; weights decay, biases and batch norm's scales do not."""
    parameters = list(model.parameters())
    return torch.optim.AdamW(
        [
            {
                "params": [p for p in parameters if p.ndim > 1],
                "weight_decay": recipe.weight_decay,
            },
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
    )


def _loss(
    unrolled: Unrolled,
    frames: Tensor,
    labels: Tensor,
    steps: int,
    readout: str,
    recipe: Recipe,
) -> Tensor:
    """Cross-entropy of the readout, and a price on rates above the target.

    The rate twin's values are not bounded as spikes are, so it needs no gain.
    """
    outputs, rates = unrolled.sequence(frames, steps)
    read = outputs.mean(dim=0) if readout == "mean" else outputs[-1]
    gain = recipe.logit_gain if steps else 1.0
    loss = functional.cross_entropy(read * gain, labels, label_smoothing=recipe.label_smoothing)
    excess = [functional.relu(rate - recipe.rate_target) for rate in rates.values()]
    return loss + recipe.rate_weight * torch.stack(excess).sum() if excess else loss
