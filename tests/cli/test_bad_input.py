"""Every mistake has its exit code, says what, where and what to do, and leaves nothing."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import Slipway

EXPORT = ("--model", "tiny_nets:tiny", "--sample-shape", "4", "--calibrate", "data.npz")


class Shell:
    """A pickle that would run a command."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch was_run",)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("export", "gone.pt", *EXPORT), 2, "no such file"),
        (("export", "tiny.pt", *EXPORT[2:], "--model", "tiny_nets:raises"), 1, "on Mondays"),
        (("export", "tiny.pt", *EXPORT[2:], "--model", "tiny_nets:gone"), 1, "has no 'gone'"),
        (("export", "tiny.pt", *EXPORT[2:], "--model", "gone:tiny"), 1, "no module 'gone'"),
        (("export", "tiny.pt", *EXPORT[2:], "--model", "tiny"), 2, "module:factory"),
        (("export", "tiny.pt", *EXPORT[:2], "--sample-shape", "4,x"), 2, "is no shape"),
        (("export", "tiny.pt", *EXPORT[:2], "--sample-shape", "0,4"), 2, "is no shape"),
        (("export", "tiny.pt", *EXPORT, "--dt", "0"), 2, "--dt 0 must be a positive number"),
        (("check", "gone.nir"), 2, "gone.nir"),
        (("check", "data.npz"), 2, "data.npz"),
        (("check", "tiny.nir", "--target", "loihi9"), 2, "there is no target 'loihi9'"),
        (("compile", "tiny.nir", "--target", "loihi1", "--calibrate", "data.npz"), 1, "spikes"),
        (("compile", "tiny.nir"), 2, "calibrat"),
        (("compile", "tiny.nir", "--calibrate", "gone.npz"), 2, "there is no file gone.npz"),
        (("run", "gone.slip", "--data", "data.npz"), 2, "there is no file gone.slip"),
        (("run", "data.npz", "--data", "data.npz"), 2, "no slipway Program"),
        (("run", "tiny.slip", "--data", "gone.npz"), 2, "there is no file gone.npz"),
        (("run", "tiny.slip", "--data", "data.npz", "--engine", "f"), 2, "no engine 'f'"),
        (("run", "tiny.slip", "--data", "data.npz", "--samples", 99), 2, "99 samples"),
        (("run", "tiny.slip", "--data", "data.npz", "--timeout", -1), 2, "--timeout -1"),
        (("verify", "tiny.slip", "--data", "data.npz", "--engines", "fast"), 2, "two"),
        (("report", "gone.json"), 2, "cannot read"),
        (("report", "data.npz"), 2, "is no JSON"),
        (("report", "run.json", "--cost-model", "gone"), 2, "unknown cost model 'gone'"),
        (("inspect", "tiny.pt"), 2, "cannot tell what 'tiny.pt' is"),
        (("targets", "gone"), 2, "there is no target 'gone'"),
        (("costs", "gone"), 2, "unknown cost model 'gone'"),
        (("doctor", "gone"), 2, "there is no feature 'gone'"),
        (("train", "gone"), 2, "there is no student named 'gone'"),
    ],
    ids=str,
)
def test_mistakes(
    here: Path,
    tmp_path: Path,
    slipway: Slipway,
    arguments: tuple[object, ...],
    code: int,
    words: str,
) -> None:
    output = tmp_path / "out"
    outcome = slipway(*arguments, "-o", output)
    assert (outcome.code, outcome.out) == (code, ""), outcome.err
    assert outcome.err.count("slipway: ") == 1
    assert words in outcome.err
    assert "Traceback" not in outcome.err
    assert not output.is_file()
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("chek",), "Did you mean 'check'?"),
        (("run", "tiny.slip", "--data", "data.npz", "--engin", "fast"), "--engine"),
        (("run", "tiny.slip"), "Missing option '--data'"),
        (("export", "tiny.pt", *EXPORT), "Missing option '--output'"),
        (("run", "tiny.slip", "--data", "data.npz", "--samples", "0"), "--samples"),
        (("compile", "tiny.nir", "-o", "a.slip", "--precision", "half"), "'fixed', 'float'"),
    ],
    ids=str,
)
def test_usage(here: Path, slipway: Slipway, arguments: tuple[object, ...], words: str) -> None:
    outcome = slipway(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err


def test_a_truncated_checkpoint(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    whole = (here / "tiny.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    outcome = slipway("export", tmp_path / "cut.pt", *EXPORT, "-o", tmp_path / "a.nir")
    assert outcome.code == 2
    assert "truncated or damaged" in outcome.err
    assert not (tmp_path / "a.nir").exists()


@pytest.mark.parametrize(("name", "verb"), [("tiny.nir", "check"), ("tiny.slip", "inspect")])
def test_a_truncated_file(
    here: Path, tmp_path: Path, slipway: Slipway, name: str, verb: str
) -> None:
    whole = (here / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    outcome = slipway(verb, tmp_path / name)
    assert (outcome.code, outcome.out) == (2, ""), outcome.err
    assert name in outcome.err


def test_a_pickle_is_not_run(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Shell()))
    outcome = slipway("export", tmp_path / "evil.pt", *EXPORT, "-o", tmp_path / "a.nir")
    assert outcome.code == 2
    assert "would run code" in outcome.err
    assert not (here / "was_run").exists()


def test_a_wrong_sample_shape(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    outcome = slipway(
        "export",
        "tiny.pt",
        "--model",
        "tiny_nets:tiny",
        "--sample-shape",
        "5",
        "-o",
        tmp_path / "a.nir",
    )
    assert outcome.code in (1, 2)
    assert "5" in outcome.err
    assert "internal error" not in outcome.err


def test_all_unsupported_layers_are_named(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    import torch

    model = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.GELU(), torch.nn.Softplus(), torch.nn.Linear(6, 3)
    )
    torch.save(model.state_dict(), tmp_path / "odd.pt")
    outcome = slipway(
        "export",
        tmp_path / "odd.pt",
        "--model",
        "tiny_nets:unsupported",
        *EXPORT[2:],
        "-o",
        tmp_path / "a.nir",
    )
    assert outcome.code == 1
    assert "GELU" in outcome.err
    assert "Softplus" in outcome.err


def test_weights_that_are_not_finite(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    import torch

    state = torch.load(here / "tiny.pt", weights_only=True)
    state["0.weight"][1, 2] = float("nan")
    torch.save(state, tmp_path / "nan.pt")
    outcome = slipway("export", tmp_path / "nan.pt", *EXPORT, "-o", tmp_path / "a.nir")
    assert outcome.code == 1
    assert "0.weight has 1 values that are not finite, the first at [1, 2]: nan" in outcome.err


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((3, 5), np.float32)}, "the samples have shape (5,)"),
        ({"x": np.zeros((0, 4), np.float32)}, "no samples"),
        ({"x": np.array([["a", "b", "c", "d"]])}, "x has type"),
        ({"x": np.full((2, 4), np.nan)}, "nan at index (0, 0)"),
        ({"x": np.zeros((2, 4), object)}, "Python objects"),
        ({"x": np.zeros((2, 4)), "y": np.zeros(3, int)}, "y does not fit 2 samples"),
        ({"x": np.zeros((2, 4)), "y": np.array([0, 7])}, "labels reach from 0 to 7"),
        ({"z": np.zeros((2, 4))}, "there are no samples for input; given are z"),
        ({"x": np.full((2, 4), 1e6)}, "outside the calibrated range"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_bad_data(
    here: Path, tmp_path: Path, slipway: Slipway, arrays: dict[str, Any], words: str
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    outcome = slipway(
        "run", "tiny.slip", "--data", tmp_path / "bad.npz", "-o", tmp_path / "a.json"
    )
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("file/out", "cannot write"),
        ("gone/out", "mkdir -p"),
        (".", "it is a folder"),
    ],
)
def test_an_unwritable_output_is_found_before_the_work(
    here: Path,
    tmp_path: Path,
    slipway: Slipway,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
    words: str,
) -> None:
    def never(*_: object, **__: object) -> Any:
        pytest.fail("work was done before the output was looked at")

    from slipway.deploy import run

    monkeypatch.setitem(run.EXECUTORS, "fast", never)
    (tmp_path / "file").write_text("a file\n")
    outcome = slipway("run", "tiny.slip", "--data", "data.npz", "-o", tmp_path / output)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_an_output_never_overwrites_an_input(
    here: Path, tmp_path: Path, slipway: Slipway
) -> None:
    shutil.copy(here / "tiny.nir", tmp_path / "a.nir")
    before = (tmp_path / "a.nir").read_bytes()
    outcome = slipway(
        "compile", tmp_path / "a.nir", "--precision", "float", "-o", tmp_path / "a.nir"
    )
    assert outcome.code == 2
    assert "would overwrite an input" in outcome.err
    assert (tmp_path / "a.nir").read_bytes() == before


def test_a_failed_run_leaves_an_older_result_alone(
    here: Path, tmp_path: Path, slipway: Slipway
) -> None:
    (tmp_path / "run.json").write_text("older\n")
    outcome = slipway("run", "tiny.slip", "--data", "gone.npz", "-o", tmp_path / "run.json")
    assert outcome.code == 2
    assert (tmp_path / "run.json").read_text() == "older\n"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_json_carries_the_error(here: Path, slipway: Slipway) -> None:
    outcome = slipway("run", "gone.slip", "--data", "data.npz", "--json")
    assert outcome.code == 2
    facts = json.loads(outcome.out)
    assert facts["error"] == "FileError"
    assert "gone.slip" in facts["problems"][0]["what"]
