"""Every unknown key and every wrong value is told, with file, table and key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from slipway.errors import FileError, Problem, UsageError
from slipway.models.training.tables import limited, parse_file, parse_value, read_table


@dataclass(frozen=True, slots=True)
class Soup:
    name: str
    spoons: int = limited(2, 1, 9)
    heat: float = 1.0
    kind: Literal["clear", "thick"] = "clear"
    parts: tuple[float, ...] = ()
    mean: float | tuple[float, ...] = 0.0
    hot: bool = True

    def __post_init__(self) -> None:
        if self.heat > 100:
            raise UsageError(f"heat is {self.heat}", remedy="let it cool")


def read(**table: Any) -> tuple[Soup | None, list[Problem]]:
    problems: list[Problem] = []
    return read_table(Soup, table, "soup.toml", "soup", problems), problems


def test_values_become_what_the_annotations_say() -> None:
    made, problems = read(name="leek", spoons=3, heat=2, parts=[1, 2.5], mean=[0.1, 0.2])
    assert problems == []
    assert made == Soup("leek", 3, 2.0, parts=(1.0, 2.5), mean=(0.1, 0.2))
    assert isinstance(made.heat, float)


def test_all_mistakes_are_told_at_once() -> None:
    made, problems = read(
        spons=3, spoons=10, heat="hot", kind="cold", parts=[1, "x"], hot=1, mean="no"
    )
    assert made is None
    told = {problem.where: f"{problem.what}: {problem.remedy}" for problem in problems}
    assert told == {
        "soup.toml, soup.spons": "there is no key 'spons': did you mean spoons? "
        "keys: name, spoons, heat, kind, parts, mean, hot",
        "soup.toml, soup.spoons": "spoons is 10: give a number from 1 to 9",
        "soup.toml, soup.heat": "heat is 'hot': give a number",
        "soup.toml, soup.kind": "kind is 'cold': give one of clear, thick",
        "soup.toml, soup.parts": "parts is [1, 'x']: give a list of which each is a number",
        "soup.toml, soup.hot": "hot is 1: give true or false",
        "soup.toml, soup.mean": "mean is 'no': give a number or a list",
        "soup.toml, [soup]": "the key 'name' is missing: give a text",
    }


@pytest.mark.parametrize("spoons", [True, 1.0, "2", None])
def test_a_whole_number_is_no_other_thing(spoons: object) -> None:
    made, problems = read(name="leek", spoons=spoons)
    assert made is None
    assert problems[0].what == f"spoons is {spoons!r}"


def test_what_the_class_itself_refuses_gets_the_place() -> None:
    made, problems = read(name="leek", heat=200.0)
    assert made is None
    assert problems == [Problem("heat is 200.0", "soup.toml, [soup]", "let it cool")]


def test_a_table_that_is_none() -> None:
    problems: list[Problem] = []
    assert read_table(Soup, 3, "soup.toml", "soup", problems) is None
    assert problems[0].what == "[soup] is 3"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read the recipe"):
        parse_file(tmp_path / "gone.toml")
    (tmp_path / "bad.toml").write_text("a = = 1\n")
    with pytest.raises(FileError, match="no TOML"):
        parse_file(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("[1, 2]", [1, 2]), ("cosine", "cosine")],
)
def test_values_from_the_command_line(text: str, value: object) -> None:
    assert parse_value(text) == value
