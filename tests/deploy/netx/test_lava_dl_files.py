"""The networks of lava-dl's own tests, which its wheel brings along, and the real files."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import files as installed
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy.netx import read_net, write_net
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.run import run
from slipway.deploy.verify import verify

from .running import DATA, assert_alike, needs_data, needs_netx, run_netx

FOLDER = "tests/lava/lib/dl/netx/"


def theirs(name: str) -> Path:
    found = [f for f in installed("lava-dl") or () if str(f) == FOLDER + name]
    return Path(str(found[0].locate()))


@needs_netx
def test_ntidigits(tmp_path: Path) -> None:
    """Delays on the outputs, and an average at the end, which netx lacks."""
    path = theirs("gts/ntidigits/ntidigits.net")
    program = read_net(path)
    assert program.steps == 3000
    assert program.populations[-1].kind == "readout"
    messages = np.load(theirs("gts/ntidigits/input.npy")).T[:300].astype(np.int32)
    found = run_netx(tmp_path, path, messages, {"num_layers": 5})
    names = ("average5",)
    assert assert_alike(program, messages, found, skip=names) > 1000
    told = write_net(program, tmp_path / "again.net")
    assert "reset_interval" not in told.arguments
    again = tmp_path / "again"
    again.mkdir()
    # Written as a matrix of ones and an integrator, the average runs in netx too.
    found = run_netx(again, tmp_path / "again.net", messages, told.arguments)
    assert assert_alike(program, messages, found) > 1000


@needs_netx
def test_slayers_ground_truth_of_ntidigits() -> None:
    """What slayer computed, in 3,000 steps of 242 neurons, behind two layers of delays."""
    program = read_net(theirs("gts/ntidigits/ntidigits.net"))
    x = np.load(theirs("gts/ntidigits/input.npy")).T.reshape(1, 3000, 1, 1, 64)
    truth = np.load(theirs("gts/ntidigits/output.npy")).T
    assert truth.sum() == 22572
    raster = run(program, x, record=True).trace.rasters["dense4"].s[0]
    np.testing.assert_array_equal(raster[: len(truth) - 1], truth[1:])


@needs_netx
def test_tinynet(tmp_path: Path) -> None:
    """Values into the neurons of an input layer, convolutions with biases."""
    path = theirs("tiny.net")
    program = read_net(path)
    assert (program.steps, program.inputs[0].scale) == (64, 36.0)
    picture = np.random.default_rng(1).integers(0, 37, (1, 768)).astype(np.int32)
    messages = np.repeat(picture, 30, axis=0)
    found = run_netx(
        tmp_path, path, messages + 34, {"reset_interval": 40, "reset_offset": 0}, values=True
    )
    assert assert_alike(program, messages, found, values=True, first=1) > 1000


@needs_netx
def test_mnist_with_an_integrator_at_its_end() -> None:
    program = read_net(theirs("mnist.net"))
    last = program.populations[-1]
    assert (last.kind, program.outputs[0].readout) == ("readout", "last")
    x = np.random.default_rng(2).random((2, 784))
    checked = verify(program, x, engines=("reference", "fast"))
    assert checked.equal, checked.first_mismatch


@needs_netx
def test_pilotnet_of_sigma_delta_neurons(tmp_path: Path) -> None:
    path = theirs("gts/pilotnet_sdnn/square_network.net")
    program = read_net(path, steps=6)
    rng = np.random.default_rng(3)
    messages = np.cumsum(rng.integers(-9, 10, (6, 3 * 33 * 33)), axis=0).astype(np.int32)
    late = np.concatenate([np.zeros_like(messages[:1]), messages])
    found = run_netx(tmp_path, path, late, values=True)
    assert assert_alike(program, messages, found) > 10_000


@needs_netx
def test_pilotnets_ground_truth() -> None:
    """lava-dl's own expectation of nine steps, a picture of integers at each of them.

    Its biases and its first input come at the same step, which an onset says.
    """
    program = read_net(theirs("gts/pilotnet_sdnn/network.net"), steps=9, input_scale=1)
    together = tuple(
        replace(p, neuron=replace(p.neuron, onset=2))
        for p in program.populations
        if isinstance(p.neuron, SigmaDelta)
    )
    picture = np.load(theirs("gts/pilotnet_sdnn/input.npy"))[..., 0].transpose(2, 1, 0)
    truth = np.load(theirs("gts/pilotnet_sdnn/output.npy"))[0]
    x = np.repeat(picture[None], 9, axis=0)[None].astype(np.float64)
    late = replace(program, populations=together)
    outcome = run(late, x, record=True, engine="reference")
    sigma = outcome.trace.rasters["dense9"].states["sigma"][0, :, 0]
    np.testing.assert_array_equal(sigma[1:10], truth)


@needs_data
@pytest.mark.parametrize("name", ["oxford_200_256_200", "mnist_784_128_64_10"])
def test_real_files_on_every_engine(name: str) -> None:
    pytest.importorskip("lava.magma", reason="Lava is not installed")
    program = read_net(DATA / f"{name}.net", steps=12)
    x: Any = np.random.default_rng(4).random((2, 12, program.inputs[0].size)) < 0.02
    checked = verify(program, x.astype(np.float64), engines=("reference", "fast", "lava"))
    assert checked.equal, checked.first_mismatch
    assert sum(checked.compared.values()) > 10_000
