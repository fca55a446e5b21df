"""`slipway run` and the cores: placed by itself, by a file, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from slipway.deploy import placed
from slipway.deploy.placement import Placement
from slipway.errors import CapacityExceeded

from .conftest import Slipway

RUN = ("run", "tiny.slip", "--data", "data.npz", "--json")


def facts_of(outcome: Any) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    return dict(json.loads(outcome.out))


def test_a_run_is_placed_and_profiled(slipway: Slipway, here: Path) -> None:
    facts = facts_of(slipway(*RUN))
    cores, traffic, profile = facts["placement"]["cores"], facts["traffic"], facts["profile"]
    assert facts["unplaced"] is None
    assert sum(sum(c["populations"].values()) for c in cores) == sum(
        p["neurons"] for p in facts["populations"].values()
    )
    assert sum(c["syn_ops"] for c in cores) == sum(
        p["synops"] for p in facts["projections"].values()
    )
    assert sum(c["axon_out"] for c in cores) == traffic["messages"]
    assert sum(c["spikes_in"] for c in cores) == (
        traffic["messages"] + traffic["host_messages_in"]
    )
    assert profile["cores"] == len(cores)
    assert profile["steps"] == facts["executed_steps"]
    assert 1 <= profile["samples"] <= facts["samples"]


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_engines_count_alike(slipway: Slipway, here: Path, engine: str) -> None:
    norm, facts = facts_of(slipway(*RUN)), facts_of(slipway(*RUN, "--engine", engine))
    for key in ("traffic", "profile"):
        assert facts[key] == norm[key]
    assert facts["placement"]["cores"] == norm["placement"]["cores"]
    assert facts["placement"]["links"] == norm["placement"]["links"]


def test_a_placement_is_taken_as_it_is(slipway: Slipway, here: Path, tmp_path: Path) -> None:
    file = tmp_path / "naive.json"
    assert slipway("place", "tiny.slip", "--method", "naive", "-o", file).code == 0
    facts = facts_of(slipway(*RUN, "--placement", file))
    assert facts["placement"]["method"] == "naive"
    assert facts["placement"]["file"] == str(file)


def test_a_placement_of_another_program_is_refused(
    slipway: Slipway, here: Path, tmp_path: Path
) -> None:
    file = tmp_path / "other.json"
    assert slipway("place", "tiny.slip", "-o", file).code == 0
    content = json.loads(file.read_text())
    first = next(iter(content["core_of"]))
    content["core_of"]["stranger"] = content["core_of"].pop(first)
    file.write_text(json.dumps(content))
    outcome = slipway(*RUN, "--placement", file)
    assert outcome.code == 2
    told = json.loads(outcome.out)["problems"]
    assert [problem["what"] for problem in told] == [
        f"population {first} has {_size(slipway, first)} neurons in the program and 0 in the "
        "placement",
        "population stranger is not in the program",
    ]
    assert {problem["where"] for problem in told} == {str(file)}


def _size(slipway: Slipway, name: str) -> int:
    return int(facts_of(slipway(*RUN))["populations"][name]["neurons"])


def test_floating_point_lies_on_no_cores(slipway: Slipway, here: Path, tmp_path: Path) -> None:
    run = ("run", "float.slip", "--data", "data.npz", "--json")
    facts = facts_of(slipway(*run))
    assert "placement" not in facts
    assert "profile" not in facts
    file = tmp_path / "placement.json"
    assert slipway("place", "tiny.slip", "-o", file).code == 0
    outcome = slipway(*run, "--placement", file)
    assert outcome.code == 2
    assert "a Program in floating point lies on no cores" in outcome.out


def test_what_no_core_can_hold_is_run_all_the_same(
    slipway: Slipway, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> Placement:
        raise CapacityExceeded("a layer is too large", where="population p")

    monkeypatch.setattr(placed, "place", refuse)
    outcome = slipway(*RUN)
    facts = facts_of(outcome)
    assert "a layer is too large" in facts["unplaced"]
    assert "counted without cores: a layer is too large" in outcome.err
    assert "placement" not in facts
