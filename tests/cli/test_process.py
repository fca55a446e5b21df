"""What only a process of its own can show: streams, signals, limits, a missing Lava."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import Slipway

SLIPWAY = (sys.executable, "-m", "slipway.cli")
RUN = ("run", "tiny.slip", "--data", "data.npz")

# A process in which Lava is not installed: neither its metadata nor its modules are found.
WITHOUT_LAVA = """
import sys
from importlib import metadata

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "lava":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

version = metadata.version
def without(name):
    if name == "lava-nc":
        raise metadata.PackageNotFoundError(name)
    return version(name)

metadata.version = without
sys.meta_path.insert(0, Blocker())
from slipway.cli import main
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        (*RUN, "--engine", "lava"),
        ("verify", "tiny.slip", "--data", "data.npz", "--engines", "fast,lava"),
    ],
)
def test_without_lava(here: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LAVA, *arguments, "-o", str(tmp_path / "a.json")],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "lava-nc is not installed" in done.stderr
    assert "pip install" in done.stderr
    assert not (tmp_path / "a.json").exists()


def test_doctor_without_lava() -> None:
    command = [sys.executable, "-c", WITHOUT_LAVA, "doctor"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert "lava: not usable (lava-nc is not installed)" in done.stdout
    assert "to install: pip install" in done.stdout
    asked = subprocess.run([*command, "lava", "--json"], capture_output=True, text=True)
    assert asked.returncode == 3
    assert json.loads(asked.stdout)["features"]["lava"]["missing"] == ["lava-nc"]


def test_a_lava_that_hangs(
    here: Path, tmp_path: Path, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slipway.deploy.lava import probe, supervisor

    if not probe().lava_usable:
        pytest.skip(f"Lava: {probe().lava_reason}")
    sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
    monkeypatch.setattr(supervisor, "WORKER", sleeper)
    started = time.monotonic()
    outcome = slipway(*RUN, "--engine", "lava", "--timeout", 2, "-o", tmp_path / "a.json")
    assert time.monotonic() - started < 8
    assert (outcome.code, outcome.out) == (1, "")
    assert "within 2 s" in outcome.err
    assert "--timeout" in outcome.err or "longer timeout" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(
    here: Path, tmp_path: Path, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slipway.deploy import run

    def interrupted(*_: object, **__: object) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setitem(run.EXECUTORS, "fast", interrupted)
    # A job in the background of a shell ignores Ctrl-C, and so would this test.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        outcome = slipway(*RUN, "-o", tmp_path / "a.json")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err == "running 12 samples on fast\nslipway: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*SLIPWAY, "costs", "loihi1_davies"], stdout=writing, stderr=subprocess.PIPE
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [("targets",), ("targets", "--json")])
def test_standard_output_on_a_full_disk(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*SLIPWAY, *arguments], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert b"cannot write: No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [RUN, ("compile", "tiny.nir")], ids=lambda arguments: arguments[0]
)
def test_a_device_or_pipe_is_refused(
    here: Path, tmp_path: Path, slipway: Slipway, arguments: tuple[str, ...]
) -> None:
    """Renaming a file to a device, as root may, would replace the device."""
    os.mkfifo(tmp_path / "pipe")
    outcome = slipway(*arguments, "-o", tmp_path / "pipe")
    assert (outcome.code, outcome.out) == (2, ""), outcome.err
    assert "it is a device or a pipe" in outcome.err
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    "arguments",
    [
        (*RUN, "--engine", "reference"),  # the fast one also keeps its compiled code
        ("compile", "tiny.nir", "--precision", "float"),
        ("report", "run.json"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_disk_that_fills_up(here: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A file that cannot grow past 256 bytes stands for a full disk."""
    name = "out.html" if arguments[0] == "report" else "out"
    done = subprocess.run(
        [*SLIPWAY, *arguments, "-o", str(tmp_path / name)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot write" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_color(here: Path) -> None:
    plain = subprocess.run(
        [*SLIPWAY, "targets", "--no-color"],
        env={**os.environ, "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    assert "\x1b" not in plain.stdout
