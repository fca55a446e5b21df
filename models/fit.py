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
    begun = time.monotonic()
    end = None if budget is None else start + budget * (1.0 - _RESERVE)
    pixels, labels = torch.as_tensor(data.train.x), torch.as_tensor(data.train.y)
    generator = torch.Generator().manual_seed(seed)
    unrolled = Unrolled(model, recipe.surrogate_width)
    optimiser = _optimiser(model, recipe)
    updates = len(labels) // recipe.batch
    progress, done, hurried, loss_sum = 0.0, 0, False, 0.0
    readout = str(model.readout)
    model.train()
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(labels), generator=generator)
        loss_sum, done_before = 0.0, done
        for update in range(updates):
            progress = done / (updates * recipe.epochs)
            if end is not None:
                gone = (time.monotonic() - begun) / max(end - begun, 1e-9)
                hurried = hurried or gone > progress
                progress = max(progress, gone)
            if progress >= 1.0:
                break
            chosen = order[update * recipe.batch : (update + 1) * recipe.batch]
            frames = pixels[chosen].float() / data.full_scale
            if recipe.augment:
                frames = vary(frames, generator)
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate_at(progress)
            steps = recipe.steps_at(progress)
            loss = _loss(unrolled, frames, labels[chosen], steps, readout, recipe)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            loss_sum += float(loss.detach())
            done += 1
        if done > done_before:
            mean = loss_sum / (done - done_before)
            report(progress, f"epoch {epoch + 1}/{recipe.epochs}, loss {mean:.4f}")
        if progress >= 1.0:
            break
    model.eval()
    result: dict[str, Any] = {
        "epochs": round(done / updates, 2),
        "updates": done,
        "schedule_seconds_bound": hurried,
        "fit_seconds": round(time.monotonic() - begun, 2),
    }
    if data.validation is not None:
        answers = evaluate(model, data.frames(data.validation.x))
        right = answers.predictions == data.validation.y
        result["accuracy_validation"] = float(right.mean())
    return result


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
    """Cross-entropy of the readout, and a price on rates above the target."""
    outputs, rates = unrolled.sequence(frames, steps)
    read = outputs[-1] if readout == "last" else outputs.mean(dim=0)
    loss = functional.cross_entropy(
        read * recipe.logit_gain, labels, label_smoothing=recipe.label_smoothing
    )
    excess = [functional.relu(rate - recipe.rate_target) for rate in rates.values()]
    return loss + recipe.rate_weight * torch.stack(excess).sum() if excess else loss
