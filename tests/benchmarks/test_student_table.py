"""The tables of the students are what their commands found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from slipway.benchmarks import frames, student_table

README = student_table.README.read_text(encoding="utf-8")
ROWS: dict[str, Any] = json.loads(student_table.RESULTS.read_text("utf-8"))["rows"]
FILMS: dict[str, Any] = json.loads(frames.RESULTS.read_text("utf-8"))


def between(text: str, begin: str, end: str) -> str:
    return text.partition(begin)[2].partition(end)[0].strip()


def test_the_readme_holds_the_table_of_the_results() -> None:
    found = between(README, student_table.BEGIN, student_table.END)
    assert found == student_table.markdown(ROWS).strip()


@pytest.mark.parametrize("key", ROWS)
def test_each_row_says_what_it_must(key: str) -> None:
    row = ROWS[key]
    cells = student_table.markdown({key: row}).splitlines()[-1]
    assert ("**simulated**" in cells) == ("simulated" in row["data"])
    assert row["lava"]["mismatches"] == 0
    assert row["lava"]["equal_answers"] == row["lava"]["samples"] >= 20
    assert row["energy"]["low"] <= row["energy"]["nominal"] <= row["energy"]["high"]
    assert row["fixed_items"] == row["float_items"]


def test_the_films_table_is_that_of_the_results() -> None:
    text = frames.DOCS.read_text(encoding="utf-8")
    assert between(text, frames.BEGIN, frames.END) == frames.markdown(FILMS).strip()


def test_films_cost_less_than_the_dense_network_and_differ_nowhere() -> None:
    for row in FILMS["rows"]:
        assert row["times_fewer"] > 1
        found = row["difference_in_grid_steps"]
        assert (found["activations"], found["outputs"]) == (0, 0)
        assert found["values"] > 10**6
    assert FILMS["lava"]["mismatches"] == 0


def test_a_table_goes_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<a>\nold\n<b>\nafter\n")
    student_table.fill(page, "<a>", "<b>", "| new |\n")
    assert page.read_text() == "before\n<a>\n\n| new |\n\n<b>\nafter\n"
