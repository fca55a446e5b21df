"""docs/training.md names every key and every recipe, and its example is one."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from slipway.models.training import recipe as tables
from slipway.models.training.catalogue import names
from slipway.models.training.learners import METHODS
from slipway.models.training.reading import load

TEXT = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")
ROWS = {
    "data": tables.Data,
    "input": tables.Input,
    "teacher": tables.Teacher,
    "optimiser": tables.Optimiser,
    "schedule": tables.Schedule,
    "augmentation": tables.Augmentation,
    "training": tables.Training,
}


def named(row: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", row))


@pytest.mark.parametrize("table", ROWS)
def test_every_key_of_a_table_is_documented(table: str) -> None:
    (row,) = re.findall(rf"^\| `\[{table}\]` \|(.*)$", TEXT, re.MULTILINE)
    assert named(row) == {each.name for each in fields(ROWS[table])}


@pytest.mark.parametrize("method", METHODS)
def test_every_key_of_a_method_is_documented(method: str) -> None:
    (row,) = re.findall(rf"^\| `{method}` \|.*\|(.*)\|$", TEXT, re.MULTILINE)
    assert named(row) == {each.name for each in fields(METHODS[method])}


def test_every_recipe_is_documented() -> None:
    section = TEXT.split("## Recipes")[1].split("A recipe of one's own")[0]
    assert set(re.findall(r"`([a-z0-9-]+)`", section)) == set(names())


def test_the_example_is_a_recipe(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "own.toml"
    path.write_text(example)
    recipe = load(str(path))
    assert recipe.seeds == (0, 1, 2)
    assert recipe.method.temperature == 2.0
