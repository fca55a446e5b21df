"""The recipes that come with slipway, and what is told of wrong ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from slipway.errors import FileError, UsageError
from slipway.models.networks import NETWORKS
from slipway.models.training.catalogue import FOLDER, find, names
from slipway.models.training.learners import SEES
from slipway.models.training.listing import listing
from slipway.models.training.reading import load

# students.md 1.3, 3.1 and 4.1 of the reference: 64x64x3, all layers scaled; one head; 90x90.
PARAMETERS = {
    "resemotenet": 80_238_599,
    "mini-resemotenet-a": 20_069_383,
    "mini-resemotenet-b": 5_022_215,
    "mini-resemotenet-c": 1_257_991,
    "mskd-student": 6_057_159,
    "ckd-vgg-snn": 9_688_165,
}


def test_the_list_has_papers_and_sizes() -> None:
    recipes = dict(listing())
    assert sorted(recipes) == names()
    found = {name: recipes[name]["parameters"] for name in PARAMETERS}
    assert found == PARAMETERS
    assert all(facts["paper"] and facts["about"] for facts in recipes.values())


@pytest.mark.parametrize("name", names())
def test_a_recipe_says_what_it_must(name: str) -> None:
    recipe = load(name)
    assert recipe.deviations
    if recipe.teacher is not None:
        teacher = load(recipe.teacher.recipe, beside=FOLDER)
        assert recipe.baseline
        assert recipe.method.needs_teacher
        assert not recipe.without_teacher().method.needs_teacher
        assert teacher.teacher is None
    if recipe.data.film != "none":
        assert "SIMULATED" in " ".join(recipe.deviations)


def test_every_network_has_something_to_see() -> None:
    assert set(SEES) == set(NETWORKS)


WRONG = """
paper = 3
colour = "blue"

[data]
name = "fer2014"
limt = 5

[network]
name = "mini-resemotenet-c"
dropuot = [0.1, 0.1]

[method]
name = "kd"
alpha = 1.5

[training]
epochs = 0
batch = 64.5
"""


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(WRONG)
    with pytest.raises(UsageError) as caught:
        load(str(path))
    told = [(problem.where, problem.what) for problem in caught.value.problems]
    assert told == [
        ("wrong.toml, paper", "paper is 3"),
        ("wrong.toml, colour", "there is no key 'colour'"),
        ("wrong.toml, data.name", "name is 'fer2014'"),
        ("wrong.toml, data.limt", "there is no key 'limt'"),
        ("wrong.toml, training.epochs", "epochs is 0"),
        ("wrong.toml, training.batch", "batch is 64.5"),
        ("wrong.toml, network.dropuot", "there is no option 'dropuot' of mini-resemotenet-c"),
        ("wrong.toml, [method]", "alpha is 1.5"),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("method.name=none", "teacher=3"), "[teacher] is 3"),
        (("method.name=mskd",), "cannot teach mini-resemotenet-c: it sees picture"),
        (("method.name=magic",), "[method] has no name that is known"),
        (("network.name=gone",), "the network is 'gone'"),
        (("data.crop=[1, 2]",), "crop has 2 numbers"),
        (("seeds=[-1]",), "seeds are [-1]"),
        (("input.std=0.0",), "std is 0"),
        (("training.epochs",), "'training.epochs' changes nothing"),
        (("a.b.c=1",), "changes nothing"),
    ],
    ids=str,
)
def test_tables_that_do_not_agree(changes: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load("mini-resemotenet-c", changes)
    assert words in str(caught.value)


def test_a_method_that_needs_a_teacher_has_one(tmp_path: Path) -> None:
    path = tmp_path / "lonely.toml"
    text = (FOLDER / "mini-resemotenet-c.toml").read_text()
    path.write_text(text.replace('[teacher]\nrecipe = "resemotenet"\n', ""))
    with pytest.raises(UsageError, match="need a teacher, and there is none"):
        load(str(path))
    alone = load(str(path), ("method.alpha=0.0", "baseline=false"))
    assert alone.teacher is None


def test_changes_replace_what_the_file_says() -> None:
    recipe = load("mini-resemotenet-c", ("training.epochs=3", "method.alpha=0.25"))
    assert (recipe.training.epochs, recipe.method.alpha) == (3, 0.25)
    whole = load("mini-resemotenet-c")
    assert replace(recipe, training=whole.training, method=whole.method) == whole


def test_recipes_that_are_not_there(tmp_path: Path) -> None:
    assert find("gone") is None
    with pytest.raises(UsageError, match="no recipe named 'gone'"):
        load("gone")
    with pytest.raises(FileError, match="cannot read the recipe"):
        load(str(tmp_path / "gone.toml"))
