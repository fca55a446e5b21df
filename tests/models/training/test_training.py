"""Whole trainings of seconds: what they leave, what teaches, what goes on where."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from slipway.errors import FileError, UsageError
from slipway.models import networks
from slipway.models.training import catalogue
from slipway.models.training.checkpoint import weights_of
from slipway.models.training.data import load as load_data
from slipway.models.training.inputs import see
from slipway.models.training.learners import Ensemble, Network
from slipway.models.training.reading import load
from slipway.models.training.recipe import Input
from slipway.models.training.run import spread, train_recipe
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

KD, MSKD, CKD = "mini-resemotenet-small", "mskd-student-small", "ckd-vgg-snn-small"
# Two updates an epoch: each training is over in a second.
TINY = (
    "data.limit=128",
    "training.epochs=2",
    "teacher.training.epochs=1",
    "training.threads=1",
)
SAME = ("war", "uar", "f1", "loss", "confusion", "validation", "history", "best_epoch")


def train(recipe: str, folder: Path, *changes: str, **options: Any) -> dict[str, Any]:
    return train_recipe(recipe, folder, changes=(*TINY, *changes), device="cpu", **options)


def metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An uninterrupted training of each method."""
    folders = {}
    for recipe in (KD, MSKD, CKD):
        folders[recipe] = tmp_path_factory.mktemp(recipe)
        train(recipe, folders[recipe], "training.checkpoint_seconds=1000.0")
    return folders


@pytest.mark.parametrize("recipe", [KD, MSKD, CKD])
def test_a_training_leaves_all_that_the_next_steps_need(
    whole: dict[str, Path], recipe: str
) -> None:
    folder = whole[recipe]
    found = metrics(folder)
    spec = importlib.util.spec_from_file_location("student", folder / "student.py")
    assert spec is not None
    assert spec.loader is not None
    built = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(built)
    built.build().load_state_dict(weights_of(folder))
    for name in ("calibrate", "test"):
        with np.load(folder / f"{name}.npz") as arrays:
            assert len(arrays["x"]) == len(arrays["y"]) == found["samples"][name]
            assert list(arrays["x"].shape[-3:]) == found["sample_shape"]
    assert not list(folder.rglob("checkpoint.pt"))
    assert found["simulated"] == (recipe != KD)
    card = (folder / "model-card.md").read_text()
    assert ("SIMULATED" in card) == (recipe != KD)
    assert "the same student without a teacher: WAR" in card
    assert found["ended"] == "epochs"
    assert found["items"] == sum(map(sum, found["confusion"])) == 128


def test_the_samples_are_what_the_student_sees(whole: dict[str, Path]) -> None:
    recipe = load(KD, ("data.limit=128",))
    loaded = load_data(recipe.data, frozenset({"picture"}), None, lambda done, text: None)
    network = networks.build(recipe.network.name, **recipe.network.options, classes=10).eval()
    network.load_state_dict(weights_of(whole[KD]))
    with np.load(whole[KD] / "test.npz") as arrays, torch.no_grad():
        answers = network(torch.as_tensor(arrays["x"])).argmax(1).numpy()
        right = float((answers == arrays["y"]).mean())
    assert right == pytest.approx(metrics(whole[KD])["war"], abs=1e-6)
    (seen,) = see(loaded.splits["test"].fields, "picture", recipe.input, 1)
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_tensorboard_has_each_epoch_and_each_term(whole: dict[str, Path]) -> None:
    events = EventAccumulator(str(whole[MSKD] / "tensorboard"))
    events.Reload()
    history = metrics(whole[MSKD])["history"]
    for term in ("total", "classification", "hit", "temporal"):
        scalars = events.Scalars(f"loss/{term}")
        assert [each.step for each in scalars] == [1, 2]
        expected = [entry["loss"][term] for entry in history]
        assert [each.value for each in scalars] == pytest.approx(expected, rel=1e-6)
    assert len(events.Scalars("validation/war")) == 2


@pytest.mark.parametrize("recipe", [KD, MSKD, CKD])
def test_cut_after_every_update_it_ends_the_same(
    whole: dict[str, Path], tmp_path: Path, recipe: str
) -> None:
    runs = 0
    teacher = whole[recipe] / "teacher"
    while True:
        runs += 1
        # So short a time that each run does one update and writes its checkpoint.
        result = train(
            recipe, tmp_path, teacher=teacher, resume=True, max_seconds=1e-9, seeds=(0,)
        )
        if result["ended"] != "time":
            break
        assert "gain" not in result
        assert runs < 20
    assert runs >= 8  # student and baseline, two epochs of two updates each
    for folder in ("", "baseline"):
        cut, uncut = metrics(tmp_path / folder), metrics(whole[recipe] / folder)
        assert cut["resumed"] >= 3
        assert {key: cut[key] for key in SAME} == {key: uncut[key] for key in SAME}
        ours, theirs = weights_of(tmp_path / folder), weights_of(whole[recipe] / folder)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_finished_training_is_not_done_again(whole: dict[str, Path]) -> None:
    before = (whole[KD] / "student.pt").stat().st_mtime_ns
    again = train(KD, whole[KD], resume=True)
    assert (whole[KD] / "student.pt").stat().st_mtime_ns == before
    assert again["runs"][0]["student"]["war"] == metrics(whole[KD])["war"]
    with pytest.raises(FileError, match="the folder holds a training"):
        train(KD, whole[KD])
    with pytest.raises(FileError, match="of another recipe, seed or data"):
        train(KD, whole[KD], "method.alpha=0.5", resume=True)


def test_it_does_not_go_on_with_something_else(whole: dict[str, Path], tmp_path: Path) -> None:
    teacher = whole[KD] / "teacher"
    train(KD, tmp_path, teacher=teacher, max_seconds=1e-9)
    other = ("training.batch=32", "method.alpha=0.1", "teacher.sees=both")
    with pytest.raises(FileError) as caught:
        train(KD, tmp_path, *other, teacher=teacher, resume=True)
    told = str(caught.value)
    assert "recipe.teacher was None and is {'sees': 'both', 'views': 0}" in told
    assert "recipe.training.batch was 64 and is 32" in told
    assert "recipe.method.alpha was 0.7 and is 0.1" in told
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(FileError, match="the checkpoint cannot be read"):
        train(KD, tmp_path, teacher=teacher, resume=True)


def test_the_seed_decides_and_seeds_have_folders(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    result = train(KD, tmp_path, "baseline=false", teacher=whole[KD] / "teacher", seeds=(0, 1))
    same, other = (metrics(tmp_path / f"seed-{seed}") for seed in (0, 1))
    assert same["loss"] == metrics(whole[KD])["loss"]
    assert other["loss"] != same["loss"]
    assert result["student"]["war"] == spread([same["war"], other["war"]])
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["student"] == result["student"]
    assert not (tmp_path / "teacher" / "student.pt").exists()


def test_spread_is_the_samples() -> None:
    assert spread([1.0, 2.0, 3.0]) == {"mean": 2, "std": 1, "minimum": 1, "maximum": 3}
    assert spread([4.0])["std"] == 0


@pytest.mark.parametrize(
    ("recipe", "weights", "gone"),
    [
        (MSKD, ("method.hit=0.0",), "hit"),
        (MSKD, ("method.temporal=0.0",), "temporal"),
        (CKD, ("method.alignment=0.0",), "alignment"),
        (CKD, ("method.static=0.0",), "static"),
        (CKD, ("method.distillation=0.0", "baseline=false"), "distillation"),
        (KD, ("method.alpha=0.0", "baseline=false"), "distillation"),
    ],
)
def test_each_term_can_be_left_out(
    whole: dict[str, Path], tmp_path: Path, recipe: str, weights: tuple[str, ...], gone: str
) -> None:
    train(
        recipe,
        tmp_path,
        *weights,
        "baseline=false",
        "training.epochs=1",
        teacher=whole[recipe] / "teacher",
    )
    with_it = set(metrics(whole[recipe])["history"][0]["loss"])
    without = set(metrics(tmp_path)["history"][0]["loss"])
    assert with_it - without == {gone}
    assert without < with_it


def test_patience_ends_it_and_the_best_epoch_is_kept(tmp_path: Path) -> None:
    train(
        "resemotenet-small",
        tmp_path,
        "training.epochs=9",
        "training.patience=2",
        "optimiser.learning_rate=1e-9",
        "schedule.name=constant",
        "schedule.warm_up=0.0",
    )
    found = metrics(tmp_path)
    assert found["ended"] == "patience"
    assert found["epochs"] == found["best_epoch"] + 2 < 9
    best = found["history"][found["best_epoch"] - 1]["validation"]
    assert (
        found["validation"]["war"]
        == best["war"]
        == max(entry["validation"]["war"] for entry in found["history"])
    )


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="the loss is no number any more") as caught:
        train(
            "resemotenet-small", tmp_path, "optimiser.name=sgd", "optimiser.learning_rate=900"
        )
    assert "optimiser.learning_rate" in str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "changes", "options", "words"),
    [
        (KD, ("network.classes=7",), {}, "the network has 7 classes, the data 10"),
        (KD, (), {"max_seconds": 0.0}, "max_seconds is 0"),
        (KD, (), {"devices": 0}, "0 devices"),
        (KD, ("training.precision=16-mixed",), {}, "16-mixed needs a GPU"),
        (KD, ("teacher.recipe=mskd-teacher-small",), {}, "has no clip"),
        (CKD, ("teacher.recipe=mskd-teacher-small",), {}, "needs one that sees picture"),
        (CKD, ("data.film=none",), {}, "has no events"),
        ("resemotenet-small", ("training.patience=2", "data.validation=0.0"), {}, "no valid"),
    ],
    ids=str,
)
def test_what_cannot_be_trained(
    tmp_path: Path,
    recipe: str,
    changes: tuple[str, ...],
    options: dict[str, Any],
    words: str,
) -> None:
    with pytest.raises(UsageError) as caught:
        train(recipe, tmp_path / "out", *changes, **options)
    assert words in str(caught.value)


def test_several_teachers_answer_together(whole: dict[str, Path], tmp_path: Path) -> None:
    recipes = Path(catalogue.__file__).parents[1] / "recipes"
    teacher = (recipes / "resemotenet-small.toml").read_text()
    (tmp_path / "two.toml").write_text("seeds = [3, 5]\n" + teacher)
    student = (recipes / f"{KD}.toml").read_text()
    own = tmp_path / "own.toml"
    own.write_text(student.replace('recipe = "resemotenet-small"', 'recipe = "two.toml"'))
    changes = ("baseline=false", "augmentation.shift=0.1")  # each batch is asked anew
    options: dict[str, Any] = {"changes": (*TINY, *changes), "device": "cpu"}
    result = train_recipe(str(own), tmp_path / "a", seeds=(0,), **options)
    members = [tmp_path / "a" / "teacher" / f"seed-{n}" for n in (3, 5)]
    first, second = (torch.load(m / "student.pt", weights_only=True) for m in members)
    assert any(not torch.equal(first[name], second[name]) for name in first)
    alone = [metrics(member)["war"] for member in members]
    assert result["teacher"]["war"] > sum(alone) / 2 - 0.05

    again = train_recipe(
        str(own), tmp_path / "b", seeds=(0,), teacher=tmp_path / "a" / "teacher", **options
    )
    assert again["student"] == result["student"]
    assert again["teacher"] == result["teacher"]
    one = train_recipe(str(own), tmp_path / "c", seeds=(0,), teacher=members[0], **options)
    assert one["teacher"]["war"] == alone[0]
    assert one["runs"][0]["metrics"]["loss"] != result["runs"][0]["metrics"]["loss"]


def test_the_answer_of_an_ensemble_is_the_mean_of_its_logits() -> None:
    weights = (torch.randn(10, 64), torch.randn(10, 64))
    members = []
    for weight in weights:
        layer = torch.nn.Linear(64, 10, bias=False)
        layer.weight.data = weight
        network = torch.nn.Sequential(torch.nn.Flatten(), layer)
        members.append(Network(network, "picture", Input(), 1))
    fields = {"picture": torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)}
    seen = (fields["picture"] / 255).flatten(1)
    expected = (seen @ weights[0].T + seen @ weights[1].T) / 2
    torch.testing.assert_close(Ensemble(members).decide(fields), expected)


def test_a_teacher_that_is_another_network(whole: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(FileError, match="the weights are not those of the teacher's network"):
        train(KD, tmp_path / "a", teacher=whole[MSKD] / "student.pt")
    with pytest.raises(FileError, match="the teacher's weights cannot be read"):
        train(KD, tmp_path / "b", teacher=tmp_path / "gone.pt")


def test_the_teachers_answers_are_kept_and_those_of_another_are_not_used(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    kept = whole[KD] / "teacher" / "answers.pt"
    state = torch.load(kept, weights_only=True)
    assert state["answers"].shape == (1, 1, 128, 10)  # views, turns, items, classes
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "answers.pt").write_bytes(kept.read_bytes())
    short = ("training.epochs=1", "baseline=false", "augmentation.flip=true")
    result = train(KD, tmp_path, *short, teacher=whole[KD] / "teacher")
    other = torch.load(tmp_path / "teacher" / "answers.pt", weights_only=True)
    assert other["key"] != state["key"]  # mirror images, too
    assert other["answers"].shape == (1, 2, 128, 10)
    assert torch.equal(other["answers"][:, 0], state["answers"][:, 0])
    assert result["teacher"]["war"] == metrics(whole[KD] / "teacher")["war"]
    both = (*short, "teacher.sees=both", "augmentation.turn=5.0")
    train(KD, tmp_path / "both", *both, teacher=whole[KD] / "teacher")
    mean = torch.load(tmp_path / "both" / "teacher" / "answers.pt", weights_only=True)
    torch.testing.assert_close(mean["answers"], other["answers"].mean(dim=1, keepdim=True))


def test_remembered_answers_are_those_that_are_asked_for(
    whole: dict[str, Path], tmp_path: Path
) -> None:
    """With flips alone, or views, the teacher answers from memory; with turns it is asked."""
    short = ("training.epochs=1", "baseline=false", "augmentation.flip=true")
    found = []
    views = ("augmentation.turn=1e-6", "teacher.views=2")
    ways = {"kept": (), "viewed": views, "asked": views[:1]}
    for name, more in ways.items():
        train(KD, tmp_path / name, *short, *more, teacher=whole[KD] / "teacher")
        found.append(metrics(tmp_path / name)["history"][0]["loss"]["distillation"])
    assert not (tmp_path / "asked" / "teacher").exists()
    assert found[0] == pytest.approx(found[2], rel=1e-3)
    assert found[1] == pytest.approx(found[2], rel=1e-3)
