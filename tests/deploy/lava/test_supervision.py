"""Whatever happens to a Lava run, nothing hangs and nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from slipway.deploy import lava
from slipway.deploy.lava import supervisor
from slipway.deploy.lava.job import unlink_segments
from slipway.deploy.trace import Stimulus
from slipway.errors import DataError, FileError, LavaError, LavaTimeout

from . import networks

PROC, SHARED = Path("/proc"), Path("/dev/shm")
HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.skipif(
        not lava.probe().lava_usable, reason=f"Lava: {lava.probe().lava_reason}"
    ),
    pytest.mark.skipif(not PROC.exists(), reason="processes are looked up in /proc"),
]


def processes(folder: Path) -> list[str]:
    """Command lines of living processes whose temporary folder lies in `folder`."""
    found = []
    for entry in PROC.iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (
                (entry / "environ").read_bytes()
            ):
                found.append((entry / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return [line for line in found if "parent.py" not in line]


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Jobs go to tmp_path; afterwards no folder, process or segment of theirs is left.

    Its value is the list of the names of shared memory segments that the runs made.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names: list[str] = []

    def unlink(job: Path) -> None:
        if (job / "segments").exists():
            names.extend((job / "segments").read_text().split())
        unlink_segments(job)

    monkeypatch.setattr("slipway.deploy.lava.supervisor.unlink_segments", unlink)
    yield names
    assert list(tmp_path.iterdir()) == []
    assert wait_for(lambda: not processes(tmp_path), 2.0), processes(tmp_path)
    assert not {name.strip("/") for name in names} & set(os.listdir(SHARED))


def break_worker(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    command = (sys.executable, str(HERE / "broken_worker.py"), how)
    monkeypatch.setattr(supervisor, "WORKER", command)


def test_a_good_run_leaves_nothing(place: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    lava.execute(*networks.recurrent())
    assert place
    assert capfd.readouterr() == ("", "")


def test_a_model_that_hangs(place: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    break_worker(monkeypatch, "hang")
    start = time.monotonic()
    with pytest.raises(LavaTimeout) as caught:
        lava.execute(*networks.recurrent(), timeout=6)
    assert 6 <= time.monotonic() - start < 9
    problem = caught.value.problems[0]
    assert "did not end within 6 s: stopped at step 5 of 33" in problem.what
    assert "input to b, 2 populations, 4 projections, 3 samples of 11 steps" in problem.where
    assert "longer timeout" in problem.remedy
    assert place


def test_the_timeout_names_the_network(
    place: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_worker(monkeypatch, "hang")
    program, stimulus = networks.sign_modes()
    short = Stimulus({"input": stimulus.values["input"][:1, :2]}, 2)
    with pytest.raises(LavaTimeout, match="network 2 of 2: input to b"):
        lava.execute_many([(program, short), networks.recurrent()], timeout=8)


def test_an_exception_in_a_model(place: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    break_worker(monkeypatch, "fail")
    start = time.monotonic()
    with pytest.raises(LavaError) as caught:
        lava.execute(*networks.recurrent(), timeout=60)
    assert time.monotonic() - start < 10
    problem = caught.value.problems[0]
    assert "Lava's process 'a' failed:\nTraceback" in problem.what
    assert problem.what.endswith("ZeroDivisionError: the model's own words")
    assert "report this as a bug" in problem.remedy


def test_an_exception_of_a_stock_model(place: list[str]) -> None:
    program, stimulus = networks.recurrent()
    late = replace(program.projections[0], delay=64)
    program = replace(program, projections=(late, *program.projections[1:]))
    with pytest.raises(
        LavaError, match=r"DelaySparse Process 'delays' expects values"
    ) as caught:
        lava.execute(program, stimulus, timeout=60)
    assert "Lava's process 'input->a.0' failed" in str(caught.value)


def test_an_exception_outside_the_models(place: list[str]) -> None:
    program, stimulus = networks.sign_modes()
    wrong = replace(program.populations[0], shape=(5,))
    with pytest.raises(LavaError, match=r"Lava failed:\nTraceback"):
        lava.execute(replace(program, populations=(wrong,)), stimulus, timeout=60)


def test_a_model_that_is_killed(place: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    break_worker(monkeypatch, "kill model")
    with pytest.raises(
        LavaError, match=r"process 'a' failed:\nthe process that ran it ended with exit code -9"
    ):
        lava.execute(*networks.recurrent(), timeout=30)


@pytest.mark.parametrize(("victim", "code"), [("Lava", "-9"), ("guard", "unknown")])
def test_a_worker_that_is_killed(
    place: list[str], monkeypatch: pytest.MonkeyPatch, victim: str, code: str
) -> None:
    break_worker(monkeypatch, f"kill {victim}")
    with pytest.raises(LavaError, match=rf"died at step \d+ without .*code {code}\)") as caught:
        lava.execute(*networks.recurrent(), timeout=30)
    assert "killed for its memory" in caught.value.problems[0].remedy


def run_parent(folder: Path, number: int) -> tuple[int, list[str]]:
    """Start a parent, send it a signal once its model hangs: exit code, segments."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen([sys.executable, HERE / "parent.py"], env=environment) as parent:
        assert wait_for(lambda: any(folder.glob("slipway-lava-*/hangs")))
        (segments,) = folder.glob("slipway-lava-*/segments")
        names = segments.read_text().split()
        assert {name.strip("/") for name in names} <= set(os.listdir(SHARED))
        assert len(processes(folder)) > 4
        parent.send_signal(number)
        return parent.wait(10), names


def test_ctrl_c(place: list[str], tmp_path: Path) -> None:
    code, names = run_parent(tmp_path, signal.SIGINT)
    assert code == 130
    place.extend(names)


def test_a_parent_that_is_killed(place: list[str], tmp_path: Path) -> None:
    code, names = run_parent(tmp_path, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert wait_for(lambda: not any(tmp_path.iterdir()), 5.0)
    assert wait_for(lambda: not processes(tmp_path), 5.0)
    place.extend(names)


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, place: list[str]) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "stimulus.npy")

    monkeypatch.setattr(supervisor, "save_network", full)
    with pytest.raises(FileError, match="No space left on device") as caught:
        lava.execute(*networks.recurrent())
    assert "TMPDIR" in caught.value.problems[0].remedy


def test_no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(FileError, match="cannot make a temporary folder"):
        lava.execute(*networks.recurrent())


def test_a_stimulus_that_does_not_fit() -> None:
    program, stimulus = networks.recurrent()
    values, steps = stimulus.values["input"], stimulus.steps
    narrow = Stimulus({"input": values[..., :3]}, steps)
    real = Stimulus({"input": values.astype(np.float64)}, steps)
    other = Stimulus({"image": values}, steps)
    with pytest.raises(DataError) as caught:
        lava.execute_many([(program, narrow), (program, real), (program, other)])
    first, second, third = caught.value.problems
    assert first.what == "shape (3, 9, 3) is neither (3, 5) nor (3, 9, 5)"
    assert first.where == "stimulus of input input of network 0"
    assert second.what == "a fixed program needs integer messages, these are float64"
    assert third.what == "there is none; there are image"
    assert third.where == "stimulus of input input of network 2"


def test_works_from_any_folder(
    tmp_path: Path, place: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    lava.execute(*networks.sign_modes())


def test_the_worker_finds_what_its_parent_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's current folder is another one: nothing may depend on it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"here{os.pathsep}{os.pathsep}/there")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    found = supervisor._environment(Path("/job"))
    assert found["PYTHONPATH"].split(os.pathsep)[-2:] == [str(tmp_path / "here"), "/there"]
    assert found["TMPDIR"] == "/job"
    assert "PYTHONWARNINGS" not in found
