"""The text of every refusal of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from slipway.deploy.netx import check_net, read_net
from slipway.errors import (
    CapacityExceeded,
    FileError,
    SlipwayError,
    UnsafeFileError,
    UnsupportedNode,
    UsageError,
)

from . import files
from .files import FLATTEN, Fields
from .layers import ONE, dense, image, pool, resonators, sdnn

# What is read -> field, and what is said.
READ: dict[str, tuple[Callable[[], list[Fields]], str, str]] = {
    "type": (
        lambda: [ONE, dense(type="lstm")],
        "type",
        "layers of type 'lstm': is not known",
    ),
    "convT": (
        lambda: [ONE, dense(type="convT")],
        "type",
        "layers of type 'convT': a transposed convolution has no Lava process",
    ),
    "unpool": (
        lambda: [ONE, dense(type="unpool")],
        "type",
        "layers of type 'unpool': unpooling has no Lava process",
    ),
    "concat": (
        lambda: [ONE, dense(type="concat")],
        "type",
        "layers of type 'concat': a .net file is a list and does not say what is joined",
    ),
    "second input": (lambda: [ONE, ONE, dense()], "type", "an input layer behind other layers"),
    "no shape": (lambda: [ONE, dense(shape=None)], "shape", "the field is missing"),
    "two sizes": (lambda: [ONE, dense(shape=[2, 2])], "shape", "(2, 2): one size, or channels"),
    "no weight": (lambda: [ONE, dense(weight=None)], "weight", "the field is missing"),
    "weight shape": (
        lambda: [ONE, dense(weight=files.even(1, 4, 5))],
        "weight",
        "weights of shape (4, 5); wanted is (4, 3)",
    ),
    "weights off the grid": (
        lambda: [ONE, dense(weight=files.floats([[201, -3, 0]] * 4))],
        "weight",
        "8 of 12 weights are off the grid of mixed 8-bit weights from -3 to 201, such as 201: "
        "legal are multiples of 2, and the hardware would floor the rest",
    ),
    "weights too large": (
        lambda: [ONE, dense(weight=files.floats([[60000, 0, 0]] * 4))],
        "weight",
        "weights from 0 to 60000; 8 bits and an exponent of 7 reach 32640",
    ),
    "fractions": (
        lambda: [ONE, dense(weight=files.floats([[0.5, 2, 2]] * 4))],
        "weight",
        "4 of 12 values are no whole numbers, such as 0.5; netx would cut off their fractions",
    ),
    "not finite": (
        lambda: [ONE, dense(weight=files.floats([[np.nan, 2, 2]] * 4))],
        "weight",
        "4 of 12 values are not finite",
    ),
    "text for a number": (
        lambda: [ONE, dense(neuron__vThMant="high")],
        "neuron/vThMant",
        "'high' is no number",
    ),
    "image into dense": (
        lambda: [files.inputs(3, 1, 2), dense(weight=files.even(1, 4, 6))],
        "type",
        "a dense layer behind an image of shape (3, 1, 2)",
    ),
    "delay shape": (
        lambda: [ONE, dense(delay=np.arange(5))],
        "delay",
        "delays of shape (5,) for weights from 3 to 4",
    ),
    "delay": (
        lambda: [ONE, dense(delay=np.array([1, 63, 2, 3]))],
        "delay",
        "1 of 4 values lie outside 0 to 62 (delay), such as 63",
    ),
    "neuron type": (
        lambda: [ONE, dense(neuron__type="LIFE")],
        "neuron/type",
        "neurons of type 'LIFE': is not known",
    ),
    "ADRF": (
        lambda: [ONE, resonators(neuron__type="ADRF_IZHIKEVICH")],
        "neuron/type",
        "neurons of type 'ADRF_IZHIKEVICH': resonators with an adaptive threshold",
    ),
    "no neuron": (
        lambda: [
            ONE,
            {k: v for k, v in dense().items() if not k.startswith("neuron")},
            dense(weight=files.even(1, 4, 4)),
        ],
        "neuron",
        "the layer has no neuron, so it never spikes, and a layer follows it",
    ),
    "no threshold": (
        lambda: [ONE, dense(neuron__vThMant=None)],
        "neuron/vThMant",
        "the field is missing",
    ),
    "threshold": (
        lambda: [ONE, dense(neuron__vThMant=131072)],
        "neuron/vThMant",
        "1 of 1 values lie outside 0 to 131071 (threshold), such as 131072",
    ),
    "thresholds": (
        lambda: [ONE, dense(neuron__vThMant=[1, 2, 3])],
        "neuron/vThMant",
        "3 values for 4 neurons in 4 channels",
    ),
    "no decay of u": (
        lambda: [ONE, dense(neuron__iDecay=0)],
        "neuron/iDecay",
        "1 of 1 values lie outside 1 to 4096 (decay of u), such as 0",
    ),
    "no memory in v": (
        lambda: [ONE, dense(neuron__vDecay=4096)],
        "neuron/vDecay",
        "a membrane without memory (vDecay 4096) behind a current with one",
    ),
    "bias": (
        lambda: [ONE, dense(bias=[5000, 0, 0, 0])],
        "bias",
        "1 of 4 values lie outside -4096 to 4095 (bias mantissa), such as 5000",
    ),
    "refractory delays": (
        lambda: [ONE, dense(neuron__refDelay=[1, 2, 1, 1])],
        "neuron/refDelay",
        "neurons of a layer with unequal refractory delays",
    ),
    "graded spikes": (
        lambda: [ONE, dense(neuron__gradedSpike=True)],
        "neuron/gradedSpike",
        "CUBA neurons with graded spikes; netx sends spikes of 0 and 1 all the same",
    ),
    "message bits": (
        lambda: [ONE, dense(neuron__messageBits=8)],
        "neuron/messageBits",
        "CUBA neurons with 8 message bits: they send spikes",
    ),
    "weight exponent": (
        lambda: [ONE, dense(neuron__wgtExp=-2)],
        "neuron/wgtExp",
        "a weight exponent of -2: netx ignores it",
    ),
    "complex into CUBA": (
        lambda: [ONE, resonators(**files.cuba())],
        "weight",
        "complex weights into neurons of type CubaLIF",
    ),
    "real into RF": (
        lambda: [ONE, dense(**files.resonator("RF_PHASE", 900, 900, 9))],
        "weight",
        "real weights into neurons of type RF_PHASE",
    ),
    "complex conv": (
        lambda: [
            files.inputs(1, 4, 4),
            {k: v for k, v in image()[1].items() if k != "weight"} | {"weight/real": 1.0},
        ],
        "weight",
        "complex weights in a convolution",
    ),
    "complex recurrent": (
        lambda: [ONE, resonators(type="dense_rec")],
        "weight",
        "complex weights in a recurrent layer",
    ),
    "recurrent delays": (
        lambda: [
            ONE,
            dense(type="dense_rec", weight_rec=files.even(1, 4, 4), delay=[0, 1, 2, 3]),
        ],
        "delay",
        "a recurrent layer whose delays differ",
    ),
    "resonator bias": (
        lambda: [ONE, resonators(bias=[2, 2, 2, 2])],
        "bias",
        "a bias of resonate-and-fire neurons; netx ignores it",
    ),
    "growing resonator": (
        lambda: [ONE, resonators(neuron__sinDecay=5000)],
        "neuron/sinDecay",
        "5000 of 4096: the oscillation would grow",
    ),
    "resonators that differ": (
        lambda: [ONE, resonators(neuron__cosDecay=[1, 2, 3, 4])],
        "neuron/cosDecay",
        "4 different values in a layer; Lava's model has one",
    ),
    "ALIF that differ": (
        lambda: [
            ONE,
            dense(**files.cuba(type="ALIF", thDecay=[1, 2, 3, 4], refDecay=9, vThStep=3)),
        ],
        "neuron/thDecay",
        "4 different values in a layer; Lava's model has one",
    ),
    "ALIF with a refractory delay": (
        lambda: [
            ONE,
            dense(**files.cuba(type="ALIF", thDecay=1, refDecay=9, vThStep=3, refDelay=3)),
        ],
        "neuron/refDelay",
        "ALIF neurons with a refractory delay beside their refractory state",
    ),
    "activation": (
        lambda: sdnn(activation="tanh"),
        "neuron/activation",
        "the activation 'tanh'; netx would compute relu",
    ),
    "sigma output inside": (
        lambda: [*sdnn(sigma_output=True), files.dense(files.even(5, 4, 4), files.sdnn())],
        "neuron/sigma_output",
        "a layer that sums up and is read, and a layer follows it",
    ),
    "conv without an image": (
        lambda: image()[1:],
        "type",
        "nothing states the shape of what the layer reads",
    ),
    "conv behind dense": (
        lambda: [ONE, dense(), image()[1]],
        "type",
        "the layer reads (4,), which is no image",
    ),
    "kernel": (
        lambda: image(groups=2),
        "weight",
        "a kernel of shape (2, 1, 2, 2) for 1 channels in 2 groups",
    ),
    "conv shape": (
        lambda: image(shape=[2, 4, 4]),
        "shape",
        "(2, 4, 4), but kernel, stride, padding and dilation make (2, 3, 3)",
    ),
    "stride": (lambda: image(stride=[1, 1, 1]), "stride", "3 values; one or two are legal"),
    "conv delays": (
        lambda: image(delay=[1, 2, 3]),
        "delay",
        "3 delays for 18 neurons in 2 channels",
    ),
    "pool kernel": (
        lambda: pool(weight=np.ones((1, 2, 2, 2), np.float32)),
        "weight",
        "a kernel of shape (1, 2, 2, 2) for a pool over 1 channels",
    ),
    "average": (
        lambda: [ONE, dense(), {"type": "average", "shape": [3]}],
        "shape",
        "an average of 4 neurons in 3 groups",
    ),
    "average inside": (
        lambda: [ONE, dense(), {"type": "average", "shape": [2]}, dense()],
        "shape",
        "an average of 4 neurons in 2 groups, and a layer follows it",
    ),
}


@pytest.mark.parametrize("name", READ)
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    layers, field, text = READ[name]
    path = files.write(tmp_path / "case.net", *layers())
    with pytest.raises(UnsupportedNode) as error:
        read_net(path, steps=4)
    told = [p for p in error.value.problems if p.where.endswith(f"field {field}")]
    assert any(text in problem.what for problem in told), error.value
    assert all(problem.remedy and str(path) in problem.where for problem in told)


def test_everything_at_once_by_layer(tmp_path: Path) -> None:
    path = files.write(
        tmp_path / "case.net",
        files.inputs(3),
        dense(neuron__vThMant=-1, bias=[0.5, 0, 0, 0]),
        {"type": "unpool", "shape": [4]},
        dense(weight=files.floats([[201, -3, 0, 0]] * 4), neuron__vDecay=9999),
    )
    with pytest.raises(UnsupportedNode) as error:
        read_net(path, steps=4)
    assert [p.where.removeprefix(f"{path}: ") for p in error.value.problems] == [
        "layer 1 (dense), field neuron/vThMant",
        "layer 1 (dense), field bias",
        "layer 2 (unpool), field type",
        "layer 3 (dense), field weight",
        "layer 3 (dense), field neuron/vDecay",
    ]
    checked = check_net(path)
    assert not checked.deployable
    assert {name: node.status for name, node in checked.nodes.items()} == {
        "layer 0 (input)": "interface",
        "layer 1 (dense)": "unsupported",
        "layer 2 (unpool)": "unsupported",
        "layer 3 (dense)": "unsupported",
    }
    assert "neuron/vThMant: 1 of 1 values" in checked.nodes["layer 1 (dense)"].reason


@pytest.mark.parametrize(
    ("layers", "kind"),
    [
        (
            lambda: [ONE, dense(**files.cuba(type="ALIF", thDecay=1, refDecay=9, vThStep=3))],
            "ALIF",
        ),
        (sdnn, "SDNN"),
        (lambda: [ONE, resonators()], "RF_PHASE"),
    ],
)
def test_what_cannot_be_cleared(tmp_path: Path, layers: Any, kind: str) -> None:
    path = files.write(tmp_path / "case.net", *layers())
    with pytest.raises(
        UnsupportedNode, match=f"{kind} neurons cannot be cleared every 9 steps"
    ):
        read_net(path, steps=4, reset_interval=9)


def test_options(tmp_path: Path) -> None:
    path = files.write(tmp_path / "case.net", ONE, dense())
    with pytest.raises(UsageError, match="does not say for how many time steps a sample lasts"):
        read_net(path)
    with pytest.raises(UsageError, match="0 time steps are too few"):
        read_net(path, steps=0)
    with pytest.raises(UsageError, match="a reset interval of 0 steps"):
        read_net(path, steps=3, reset_interval=0)
    silent = files.write(tmp_path / "silent.net", ONE, dense(**files.cuba(4096, 0, 131071)))
    with pytest.raises(UsageError, match=r"the last layer \(readout\) does not spike"):
        read_net(silent, steps=3, readout="count")
    values = files.write(tmp_path / "values.net", files.inputs(3, **files.cuba()), dense())
    with pytest.raises(UnsupportedNode, match="samples scaled by 0 into -255 to 255"):
        read_net(values, steps=3, input_scale=0)
    with pytest.raises(CapacityExceeded, match="the input sends values"):
        read_net(values, steps=3, target="loihi1")
    stated = files.write(tmp_path / "stated.net", ONE, dense(), Ts=2, tSample=64)
    assert (read_net(stated).steps, read_net(stated).dt) == (32, 2e-3)


def test_only_layers_without_synapses(tmp_path: Path) -> None:
    path = files.write(tmp_path / "case.net", files.inputs(3), FLATTEN)
    with pytest.raises(UnsupportedNode, match="no layer computes anything"):
        read_net(path, steps=3)
    assert check_net(path).nodes["file"].reason == "no layer computes anything"


def test_fields_that_nobody_knows_are_named(tmp_path: Path) -> None:
    path = files.write(tmp_path / "case.net", ONE, dense(colour=3, neuron__mood=1))
    assert read_net(path, steps=3).report["warnings"] == [
        "layer 1 (dense): not read: colour, neuron/mood"
    ]


def _file(path: Path, fill: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def test_files(tmp_path: Path) -> None:
    def says(path: Path, text: str, kind: type[SlipwayError] = FileError) -> None:
        with pytest.raises(kind) as error:
            read_net(path, steps=3)
        assert text in str(error.value)

    says(tmp_path, "this is a folder, not a .net file")
    says(tmp_path / "none.net", "there is no such file")
    (tmp_path / "empty.net").touch()
    says(tmp_path / "empty.net", "the file is empty")
    (tmp_path / "text.net").write_text("layer 0")
    says(tmp_path / "text.net", "this cannot be read as an HDF5 file of 7 bytes")
    nir = _file(tmp_path / "nir.net", lambda f: f.create_dataset("node/type", data="NIRGraph"))
    says(nir, "this HDF5 file holds no lava-dl network: no layer/0, its root holds node")
    gap = _file(tmp_path / "gap.net", lambda f: f.create_group("layer/1"))
    says(gap, "the 1 layers must be numbered 0 to 0; found is 1")
    flat = _file(tmp_path / "flat.net", lambda f: f.create_dataset("layer/0", data=1))
    says(flat, "layer 0 is no group of fields")

    def many(file: h5py.File) -> None:
        for index in range(1001):
            file.create_group(f"layer/{index}")

    says(_file(tmp_path / "many.net", many), "1001 layers; the limit is 1000")

    def link(file: h5py.File) -> None:
        file["layer"] = h5py.ExternalLink("/etc/passwd", "/layer")

    path = _file(tmp_path / "link.net", link)
    says(path, "an external link to /etc/passwd:/layer", UnsafeFileError)

    def bomb(file: h5py.File) -> None:
        file.create_dataset("layer/0/weight", (2**29,), "f4", chunks=True, compression="gzip")

    path = _file(tmp_path / "bomb.net", bomb)
    says(
        path, "the datasets declare 2147483648 bytes, the limit is 1073741824", UnsafeFileError
    )
    path = _file(
        tmp_path / "complex.net", lambda f: f.create_dataset("layer/0/weight", data=1j)
    )
    says(path, "values of type complex128; numbers or text are legal")
