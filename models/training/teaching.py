"""A teacher at work: frozen, without gradients, asked once an item where that is enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .data import Samples
from .learners import Network

_ASKED = 128


class Teaching:
    """A teacher's answers.

    Where items are not varied, each is answered once, before the training; else each batch is
    answered as the student sees it.
    """

    def __init__(self, teacher: Network, fabric: Any) -> None:
        """Freeze a teacher and move it to the device."""
        self._teacher = teacher.to(fabric.device).eval().requires_grad_(False)
        self._fabric = fabric
        self._known: Tensor | None = None

    @torch.no_grad()
    def remember(self, samples: Samples, report: Callable[[float, str], object]) -> None:
        """Answer all items now; `logits` then looks them up."""
        answers = []
        for start in range(0, len(samples), _ASKED):
            report(start / len(samples), "the teacher answers the training items")
            at = torch.arange(start, min(start + _ASKED, len(samples)))
            answers.append(self._ask(samples.at(at.to(samples.labels.device))))
        # Items first: (N, classes) or (N, T, classes).
        self._known = torch.cat([a.transpose(0, 1) if a.ndim == 3 else a for a in answers])

    @torch.no_grad()
    def logits(self, fields: Mapping[str, Tensor], indices: Tensor) -> Tensor:
        """Answers to a batch: (N, classes) or (T, N, classes).

        Args:
            fields: as the student sees them.
            indices: of the items, for what is remembered.
        """
        if self._known is None:
            return self._ask(fields)
        known = self._known[indices.to(self._known.device)]
        return known.transpose(0, 1) if known.ndim == 3 else known

    def _ask(self, fields: Mapping[str, Tensor]) -> Tensor:
        moved = {name: values.to(self._fabric.device) for name, values in fields.items()}
        with self._fabric.autocast():
            answers: Tensor = self._teacher(moved)
        return answers.float()


def pair(train: Samples, chosen: Tensor, pairing: str, generator: torch.Generator) -> Tensor:
    """The still picture beside each recording, as indices into the stills (or into train).

    Args:
        train: recordings.
        chosen: indices of the batch's recordings.
        pairing: "item": their own; "class": one of the same class, drawn.
        generator: of the draws.
    """
    if pairing == "item":
        return chosen
    stills = (train.stills or train).labels.cpu()
    order = torch.argsort(stills, stable=True)
    classes = int(stills.max()) + 1
    counts = torch.bincount(stills, minlength=classes)
    starts = counts.cumsum(0) - counts
    labels = train.labels.cpu()[chosen]
    drawn = torch.rand(len(chosen), generator=generator)
    place = starts[labels] + (drawn * counts[labels]).long()
    return order[place]
