"""How a student is trained, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters of one student's training.

    Attributes:
        dataset: name in data.DATASETS.
        epochs: passes over the training pictures with all time steps, if time suffices; a pass
            with fewer steps counts as (steps + 1) / (all steps + 1) of one.
        batch: pictures per update.
        learning_rate: peak of the one-cycle schedule (AdamW).
        weight_decay: of AdamW, on weights of more than one axis.
        warm_up: fraction of the training during which the rate rises.
        label_smoothing: of the cross-entropy.
        logit_gain: the readout's membrane is multiplied by this before the softmax.
        curriculum: (progress, time steps): from which fraction of the training on the student
            is trained over how many steps; the last entry is the student's own number; 0 steps
            are its rate twin (Unrolled.sequence), a warm start.
        surrogate_width: half-width of the triangular surrogate gradient, membrane units.
        rate_target, rate_weight: the loss grows by rate_weight for each layer's mean spike
            rate (spikes per neuron and step) above rate_target.
        augment: flips, shifts and scalings of the training pictures.
        threads: of torch and of the neurons' walk; None: torch's own number.
        budget_second: the whole call ends within this time; None: no limit.
        deviations: where the student departs from the paper it is named after.
    """

    dataset: str
    epochs: int
    batch: int
    learning_rate: float
    curriculum: tuple[tuple[float, int], ...]
    weight_decay: float = 0.01
    warm_up: float = 0.2
    label_smoothing: float = 0.05
    logit_gain: float = 4.0
    surrogate_width: float = 0.5
    rate_target: float = 0.05
    rate_weight: float = 2.0
    augment: bool = False
    threads: int | None = None
    budget_second: float | None = None
    deviations: tuple[str, ...] = ()

    def steps_at(self, progress: float) -> int:
        """Time steps to train over at this fraction of the training."""
        return [steps for start, steps in self.curriculum if progress >= start][-1]

    def rate_at(self, progress: float) -> float:
        """Learning rate at this fraction: linear rise, then half a cosine down to zero."""
        if progress < self.warm_up:
            return self.learning_rate * max(0.05, progress / self.warm_up)
        fall = min(1.0, (progress - self.warm_up) / (1.0 - self.warm_up))
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * fall))
