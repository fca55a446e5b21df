"""A teacher at work: frozen, without gradients, asked once an item where that is enough."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import DataError
from ...files import make_folder
from . import checkpoint, draws
from .data import Samples
from .inputs import DRAWS, vary
from .layout import channels_last
from .learners import Ensemble, Network
from .recipe import Augmentation, Recipe

_ASKED = 128


@dataclass(frozen=True, slots=True)
class Ways:
    """In which ways items are seen, where all are known beforehand.

    Attributes:
        augmentation: of the student.
        views: variations of an item; 0: it is seen unmoved.
        averaged: an item and its mirror image have one answer, the mean of both logits.
    """

    augmentation: Augmentation
    views: int = 0
    averaged: bool = False

    @property
    def turns(self) -> tuple[bool, ...]:
        """Whether mirrored: of each image of a view that is answered."""
        return (False, True)[: 1 + (self.augmentation.flip or self.averaged)]

    def drawn(self, items: int) -> Tensor:
        """The numbers that make the variations, (views, DRAWS, items); of no seed's own."""
        made = [
            torch.rand(DRAWS, items, generator=draws.generator(view, draws.VARIATION))
            for view in range(self.views)
        ]
        return torch.stack(made) if made else torch.empty(0, DRAWS, items)


def ways_of(recipe: Recipe) -> Ways | None:
    """The ways in which the teacher of a recipe is asked; None where batches decide."""
    assert recipe.teacher is not None
    chosen, moved = recipe.teacher, not recipe.augmentation.mirrors_only
    if moved and chosen.sees == "varied" and not chosen.views:
        return None
    return Ways(recipe.augmentation, chosen.views, chosen.sees == "both")


class Teaching:
    """A teacher's answers.

    Where the ways in which items are seen are known beforehand, these are answered once, when
    the first of them is asked for, and kept in a file; else each batch is answered as the
    student sees it.
    """

    def __init__(self, teacher: Network | Ensemble, fabric: Any) -> None:
        """Freeze a teacher and move it to the device."""
        channels_last(teacher)
        self._teacher = teacher.to(fabric.device).eval().requires_grad_(False)
        self._fabric = fabric
        self._known: Tensor | None = None
        self._views = torch.empty(0, DRAWS, 0)
        self._ask_all: Callable[[], Tensor] | None = None

    def remember(
        self,
        samples: Samples,
        ways: Ways,
        digest: str,
        file: Path,
        report: Callable[[float, str], object],
    ) -> None:
        """Answer all items once, in all ways that they are seen in; `logits` looks them up.

        Args:
            samples: all items that will be asked for.
            ways: in which they are seen.
            digest: of the data.
            file: keeps the answers, for a training that goes on.
            report: told how far it is.
        """
        self._views = ways.drawn(len(samples))

        def ask_all() -> Tensor:
            key = self._key(digest, ways)
            state = checkpoint.read(file)
            if state is not None and state["key"] == key:
                return torch.as_tensor(state["answers"])
            answers = self._answers(samples, ways, report)
            if self._fabric.global_rank == 0:
                make_folder(file.parent)
                checkpoint.write(file, {"key": key, "answers": answers.cpu()})
            return answers

        self._ask_all = ask_all

    def _answers(
        self, samples: Samples, ways: Ways, report: Callable[[float, str], object]
    ) -> Tensor:
        """(views or 1, turns or 1 for the mean of them, N, classes) or (..., N, T, classes)."""
        total = len(samples) * max(1, ways.views)
        blocks = []
        for start in range(0, total, _ASKED):
            report(0.0, f"the teacher has answered {start} of {total} views of training items")
            numbers = torch.arange(start, min(start + _ASKED, total))
            view, at = numbers // len(samples), numbers % len(samples)
            fields = samples.at(at.to(samples.labels.device))
            if ways.views:
                drawn = self._views[view, :, at].T.contiguous()
                drawn[0] = 1.0  # not mirrored
                fields, _ = vary(fields, ways.augmentation, drawn)
            turned = [
                self._ask({k: v.flip(-1) for k, v in fields.items()} if turn else fields)
                for turn in ways.turns
            ]
            answer = torch.stack(turned)
            answer = answer.mean(dim=0, keepdim=True) if ways.averaged else answer
            blocks.append(answer.transpose(1, 2) if answer.ndim == 4 else answer)
        together = torch.cat(blocks, dim=1)  # (turns, views N, ...)
        return together.view(len(together), -1, len(samples), *together.shape[2:]).transpose(
            0, 1
        )

    def choose(
        self, items: Tensor, drawn: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """One of its views for each item, where there are some.

        Args:
            items: indices, (N,).
            drawn: numbers of new variations, (DRAWS, N).
            generator: of the choice.

        Returns:
            The numbers of the views chosen, mirrored as the new ones are; which they are, (N,).
        """
        views = len(self._views)
        if not views:
            return drawn, torch.zeros(len(items), dtype=torch.long)
        chosen = torch.randint(views, (len(items),), generator=generator)
        found = self._views[chosen, :, items].T.contiguous()
        found[0] = drawn[0]
        return found, chosen

    def _key(self, digest: str, ways: Ways) -> str:
        """What the answers depend on."""
        moves = repr(ways.augmentation) if ways.views else ""
        settings = (
            digest,
            ways.turns,
            ways.averaged,
            ways.views,
            moves,
            self._teacher.chosen,
            self._teacher.steps,
        )
        key = hashlib.sha256(repr(settings).encode())
        for name, values in self._teacher.state_dict().items():
            key.update(name.encode() + values.cpu().contiguous().numpy().tobytes())
        return key.hexdigest()

    @torch.no_grad()
    def logits(
        self, fields: Mapping[str, Tensor], indices: Tensor, mirrored: Tensor, view: Tensor
    ) -> Tensor:
        """Answers to a batch: (N, classes) or (T, N, classes).

        Args:
            fields: as the student sees them.
            indices: of the items, for what is remembered.
            mirrored: which of them are, (N,) bool.
            view: of each, (N,), from `choose`.
        """
        if self._ask_all is None:
            return self._ask(fields)
        if self._known is None:
            self._known = self._ask_all()
        turn = mirrored.long() if self._known.shape[1] > 1 else torch.zeros_like(view)
        known = self._known[view, turn, indices.cpu()].to(self._fabric.device)
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
