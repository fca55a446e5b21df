"""Ways of teaching: what is learned, with which loss. One dataclass says, one module does.

A learner's forward takes a Batch and returns the terms of the loss, so that Fabric can put it
on several devices and in mixed precision; the student inside is what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import UsageError
from ..losses.distillation import divergence
from ..losses.sums import CkdLoss, MskdLoss, Terms
from ..losses.transfer import switch_weight
from ..sequence import Order, OverTime
from ..students.transfer import Heads, TransferPair
from .inputs import counts, see
from .recipe import Input

SEES: dict[str, str] = {
    "resemotenet": "picture",
    "mini-resemotenet-a": "picture",
    "mini-resemotenet-b": "picture",
    "mini-resemotenet-c": "picture",
    "ckd-teacher": "picture",
    "seen": "clip",
    "mskd-teacher": "clip",
    "mskd-student": "frames",
    "mskd-student-small": "frames",
    "ckd-vgg-snn": "events",
    "ckd-resnet18-snn": "events",
    "ckd-resnet18-snn-post": "events",
}
"""Network -> what it is called with; see inputs.see."""


class Batch(NamedTuple):
    """What a learner learns from at a time.

    Attributes:
        fields: see data.Samples; for CKD `picture` holds the static stream's pictures.
        labels: (N,).
        teacher: its logits, (N, classes) or (T, N, classes); None without a teacher.
        progress: fraction of the training that is done.
        replaced: (N,), uniform draws for sliding replacement.
    """

    fields: Mapping[str, Tensor]
    labels: Tensor
    teacher: Tensor | None
    progress: float
    replaced: Tensor


class Network(nn.Module):
    """A network with what it sees: fields -> logits (N, classes), or (T, N, classes)."""

    def __init__(self, network: nn.Module, sees: str, chosen: Input, steps: int) -> None:
        super().__init__()
        self.network, self.sees, self.chosen, self.steps = network, sees, chosen, steps
        stepwise = sees in ("frames", "events")
        self._over_time = OverTime(network) if stepwise else None

    def forward(self, fields: Mapping[str, Tensor]) -> Tensor:
        """The answers as they come, with the time steps where there are some."""
        shown = see(fields, self.sees, self.chosen, self.steps)
        if self._over_time is not None:
            return self._over_time(shown[0]).output
        answers: Tensor = self.network(*shown)
        return answers

    def decide(self, fields: Mapping[str, Tensor]) -> Tensor:
        """Logits (N, classes): the mean over time where there is one."""
        return averaged(self(fields))


class Ensemble(nn.Module):
    """Networks that answer together: the mean of their logits.

    That is the geometric mean of their probabilities, at any temperature (Hinton, Vinyals and
    Dean, arXiv 1503.02531, section 4).
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.chosen, self.steps = members[0].chosen, members[0].steps

    def forward(self, fields: Mapping[str, Tensor]) -> Tensor:
        """As a network's."""
        return torch.stack([each(fields) for each in self.members]).mean(dim=0)

    def decide(self, fields: Mapping[str, Tensor]) -> Tensor:
        """As a network's."""
        return averaged(self(fields))


def averaged(logits: Tensor) -> Tensor:
    """(T, N, classes) or (N, classes) -> (N, classes), 32 bits."""
    return (logits.mean(dim=0) if logits.ndim == 3 else logits).float()


@dataclass(frozen=True, slots=True)
class Plain:
    """[method] name = "none": cross-entropy with the labels, of the mean over time.

    Attributes:
        label_smoothing: of the cross-entropy.
    """

    label_smoothing: float = 0.0
    name: ClassVar[str] = "none"
    students: ClassVar[tuple[str, ...]] = ("picture", "clip", "frames", "events")
    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _share("label_smoothing", self.label_smoothing)

    def without_teacher(self) -> Plain:
        """Itself."""
        return self

    def learner(self, student: Network) -> nn.Module:
        """The module that learns."""
        return _Distilled(student, 0.0, 1.0, self.label_smoothing)


@dataclass(frozen=True, slots=True)
class Kd:
    """[method] name = "kd": L = alpha T^2 KL(teacher, student) + (1 - alpha) CE.

    Attributes:
        alpha: the teacher's share, 0 to 1.
        temperature: T.
        label_smoothing: of the cross-entropy.
    """

    alpha: float = 0.7
    temperature: float = 4.0
    label_smoothing: float = 0.0
    name: ClassVar[str] = "kd"
    students: ClassVar[tuple[str, ...]] = ("picture", "clip", "frames", "events")

    def __post_init__(self) -> None:
        _share("alpha", self.alpha)
        _share("label_smoothing", self.label_smoothing)
        if not self.temperature > 0:
            raise UsageError(f"temperature is {self.temperature}", remedy="above 0")

    @property
    def needs_teacher(self) -> bool:
        """Whether a term needs the teacher's logits."""
        return self.alpha > 0

    def without_teacher(self) -> Kd:
        """The labels alone."""
        return replace(self, alpha=0.0)

    def learner(self, student: Network) -> nn.Module:
        """The module that learns."""
        return _Distilled(student, self.alpha, self.temperature, self.label_smoothing)


@dataclass(frozen=True, slots=True)
class Mskd(MskdLoss):
    """[method] name = "mskd": see losses.sums.MskdLoss."""

    name: ClassVar[str] = "mskd"
    students: ClassVar[tuple[str, ...]] = ("frames",)

    @property
    def needs_teacher(self) -> bool:
        """Whether a term needs the teacher's logits."""
        return self.alpha > 0 and (self.hit > 0 or self.temporal > 0)

    def without_teacher(self) -> Mskd:
        """The labels alone."""
        return replace(self, alpha=0.0)

    def learner(self, student: Network) -> nn.Module:
        """The module that learns."""
        return _Mskd(student, self)


@dataclass(frozen=True, slots=True)
class Ckd(CkdLoss):
    """[method] name = "ckd": see losses.sums.CkdLoss; and the course of the training.

    Attributes:
        replacement: power of the sliding replacement's probability; 0: none is replaced.
        switch_at, switch_steepness: of the phased switch, see losses.transfer.switch_weight;
            steepness 0: no switch, the distillation always counts in full.
        heads, order: see students.transfer.TransferPair.
    """

    replacement: float = 3.0
    switch_at: float = 0.5
    switch_steepness: float = 10.0
    heads: Heads = 1
    order: Order = "layer"
    name: ClassVar[str] = "ckd"
    students: ClassVar[tuple[str, ...]] = ("events",)

    def __post_init__(self) -> None:
        # A slotted dataclass is made anew: super() without arguments would not find it.
        CkdLoss.__post_init__(self)
        _share("switch_at", self.switch_at)
        if self.replacement < 0 or self.switch_steepness < 0:
            raise UsageError(
                f"replacement is {self.replacement}, steepness {self.switch_steepness}",
                remedy="give numbers from 0 on",
            )

    @property
    def needs_teacher(self) -> bool:
        """Whether a term needs the teacher's logits."""
        return self.distillation > 0

    def without_teacher(self) -> Ckd:
        """Both streams and their alignment without the ANN."""
        return replace(self, distillation=0.0)

    def switch(self, progress: float) -> float:
        """The factor on the distillation."""
        if not self.switch_steepness:
            return 1.0
        return switch_weight(progress, at=self.switch_at, steepness=self.switch_steepness)

    def learner(self, student: Network) -> nn.Module:
        """The module that learns."""
        return _Ckd(student, self)


METHODS: dict[Any, Any] = {"none": Plain, "kd": Kd, "mskd": Mskd, "ckd": Ckd}
"""Name in [method] -> what it takes, and what it makes."""


class _Distilled(nn.Module):
    def __init__(
        self, student: Network, alpha: float, temperature: float, smoothing: float
    ) -> None:
        super().__init__()
        self.student = student
        self.alpha, self.temperature, self.smoothing = alpha, temperature, smoothing

    def forward(self, batch: Batch) -> Terms:
        answer = averaged(self.student(batch.fields))
        terms = {
            "classification": functional.cross_entropy(
                answer, batch.labels, label_smoothing=self.smoothing
            )
        }
        total = (1 - self.alpha) * terms["classification"]
        if self.alpha:
            known = averaged(_required(batch.teacher))
            terms["distillation"] = divergence(answer, known, self.temperature).mean()
            total = total + self.alpha * terms["distillation"]
        return terms | {"total": total}


class _Mskd(nn.Module):
    def __init__(self, student: Network, loss: Mskd) -> None:
        super().__init__()
        self.student, self.loss = student, loss

    def forward(self, batch: Batch) -> Terms:
        answer = self.student(batch.fields).float()
        teacher = None if batch.teacher is None else batch.teacher.float()
        return self.loss(answer, teacher, batch.labels)


class _Ckd(nn.Module):
    def __init__(self, student: Network, loss: Ckd) -> None:
        super().__init__()
        self.student, self.loss = student, loss
        network = cast(Any, student.network)
        self.pair = TransferPair(network, heads=loss.heads, order=loss.order)

    def forward(self, batch: Batch) -> Terms:
        events = counts(batch.fields["events"], self.student.chosen)
        static = still_stream(batch.fields["picture"], events)
        if self.loss.replacement:
            probability = min(1.0, batch.progress**self.loss.replacement)
            chosen = (batch.replaced < probability).view(1, -1, 1, 1, 1)
            static = torch.where(chosen, events, static)
        streams = self.pair(static, events)
        switch = self.loss.switch(batch.progress)
        return self.loss(streams, self.pair.coefficients, batch.teacher, batch.labels, switch)


def still_stream(picture: Tensor, events: Tensor) -> Tensor:
    """Pictures as the base shows them to the SNN: V of HSV, the same at each step.

    Args:
        picture: (N, C, H, W), 0 to 255.
        events: (T, N, 2, h, w), whose shape it takes.

    Returns:
        (T, N, 2, h, w), 0 to 1.
    """
    value = picture.float().amax(dim=1, keepdim=True) / 255.0
    size = events.shape[-2:]
    if value.shape[-2:] != size:
        value = functional.interpolate(
            value, size, mode="bilinear", antialias=size[0] < value.shape[-2]
        )
    return value.expand(events.shape[0], -1, -1, -1, -1).expand_as(events)


def _required(teacher: Tensor | None) -> Tensor:
    if teacher is None:
        raise UsageError("the distillation needs the teacher's logits, and there are none")
    return teacher


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UsageError(f"{name} is {value}", remedy="give a share from 0 to 1")
