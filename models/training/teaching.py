"""A teacher at work: frozen, without gradients, asked once an item where that is enough."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import DataError
from ...files import make_folder
from . import checkpoint
from .data import Samples
from .layout import channels_last
from .learners import Ensemble, Network

_ASKED = 128


class Teaching:
    """A teacher's answers.

    Where an item is seen in one or two ways only, as it is and mirrored, these are answered
    once, when the first of them is asked for, and kept in a file; else each batch is answered
    as the student sees it.
    """

    def __init__(self, teacher: Network | Ensemble, fabric: Any) -> None:
        """Freeze a teacher and move it to the device."""
        channels_last(teacher)
        self._teacher = teacher.to(fabric.device).eval().requires_grad_(False)
        self._fabric = fabric
        self._known: list[Tensor] = []
        self._ask_all: Callable[[], list[Tensor]] | None = None

    def remember(
        self,
        samples: Samples,
        mirrored: bool,
        digest: str,
        file: Path,
        report: Callable[[float, str], object],
        *,
        averaged: bool = False,
    ) -> None:
        """Answer all items once, and their mirror images; `logits` then looks them up.

        Args:
            samples: all items that will be asked for.
            mirrored: whether they are seen mirrored, too.
            digest: of the data.
            file: keeps the answers, for a training that goes on.
            report: told how far it is.
            averaged: an item and its mirror image have one answer, the mean of both logits.
        """

        def ask_all() -> list[Tensor]:
            key = self._key(digest, mirrored, averaged)
            state = checkpoint.read(file)
            if state is not None and state["key"] == key:
                return list(state["answers"])
            turns = (False, True)[: 1 + (mirrored or averaged)]
            answers = [self._answer(samples, turned, report) for turned in turns]
            if averaged:
                answers = [torch.stack(answers).mean(dim=0)]
            if self._fabric.global_rank == 0:
                make_folder(file.parent)
                checkpoint.write(file, {"key": key, "answers": [a.cpu() for a in answers]})
            return answers

        self._ask_all = ask_all

    def _answer(
        self, samples: Samples, turned: bool, report: Callable[[float, str], object]
    ) -> Tensor:
        """Items first: (N, classes) or (N, T, classes)."""
        answers = []
        for start in range(0, len(samples), _ASKED):
            report(0.0, f"the teacher has answered {start} of {len(samples)} training items")
            at = torch.arange(start, min(start + _ASKED, len(samples)))
            fields = samples.at(at.to(samples.labels.device))
            if turned:
                fields = {name: values.flip(-1) for name, values in fields.items()}
            answer = self._ask(fields)
            answers.append(answer.transpose(0, 1) if answer.ndim == 3 else answer)
        return torch.cat(answers)

    def _key(self, digest: str, mirrored: bool, averaged: bool) -> str:
        """What the answers depend on."""
        settings = (digest, mirrored, averaged, self._teacher.chosen, self._teacher.steps)
        key = hashlib.sha256(repr(settings).encode())
        for name, values in self._teacher.state_dict().items():
            key.update(name.encode() + values.cpu().contiguous().numpy().tobytes())
        return key.hexdigest()

    @torch.no_grad()
    def logits(self, fields: Mapping[str, Tensor], indices: Tensor, mirrored: Tensor) -> Tensor:
        """Answers to a batch: (N, classes) or (T, N, classes).

        Args:
            fields: as the student sees them.
            indices: of the items, for what is remembered.
            mirrored: which of them are, (N,) bool.
        """
        if self._ask_all is None:
            return self._ask(fields)
        if not self._known:
            self._known = self._ask_all()
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

    Raises:
        DataError: a class has no still pictures.
    """
    if pairing == "item":
        return chosen
    stills = (train.stills or train).labels.cpu()
    order = torch.argsort(stills, stable=True)
    labels = train.labels.cpu()[chosen]
    counts = torch.bincount(stills, minlength=int(train.labels.max()) + 1)
    starts = counts.cumsum(0) - counts
    alone = labels[counts[labels] == 0]
    if len(alone):
        raise DataError(
            f"class {int(alone[0])} has recordings and no still pictures",
            remedy="a larger data.limit, or the missing pictures",
        )
    drawn = torch.rand(len(chosen), generator=generator)
    place = starts[labels] + (drawn * counts[labels]).long()
    return order[place]
