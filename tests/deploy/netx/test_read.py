"""What netx cannot load, against sums made by hand; and what fields become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy.netx import read_net
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.program import Program
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.sparse import Sparse
from slipway.deploy.verify import verify

from . import files
from .files import FLATTEN, Fields
from .layers import ONE, resonators
from .running import DATA, needs_data, run_ours

SUM = files.cuba(4096, 0, 131071)
"""v is the sum of everything that has arrived, in 1/64."""


def read(folder: Path, *layers: Fields, **options: Any) -> Program:
    return read_net(files.write(folder / "case.net", *layers), **{"steps": 5, **options})


def sums(program: Program, messages: Any) -> Any:
    """v / 64 of the last population, (steps, n)."""
    return run_ours(program, messages)[program.populations[-1].name].states["v"][0] // 64


def pool(shape: tuple[int, int, int], kernel: int, **more: Any) -> Fields:
    weight = np.full((1, 1, kernel, kernel, 1), 16, np.float32)
    layer = files.conv(weight, shape, SUM, stride=(kernel, kernel))
    return {**layer, "type": "pool", **more}


def test_a_pool_sums_up_each_channel(tmp_path: Path) -> None:
    program = read(tmp_path, files.inputs(3, 4, 6), pool((3, 2, 3), 2))
    synapse = program.projections[0].synapse
    assert isinstance(synapse, Conv2d)
    assert synapse.groups == 3
    image = np.random.default_rng(1).integers(0, 2, (1, 3, 4, 6))
    wanted = 16 * image[0].reshape(3, 2, 2, 3, 2).sum(axis=(2, 4))
    np.testing.assert_array_equal(sums(program, image.reshape(1, -1))[1], wanted.ravel())


def test_a_pool_over_sizes_that_the_kernel_does_not_divide(tmp_path: Path) -> None:
    """slayer adds size % kernel zeros below and to the right."""
    program = read(tmp_path, files.inputs(2, 5, 7), pool((2, 2, 2), 3))
    image = np.random.default_rng(2).integers(0, 2, (1, 2, 5, 7))
    wide = np.zeros((2, 7, 8), int)  # 5 % 3 = 2 rows, 7 % 3 = 1 column
    wide[:, :5, :7] = image[0]
    wanted = 16 * wide[:, :6, :6].reshape(2, 2, 3, 2, 3).sum(axis=(2, 4))
    np.testing.assert_array_equal(sums(program, image.reshape(1, -1))[1], wanted.ravel())
    assert isinstance(program.projections[0].synapse, Sparse)


def test_an_average_reads_the_share_of_each_group(tmp_path: Path) -> None:
    fires = files.cuba(4096, 4095, 1)
    program = read(
        tmp_path,
        files.inputs(6),
        files.dense(2 * np.eye(6, dtype=np.float32), fires),
        {"type": "average", "shape": np.array([2, 1, 1])},
    )
    messages = np.random.default_rng(3).integers(0, 2, (5, 6))
    shown = sums(program, messages)[-1]
    assert program.populations[-1].scale == [3.0]
    np.testing.assert_array_equal(shown, messages.reshape(5, 2, 3).sum(axis=(0, 2)))
    assert program.outputs[0].readout == "last"


@pytest.mark.parametrize("count", [3, 12])
def test_delays_of_a_convolution(tmp_path: Path, count: int) -> None:
    """One for each channel, or for each neuron; one for all stays with the convolution."""
    kernel = files.even(4, 3, 1, 2, 2)
    plain = read(tmp_path, files.inputs(1, 3, 3), files.conv(kernel, (3, 2, 2), SUM), steps=9)
    delay = np.random.default_rng(5).integers(0, 6, count)
    late = files.conv(kernel, (3, 2, 2), SUM, delay=delay)
    program = read(tmp_path, files.inputs(1, 3, 3), late, steps=9)
    messages = np.random.default_rng(6).integers(0, 2, (9, 9))
    one, other = sums(plain, messages), sums(program, messages)
    for neuron, steps in enumerate(np.repeat(delay, 12 // count)):
        np.testing.assert_array_equal(other[steps:, neuron], one[: 10 - steps, neuron])


def test_one_delay_stays_with_the_convolution(tmp_path: Path) -> None:
    layer = files.conv(files.even(4, 3, 1, 2, 2), (3, 2, 2), delay=np.array([4, 4, 4]))
    projection = read(tmp_path, files.inputs(1, 3, 3), layer).projections[0]
    assert isinstance(projection.synapse, Conv2d)
    assert projection.delay == 4


def test_adaptive_neurons(tmp_path: Path) -> None:
    neuron = files.cuba(
        1000, 200, 90, type="ALIF", thDecay=30, refDecay=40, vThStep=25, refDelay=1
    )
    program = read(tmp_path, ONE, files.dense(files.even(7, 5, 3), neuron))
    found: Any = program.populations[0].neuron
    assert isinstance(found, AdaptiveLif)
    values = {
        "current_decay": 999,
        "voltage_decay": 200,
        "threshold_decay": 30,
        "refractory_decay": 40,
        "threshold": 90,
        "threshold_step": 25,
    }
    assert {name: int(getattr(found, name)[0]) for name in values} == values
    raster = run_ours(program, np.ones((60, 3), int))["dense1"].s
    assert 0 < raster.sum() < raster.size


def test_complex_layers_by_both_names(tmp_path: Path) -> None:
    one = read(tmp_path, ONE, resonators())
    other = read(tmp_path, ONE, resonators(type="dense_comp"))
    for program in (one, other):
        assert [(p.port, p.target[:5]) for p in program.projections] == [
            ("real", "dense"),
            ("imaginary", "dense"),
        ]
    messages = np.random.default_rng(8).integers(0, 2, (50, 3))
    rasters = run_ours(one, messages)["dense1"], run_ours(other, messages)["dense_comp1"]
    np.testing.assert_array_equal(rasters[0].s, rasters[1].s)


def test_a_neuron_without_any_memory(tmp_path: Path) -> None:
    """Both decays of 4096: it spikes where the current of this step exceeds its threshold."""
    weight = files.even(9, 4, 3)
    program = read(tmp_path, ONE, files.dense(weight, files.cuba(4096, 4096, 30)))
    found = program.populations[0].neuron
    assert isinstance(found, CubaLif)
    assert (found.reset_interval, found.onset) == (1, 0)
    messages = np.random.default_rng(10).integers(0, 2, (20, 3))
    raster = run_ours(program, messages)["dense1"].s[0]
    np.testing.assert_array_equal(raster[1:21], messages @ weight.T > 30)


def test_a_layer_without_neuron_sums_up(tmp_path: Path) -> None:
    weight = files.even(11, 4, 3)
    layer = {"type": "dense", "shape": np.array([4]), "weight": weight}
    program = read(tmp_path, ONE, layer)
    messages = np.random.default_rng(12).integers(0, 2, (5, 3))
    np.testing.assert_array_equal(sums(program, messages)[5], messages.sum(axis=0) @ weight.T)
    assert (program.populations[0].kind, program.outputs[0].readout) == ("readout", "last")


def test_weights_are_the_files_integers(tmp_path: Path) -> None:
    """Beyond 8 bits with an exponent, below with as few bits as hold them."""
    for weight, bits, exponent in (
        ([[300, 510, 2]], 8, 1),
        ([[4, -12, 0]], 3, -4),
        ([[1016, -8, 0]], 8, 2),
        ([[-1, -1, -1]], 1, -7),
        ([[0, 0, 0]], 1, 0),
    ):
        program = read(tmp_path, ONE, files.dense(files.floats(weight)))
        layout = program.projections[0].synapse.format
        assert layout is not None
        assert (layout.bits, layout.exponent) == (bits, exponent)
        effective = program.projections[0].synapse.weight * 2.0**exponent
        np.testing.assert_array_equal(effective, weight)


def test_names_scales_and_times(tmp_path: Path) -> None:
    program = read(
        tmp_path,
        files.inputs(3, **files.sdnn(2)),
        files.dense(files.even(13, 4, 3), files.sdnn(1), name="hidden"),
        files.dense(files.even(14, 2, 4), files.sdnn(1), name="hidden"),
        exact=True,
        input_scale=8,
        input_range=(-9, 9),
        dt=2e-3,
        readout="mean",
    )
    assert [p.name for p in program.populations] == ["input0", "hidden", "dense2"]
    assert [p.depth for p in program.populations] == [1, 2, 3]
    assert all(isinstance(p.neuron, SigmaDelta) and p.neuron.exact for p in program.populations)
    entry = program.inputs[0]
    assert (entry.scale, entry.minimum, entry.maximum) == (8.0, -9.0, 9.0)
    assert (program.dt, program.outputs[0].readout) == (2e-3, "mean")
    assert program.provenance["layers"] == ["input", "dense", "dense"]


def test_a_bound_that_does_not_hold_is_a_warning(tmp_path: Path) -> None:
    weight = np.full((1, 600), 254, np.float32)
    weight[0, 0] = -2
    layers = files.inputs(600), files.dense(weight, files.cuba(1, 1, 131000))
    warnings = read(tmp_path, *layers, steps=50).report["warnings"]
    assert len(warnings) == 1
    assert warnings[0].startswith(
        "dense1: not proven: the current of one step can reach 152146; the limit is 131071"
    )


def test_reference_and_engine_agree(tmp_path: Path) -> None:
    program = read(
        tmp_path,
        files.inputs(2, 5, 7),
        {**pool((2, 2, 2), 3), **files.cuba(2000, 100, 20)},
        FLATTEN,
        files.recurrent(
            files.even(15, 6, 8),
            files.even(16, 6, 6, low=-9, high=9),
            bias=files.floats([2] * 6),
        ),
        {"type": "average", "shape": np.array([3])},
        steps=30,
    )
    x = np.random.default_rng(17).integers(0, 2, (2, 30, 2, 5, 7)).astype(np.float64)
    checked = verify(program, x, engines=("reference", "fast"))
    assert checked.equal, checked.first_mismatch


@needs_data
def test_a_membrane_that_a_files_integers_could_clip_is_a_warning() -> None:
    program = read_net(DATA / "mnist_784_128_64_10.net", steps=16)
    (first, *_) = program.report["warnings"]
    told = "dense0: v can reach -36762916; the limit is -8388607: that v is never clipped"
    assert first.startswith(told)
    assert "every source that feeds a negative weight of neuron" in first
