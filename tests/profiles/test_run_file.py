"""Reading run.json, and what is said of one that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from slipway.errors import FileError
from slipway.profiles.report import build_report
from slipway.profiles.run_file import load_run

from .placed_runs import placed
from .runs import faces


def written(tmp_path: Path, value: Any) -> Path:
    path = tmp_path / "run.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_reads_what_run_writes(tmp_path: Path) -> None:
    run = faces()
    assert load_run(written(tmp_path, run)) == run


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1]", "is no result of `slipway run`"),
        ("null", "is no result of `slipway run`"),
        ("{}", "format is None, this version of slipway reads 1"),
    ],
)
def test_no_run(tmp_path: Path, content: str, expected: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(FileError) as caught:
        load_run(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)
    assert "make one with: slipway run" in str(caught.value)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read: No such file"):
        load_run(tmp_path / "absent.json")
    with pytest.raises(FileError, match="cannot read"):
        load_run(tmp_path)


def test_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"\x89PNG\r\n\xff")
    with pytest.raises(FileError, match="is no JSON"):
        load_run(path)


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (("format",), 2, "format is 2"),
        (("engine",), None, "engine is missing"),
        (("samples",), 0, "samples must be an integer from 1, is 0"),
        (("samples",), "many", "samples must be an integer from 1, is 'many'"),
        (("executed_steps",), None, "executed_steps is missing"),
        (("populations",), {}, "populations must be a table"),
        (("populations", "conv1"), 3, "populations.conv1 must be a table"),
        (
            ("populations", "conv1", "spikes"),
            1.5,
            "conv1.spikes must be an integer",
        ),
        (
            ("populations", "conv1", "spikes"),
            True,
            "conv1.spikes must be an integer",
        ),
        (("populations", "conv1", "neuron_updates"), -1, "neuron_updates must be an integer"),
        (("projections", "frames->conv1", "synops"), None, "synops is missing"),
        (("projections", "frames->conv1", "graded"), 1, "graded must be true or false, is 1"),
        (
            ("projections", "frames->conv1", "target"),
            "x",
            "x', which is no population",
        ),
        (("projections", "frames->conv1", "source"), 3, "source is missing"),
        (("accuracy",), 63, "accuracy must be null or from 0 to 1, is 63"),
        (("compile",), "fine", "compile must be a table"),
        (("compile", "populations"), [1], "compile.populations must be a table"),
        (("compile", "projections"), {"a": 1}, "compile.projections.a must be a table"),
        (("compile", "warnings"), "none", "compile.warnings must be a list"),
        (("inputs",), [1], "inputs must be a table"),
        (("inputs", "frames"), 3, "inputs.frames must be a table, is 3"),
        (("inputs", "frames", "messages"), None, "inputs.frames.messages is missing"),
        (("outputs", "output"), "mean", "outputs.output must be a table, is 'mean'"),
        (("populations", "conv1", "spikes_per_sample"), 3, "spikes_per_sample must be a table"),
    ],
)
def test_wrong_key_is_named(
    tmp_path: Path, keys: tuple[str, ...], value: Any, expected: str
) -> None:
    run = faces()
    inner = run
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    with pytest.raises(FileError) as caught:
        load_run(written(tmp_path, run))
    assert expected in str(caught.value)
    with pytest.raises(FileError, match="run 1"):
        build_report([run])


def test_all_wrong_keys_at_once(tmp_path: Path) -> None:
    run = faces()
    del run["engine"], run["samples"]
    with pytest.raises(FileError) as caught:
        load_run(written(tmp_path, run))
    assert len(caught.value.problems) == 2


def test_reads_a_placed_run(tmp_path: Path) -> None:
    run = json.loads(json.dumps(placed()))
    assert load_run(written(tmp_path, run)) == run


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (("placement",), [1], "placement must be a table, is [1]"),
        (("placement", "target"), None, "placement.target is missing"),
        (
            ("placement", "chips_used"),
            0,
            "placement.chips_used must be an integer from 1, is 0",
        ),
        (("placement", "cores"), [], "placement.cores must be a list of cores"),
        (("placement", "cores", 1), 3, "placement.cores[1] must be a table, is 3"),
        (("placement", "cores", 0, "x"), 1.5, "placement.cores[0].x must be an integer"),
        (("placement", "cores", 0, "used", "neurons"), "x", "used.neurons must be a number"),
        (
            ("placement", "cores", 0, "populations", "conv1"),
            1,
            "placement.cores hold 109 neurons of conv1, which has 144",
        ),
        (("placement", "limits", "neurons", "limit"), None, "limits.neurons.limit must be a"),
        (("placement", "mesh", "columns"), "x", "placement.mesh.columns must be an integer"),
        (("placement", "links"), 3, "placement.links must be a list"),
        (("placement", "links", 0, "to"), [1], "placement.links[0] must have from, to"),
        (("traffic", "hops"), -1, "traffic.hops must be an integer from 0, is -1"),
        (("traffic", "sources", "conv1"), 3, "traffic.sources.conv1 must be a table"),
        (("traffic", "sources", "conv1", "hops"), 0.5, "conv1.hops must be an integer"),
        (("by_step",), 3, "by_step must be a table, is 3"),
        (
            ("by_step", "populations", "conv1", "spikes"),
            [1, 2],
            "by_step.populations.conv1.spikes must have a whole number of each step",
        ),
        (
            ("by_step", "traffic", "messages", 0),
            0.5,
            "by_step.traffic.messages must have a whole number of each step",
        ),
        (("profile", "samples"), "x", "profile.samples must be an integer"),
        (("profile", "active_updates", "conv1"), None, "active_updates.conv1 must be an"),
        (("profile", "arrays", "spikes"), None, "profile.arrays.spikes is missing"),
        (("profile", "arrays", "spikes", "shape"), [1, 1, 1], "spikes has shape [1, 1, 1]"),
        (("profile", "arrays", "spikes", "data"), "AAAA", "profile.arrays.spikes is damaged"),
        (("profile", "arrays", "spikes", "dtype"), "object", "its dtype is 'object'"),
        (("profile", "rasters"), 3, "profile.rasters must be a table"),
        (
            ("profile", "steps"),
            7,
            "has shape [3, 8, 7]; [3, 7, 7] are samples, steps and cores",
        ),
    ],
)
def test_wrong_placement_is_named(
    tmp_path: Path, keys: tuple[Any, ...], value: Any, expected: str
) -> None:
    run = placed()
    inner: Any = run
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    with pytest.raises(FileError) as caught:
        load_run(written(tmp_path, run))
    assert expected in str(caught.value)


def test_a_profile_needs_a_placement(tmp_path: Path) -> None:
    run = placed()
    del run["placement"]
    with pytest.raises(FileError, match="profile is there without placement"):
        load_run(written(tmp_path, run))
