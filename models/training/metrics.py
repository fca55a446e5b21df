"""How good a network is: WAR, UAR, F1 and the confusion matrix, by torchmetrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from ..needs import require

DEFINITIONS = {
    "war": "weighted average recall: items that are right, of all items (accuracy)",
    "uar": "unweighted average recall: mean over the classes of the items that are right, of "
    "all items of the class",
    "f1": "mean over the classes of 2 precision recall / (precision + recall)",
    "confusion": "rows: true class, columns: the network's answer, items",
    "loss": "mean cross-entropy, without label smoothing",
}
"""What the names mean; papers use WAR and UAR for other averages, too."""


@dataclass(frozen=True, slots=True)
class Score:
    """How good a network is on a split.

    Attributes:
        war, uar, f1, loss: see DEFINITIONS.
        recall: of each class, in the order of the labels.
        confusion: rows are true classes.
        items: of the split.
    """

    war: float
    uar: float
    f1: float
    loss: float
    recall: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]
    items: int

    def as_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Plain values, the classes by name."""
        return {
            "war": self.war,
            "uar": self.uar,
            "f1": self.f1,
            "loss": self.loss,
            "recall": dict(zip(classes, self.recall, strict=True)),
            "confusion": [list(row) for row in self.confusion],
            "items": self.items,
        }


def score(logits: Tensor, labels: Tensor) -> Score:
    """Score answers.

    Args:
        logits: (N, classes).
        labels: (N,).

    Raises:
        MissingDependency: torchmetrics is not installed.
    """
    by = require("torchmetrics.functional.classification", "score a network").__dict__
    logits, labels = logits.cpu(), labels.cpu()
    classes = logits.shape[1]
    answers = logits.argmax(dim=1)
    settings = {"num_classes": classes, "validate_args": False}

    def mean(name: str, average: str) -> Tensor:
        found: Tensor = by[name](answers, labels, average=average, **settings)
        return found

    confusion: Tensor = by["multiclass_confusion_matrix"](answers, labels, **settings)
    return Score(
        war=_share(mean("multiclass_accuracy", "micro")),
        uar=_share(mean("multiclass_recall", "macro")),
        f1=_share(mean("multiclass_f1_score", "macro")),
        loss=float(functional.cross_entropy(logits.double(), labels)),
        recall=tuple(_share(each) for each in mean("multiclass_recall", "none")),
        confusion=tuple(tuple(int(each) for each in row) for row in confusion),
        items=len(labels),
    )


def _share(value: Tensor) -> float:
    """It counts in 32 bits: what is behind the seventh digit is noise."""
    return round(float(value), 7)


def better(new: float, old: float | None, monitor: str) -> bool:
    """Whether a monitored value is strictly better than the best so far."""
    if old is None:
        return True
    return new < old if monitor == "loss" else new > old
