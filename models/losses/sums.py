"""The papers' whole losses, as sums of terms each of which can be left out.

A term with weight 0 is not computed, and its teacher need not have run.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from torch import Tensor
from torch.nn import functional

from ...errors import Problem, UsageError
from ..students.transfer import Streams
from .distillation import Temporal, divergence, hit_consistency, temporal_consistency
from .transfer import domain_alignment, temporal_efficient

Terms = dict[str, Tensor]
"""Each term as it is before its weight, and "total", the weighted sum; without axes."""


@dataclass(frozen=True, slots=True)
class MskdLoss:
    """L = (1 - a) L_cls + a (hit L_HCKD + temporal L_TCKD), arXiv 2407.09521.

    L_cls is the cross-entropy of the logits' mean over time, as in SEEN.

    Attributes:
        alpha: a, the teacher's share; 0: without a teacher.
        hit, temporal: weights of the two terms; 1 in the paper, 0 leaves a term out.
        temperature: of both.
        form: of temporal consistency; see distillation.temporal_consistency.
        label_smoothing: of the cross-entropy.
    """

    alpha: float = 0.5
    hit: float = 1.0
    temporal: float = 1.0
    temperature: float = 2.0
    form: Temporal = "logits"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _check(self, shares=("alpha", "label_smoothing"), weights=("hit", "temporal"))

    def __call__(self, student: Tensor, teacher: Tensor | None, labels: Tensor) -> Terms:
        """All terms.

        Args:
            student: logits (T, N, classes).
            teacher: logits (T, N, classes); None only where no term needs them.
            labels: (N,) class indices.

        Raises:
            UsageError: a term needs a teacher and there is none; shapes.
        """
        terms = {
            "classification": functional.cross_entropy(
                student.mean(dim=0), labels, label_smoothing=self.label_smoothing
            )
        }
        total = (1 - self.alpha) * terms["classification"]
        if self.alpha * self.hit:
            known = _present(teacher, "hit consistency")
            terms["hit"] = hit_consistency(student, known, labels, self.temperature)
            total = total + self.alpha * self.hit * terms["hit"]
        if self.alpha * self.temporal:
            known = _present(teacher, "temporal consistency")
            terms["temporal"] = temporal_consistency(
                student, known, self.temperature, self.form
            )
            total = total + self.alpha * self.temporal * terms["temporal"]
        return terms | {"total": total}


@dataclass(frozen=True, slots=True)
class CkdLoss:
    """L = L_cls-s + w L_KD + L_cls-e + alignment L_DA, arXiv 2507.09269 on its base.

    L_cls-s and L_cls-e are TET losses of the static and the event stream; L_KD matches the
    mean over time of the static stream's logits to the ANN's; L_DA is domain alignment.

    Attributes:
        static, events: weights of the two classifications; 1 in the paper.
        distillation: factor on w; 0 leaves the teacher out.
        alignment: 0.5 in the base; 0 leaves L_DA out.
        learned_steps: the learnable c_t weigh the steps of L_DA by sigmoid(c_t), and those of
            L_cls-e by 1 - sigmoid(c_t); else all steps weigh 1.
        per_step: each classification is a TET loss, see transfer.temporal_efficient; else the
            plain cross-entropy of the mean over time, with the mean of the steps' weights.
        temperature: of the distillation.
        mse_share, mse_target, label_smoothing: of the TET losses; the last of both.
    """

    static: float = 1.0
    events: float = 1.0
    distillation: float = 1.0
    alignment: float = 0.5
    learned_steps: bool = True
    per_step: bool = True
    temperature: float = 4.0
    mse_share: float = 1e-3
    mse_target: float = 0.5
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _check(
            self,
            shares=("mse_share", "label_smoothing"),
            weights=("static", "events", "distillation", "alignment"),
        )

    def __call__(
        self,
        streams: Streams,
        coefficients: Tensor,
        teacher: Tensor | None,
        labels: Tensor,
        switch: float,
    ) -> Terms:
        """All terms.

        Args:
            streams: the student on both streams.
            coefficients: c, (T,), of the pair.
            teacher: the ANN's logits on the pictures, (N, classes); None only where no term
                needs them.
            labels: (N,) class indices.
            switch: w of the phased switch, transfer.switch_weight; at 0 no teacher is needed.

        Raises:
            UsageError: a term needs a teacher and there is none; shapes.
        """
        terms: Terms = {}
        weights: dict[str, float] = {}
        if self.static:
            terms["static"] = self._classification(streams.static_logits, labels, None)
            weights["static"] = self.static
        if self.events:
            steps = 1 - coefficients.sigmoid() if self.learned_steps else None
            terms["events"] = self._classification(streams.event_logits, labels, steps)
            weights["events"] = self.events
        if self.distillation * switch:
            known = _present(teacher, "distillation")
            mean = streams.static_logits.mean(dim=0)
            terms["distillation"] = divergence(mean, known, self.temperature).mean()
            weights["distillation"] = self.distillation * switch
        if self.alignment:
            terms["alignment"] = domain_alignment(
                streams.static_features,
                streams.event_features,
                coefficients if self.learned_steps else None,
            )
            weights["alignment"] = self.alignment
        if not terms:
            raise UsageError("all terms of the loss have weight 0")
        parts = [weights[name] * term for name, term in terms.items()]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return terms | {"total": total}

    def _classification(self, logits: Tensor, labels: Tensor, steps: Tensor | None) -> Tensor:
        """Of one stream, logits (T, N, classes), each step with its weight, (T,)."""
        if self.per_step:
            return temporal_efficient(
                logits,
                labels,
                mse_share=self.mse_share,
                mse_target=self.mse_target,
                step_weights=steps,
                label_smoothing=self.label_smoothing,
            )
        entropy = functional.cross_entropy(
            logits.mean(dim=0), labels, label_smoothing=self.label_smoothing
        )
        return entropy if steps is None else steps.mean() * entropy


def _present(teacher: Tensor | None, term: str) -> Tensor:
    if teacher is None:
        raise UsageError(
            f"{term} needs the teacher's logits, and there are none",
            remedy="give a teacher, or set the weight of this term to 0",
        )
    return teacher


def _check(loss: MskdLoss | CkdLoss, shares: tuple[str, ...], weights: tuple[str, ...]) -> None:
    """Raise UsageError for all values out of range at once."""
    values = {field.name: getattr(loss, field.name) for field in fields(loss)}
    where = type(loss).__name__
    problems = [
        Problem(f"{name} is {values[name]}", where, "give a share from 0 to 1")
        for name in shares
        if not 0 <= values[name] <= 1
    ]
    problems += [
        Problem(f"{name} is {values[name]}", where, "give a weight from 0 on")
        for name in weights
        if not values[name] >= 0
    ]
    if not values["temperature"] > 0:
        problems.append(Problem(f"temperature is {values['temperature']}", where, "above 0"))
    if problems:
        raise UsageError(*problems)
