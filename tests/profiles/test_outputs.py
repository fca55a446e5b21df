"""The report as a table, in a notebook, and from the command line."""

from __future__ import annotations

import csv
import html
import io
import json
from math import fsum
from pathlib import Path
from typing import Any

import pytest
from slipway.errors import FileError, UsageError
from slipway.profiles.csv_table import COLUMNS
from slipway.profiles.notebook import Report

from .mapped_runs import network
from .placed_runs import placed
from .runs import faces
from .test_html import HOSTILE, Page, renamed


def table(*runs: dict[str, Any], **options: Any) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(Report.of(*runs, **options).csv())))
    assert rows
    assert tuple(rows[0]) == COLUMNS
    return rows


def pick(rows: list[dict[str, str]], **wanted: str) -> list[dict[str, str]]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_every_row_has_a_base_a_kind_and_an_order() -> None:
    for row in table(placed()):
        assert row["kind"] in (
            "counted",
            "estimate",
            "estimate, partial",
            "not priced",
            "limit",
        )
        ends = [row[end] for end in ("low", "nominal", "high")]
        if row["kind"] == "not priced":
            assert ends == ["", "", ""]
        else:
            low, nominal, high = map(float, ends)
            assert low <= nominal <= high
        if row["kind"].startswith("estimate"):
            assert row["cost_model"]
            assert row["unit"] in ("joule", "second")


def test_the_table_adds_up() -> None:
    run = placed(samples=120)
    rows = table(run)
    for model in {row["cost_model"] for row in rows} - {""}:
        total = pick(rows, cost_model=model, level="total", name="total")
        terms = pick(rows, cost_model=model, level="term", kind="estimate")
        assert len(total) == 1
        assert total[0]["kind"] == "estimate, partial"
        assert fsum(float(t["nominal"]) for t in terms) == float(total[0]["nominal"])
    for level, tables in (("layer", "populations"), ("projection", "projections")):
        for name, entry in run[tables].items():
            for quantity in {"spikes", "synops"} & set(entry):
                found = pick(rows, level=level, name=name, quantity=quantity)
                assert [int(row["nominal"]) for row in found] == [entry[quantity]]
    cores = pick(rows, level="core", quantity="syn_ops")
    assert sum(int(row["nominal"]) for row in cores) == sum(
        core["syn_ops"] for core in run["placement"]["cores"]
    )
    hops = pick(rows, level="run", quantity="hops")
    assert int(hops[0]["nominal"]) == run["traffic"]["hops"]


def test_every_run_has_its_rows() -> None:
    first, second = network(3), network(3, seed=1)
    second["provenance"]["program"]["file"] = "other.slip"
    rows = table(first, second, cost_models=["ops45"])
    assert {row["run"] for row in rows} == {"net.slip", "other.slip"}
    for label, run in (("net.slip", first), ("other.slip", second)):
        found = pick(rows, run=label, level="layer", quantity="spikes")
        assert [int(row["nominal"]) for row in found] == [
            entry["spikes"] for entry in run["populations"].values()
        ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_one_cell(name: str) -> None:
    rows = table(renamed(name))
    names = {row["name"] for row in pick(rows, level="layer")}
    assert len(names) == 4
    assert "\x1b" not in "".join(names)
    assert "\x00" not in "".join(names)


def test_a_notebook_shows_the_page_in_a_frame_of_its_own() -> None:
    report = Report.of(faces())
    shown = report._repr_html_()
    page = Page(shown)
    assert page.tags == ["iframe"]
    attributes = {name: value for _, name, value in page.attributes}
    assert attributes["sandbox"] == ""
    assert attributes["title"]
    assert attributes["srcdoc"] == report.html()
    assert html.unescape(shown.split('srcdoc="')[1].split('"')[0]) == report.html()


def test_files_are_written_by_their_ending(tmp_path: Path) -> None:
    source = tmp_path / "run.json"
    source.write_text(json.dumps(placed()))
    report = Report.of(source, sample=1)
    for name in ("report.html", "report.json", "report.csv", "REPORT.HTML"):
        report.save(tmp_path / name)
    assert (tmp_path / "report.html").read_text() == report.html()
    assert json.loads((tmp_path / "report.json").read_text())["recorded"]["sample"] == 1
    assert (tmp_path / "report.csv").read_text() == report.csv()
    assert (tmp_path / "REPORT.HTML").read_text().startswith("<!doctype html>")
    with pytest.raises(UsageError, match=r"cannot tell the format .* 'report.pdf'"):
        report.save(tmp_path / "report.pdf")
    with pytest.raises(FileError, match="does not exist"):
        report.save(tmp_path / "gone" / "report.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("REPORT.HTML", "report.csv", "report.html", "report.json", "run.json")
    ]


def test_a_report_without_runs_says_so() -> None:
    with pytest.raises(UsageError, match="there is no run to report on"):
        Report.of()
    with pytest.raises(FileError, match="cannot read"):
        Report.of("nothing.json")
