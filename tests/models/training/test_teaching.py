"""A teacher's answers to views that are known beforehand are those it gives when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from slipway.errors import UsageError
from slipway.models.training.data import Samples
from slipway.models.training.inputs import DRAWS, vary
from slipway.models.training.learners import Network
from slipway.models.training.reading import load
from slipway.models.training.recipe import Augmentation, Input
from slipway.models.training.run import make_fabric
from slipway.models.training.teaching import Teaching, Ways

MOVED = Augmentation(flip=True, shift=0.2, zoom=0.2, turn=20.0, erase=0.2)


class Steps(torch.nn.Module):
    """A network over time: its logits differ from step to step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 3)

    def forward(self, x: Any, state: Any = None) -> Any:
        state = x.flatten(1) if state is None else 0.5 * state + x.flatten(1)
        return self.layer(state), state


def teacher(over_time: bool) -> Network:
    torch.manual_seed(3)
    if over_time:
        return Network(Steps(), "frames", Input(), 4)
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    return Network(flat, "picture", Input(), 1)


@pytest.mark.parametrize("over_time", [False, True])
@pytest.mark.parametrize(("views", "averaged"), [(0, False), (0, True), (3, False), (3, True)])
def test_what_is_remembered_is_what_would_be_answered(
    tmp_path: Path, over_time: bool, views: int, averaged: bool
) -> None:
    random = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 256, (150, 1, 8, 8), generator=random, dtype=torch.uint8)
    samples = Samples({"picture": pictures}, torch.zeros(150, dtype=torch.long))
    augmentation = MOVED if views else Augmentation(flip=True)
    recipe = load("mini-resemotenet-small", ())
    teaching = Teaching(teacher(over_time), make_fabric(recipe, "cpu", 1))
    ways, file = Ways(augmentation, views, averaged), tmp_path / "answers.pt"
    teaching.remember(samples, ways, "digest", file, lambda fraction, text: None)

    items = torch.randint(0, 150, (40,), generator=random)
    drawn = torch.rand(DRAWS, 40, generator=random)
    used, view = teaching.choose(items, drawn, random)
    assert torch.equal(used[0], drawn[0])  # mirrored anew
    assert set(view.tolist()) == set(range(max(1, views)))
    fields, mirrored = vary({"picture": pictures[items]}, augmentation, used)
    known = teaching.logits(fields, items, mirrored, view)
    assert known.shape == ((4, 40, 3) if over_time else (40, 3))

    asked = teacher(over_time).eval()
    with torch.no_grad():
        expected = asked(fields)
        if averaged:
            expected = (expected + asked({"picture": fields["picture"].flip(-1)})) / 2
    torch.testing.assert_close(known, expected, rtol=1e-3, atol=1e-3)
    again = torch.load(file, weights_only=True)["answers"]
    assert again.shape[:2] == (max(1, views), 1 if averaged else 2)


def test_views_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="sees the original answers to none of 4 views"):
        load("mini-resemotenet-c-cpu", ("teacher.sees=original", "teacher.views=4"))
    with pytest.raises(UsageError, match="not moved would all be the same"):
        load("mini-resemotenet-small", ("teacher.views=4",))
