from __future__ import annotations

import numpy as np
import pytest
import torch
from slipway.models.augment import vary
from slipway.models.data import Dataset, Split
from slipway.models.recipe import Recipe
from slipway.models.train import score

RECIPE = Recipe("digits", 1, 1, 0.1, ((0.0, 1), (0.5, 2), (0.75, 4)), warm_up=0.2)


def test_the_curriculum_and_the_learning_rate_follow_the_progress() -> None:
    assert [RECIPE.steps_at(p) for p in (0.0, 0.49, 0.5, 0.74, 0.75, 1.0)] == [1, 1, 2, 2, 4, 4]
    assert RECIPE.rate_at(0.0) == pytest.approx(0.005)
    assert RECIPE.rate_at(0.1) == pytest.approx(0.05)
    assert RECIPE.rate_at(0.2) == pytest.approx(0.1)
    assert RECIPE.rate_at(0.6) == pytest.approx(0.05)
    assert RECIPE.rate_at(1.0) == pytest.approx(0.0)


def test_pictures_are_varied_alike_for_the_same_generator() -> None:
    x = torch.zeros(64, 1, 9, 9)
    x[:, :, 4, 2] = 1.0
    still = vary(x, torch.Generator().manual_seed(0), shift=0.0, zoom=0.0, turn=0.0)
    left, right = still[:, 0, 4, 2].round().sum(), still[:, 0, 4, 6].round().sum()
    assert left + right == 64  # kept or mirrored, and nothing else
    assert 16 < left < 48
    once = vary(x, torch.Generator().manual_seed(1))
    again = vary(x, torch.Generator().manual_seed(1))
    assert torch.equal(once, again)
    assert not torch.equal(once[0], once[1])


def test_twins_are_left_out_of_the_second_accuracy() -> None:
    split = Split(np.zeros((4, 1, 1, 1), np.uint8), np.array([0, 0, 0, 1]))
    twins = np.array([False, True, False, False])
    data = Dataset("toy", ("a", "b"), 1, split, None, split, twins)
    figures = score(data, np.array([0, 1, 0, 0]))
    assert figures["accuracy"] == 0.5
    assert figures["accuracy_without_twins"] == pytest.approx(2 / 3)
    assert figures["uar"] == pytest.approx((2 / 3 + 0.0) / 2)
    assert figures["recall"] == {"a": pytest.approx(2 / 3), "b": 0.0}
    assert figures["samples_without_twins"] == 3
