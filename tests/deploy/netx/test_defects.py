"""Every place where our reading of a file differs from netx's is a defect of netx: shown here.

docs/netx.md lists them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy.netx import read_net
from slipway.deploy.program import Program
from slipway.errors import UnsupportedNode

from . import files
from .files import Fields
from .running import SECONDS, needs_netx, run_netx, run_ours

pytestmark = needs_netx

STEPS = 30


def spikes(size: int, density: float = 0.4, steps: int = STEPS) -> Any:
    return (np.random.default_rng(5).random((steps, size)) < density).astype(np.int32)


def compare(
    folder: Path, layers: list[Fields], messages: Any, *, values: bool = False
) -> tuple[Program, dict[str, Any], dict[str, Any]]:
    """Our Program of a file, our rasters, and what netx did with it."""
    path = files.write(folder / "case.net", *layers)
    program = read_net(path, steps=len(messages))
    return program, run_ours(program, messages), run_netx(folder, path, messages, values=values)


def integrator(weight: Any) -> list[Fields]:
    """v sums up what arrives and nothing ever leaks or spikes."""
    neuron = files.cuba(4096, 0, 131071)
    return [files.inputs(weight.shape[1]), files.dense(files.floats(weight), neuron)]


# Weights, with all inputs on -> netx's sums of one step; ours are the file's.
WRONG_SUMS = {
    "largest weight 0": ([[-1, 0, -1]], [-1]),
    "inhibitory, smallest a power of two": ([[-1, -1, -1], [-1, -1, -1]], [0, 0]),
    "above 254 beside a negative one": ([[300, -20]], [234]),
    "above 255, all positive": ([[300, 510]], [0]),
}


@pytest.mark.parametrize("name", WRONG_SUMS)
def test_weights_that_netx_changes(tmp_path: Path, name: str) -> None:
    weight, wrong = WRONG_SUMS[name]
    matrix = np.array(weight)
    messages = np.ones((3, matrix.shape[1]), np.int32)
    _, ours, theirs = compare(tmp_path, integrator(matrix), messages)
    sums = matrix.sum(axis=1) * 64
    column = next(iter(ours.values())).states["v"][0]
    np.testing.assert_array_equal(column[2], 2 * sums)
    np.testing.assert_array_equal(theirs["0.v"], 2 * 64 * np.array(wrong))


def test_nine_weight_bits(tmp_path: Path) -> None:
    """The simulation keeps what 8 bits cannot hold; we refuse the file."""
    path = files.write(tmp_path / "case.net", *integrator(np.array([[201, -3]])))
    theirs = run_netx(tmp_path, path, np.ones((3, 2), np.int32))
    np.testing.assert_array_equal(theirs["0.v"], 2 * 64 * np.array([198]))
    with pytest.raises(UnsupportedNode, match="2 of 2 weights are off the grid of mixed 8-bit"):
        read_net(path, steps=3)


def test_the_port_of_the_input_block_leads_nowhere(tmp_path: Path) -> None:
    layers = [
        files.inputs(4, weight=files.floats([1]), **files.cuba(4096, 0, 50)),
        files.dense(files.even(1, 3, 4)),
    ]
    with pytest.raises(RuntimeError, match="No subcompiler exists"):
        compare(tmp_path, layers, np.full((STEPS, 4), 40, np.int32))
    program = read_net(tmp_path / "case.net", steps=STEPS)
    assert run_ours(program, np.full((STEPS, 4), 40, np.int32))["input0"].s.any()


def test_message_bits_cannot_be_read(tmp_path: Path) -> None:
    layers = [files.inputs(3), files.dense(files.even(13, 4, 3), files.cuba(messageBits=0))]
    with pytest.raises(RuntimeError, match="'NetDict' and 'int'"):
        compare(tmp_path, layers, spikes(3))
    assert read_net(tmp_path / "case.net", steps=STEPS).populations


def test_a_reset_comes_one_step_early(tmp_path: Path) -> None:
    """netx's default clears v before the last input of a sample; see test_periodic_reset."""
    messages = np.ones((8, 1), np.int32)
    path = files.write(tmp_path / "case.net", *integrator(np.array([[2]])))
    values = {}
    for offset in (0, 1):
        folder = tmp_path / str(offset)
        folder.mkdir()
        told = {"reset_interval": 4, "reset_offset": offset}
        values[offset] = int(run_netx(folder, path, messages[:6], told)["0.v"][0]) // 128
    ours = run_ours(read_net(path, steps=8, reset_interval=4), messages)
    np.testing.assert_array_equal(
        ours["dense1"].states["v"][0, :9, 0] // 128, [0, 1, 2, 3, 4, 1, 2, 3, 4]
    )
    assert values == {0: 2, 1: 1}


def test_biases_act_before_the_first_input(tmp_path: Path) -> None:
    """Without a reset a deep layer integrates its bias while the pipeline fills."""
    sums = files.cuba(4096, 0, 131071)
    layers = [
        files.inputs(3),
        files.dense(files.even(2, 4, 3)),
        files.dense(files.even(3, 4, 4), sums, bias=files.floats([6] * 4)),
    ]
    messages = np.zeros((5, 3), np.int32)
    _, ours, theirs = compare(tmp_path, layers, messages)
    v = ours["dense2"].states["v"][0, :5, 0] // 64
    np.testing.assert_array_equal(v[2:], [6, 12, 18])
    np.testing.assert_array_equal(theirs["1.v"] // 64, [30] * 4)


def test_delays_of_recurrent_layers(tmp_path: Path) -> None:
    """netx drops the exponent and delays the layer's own spikes like its input."""
    layers = [
        files.inputs(3),
        files.recurrent(
            files.even(4, 3, 3, low=1, high=9),
            files.even(5, 3, 3, low=-2, high=4),
            files.cuba(4096, 300, 60),
            delay=files.floats(2),
        ),
    ]
    program, ours, theirs = compare(tmp_path, layers, spikes(3))
    assert program.projections[0].delay == 2
    assert program.projections[1].delay == 0
    assert int(ours["dense_rec1"].s.sum()) < int(theirs["0.s"].sum())


@pytest.mark.parametrize("kind", ["conv", "resonators"])
def test_delays_that_netx_drops(tmp_path: Path, kind: str) -> None:
    if kind == "conv":
        kernel = files.even(6, 2, 1, 2, 2, low=3, high=20)
        layer = files.conv(kernel, (2, 2, 2), files.cuba(4096, 0, 40), delay=files.floats(3))
        layers, size = [files.inputs(1, 3, 3), layer], 9
    else:
        neuron = files.resonator("RF_IZHIKEVICH", 1171, -3605, 40)
        real, imaginary = files.even(7, 4, 5), files.even(8, 4, 5)
        delayed = files.complex_dense(real, imaginary, neuron, delay=files.floats(3))
        layers, size = [files.inputs(5), delayed], 5
    program, ours, theirs = compare(tmp_path, layers, spikes(size))
    name = program.populations[0].name
    assert theirs["0.s"].any()
    # Three steps earlier than the file says.
    np.testing.assert_array_equal(ours[name].s[0, 3:STEPS], theirs["0.s"][:-3])


def as_netx(sine: int, cosine: int) -> tuple[int, int]:
    """`neuron_params` of slayer's rf.py, then Lava's `RF.__init__`; varies with numpy."""
    left = np.sqrt((sine / 4096) ** 2 + (cosine / 4096) ** 2)
    period = 1 / (np.arctan2(sine / 4096, cosine / 4096) / 2 / np.pi)
    alpha = 1 - left
    angle = np.pi * 2 * 1 / period
    parts = (1 - alpha) * np.sin(angle), (1 - alpha) * np.cos(angle)
    return int(parts[0] * 4096), int(parts[1] * 4096)


def test_integers_of_resonators_that_get_lost(tmp_path: Path) -> None:
    """They pass through floating point and are cut off: of some, one is lost."""
    candidates = [(sine, 3801) for sine in range(300, 1400, 7)]
    lost = [pair for pair in candidates if as_netx(*pair) != pair]
    assert len(candidates) / 5 < len(lost)
    neuron = files.resonator("RF_PHASE", *lost[0], 60)
    matrices = files.even(9, 4, 5), files.even(10, 4, 5)
    layers = [files.inputs(5), files.complex_dense(*matrices, neuron)]
    messages = spikes(5, steps=100)
    program, ours, theirs = compare(tmp_path, layers, messages)
    found: Any = program.populations[0].neuron
    assert (int(found.sine[0]), int(found.cosine[0])) == lost[0]
    layers[1] |= files.resonator("RF_PHASE", *as_netx(*lost[0]), 60)
    changed = read_net(files.write(tmp_path / "lost.net", *layers), steps=100)
    wrong = run_ours(changed, messages)["dense1"].states["real"][0, 99]
    assert np.any(ours["dense1"].states["real"][0, 99] != wrong)
    np.testing.assert_array_equal(theirs["0.real"], wrong)


def test_a_refractory_delay_is_ignored(tmp_path: Path) -> None:
    layers = [files.inputs(5), files.dense(files.even(11, 4, 5), files.cuba(refDelay=4))]
    _, ours, theirs = compare(tmp_path, layers, spikes(5, 0.9))
    assert 0 < int(ours["dense1"].s.sum()) < int(theirs["0.s"].sum())
    gaps = [np.diff(np.flatnonzero(raster)) for raster in ours["dense1"].s[0].T]
    assert min(gap.min() for gap in gaps if gap.size) >= 4


def test_a_sigma_output_that_is_false(tmp_path: Path) -> None:
    """netx asks whether the field is there and sends the sum at every step."""
    layers = [
        files.inputs(3, **files.sdnn(0)),
        files.dense(files.even(12, 2, 3, low=1, high=9), files.sdnn(0, sigma_output=False)),
    ]
    messages = np.full((6, 3), 5, np.int32)
    program, ours, theirs = compare(tmp_path, layers, messages, values=True)
    assert program.populations[1].kind == "sigma-delta"
    assert np.count_nonzero(ours["dense1"].s[0, :, 0]) == 1
    assert np.count_nonzero(theirs["1.s"][:, 0]) == 5


def _graded(neuron: Fields) -> list[Fields]:
    return [files.inputs(3), files.dense(files.even(13, 4, 3), neuron)]


def _complex(kind: str) -> Fields:
    neuron = files.resonator(kind, 900, 900, 9)
    return files.complex_dense(files.even(1, 2, 3), files.even(2, 2, 3), neuron)


# What netx says, and what we read or refuse.
LOADS: dict[str, tuple[Callable[[], list[Fields]], str, str]] = {
    "all weights 0": (
        lambda: integrator(np.zeros((2, 3))),
        "OverflowError: cannot convert float infinity to integer",
        "",
    ),
    "dense_comp": (
        lambda: [files.inputs(3), {**_complex("RF_PHASE"), "type": "dense_comp"}],
        "AttributeError: 'Network' object has no attribute 'create_complex_dense'",
        "",
    ),
    "ALIF": (
        lambda: _graded(files.cuba(type="ALIF", thDecay=100, refDecay=100, vThStep=9)),
        "AttributeError: 'NoneType' object has no attribute 'pop'",
        "",
    ),
    "ADRF": (
        lambda: [files.inputs(3), _complex("ADRF_PHASE")],
        "",
        "resonators with an adaptive threshold, which netx leaves out",
    ),
    "graded spikes": (
        lambda: _graded({**files.cuba(), "neuron/gradedSpike": True}),
        "",
        "netx sends spikes of 0 and 1 all the same",
    ),
    "weight exponent": (
        lambda: _graded(files.cuba(weight_exp=2)),
        "",
        "a weight exponent of 2: netx ignores it",
    ),
    "activation": (
        lambda: [
            files.inputs(3, **files.sdnn()),
            files.dense(files.even(3, 2, 3), files.sdnn(activation="tanh")),
        ],
        "",
        "the activation 'tanh'; netx would compute relu",
    ),
    "bias behind a sigma output": (
        lambda: [
            files.inputs(3, **files.sdnn()),
            files.dense(
                files.even(3, 2, 3), files.sdnn(sigma_output=True), bias=files.floats([2, 4])
            ),
        ],
        "TypeError: Sigma.__init__() got an unexpected keyword argument 'bias'",
        "a bias behind the last sum; netx stops with a TypeError",
    ),
    "delays above 62": (
        lambda: [
            files.inputs(3),
            files.dense(files.even(3, 2, 3), delay=files.floats([3, 70])),
        ],
        "",
        "1 of 2 values lie outside 0 to 62 (delay), such as 70",
    ),
    "fractions": (
        lambda: integrator(np.array([[2.5, 4, -6.25]])),
        "",
        "2 of 3 values are no whole numbers, such as 2.5; netx would cut off",
    ),
    "bias of 16 bits": (
        lambda: [
            files.inputs(3),
            files.dense(files.even(3, 2, 3), bias=files.floats([40000, 4])),
        ],
        "",
        "1 of 2 values lie outside -4096 to 4095 (bias mantissa), such as 40000",
    ),
    "input layer of resonators": (
        lambda: [files.inputs(3, **files.resonator("RF_PHASE", 9, 9, 9))],
        "AttributeError: 'RF' object has no attribute 'a_in'",
        "RF_PHASE neurons as the input layer: netx stops with an AttributeError",
    ),
}
NOT_THERE = ("pool", "average", "convT", "unpool", "concat")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What netx says of each file of LOADS, and of the layers that it does not have."""
    job = tmp_path_factory.mktemp("loads")
    names = []
    for name, (layers, _, _) in LOADS.items():
        names.append(f"{name}.net")
        files.write(job / names[-1], *layers())
    for kind in NOT_THERE:
        names.append(f"{kind}.net")
        files.write(job / names[-1], files.inputs(2, 4, 4), {"type": kind, "shape": [2]})
    (job / "settings.json").write_text(json.dumps(names))
    script = Path(__file__).with_name("net_load.py")
    command = [sys.executable, str(script), str(job)]
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    found: dict[str, str] = json.loads((job / "said.json").read_text())
    return found


@pytest.mark.parametrize("name", LOADS)
def test_files_that_netx_stops_at_or_takes_for_something_else(
    said: dict[str, str], tmp_path: Path, name: str
) -> None:
    layers, theirs, ours = LOADS[name]
    assert said[f"{name}.net"].startswith(theirs)
    assert bool(said[f"{name}.net"]) == bool(theirs)
    path = files.write(tmp_path / "case.net", *layers())
    if not ours:
        assert read_net(path, steps=3).populations
        return
    with pytest.raises(UnsupportedNode) as error:
        read_net(path, steps=3)
    assert ours in str(error.value)


@pytest.mark.parametrize("kind", NOT_THERE)
def test_layers_that_netx_does_not_have(said: dict[str, str], kind: str) -> None:
    assert said[f"{kind}.net"] == f"NotImplementedError: {kind} is not implemented."
