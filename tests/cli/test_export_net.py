""".net files on the command line: in, looked at, and out again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from slipway.deploy.storage import load_program

from ..deploy.netx import files
from .conftest import Slipway


@pytest.fixture
def net(tmp_path: Path) -> Path:
    first, second = files.even(1, 6, 4), files.even(2, 3, 6)
    layers = [files.inputs(4), files.dense(first), files.dense(second)]
    return files.write(tmp_path / "case.net", *layers, Ts=1, tSample=9)


def test_in_and_out_again(net: Path, tmp_path: Path, slipway: Slipway) -> None:
    program, again = tmp_path / "a.slip", tmp_path / "again.net"
    outcome = slipway("compile", net, "-o", program, "--steps", 5)
    assert outcome.code == 0, outcome.err
    made = load_program(program)
    assert (made.steps, made.dt, made.precision) == (5, 1e-3, "fixed")
    assert made.provenance["network"]["file"] == str(net)
    outcome = slipway("export-net", program, "-o", again)
    assert outcome.code == 0, outcome.err
    assert f"network: {again}" in outcome.out.replace("\n", "")
    assert f"lava.lib.dl.netx.hdf5.Network('{again}')" in outcome.out.replace("\n", "")
    outcome = slipway("compile", again, "-o", tmp_path / "b.slip")
    assert outcome.code == 0, outcome.err
    before = made.projections[1].synapse.weight
    after = load_program(tmp_path / "b.slip").projections[1].synapse.weight
    np.testing.assert_array_equal(before, after)


def test_what_netx_must_be_told_is_json(tmp_path: Path, slipway: Slipway) -> None:
    neuron = files.cuba(4096, 100, 60)
    layer = files.dense(files.even(3, 2, 3), neuron, bias=files.floats([2, 4]))
    path = files.write(tmp_path / "a.net", files.inputs(3), layer)
    assert slipway("compile", path, "-o", tmp_path / "a.slip", "--steps", 6).code == 0
    outcome = slipway("export-net", tmp_path / "a.slip", "-o", tmp_path / "b.net", "--json")
    facts = json.loads(outcome.out)
    assert facts["arguments"] == {"reset_interval": 7, "reset_offset": 1}
    assert facts["notes"] == ["present a sample every 7 steps, the first at step 1"]
    text = slipway("export-net", tmp_path / "a.slip", "-o", tmp_path / "b.net").out
    assert "reset_interval=7, reset_offset=1)" in text.replace("\n", "")


def test_check(net: Path, tmp_path: Path, slipway: Slipway) -> None:
    outcome = slipway("check", net)
    assert outcome.code == 0, outcome.err
    assert "deployable on loihi2" in outcome.out.replace("\n", " ")
    facts = json.loads(slipway("check", net, "--json").out)
    assert facts["nodes"]["dense1"] == {"status": "stock", "reason": "Lava LIF", "remedy": ""}
    assert facts["resources"]["neurons"]["used"] == 9
    bad = files.write(
        tmp_path / "bad.net",
        files.inputs(4),
        {**files.dense(files.even(1, 2, 4)), "type": "convT"},
    )
    outcome = slipway("check", bad, "--json")
    assert outcome.code == 1
    node = json.loads(outcome.out)["nodes"]["layer 1 (convT)"]
    assert node["status"] == "unsupported"
    assert "a transposed convolution has no Lava process" in node["reason"]
    outcome = slipway("compile", bad, "-o", tmp_path / "a.slip", "--steps", 3)
    assert outcome.code == 1
    assert "layers of type 'convT'" in outcome.err


def test_inspect(net: Path, slipway: Slipway) -> None:
    facts = json.loads(slipway("inspect", net, "--json").out)
    assert [f["type"] for f in facts["layers"]] == ["input", "dense", "dense"]
    assert facts["layers"][1]["neuron"] == "CUBA"
    assert facts["layers"][1]["weights"] == 24
    assert "neuron/vThMant" in facts["layers"][1]["fields"]
    assert facts["simulation"] == {"Ts": 1, "tSample": 9}
    assert "3 layers, 42 weights, Ts 1, tSample 9" in slipway("inspect", net).out


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("compile", ["--weight-bits", "4", "--reset", "zero"]),
        ("compile", ["--precision", "float"]),
        ("compile", ["--calibrate", "data.npz"]),
        ("compile", ["--code", "ttfs"]),
        ("check", ["--input-encoding", "spikes"]),
    ],
)
def test_options_that_would_change_numbers(
    net: Path, tmp_path: Path, slipway: Slipway, verb: str, options: list[str]
) -> None:
    output = ["-o", tmp_path / "a.slip"] if verb == "compile" else []
    outcome = slipway(verb, net, *options, *output)
    assert outcome.code == 2
    given = ", ".join(option for option in options if option.startswith("--"))
    assert f"{given}: a .net file has its own integers" in outcome.err
    assert "to do: leave these options out, or export the network as NIR" in outcome.err


def test_a_program_that_no_file_can_say(here: Path, tmp_path: Path, slipway: Slipway) -> None:
    outcome = slipway("export-net", here / "float.slip", "-o", tmp_path / "a.net")
    assert outcome.code == 1
    assert "a Program in floating point" in outcome.err
    assert not (tmp_path / "a.net").exists()
