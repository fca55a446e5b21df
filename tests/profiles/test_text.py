"""The report on a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from slipway.profiles.report import build_report
from slipway.profiles.text import render_text

from .mapped_runs import network
from .placed_runs import placed
from .runs import chain, faces, two_inputs
from .test_html import HOSTILE, renamed

MODELS = ["loihi1_davies", "ops45"]


def printed(*runs: dict[str, Any], width: int = 120) -> str:
    stream = io.StringIO()
    report = build_report(runs or [faces()], MODELS)
    Console(file=stream, width=width).print(render_text(report))
    return stream.getvalue()


def test_says_what_the_page_says() -> None:
    text = printed()
    for expected in (
        "fast engine, fixed point, compiled for loihi2",
        "accuracy 63.4 %",
        "803,500 spikes, 389,336,000 synops",
        "Energy per inference: estimate, not a measurement",
        "65 uJ",
        "790 uJ",
        "340 us",
        "loihi1_davies: estimate, not a measurement; counts simulated; pre-silicon prices",
        "note: Encoding of the input is not priced",
        "not priced by loihi1_davies: axon_out, noc, barrier, io",
        "0.814 %",
    ):
        assert expected in text, expected


def test_names_every_input_and_output_and_what_carries_values() -> None:
    text = printed(two_inputs(), width=200)
    assert "inputs: frames 18,400 graded messages; sound 40.0 spikes" in text
    assert "outputs: output, mean of classes; exit, count of conv2" in text
    assert "of these spikes 610 per inference carry a value (graded)" in text
    assert "carry a value" not in printed()


def test_runs_beside_each_other() -> None:
    other = faces()
    other["engine"] = "lava"
    text = printed(faces(), other)
    assert "Lava, fixed point" in text
    assert "same samples" in text
    assert "same samples" not in printed()
    assert "the first 30" in printed(faces(), faces(samples=30))


@pytest.mark.parametrize("name", [*HOSTILE, "[bold red]name[/]"])
def test_names_are_text(name: str) -> None:
    text = printed(renamed(name))
    assert "\x1b" not in text
    assert "\u202e" not in text
    if name.startswith("["):
        assert name in text


def test_cores_and_messages_of_a_placed_run() -> None:
    run = placed(samples=120)
    text = printed(run)
    assert "Cores: 7 on 2 chips, placed by" in text
    assert "resource of a core" in text
    assert (
        f"{run['traffic']['messages']:,} messages, {run['traffic']['hops']:,} hops"
        in " ".join(text.split())
    )
    assert "resource of a core" not in printed()
    for method, words in (("place", "slipway place"), ("naive", "the naive splitter")):
        run["placement"]["method"] = method
        assert f"placed by {words}" in printed(run)


def test_findings_come_before_the_tables() -> None:
    text = " ".join(printed().split())
    assert text.index("- By loihi1_davies an inference costs") < text.index("cost model low")
    assert "A step lasts as long as its busiest core" in text


@pytest.mark.parametrize("run", [chain(40), network(40)])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_fits(width: int, run: dict[str, Any]) -> None:
    text = printed(run, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert width < 80 or "layer_39" in text
