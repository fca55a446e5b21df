"""netx and slipway read the same file and send the same messages at every step."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from slipway.deploy.netx import read_net, write_net
from slipway.deploy.program import Program

from . import files
from .files import FLATTEN, Fields
from .programs import programs, writable
from .running import DATA, assert_alike, needs_data, needs_netx, run_netx

pytestmark = needs_netx

STEPS = 40


def spikes(seed: int, size: int, density: float = 0.3, steps: int = STEPS) -> Any:
    return (np.random.default_rng(seed).random((steps, size)) < density).astype(np.int32)


@needs_data
@pytest.mark.parametrize(
    ("name", "density"), [("oxford_200_256_200", 0.005), ("mnist_784_128_64_10", 0.1)]
)
def test_real_files(tmp_path: Path, name: str, density: float) -> None:
    path = DATA / f"{name}.net"
    program = read_net(path, steps=100)
    messages = spikes(1, program.inputs[0].size, density, 100)
    assert assert_alike(program, messages, run_netx(tmp_path, path, messages)) > 500


def _dense() -> list[Fields]:
    return [
        files.inputs(9),
        files.dense(files.even(1, 12, 9)),
        files.dense(files.even(2, 7, 12)),
    ]


def _modes() -> list[Fields]:
    """One sign only, odd weights, small ranges that netx shifts."""
    rng = np.random.default_rng(3)
    up = rng.integers(0, 256, (8, 9)).astype(np.float32)
    small = rng.integers(-5, 6, (8, 8)).astype(np.float32)
    down = -rng.integers(0, 200, (5, 8)).astype(np.float32)
    down[:, 0] = -255
    return [
        files.inputs(9),
        files.dense(up, files.cuba(threshold=500)),
        files.dense(small, files.cuba(threshold=3)),
        files.dense(-down[:, :8], files.cuba(threshold=200)),
    ]


def _decays() -> list[Fields]:
    rng = np.random.default_rng(4)
    each = files.cuba(rng.integers(1, 4097, 10), rng.integers(0, 4096, 10), 60)
    return [
        files.inputs(9),
        files.dense(files.even(5, 10, 9), each),
        files.dense(files.even(6, 6, 10), files.cuba(4096, 4095, 1)),
    ]


def _flat_weight() -> list[Fields]:
    """As in PilotNet's file: one output, its weights without an axis for it."""
    one = files.dense(files.even(8, 1, 12), shape=np.array([1, 1, 1]))
    one["weight"] = one["weight"].reshape(-1)
    return [files.inputs(9), files.dense(files.even(7, 12, 9)), one]


def _delays(which: str) -> list[Fields]:
    rng = np.random.default_rng(9)
    shape = {"one": (), "outputs": (12,), "inputs": (9,), "matrix": (12, 9)}[which]
    delay = np.asarray(62 if which == "one" else rng.integers(0, 11, shape), np.float32)
    return [
        files.inputs(9),
        files.dense(files.even(10, 12, 9, low=-30, high=31), delay=delay),
        files.dense(files.even(11, 5, 12)),
    ]


def _recurrent() -> list[Fields]:
    return [
        files.inputs(9),
        files.recurrent(files.even(12, 10, 9), files.even(13, 10, 10, low=-20, high=20)),
        files.recurrent(files.even(14, 6, 10), files.even(15, 6, 6, low=-9, high=9)),
    ]


def _conv() -> list[Fields]:
    """Kernels, strides, paddings and dilations that differ in height and width."""
    return [
        files.inputs(2, 7, 9),
        files.conv(
            files.even(16, 4, 2, 3, 2),
            (4, 4, 10),
            stride=(2, 1),
            padding=(1, 1),
        ),
        files.conv(
            files.even(17, 6, 2, 2, 3, 1), (6, 3, 3), groups=2, dilation=(1, 2), stride=(1, 2)
        ),
        FLATTEN,
        files.dense(files.even(18, 5, 54, low=-20, high=22)),
    ]


SPIKING: dict[str, Callable[[], list[Fields]]] = {
    "dense": _dense,
    "sign modes": _modes,
    "decays": _decays,
    "flat weight": _flat_weight,
    "one delay": lambda: _delays("one"),
    "output delays": lambda: _delays("outputs"),
    "input delays": lambda: _delays("inputs"),
    "delay matrix": lambda: _delays("matrix"),
    "recurrent": _recurrent,
    "conv": _conv,
}


def both(
    folder: Path, layers: list[Fields], messages: Any, *, values: bool = False, **options: Any
) -> tuple[int, int]:
    """Compare our reading of a file with netx, and then netx with what we write of it.

    Returns:
        Messages that were sent in each of the two runs.
    """
    names = ("first", "second")
    for name in names:
        (folder / name).mkdir()
    path = files.write(folder / "first" / "case.net", *layers)
    program = read_net(path, steps=len(messages), **options)
    told = write_net(program, folder / "second" / "case.net")
    sent = []
    for name in names:
        place = folder / name
        theirs = run_netx(place, place / "case.net", messages, told.arguments, values=values)
        first = int("reset_interval" in told.arguments)
        sent.append(assert_alike(program, messages, theirs, values=values, first=first))
    return sent[0], sent[1]


@pytest.mark.parametrize("name", SPIKING)
def test_layers(tmp_path: Path, name: str) -> None:
    steps = 100 if "delay" in name else STEPS
    messages = spikes(20, 126 if name == "conv" else 9, steps=steps)
    one, other = both(tmp_path, SPIKING[name](), messages)
    assert one == other > 30


def test_without_an_input_layer(tmp_path: Path) -> None:
    one, other = both(tmp_path, _dense()[1:], spikes(21, 9))
    assert one == other > 30


def _pictures() -> list[Fields]:
    """Values into neurons, biases for each channel and neuron."""
    shown = files.cuba(4096, 512, 90)
    return [
        files.inputs(2, 5, 6, weight=files.floats([40]), **shown),
        files.conv(
            files.even(22, 3, 2, 2, 2, low=-20, high=24),
            (3, 4, 5),
            bias=files.floats([12, -8, 30]),
        ),
        FLATTEN,
        files.dense(
            files.even(23, 6, 60, low=-20, high=22), bias=files.floats([-6, -4, -2, 0, 2, 4])
        ),
    ]


def test_pictures_and_biases(tmp_path: Path) -> None:
    """netx clears each layer in the step in which its first input arrives, if it is told so."""
    picture = np.random.default_rng(24).integers(0, 41, (1, 60)).astype(np.int32)
    messages = np.repeat(picture, STEPS, axis=0)
    one, other = both(tmp_path, _pictures(), messages, values=True)
    assert one == other > 100


def test_periodic_reset(tmp_path: Path) -> None:
    one, other = both(tmp_path, _dense(), spikes(25, 9), reset_interval=7)
    assert one == other > 30


def test_graded_input(tmp_path: Path) -> None:
    """Values straight into a synapse."""
    path = files.write(tmp_path / "first.net", *_dense())
    spiking = read_net(path, steps=STEPS)
    values = replace(spiking.inputs[0], graded=True, minimum=-9.0, maximum=9.0)
    program = replace(spiking, inputs=(values,))
    told = write_net(program, tmp_path / "case.net")
    assert told.arguments == {"input_message_bits": 24}
    messages = np.random.default_rng(35).integers(-9, 10, (STEPS, 9)).astype(np.int32)
    theirs = run_netx(tmp_path, tmp_path / "case.net", messages, told.arguments)
    assert assert_alike(program, messages, theirs) > 30


def _sound(sine: int, cosine: int) -> tuple[float, float]:
    """As slipway writes them: slayer's integers may lose one in netx, see test_defects."""
    return sine + 0.25 * np.sign(sine), cosine + 0.25 * np.sign(cosine)


def _resonators(kind: str) -> list[Fields]:
    first = files.resonator(kind, *_sound(1171, -3605), 90)
    second = files.resonator(kind, *_sound(600, 3900), 120)
    return [
        files.inputs(9),
        files.complex_dense(files.even(26, 11, 9), files.even(27, 11, 9), first),
        files.complex_dense(files.even(28, 6, 11), files.even(29, 6, 11), second),
    ]


@pytest.mark.parametrize("kind", ["RF_PHASE", "RF_IZHIKEVICH"])
def test_resonators(tmp_path: Path, kind: str) -> None:
    one, other = both(tmp_path, _resonators(kind), spikes(30, 9, steps=100))
    assert one == other > 30


def _sigma_delta() -> list[Fields]:
    return [
        files.inputs(2, 6, 5, **files.sdnn(2)),
        files.conv(
            files.even(31, 3, 2, 3, 2, low=-10, high=13),
            (3, 3, 4),
            files.sdnn(3),
            stride=(2, 1),
            padding=(1, 0),
            bias=files.floats([4, -6, 8]),
        ),
        FLATTEN,
        files.dense(
            files.even(32, 6, 36, low=-9, high=9), files.sdnn(1), bias=files.floats([8] * 6)
        ),
        files.dense(files.even(33, 2, 6, low=-9, high=9), files.sdnn(1, sigma_output=True)),
    ]


def test_sigma_delta(tmp_path: Path) -> None:
    """Biases are sent at step 1, our first input is seen at step 2: in netx as well."""
    rng = np.random.default_rng(34)
    messages = np.cumsum(rng.integers(-4, 5, (STEPS, 60)), axis=0).astype(np.int32)
    path = files.write(tmp_path / "first.net", *_sigma_delta())
    program = read_net(path, steps=STEPS)
    assert write_net(program, tmp_path / "second.net").arguments == {}
    late = np.concatenate([np.zeros_like(messages[:1]), messages])
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        theirs = run_netx(tmp_path / name, tmp_path / f"{name}.net", late, values=True)
        assert assert_alike(program, messages, theirs) > 100


@settings(
    max_examples=int(os.environ.get("NETX_NETWORKS", "8")),
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(programs().filter(writable))
def test_random_stacks(program: Program) -> None:
    """What we write spikes in netx as in our Program; NETX_NETWORKS says how many."""
    program = replace(program, steps=90)
    messages = spikes(50, program.inputs[0].size, 0.5, program.steps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.net"
        told = write_net(program, path)
        theirs = run_netx(Path(folder), path, messages, told.arguments)
    first = int("reset_interval" in told.arguments)
    assert_alike(program, messages, theirs, first=first)
