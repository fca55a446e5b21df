"""Every verb on a tiny network: what it prints, what it writes, its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from slipway.cli.app import VERBS, command
from slipway.deploy.program import Program
from slipway.deploy.trace import Stimulus, Trace

from .conftest import Slipway

RUN_KEYS = {
    "engine",
    "samples",
    "steps",
    "accuracy",
    "predictions",
    "populations",
    "projections",
    "seconds",
    "sample_steps_per_second",
}


@pytest.mark.parametrize("name", VERBS)
def test_the_help_lists_each_verb_with_its_own_first_line(slipway: Slipway, name: str) -> None:
    """The list is written apart from the verbs, so that --help imports none of them."""
    first = (command(name).help or "").splitlines()[0]
    assert first == VERBS[name]
    assert f"  {name} " in slipway("--help").out
    assert first in slipway("--help").out
    assert first in slipway(name, "--help").out
    assert "--json" in slipway(name, "-h").out


def test_every_verb_has_a_file_and_every_file_a_verb() -> None:
    from slipway.cli import app

    home = Path(str(app.__file__)).parent
    texts = {p.stem.replace("_", "-"): p.read_text(encoding="utf-8") for p in home.glob("*.py")}
    made = {name for name, text in texts.items() if "@verb(" in text}
    assert made - {"verb"} == set(VERBS)


def test_export_prints_the_nodes(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    outcome = slipway(
        "export",
        "tiny.pt",
        "--model",
        "tiny_nets:tiny",
        "--sample-shape",
        "4",
        "--calibrate",
        "data.npz",
        "-o",
        tmp_path / "a.nir",
    )
    assert outcome.code == 0, outcome.err
    assert [line.split()[1] for line in outcome.out.splitlines()[2:5]] == [
        "Input",
        "Affine",
        "IF",
    ]
    assert "steps 32" in outcome.out
    assert (tmp_path / "a.nir").stat().st_size > 0


def test_check_says_what_is_deployable(here: Path, slipway: Slipway) -> None:
    outcome = slipway("check", "tiny.nir", "--target", "loihi2")
    assert outcome.code == 0
    assert outcome.out.endswith("tiny.nir: deployable on loihi2\n")
    facts = json.loads(slipway("check", "tiny.nir", "--json").out)
    assert facts["target"] == "loihi2"
    assert facts["deployable"] is True
    assert {"status", "reason"} <= set(facts["nodes"]["input"])
    assert {"used", "limit"} <= set(facts["resources"]["neurons"])


def test_check_exits_1_where_it_is_not(here: Path, slipway: Slipway) -> None:
    outcome = slipway("check", "tiny.nir", "--target", "loihi1")
    assert outcome.code == 1
    assert "NOT deployable on loihi1" in outcome.out
    assert "spikes only" in outcome.out


def test_compile_prints_its_report(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    command = ("compile", "tiny.nir", "--calibrate", "data.npz", "-o", tmp_path / "a.slip")
    outcome = slipway(*command)
    assert outcome.code == 0, outcome.err
    assert "population" in outcome.out
    assert "weight error" in outcome.out
    assert "(fixed, loihi2, 8 steps" in outcome.out
    facts = json.loads(slipway(*command, "--json").out)
    assert facts["report"]["populations"]
    assert facts["precision"] == "fixed"


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_run(here: Path, tmp_path: Path, slipway: Slipway, engine: str) -> None:
    command = ("run", "tiny.slip", "--data", "data.npz", "--engine", engine)
    outcome = slipway(*command, "-o", tmp_path / "run.json")
    assert outcome.code == 0, outcome.err
    assert f"12 samples, 8 steps each, engine {engine}, fixed, accuracy" in outcome.out
    facts = json.loads((tmp_path / "run.json").read_text())
    assert set(facts) >= RUN_KEYS
    provenance = facts["provenance"]
    assert provenance["program"]["file"] == "tiny.slip"
    assert len(provenance["data"]["sha256"]) == 64
    printed = json.loads(slipway(*command, "--json").out)
    assert printed["predictions"] == facts["predictions"]


def test_samples_takes_the_first(here: Path, slipway: Slipway) -> None:
    command = ("run", "tiny.slip", "--data", "data.npz", "--json")
    every = json.loads(slipway(*command).out)
    few = json.loads(slipway(*command, "--samples", 5).out)
    assert few["samples"] == 5
    assert few["predictions"] == every["predictions"][:5]


def test_a_gpu_that_is_not_there_is_named(here: Path, slipway: Slipway) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    outcome = slipway("run", "tiny.slip", "--data", "data.npz", "--device", "cuda:3")
    assert outcome.code == 2
    assert "there is no device 'cuda:3': torch" in outcome.err
    assert "use --device cpu, or install a driver" in outcome.err
    outcome = slipway("run", "tiny.slip", "--data", "data.npz", "--device", "tpu")
    assert outcome.code == 2
    assert "there is no device 'tpu'" in outcome.err
    facts = json.loads(slipway("run", "tiny.slip", "--data", "data.npz", "--json").out)
    assert facts["device"] == "cpu"


def test_verify(here: Path, slipway: Slipway) -> None:
    outcome = slipway(
        "verify", "tiny.slip", "--data", "data.npz", "--engines", "reference,fast"
    )
    assert outcome.code == 0
    assert "reference, fast: 12 samples" in outcome.out
    assert " 0 mismatches" in outcome.out


def test_verify_says_where_the_first_mismatch_is(
    here: Path, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slipway.deploy import run

    honest = run.EXECUTORS["fast"]

    class Wrong:
        def __init__(self, program: Program, *, memory: int, timeout: float | None) -> None:
            self.executor = honest(program, memory=memory, timeout=timeout)

        def samples_at_once(self, steps: int) -> int:
            return self.executor.samples_at_once(steps)

        def run(self, stimulus: Stimulus, **options: Any) -> Trace:
            trace = self.executor.run(stimulus, **options)
            name = next(iter(trace.rasters))
            trace.rasters[name].states["u"][3, 1, 2] += 7
            return trace

    monkeypatch.setitem(run.EXECUTORS, "fast", Wrong)
    command = ("verify", "tiny.slip", "--data", "data.npz", "--engines", "reference,fast")
    outcome = slipway(*command)
    assert outcome.code == 1
    assert " 1 mismatches" in outcome.out
    text = outcome.out.replace("\n", " ")
    assert "first mismatch: reference and fast, sample 3, step 2, population" in text
    assert "neuron 2, u: reference" in text
    facts = json.loads(slipway(*command, "--json").out)
    assert facts["mismatches"] == 1
    assert facts["engines"] == ["reference", "fast"]
    left, right = facts["first_mismatch"]["values"]
    assert right - left == 7


def test_report(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    outcome = slipway("report", "run.json", "-o", tmp_path / "report.html")
    assert outcome.code == 0, outcome.err
    assert "stimate" in outcome.out
    page = (tmp_path / "report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert len(page) < 200_000
    facts = json.loads(
        slipway("report", "run.json", "--cost-model", "loihi1_davies", "--json").out
    )
    assert {"spikes", "synops", "neuron_updates"} <= set(facts["totals"])
    energy = facts["energy"]["loihi1_davies"]
    low, nominal, high = (
        energy[f"{end}_joule_per_inference"] for end in ("low", "nominal", "high")
    )
    assert 0 < low <= nominal <= high
    assert "breakdown" in facts


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tiny.nir", "parameters"),
        ("tiny.slip", "fixed program for loihi2, 8 steps"),
        ("float.slip", "float program for loihi2"),
        ("run.json", "12 samples, 8 steps each"),
    ],
)
def test_inspect(here: Path, slipway: Slipway, name: str, words: str) -> None:
    outcome = slipway("inspect", name)
    assert outcome.code == 0, outcome.err
    assert words in outcome.out
    assert json.loads(slipway("inspect", name, "--json").out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("targets",), "loihi2"),
        (("targets", "loihi2"), "neurons per chip"),
        (("costs",), "loihi1_davies"),
        (("costs", "loihi1_davies"), "joule"),
        (("doctor",), "core: ok"),
        (("doctor", "core"), "numba"),
    ],
)
def test_what_there_is(slipway: Slipway, arguments: tuple[str, ...], words: str) -> None:
    outcome = slipway(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert words in outcome.out
    assert isinstance(json.loads(slipway(*arguments, "--json").out), dict)


def test_progress_goes_to_stderr_and_quiet_silences_it(here: Path, slipway: Slipway) -> None:
    command = ("run", "tiny.slip", "--data", "data.npz")
    assert slipway(*command).err == "running 12 samples on fast\n"
    assert slipway(*command, "-q").err == ""
    assert " s\n" in slipway(*command, "-v").err


def test_nirexport_is_export() -> None:
    import contextlib
    import io

    from slipway.cli import nirexport

    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as left:
        nirexport(["--help"])
    assert left.value.code == 0
    assert "Usage: nirexport [OPTIONS]" in out.getvalue()
