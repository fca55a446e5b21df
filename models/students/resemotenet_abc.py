"""Mini-ResEmoteNet A, B and C: ResEmoteNet with a half, a quarter, an eighth of the channels.

Murtada et al., arXiv 2501.18538. As ReLU networks; models/students/mini_resemotenet.py is C
with spiking neurons in place of ReLUs. `deployable_a`, `_b` and `_c` are the twins that a chip
can run: average pooling, no gate (or one that was frozen and folded), 48x48 grey pictures.
"""

from __future__ import annotations

from typing import Any

from ..teachers.resemotenet import ResEmoteNet

DIVISORS = {"a": 2, "b": 4, "c": 8}
"""Student -> what its channels are divided by: cut by 50, 75 and 87.5 %."""

DEPLOYABLE: dict[str, Any] = {
    "channels": 1,
    "size": 48,
    "pooling": "average",
    "squeeze": "none",
}


def mini_resemotenet(student: str, **options: Any) -> ResEmoteNet:
    """Student "a", "b" or "c"; the options are ResEmoteNet's."""
    return ResEmoteNet(divisor=DIVISORS[student], **options)


def deployable_a() -> ResEmoteNet:
    """A without gate, with average pooling, 48x48x1: what nirexport takes as --model."""
    return mini_resemotenet("a", **DEPLOYABLE)


def deployable_b() -> ResEmoteNet:
    """B, as :func:`deployable_a`."""
    return mini_resemotenet("b", **DEPLOYABLE)


def deployable_c() -> ResEmoteNet:
    """C, as :func:`deployable_a`."""
    return mini_resemotenet("c", **DEPLOYABLE)
