"""Optimiser and learning rate. The rate is a function of the progress: it needs no state."""

from __future__ import annotations

import math

import torch
from torch import nn

from .recipe import Optimiser, Schedule


def make_optimiser(learner: nn.Module, chosen: Optimiser) -> torch.optim.Optimizer:
    """The optimiser of all parameters that learn."""
    parameters = [each for each in learner.parameters() if each.requires_grad]
    decayed = [each for each in parameters if chosen.decay_all or each.ndim > 1]
    spared = [each for each in parameters if not (chosen.decay_all or each.ndim > 1)]
    groups = [{"params": decayed, "weight_decay": chosen.weight_decay}]
    if spared:
        groups.append({"params": spared, "weight_decay": 0.0})
    if chosen.name == "sgd":
        return torch.optim.SGD(
            groups,
            lr=chosen.learning_rate,
            momentum=chosen.momentum,
            nesterov=chosen.nesterov and chosen.momentum > 0,
        )
    kind = torch.optim.AdamW if chosen.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=chosen.learning_rate)


def rate_at(epoch: float, epochs: int, peak: float, schedule: Schedule) -> float:
    """Learning rate at a moment.

    warm-up: r0 + (peak - r0) e / W for e < W. Then, with p = (e - W) / (E - W):
    constant: peak; cosine: m + (peak - m) (1 + cos(pi p)) / 2; exponential: peak f^floor(e).

    Args:
        epoch: e, epochs done, with the fraction of the present one.
        epochs: E, of the training.
        peak: the optimiser's learning rate.
        schedule: W, r0, m, f.
    """
    warm = min(schedule.warm_up, epochs)
    if epoch < warm:
        rise = (peak - schedule.warm_up_rate) * epoch / warm
        return schedule.warm_up_rate + rise
    if schedule.name == "cosine":
        done = (epoch - warm) / max(epochs - warm, 1e-9)
        return schedule.minimum + (peak - schedule.minimum) * 0.5 * (
            1.0 + math.cos(math.pi * min(1.0, done))
        )
    if schedule.name == "exponential":
        return max(schedule.minimum, peak * schedule.factor ** math.floor(epoch))
    return peak
