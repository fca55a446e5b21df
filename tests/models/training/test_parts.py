"""Draws, learning rates, scores, the teacher's answers: small parts against formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score
from slipway.errors import DataError
from slipway.models.training import draws
from slipway.models.training.data import Samples
from slipway.models.training.layout import channels_last
from slipway.models.training.metrics import better, score
from slipway.models.training.optimise import make_optimiser, rate_at
from slipway.models.training.recipe import Optimiser, Schedule
from slipway.models.training.teaching import pair


def test_draws_depend_on_the_place_alone() -> None:
    first = draws.order(50, 7, 3)
    torch.rand(5)
    assert torch.equal(first, draws.order(50, 7, 3))
    assert sorted(first.tolist()) == list(range(50))
    places = [(7, 1, 0, 0), (8, 1, 0, 0), (7, 2, 0, 0), (7, 1, 1, 0), (7, 1, 0, 1)]
    assert len({draws.seed_of(*place) for place in places}) == len(places)


def test_repeatable_gives_the_settings_back() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with draws.repeatable(1, strict=True) as used:
        assert used == torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        torch.manual_seed(3)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()


def test_learning_rates() -> None:
    assert rate_at(9.0, 10, 0.1, Schedule()) == 0.1
    warm = Schedule("cosine", warm_up=2.0, warm_up_rate=0.02, minimum=0.01)
    assert rate_at(0.0, 10, 0.1, warm) == pytest.approx(0.02)
    assert rate_at(1.0, 10, 0.1, warm) == pytest.approx(0.06)
    assert rate_at(2.0, 10, 0.1, warm) == pytest.approx(0.1)
    assert rate_at(6.0, 10, 0.1, warm) == pytest.approx(0.055)
    assert rate_at(10.0, 10, 0.1, warm) == pytest.approx(0.01)
    falling = Schedule("exponential", factor=0.94)
    assert rate_at(3.9, 180, 0.015, falling) == pytest.approx(0.015 * 0.94**3)


def test_what_decays() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    (all_of_them,) = make_optimiser(module, Optimiser(weight_decay=0.1)).param_groups
    assert len(all_of_them["params"]) == 4
    chosen = Optimiser("sgd", weight_decay=0.1, decay_all=False)
    weights, others = make_optimiser(module, chosen).param_groups
    assert [each.ndim for each in weights["params"]] == [4]
    assert (weights["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


def test_scores_are_those_of_another_library() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, 300)
    logits = random.normal(size=(300, 5)) + 1.5 * np.eye(5)[labels]
    found = score(torch.tensor(logits), torch.tensor(labels))
    answers = logits.argmax(axis=1)
    assert found.war == pytest.approx(accuracy_score(labels, answers), abs=1e-6)
    recalls = recall_score(labels, answers, average=None)
    assert found.uar == pytest.approx(recalls.mean(), abs=1e-6)
    assert found.recall == pytest.approx(tuple(recalls), abs=1e-6)
    assert found.f1 == pytest.approx(f1_score(labels, answers, average="macro"), abs=1e-6)
    assert np.array_equal(found.confusion, confusion_matrix(labels, answers))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert found.loss == pytest.approx(-np.log(shares[np.arange(300), labels]).mean())
    assert found.items == 300


def test_better() -> None:
    assert better(0.5, None, "war")
    assert better(0.6, 0.5, "war")
    assert not better(0.5, 0.5, "war")
    assert better(0.4, 0.5, "loss")
    assert not better(math.nan, 0.5, "loss")


def test_still_pictures_are_of_the_recordings_class() -> None:
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 2])
    stills = Samples({}, torch.tensor([2, 0, 1, 0, 2, 1, 1, 1]))
    train = Samples({}, labels, stills)
    chosen = torch.arange(7).repeat(50)
    found = pair(train, chosen, "class", torch.Generator().manual_seed(0))
    assert torch.equal(stills.labels[found], labels[chosen])
    for label in range(3):
        drawn = set(found[labels[chosen] == label].tolist())
        assert drawn == set(torch.where(stills.labels == label)[0].tolist())
    assert torch.equal(pair(train, chosen, "item", torch.Generator()), chosen)

    without = Samples({}, labels, Samples({}, torch.tensor([0, 1])))
    with pytest.raises(DataError, match="class 2 has recordings and no still pictures"):
        pair(without, chosen, "class", torch.Generator())


def test_channels_last_only_where_torch_can() -> None:
    narrow = torch.nn.Sequential(torch.nn.Conv2d(8, 16, 1, stride=2))
    assert not channels_last(narrow)
    first = torch.nn.Conv2d(3, 16, 3)
    wide = torch.nn.Sequential(first, torch.nn.Conv2d(16, 32, 1, stride=2))
    assert channels_last(wide)
    assert first.weight.is_contiguous(memory_format=torch.channels_last)
