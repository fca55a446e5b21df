"""Knowledge distillation: a student matches what its teacher answers.

Every function returns a tensor without axes, the mean over the batch.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import Problem, UsageError

Temporal: TypeAlias = Literal["logits", "similarity"]


def divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)) of each sample.

    The factor keeps the gradient's size when the temperature changes (Hinton et al., arXiv
    1503.02531, section 2). Computed from log-probabilities: no overflow for large logits.

    Args:
        student: logits (..., classes).
        teacher: logits of the same shape.
        temperature: T > 0.

    Returns:
        (...,): one number a sample, 0 where both agree.

    Raises:
        UsageError: the temperature is not above 0, or the shapes differ.
    """
    _require_temperature(temperature)
    _require_same(student, teacher)
    ours = functional.log_softmax(student / temperature, dim=-1)
    theirs = functional.log_softmax(teacher.detach() / temperature, dim=-1)
    pointwise = functional.kl_div(ours, theirs, reduction="none", log_target=True)
    return temperature**2 * pointwise.sum(dim=-1)


def hinton(
    student: Tensor, teacher: Tensor, labels: Tensor, alpha: float, temperature: float
) -> Tensor:
    """L = alpha T^2 KL(p_t(T) || p_s(T)) + (1 - alpha) CE(student, labels).

    Hinton et al., arXiv 1503.02531; Mini-ResEmoteNet names alpha and temperature and not their
    values.

    Args:
        student: logits (N, classes).
        teacher: logits of the same shape.
        labels: (N,) class indices.
        alpha: share of the teacher, 0 to 1.
        temperature: T > 0.

    Raises:
        UsageError: alpha or temperature out of range, or shapes that differ.
    """
    if not 0 <= alpha <= 1:
        raise UsageError(f"alpha is {alpha}", remedy="give a share from 0 to 1")
    taught = divergence(student, teacher, temperature).mean()
    return alpha * taught + (1 - alpha) * functional.cross_entropy(student, labels)


def hit_consistency(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float
) -> Tensor:
    """Match the teacher where it is right, the more the surer it is (MSKD's HCKD).

    L = mean_n c_n T^2 KL(p_t(T) || p_s(T)) on logits that are averaged over time, with
    c_n = softmax(teacher)_label at temperature 1 if the teacher's largest logit is the
    label's, else 0. The mean is over all samples, those with c_n = 0 included.

    MSKD (arXiv 2407.09521) names the term and states no formula: our reading, students.md 1.3.

    Args:
        student: logits (T, N, classes).
        teacher: logits (T', N, classes), or (N, classes).
        labels: (N,) class indices.
        temperature: T > 0.
    """
    ours = student.mean(dim=0)
    theirs = (teacher.mean(dim=0) if teacher.ndim == 3 else teacher).detach()
    index = labels[:, None]
    confidence = functional.softmax(theirs, dim=-1).gather(1, index).squeeze(1)
    weight = confidence * (theirs.argmax(dim=-1) == labels).to(confidence.dtype)
    return (weight * divergence(ours, theirs, temperature)).mean()


def temporal_consistency(
    student: Tensor, teacher: Tensor, temperature: float, form: Temporal = "logits"
) -> Tensor:
    """Match how the teacher's answer moves over time (MSKD's TCKD).

    "logits": mean over steps and samples of T^2 KL(p_t(T) || p_s(T)) at each step.
    "similarity": mean squared difference of the two T x T matrices of cosine similarities
    between one sample's probabilities (at that temperature) at each two steps, all entries.

    MSKD (arXiv 2407.09521) names the term and states no formula: our reading, students.md 1.3.

    Args:
        student: logits (T, N, classes).
        teacher: logits of the same shape.
        temperature: T > 0.
        form: see above.

    Raises:
        UsageError: shapes, temperature or form.
    """
    if form == "logits":
        return divergence(student, teacher, temperature).mean()
    if form != "similarity":
        raise UsageError(f"form is {form!r}", remedy="give logits or similarity")
    _require_temperature(temperature)
    _require_same(student, teacher)
    ours = _similarity(student, temperature)
    return functional.mse_loss(ours, _similarity(teacher.detach(), temperature))


def _similarity(logits: Tensor, temperature: float) -> Tensor:
    """(T, N, classes) -> cosine similarities (N, T, T)."""
    answers = functional.softmax(logits / temperature, dim=-1).transpose(0, 1)
    unit = functional.normalize(answers, dim=-1)
    return torch.matmul(unit, unit.transpose(1, 2))


def _require_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise UsageError(f"temperature is {temperature}", remedy="give a number above 0")


def _require_same(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise UsageError(
            Problem(
                f"the student's logits are {tuple(student.shape)}, the teacher's "
                f"{tuple(teacher.shape)}",
                remedy="run both over the same samples, classes and time steps",
            )
        )
