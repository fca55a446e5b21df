"""The text of every refusal of a Program that no .net file can say."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy.formats import WeightFormat
from slipway.deploy.netx import read_net, write_net
from slipway.deploy.neurons.first_spike import FirstSpike
from slipway.deploy.program import Input, Output, Program, Projection
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import from_matrix
from slipway.errors import (
    UnsupportedNode,
)

from . import files
from .files import Fields
from .layers import ONE, dense, image, resonators, sdnn

# A sound Program, and what makes it one that no .net file can say.


def sound(*layers: Fields) -> Program:
    with tempfile.TemporaryDirectory() as folder:
        stack = layers or (ONE, dense(), dense(weight=files.even(6, 4, 4)))
        return read_net(files.write(Path(folder) / "case.net", *stack), steps=5)


def with_neuron(program: Program, index: int = 0, **changes: Any) -> Program:
    populations = list(program.populations)
    neuron = replace(populations[index].neuron, **changes)
    populations[index] = replace(populations[index], neuron=neuron)
    return replace(program, populations=tuple(populations))


def with_projection(program: Program, index: int = 0, **changes: Any) -> Program:
    projections = list(program.projections)
    projections[index] = replace(projections[index], **changes)
    return replace(program, projections=tuple(projections))


def more(program: Program, projection: Projection) -> Program:
    return replace(program, projections=(*program.projections, projection))


def matrix(rows: int, columns: int, value: int = 2, exponent: int = 0) -> Dense:
    weight = np.full((rows, columns), value, np.int16)
    weight[0, 0] = -value
    return Dense(weight, WeightFormat(8, exponent))


def _conv(**changes: Any) -> Program:
    program = sound(*image())
    synapse: Any = program.projections[0].synapse
    return with_projection(program, synapse=replace(synapse, **changes))


WRITE: dict[str, tuple[Callable[[], Program], str]] = {
    "float": (lambda: replace(sound(), precision="float"), "a Program in floating point"),
    "inputs": (
        lambda: replace(
            sound(), inputs=(*sound().inputs, Input("other", (2,), False, 1.0, 0.0, 1.0))
        ),
        "2 inputs (input, other); a .net file has one",
    ),
    "outputs": (
        lambda: replace(sound(), outputs=(*sound().outputs, Output("b", "dense1", "count"))),
        "2 outputs (output, b); a .net file has one",
    ),
    "output inside": (
        lambda: replace(sound(), outputs=(Output("output", "dense1", "count"),)),
        "dense1 is read, and is not the last",
    ),
    "skip": (
        lambda: more(sound(), Projection("skip", "input", "dense2", matrix(4, 3))),
        "it reads input; netx would connect dense1 to it, alone",
    ),
    "two projections": (
        lambda: more(sound(), Projection("twice", "dense1", "dense2", matrix(4, 4))),
        "2 projections (dense1->dense2, twice); netx has one",
    ),
    "reset": (
        lambda: with_neuron(sound(), reset="subtract"),
        "a reset by subtraction; netx's neurons reset to 0",
    ),
    "reset to a value": (
        lambda: with_neuron(sound(), reset="value"),
        "a reset to a value; netx's neurons reset to 0",
    ),
    "refractory": (
        lambda: with_neuron(sound(), refractory=2),
        "a refractory period of 2 steps, which netx ignores",
    ),
    "bias exponent": (
        lambda: with_neuron(sound(), bias_mantissa=np.array([3]), bias_exponent=2),
        "1 of 1 biases are no multiples of 64, such as 12; the file holds whole numbers of 64",
    ),
    "large bias": (
        lambda: with_neuron(sound(), bias_mantissa=np.array([4095]), bias_exponent=7),
        "a bias of 524160; the file holds -4096 to 4095 times 64",
    ),
    "start": (
        lambda: with_neuron(sound(), initial_voltage=np.array([5])),
        "a membrane that starts at another value than 0",
    ),
    "onset": (
        lambda: with_neuron(sound(), onset=7),
        "u and v are cleared at step 7; netx can clear them at 2",
    ),
    "intervals": (
        lambda: with_neuron(sound(), reset_interval=9, onset=2),
        "layers that are cleared differently (0, 9 steps); netx clears all alike",
    ),
    "biases at different steps": (
        lambda: with_neuron(
            with_neuron(sound(), bias_mantissa=np.array([1]), bias_exponent=6, onset=2),
            1,
            bias_mantissa=np.array([1]),
            bias_exponent=6,
        ),
        "some biases begin with the first input and others at step 1",
    ),
    "early spikes that stay": (
        lambda: with_projection(
            with_neuron(
                sound(),
                bias_mantissa=np.array([4000]),
                bias_exponent=6,
                onset=2,
                initial_voltage=np.array([-5120 * 32]),
            ),
            1,
            delay=3,
        ),
        "biases that make neurons spike before the first input arrives, beside delays",
    ),
    "other neurons": (
        lambda: replace(
            sound(),
            populations=(
                replace(
                    sound().populations[0],
                    neuron=FirstSpike(*(np.zeros(1, np.int64),) * 3, 2, 4),
                ),
                sound().populations[1],
            ),
        ),
        "netx has no time to first spike neurons",
    ),
    "bias neuron": (
        lambda: replace(
            sound(),
            populations=(replace(sound().populations[0], kind="bias"), sound().populations[1]),
        ),
        "an added neuron that carries a bias as a current",
    ),
    "two parts": (
        lambda: more(
            sound(), Projection("dense1->dense2.low", "dense1", "dense2", matrix(4, 4))
        ),
        "the low part of weights in two parts; a .net file holds 8 bits",
    ),
    "exponent": (
        lambda: with_projection(sound(), synapse=matrix(4, 3, exponent=-3)),
        "12 of 12 weights are no whole numbers, such as -2 * 2**-3; a .net file has no ",
    ),
    "all zero": (
        lambda: with_projection(
            sound(), synapse=Dense(np.zeros((4, 3), np.int16), WeightFormat())
        ),
        "all weights are 0, where netx stops with an OverflowError",
    ),
    "clipped": (
        lambda: with_projection(sound(), synapse=matrix(4, 3, 200, exponent=1)),
        "signs are mixed, and netx clips weights from -400 to 400 to -256..254",
    ),
    "shifted away": (
        lambda: with_projection(
            sound(),
            synapse=Dense(np.full((4, 3), 200, np.int16), WeightFormat(8, 2, "excitatory")),
        ),
        "weights reach 800, and netx shifts them by -2 bits to the left",
    ),
    "power of two": (
        lambda: with_projection(
            sound(),
            synapse=Dense(np.full((4, 3), -64, np.int16), WeightFormat(8, 0, "inhibitory")),
        ),
        "netx asks for 0 weight bits; the hardware has 1 to 8",
    ),
    "changed": (
        lambda: with_projection(
            sound(),
            synapse=Dense(
                np.array([[-4, 0, -2]] * 4, np.int16), WeightFormat(8, 0, "inhibitory")
            ),
        ),
        "netx and Lava would change 4 of 12 weights, such as -4 to ",
    ),
    "conv delay": (
        lambda: with_projection(sound(*image()), delay=2),
        "a delay of 2 steps at a convolution, which netx ignores",
    ),
    "conv exponent": (
        lambda: _conv(weight=np.full((2, 1, 2, 2), 254, np.int16), format=WeightFormat(8, 1)),
        "weights of a convolution that need an exponent: netx has none there",
    ),
    "conv loop": (
        lambda: more(sound(*image()), Projection("loop", "conv1", "conv1", matrix(18, 18))),
        "a recurrent convolution",
    ),
    "image behind a matrix": (
        lambda: with_projection(sound(*image()), synapse=matrix(18, 16)),
        "an image of shape (2, 3, 3) behind a matrix; netx flattens it",
    ),
    "conv behind a flat layer": (
        lambda: with_projection(
            sound(),
            1,
            synapse=Conv2d(
                np.full((4, 4, 1, 1), 2, np.int16), (4, 1, 1), format=WeightFormat()
            ),
        ),
        "a convolution over (4, 1, 1) of what has the shape (4,)",
    ),
    "delayed loop": (
        lambda: with_projection(
            more(sound(), Projection("loop", "dense1", "dense1", matrix(4, 4))), delay=2
        ),
        "a recurrent layer with delays, which netx gives to both of its matrices",
    ),
    "delays into resonators": (
        lambda: with_projection(sound(ONE, resonators()), delay=1),
        "delays into resonators, which netx drops",
    ),
    "conv into resonators": (
        lambda: with_projection(
            sound(ONE, resonators()),
            synapse=Conv2d(
                np.full((4, 3, 1, 1), 2, np.int16), (3, 1, 1), format=WeightFormat()
            ),
        ),
        "a convolution into resonators",
    ),
    "loop of resonators": (
        lambda: more(
            sound(ONE, resonators()),
            Projection("loop", "dense1", "dense1", matrix(4, 4), port="real"),
        ),
        "a recurrent layer of resonators",
    ),
    "state exponent of resonators": (
        lambda: with_neuron(sound(ONE, resonators()), state_exponent=5),
        "a state exponent of 5; netx has 6",
    ),
    "exact": (
        lambda: with_neuron(sound(*sdnn()), 1, exact=True),
        "slipway's exact sigma-delta neurons; netx has Lava's, which lose low bits",
    ),
    "ceiling": (
        lambda: with_neuron(sound(*sdnn()), 1, ceiling=np.array([9])),
        "sigma-delta neurons with a ceiling",
    ),
    "sigma-delta onset": (
        lambda: with_neuron(sound(*sdnn()), 1, onset=3),
        "sigma-delta neurons with an onset at step 3",
    ),
    "initial sum": (
        lambda: with_neuron(sound(*sdnn()), 1, initial=np.array([3])),
        "a sum that starts at another value than 0",
    ),
    "sigma-delta form": (
        lambda: with_neuron(sound(*sdnn()), 1, activation="identity"),
        "a sigma-delta neuron with activation identity, an input shifted by 0 and a sum",
    ),
    "sigma-delta bits": (
        lambda: with_neuron(sound(*sdnn()), 1, state_exponent=2),
        "2 low bits of the state; netx has 6",
    ),
    "sigma-delta thresholds": (
        lambda: with_neuron(sound(*sdnn()), 1, threshold=np.array([4096, 8192, 0, 0])),
        "thresholds of 0 to 8192; a layer of the file holds one multiple of 4096",
    ),
    "scale": (
        lambda: replace(sound(*sdnn()), inputs=(replace(sound(*sdnn()).inputs[0], scale=2.5),)),
        "samples scaled by 2.5; netx cuts it off to 2",
    ),
    "biases of an input layer": (
        lambda: with_neuron(
            sound(files.inputs(3, **files.cuba()), dense()),
            bias_mantissa=np.array([1, 2, 3]),
            bias_exponent=6,
            onset=2,
        ),
        "an input layer with a bias for each neuron",
    ),
    "large matrix": (
        lambda: with_projection(
            sound(),
            synapse=replace(
                from_matrix(np.eye(4, 3, dtype=np.int16), WeightFormat()), shape=(4, 2**27)
            ),
        ),
        "a matrix of 536870912 weights; the limit is 268435456",
    ),
}


@pytest.mark.parametrize("name", WRITE)
def test_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    make, text = WRITE[name]
    path = tmp_path / "case.net"
    with pytest.raises(UnsupportedNode) as error:
        write_net(make(), path)
    assert any(text in problem.what for problem in error.value.problems), error.value
    assert all(problem.where and problem.remedy for problem in error.value.problems)
    assert not path.exists()


def test_all_reasons_at_once(tmp_path: Path) -> None:
    program = with_neuron(with_neuron(sound(), refractory=1), 1, reset="subtract")
    with pytest.raises(UnsupportedNode) as error:
        write_net(
            with_projection(program, 1, synapse=matrix(4, 4, exponent=-5)), tmp_path / "a"
        )
    assert [p.where for p in error.value.problems] == [
        "population dense1",
        "population dense2",
        "projection dense1->dense2",
    ]


def test_what_netx_must_be_told(tmp_path: Path) -> None:
    values = [files.inputs(3, bias=files.floats([2]), **files.cuba(4096, 9, 50)), dense()]
    program = sound(*values)
    told = write_net(program, tmp_path / "a.net")
    assert told.arguments == {"reset_interval": 7, "reset_offset": 0}
    assert told.notes == (
        "connect the samples to net.in_layer.neuron.a_in: netx leaves the port net.inp "
        "unconnected, and this layer answers in the step in which it is fed",
        "present a sample every 7 steps, the first at step 1",
    )
    silent = sound(ONE, dense(**files.cuba(4096, 0, 131071)))
    told = write_net(silent, tmp_path / "b.net")
    assert told.arguments == {}
    assert told.notes == ("the output is the last membrane: read it from net.out_layer.neuron",)
