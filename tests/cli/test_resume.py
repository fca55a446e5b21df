"""`slipway run` on data of any size: its memory, and how it is stopped and continued."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy import executors

from .conftest import Slipway

# Kills `slipway run` at its first, second, ... access to the output or to what is kept beside
# it, each time in a fresh process, and continues it, until one is not killed any more.
EVERY_MOMENT = """
import os, shutil, signal, sys
from slipway.cli import main
from slipway.deploy import executors
sys.argv, (folder, *arguments) = ["slipway"], sys.argv[1:]
output = folder + "/a.json"
try:
    main([*arguments, "-q", "--json"])  # imports everything, once
except SystemExit as left:
    assert not left.code

def child(*more, kill=0, size=2):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    seen = 0
    def watch(event, given):
        nonlocal seen
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            seen += str(given[0]).startswith(folder)
            if kill and seen == kill:
                os.kill(os.getpid(), signal.SIGKILL)
    executors.SECTION_SAMPLES = size
    sys.addaudithook(watch)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    try:
        main([*arguments, "-o", output, "-q", *more])
    except SystemExit as left:
        os._exit(left.code or 0)

kill = 0
while True:
    kill += 1
    code = child(kill=kill)
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    kept = os.path.exists(output + ".partial/header.json")
    plain = child(size=5)  # without --resume
    resumed = 0
    if plain:
        assert plain == 2 and kept, (plain, kept)
        resumed = child("--resume", size=5)
    assert resumed == 0, resumed
    shutil.copy(output, f"{folder}/result.{kill}")
    os.unlink(output)
    assert not os.path.exists(output + ".partial")
    print(kill, "resumed" if plain else "again", file=sys.stderr)
"""

# The same command in short sections, so that there is time to stop it.
# A shell's background jobs inherit that interrupts are ignored: not so these.
SHORT_SECTIONS = """
import signal, sys
from slipway.cli import main
from slipway.deploy import executors
signal.signal(signal.SIGINT, signal.default_int_handler)
executors.SECTION_SAMPLES = 64
main(sys.argv[1:])
"""


def facts_of(path: Path) -> dict[str, Any]:
    """The result without what may differ: time, and the command."""
    facts: dict[str, Any] = json.loads(path.read_text())
    del facts["seconds"], facts["sample_steps_per_second"], facts["provenance"]["command"]
    del facts["placement"]["seconds"]
    return facts


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Data that take a while."""
    random = np.random.default_rng(0)
    x, y = 0.9 * random.random((6_000, 4), np.float32), random.integers(0, 3, 6_000)
    np.savez(tmp_path / "many.npz", x=x, y=y)
    return tmp_path / "many.npz"


def kept_in(folder: Path) -> int:
    return len(list(folder.glob("a.json.partial/0*")))


def start(folder: Path, data: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SHORT_SECTIONS, "run", "tiny.slip", "--data", str(data)]
    return subprocess.Popen(
        [*command, "-o", str(folder / "a.json"), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate()
    return process.returncode, out, err


def wait_for(process: subprocess.Popen[str], folder: Path, sections: int) -> None:
    """Until so many sections are kept, or it has ended."""
    while process.poll() is None and kept_in(folder) < sections:
        time.sleep(0.001)


def test_a_run_killed_at_every_moment_is_continued(
    here: Path, tmp_path: Path, slipway: Slipway
) -> None:
    """Before and after each file of it appears or goes away; with sections of another size."""
    command = ("run", "tiny.slip", "--data", "data.npz", "--engine", "reference")
    assert slipway(*command, "-o", tmp_path / "whole.json").code == 0
    folder = tmp_path / "killed"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", EVERY_MOMENT, str(folder), *command],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("resumed") >= 10
    assert done.stderr.count("again") >= 3
    whole = facts_of(tmp_path / "whole.json")
    results = [facts_of(path) for path in folder.glob("result.*")]
    assert len(results) == done.stderr.count("\n")
    assert all(facts == whole for facts in results)


def test_a_run_killed_at_random_moments_is_continued(
    here: Path, tmp_path: Path, many: Path
) -> None:
    code, _, err = finish(start(tmp_path, many))
    assert code == 0, err
    expected = facts_of(tmp_path / "a.json")
    (tmp_path / "a.json").unlink()
    more: tuple[str, ...] = ()
    for _ in range(3):
        process = start(tmp_path, many, *more)
        wait_for(process, tmp_path, kept_in(tmp_path) + 1)
        time.sleep(random.uniform(0, 0.05))
        process.kill()
        code, _, err = finish(process)
        assert code == -signal.SIGKILL, err
        more = ("--resume",)
    code, _, err = finish(start(tmp_path, many, *more))
    assert code == 0, err
    assert "going on after" in err
    assert facts_of(tmp_path / "a.json") == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "many.npz"]


def test_an_interrupted_run_says_how_to_go_on(here: Path, tmp_path: Path, many: Path) -> None:
    process = start(tmp_path, many)
    wait_for(process, tmp_path, 2)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (130, "")
    first, second, third = (line for line in err.splitlines() if line[0] != " ")
    assert first == "running 6000 samples on fast"
    samples = int(second.split()[0])
    assert samples >= 128
    assert second == f"{samples} of 6000 samples are kept: go on with --resume"
    assert third == "slipway: interrupted"
    assert not (tmp_path / "a.json").exists()
    code, out, err = finish(start(tmp_path, many, "--resume", "--memory", "4MiB"))
    assert code == 0, err
    assert [line for line in err.splitlines() if line[0] != " "][
        1
    ] == f"going on after {samples} of 6000 samples"
    assert "6000 samples, 8 steps each, engine fast" in out
    continued = facts_of(tmp_path / "a.json")
    assert finish(start(tmp_path, many))[0] == 0
    whole = facts_of(tmp_path / "a.json")
    for facts in (whole, continued):
        for projection in facts["projections"].values():
            del projection["kernels"]  # chosen for as many samples as the memory holds
    assert continued == whole


def test_an_unfinished_run_is_not_overwritten(
    here: Path, tmp_path: Path, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "SECTION_SAMPLES", 5)
    command = ("run", "tiny.slip", "--data", "data.npz", "-o", tmp_path / "a.json")
    folder = tmp_path / "a.json.partial"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 2)
        outcome = slipway(*command)
    assert (outcome.code, outcome.out) == (70, "")
    assert "10 of 12 samples are kept: go on with --resume\n" in outcome.err
    outcome = slipway(*command)
    assert (outcome.code, outcome.out) == (2, "")
    assert "an unfinished run is kept: 10 of 12 samples" in outcome.err
    assert f"where: {folder}, of the command: " in outcome.err
    assert "run tiny.slip" not in outcome.err  # it was called in this process
    outcome = slipway(*command, "--resume", "--samples", 11, "--engine", "reference")
    assert (outcome.code, outcome.out) == (2, "")
    assert "of another engine: fast, now reference" in outcome.err
    assert "of another samples: 12, now 11" in outcome.err
    outcome = slipway(*command, "--resume", "-q")
    assert (outcome.code, outcome.err) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json"]


def stop_after(monkeypatch: pytest.MonkeyPatch, sections: int) -> None:
    """Let the fast engine fail behind so many sections."""
    honest = executors.EXECUTORS["fast"]

    class Failing:
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.executor, self.left = honest(*arguments, **options), sections

        def samples_at_once(self, steps: int) -> int:
            return self.executor.samples_at_once(steps)

        def run(self, *arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise ValueError("no more")
            return self.executor.run(*arguments, **options)

    monkeypatch.setitem(executors.EXECUTORS, "fast", Failing)


def test_there_may_be_nothing_to_continue(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    command = ("run", "tiny.slip", "--data", "data.npz", "-o", tmp_path / "a.json")
    outcome = slipway(*command, "--resume")
    assert outcome.code == 0
    assert outcome.err == (
        "running 12 samples on fast\nthere is nothing to go on with: starting anew\n"
    )


def test_resume_needs_an_output(here: Path, slipway: Slipway) -> None:
    outcome = slipway("run", "tiny.slip", "--data", "data.npz", "--resume")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "slipway: error: --resume needs -o: the unfinished run is kept beside its output\n"
        "  to do: give the -o that the run was started with\n"
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1000", 1000),
        ("2GiB", 2**31),
        ("1.5 MiB", 3 * 2**19),
        ("64kb", 64_000),
        ("1GB", 10**9),
        ("10 B", 10),
    ],
)
def test_sizes(text: str, size: int) -> None:
    from slipway.cli import options

    assert options.size(text, "--memory") == size


@pytest.mark.parametrize(
    "text", ["", "GiB", "-1", "0", "0.1", "1 apple", "1e9", "inf", "2 GiB 3"]
)
def test_what_is_no_size(here: Path, slipway: Slipway, text: str) -> None:
    outcome = slipway("run", "tiny.slip", "--data", "data.npz", "--memory", text)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        f"slipway: error: --memory {text!r} is no size\n"
        "  to do: give bytes, or a number with KiB, MiB, GiB, kB, MB or GB, e.g. 2GiB\n"
    )


def test_a_memory_that_holds_no_sample(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    command = ("run", "tiny.slip", "--data", "data.npz", "-o", tmp_path / "a.json")
    outcome = slipway(*command, "--memory", "100")
    assert (outcome.code, outcome.out) == (2, "")
    assert "one sample of 8 steps needs 1KiB of memory; the limit is 1KiB" in outcome.err
    assert "to do: use --memory 1KiB or more" in outcome.err
    assert list(tmp_path.iterdir()) == []
    assert slipway(*command, "--memory", "1KiB").code == 0
