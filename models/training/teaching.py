"""A teacher at work: frozen, without gradients, asked once an item where that is enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .data import Samples
from .layout import channels_last
from .learners import Network

_ASKED = 128


class Teaching:
    """A teacher's answers.

    Where an item is seen in one or two ways only, as it is and mirrored, these are answered
    once, before the training; else each batch is answered as the student sees it.
    """

    def __init__(self, teacher: Network, fabric: Any) -> None:
        """Freeze a teacher and move it to the device."""
        channels_last(teacher)
        self._teacher = teacher.to(fabric.device).eval().requires_grad_(False)
        self._fabric = fabric
        self._known: list[Tensor] = []

    @torch.no_grad()
    def remember(
        self, samples: Samples, mirrored: bool, report: Callable[[float, str], object]
    ) -> None:
        """Answer all items now, and their mirror images; `logits` then looks them up."""
        self._known = []
        for turned in (False, True)[: 1 + mirrored]:
            answers = []
            for start in range(0, len(samples), _ASKED):
                report(start / len(samples), "the teacher answers the training items")
                at = torch.arange(start, min(start + _ASKED, len(samples)))
                fields = samples.at(at.to(samples.labels.device))
                if turned:
                    fields = {name: values.flip(-1) for name, values in fields.items()}
                answer = self._ask(fields)
                # Items first: (N, classes) or (N, T, classes).
                answers.append(answer.transpose(0, 1) if answer.ndim == 3 else answer)
            self._known.append(torch.cat(answers))

    @torch.no_grad()
    def logits(self, fields: Mapping[str, Tensor], indices: Tensor, mirrored: Tensor) -> Tensor:
        """Answers to a batch: (N, classes) or (T, N, classes).

        Args:
            fields: as the student sees them.
            indices: of the items, for what is remembered.
            mirrored: which of them are, (N,) bool.
        """
        if not self._known:
            return self._ask(fields)
        at = indices.to(self._known[0].device)
        known = self._known[0][at]
        if len(self._known) > 1:
            turned = mirrored.to(at.device).view(-1, *(1,) * (known.ndim - 1))
            known = torch.where(turned, self._known[1][at], known)
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
