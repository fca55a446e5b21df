"""Small networks made by hand, each for one thing that Lava and the norm could differ in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.program import Input, Output, Population, Program, Projection, Readout
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.trace import Stimulus

STEPS, SAMPLES = 9, 3
Case = tuple[Program, Stimulus]


def neuron(
    du: Any = 1000,
    dv: Any = 300,
    bias: Any = 0,
    vth: Any = 150,
    v: Any = 0,
    bias_exponent: int = 0,
    onset: int = 0,
    **more: Any,
) -> CubaLif:
    du, dv, bias, vth, v = (np.atleast_1d(np.asarray(x)) for x in (du, dv, bias, vth, v))
    return CubaLif(du, dv, bias, vth, v, bias_exponent, onset, **more)


def weights(seed: int, *shape: int, low: int = -60, high: int = 70) -> Any:
    return (2 * np.random.default_rng(seed).integers(low, high, shape)).astype(np.int16)


def network(
    input_shape: tuple[int, ...],
    populations: list[tuple[str, tuple[int, ...], Any]],
    projections: list[tuple[str, str, Any, int]],
    *,
    graded: tuple[int, int] | None = None,
    precision: Any = "fixed",
    readout: Readout = "count",
    frames: bool = False,
    seed: int = 1,
) -> Case:
    low, high = graded or (0, 1)
    program = Program(
        precision,
        1e-3,
        STEPS,
        (Input("input", input_shape, graded is not None, 1.0, float(low), float(high)),),
        tuple(
            Population(name, "LIF", shape, neuron, depth)
            for depth, (name, shape, neuron) in enumerate(populations, start=1)
        ),
        tuple(
            Projection(f"{a}->{b}.{i}", a, b, synapse, delay)
            for i, (a, b, synapse, delay) in enumerate(projections)
        ),
        (Output("output", populations[-1][0], readout),),
    )
    rng = np.random.default_rng(seed)
    size = (SAMPLES, prod(input_shape)) if frames else (SAMPLES, STEPS, prod(input_shape))
    values: Any = rng.integers(low, high + 1, size).astype(np.int32)
    if precision == "float":
        values = values + (rng.normal(size=size) if graded else 0.0)
    return program, Stimulus({"input": values}, STEPS)


def dense(seed: int, *shape: int, exponent: int = 0) -> Dense:
    return Dense(weights(seed, *shape), WeightFormat(8, exponent))


def conv(
    weight: Any, shape: tuple[int, int, int], exponent: int = 0, **geometry: Any
) -> Conv2d:
    return Conv2d(weight, shape, format=WeightFormat(8, exponent), **geometry)


def sign_modes() -> Case:
    rng = np.random.default_rng(5)
    up = rng.integers(0, 256, (4, 6)).astype(np.int16)
    down = -rng.integers(0, 256, (4, 6)).astype(np.int16)
    # The content of `flat` would make Lava choose another mode than the one stated.
    flat = np.full((4, 6), -2, np.int16)
    return network(
        (6,),
        [("a", (4,), neuron(vth=500))],
        [
            ("input", "a", Dense(up, WeightFormat(8, 0, "excitatory")), 0),
            ("input", "a", Dense(down, WeightFormat(8, -1, "inhibitory")), 0),
            ("input", "a", Dense(flat, WeightFormat()), 0),
        ],
    )


def exponents() -> Case:
    names = [("input", "a", dense(e + 20, 5, 7, exponent=e), 0) for e in range(-7, 8)]
    return network((7,), [("a", (5,), neuron(vth=30000))], names)


def recurrent() -> Case:
    return network(
        (5,),
        [
            ("a", (6,), neuron(bias=200, v=900, vth=120)),
            ("b", (4,), neuron(bias=-30, v=-700, bias_exponent=2)),
        ],
        [
            ("input", "a", dense(1, 6, 5), 1),
            ("a", "a", dense(2, 6, 6), 3),
            ("a", "b", dense(3, 4, 6), 0),
            ("b", "a", dense(4, 6, 4, exponent=-2), 2),
        ],
    )


def onset() -> Case:
    return network(
        (5,),
        [
            ("a", (6,), neuron(bias=700, v=3000, vth=300, onset=2)),
            ("b", (3,), neuron(bias=-100, v=5000, vth=200, onset=3)),
        ],
        [("input", "a", dense(7, 6, 5), 0), ("a", "b", dense(8, 3, 6), 0)],
    )


def graded() -> Case:
    return network(
        (6,),
        [("a", (5,), neuron(vth=500))],
        [("input", "a", Dense(weights(9, 5, 6, low=-15, high=16), WeightFormat()), 0)],
        graded=(-127, 127),
        frames=True,
    )


def graded_images() -> Case:
    return network(
        (2, 4, 3),
        [("a", (3, 2, 3), neuron(vth=4000))],
        [
            (
                "input",
                "a",
                conv(weights(10, 3, 2, 3, 3), (2, 4, 3), padding=(0, 1), exponent=2),
                0,
            )
        ],
        graded=(-20, 20),
    )


def readout(which: Readout) -> Case:
    return network(
        (4,),
        [("a", (6,), neuron()), ("b", (3,), neuron(vth=131071, bias=-5))],
        [("input", "a", dense(11, 6, 4), 0), ("a", "b", dense(12, 3, 6), 0)],
        readout=which,
    )


def per_neuron() -> Case:
    rng = np.random.default_rng(13)

    def each(low: int, high: int, n: int) -> Any:
        return rng.integers(low, high, n)

    n = 2 * 3 * 4
    parameters = neuron(
        each(0, 4096, n),
        each(0, 4096, n),
        each(-400, 400, n),
        each(100, 900, n),
        each(-900, 900, n),
    )
    synapse = conv(weights(14, 2, 1, 2, 2), (1, 4, 5))
    return network(
        (1, 4, 5),
        [
            ("a", (2, 3, 4), parameters),
            ("b", (3,), neuron(each(0, 4096, 3), vth=each(9, 99, 3))),
        ],
        [("input", "a", synapse, 0), ("a", "b", dense(15, 3, n), 0)],
    )


def convolution(**geometry: Any) -> Case:
    """Into a population that also feeds back on itself, beside a delayed one."""
    shape = (4, 9, 8)
    channels = 4 // geometry.get("groups", 1)
    synapse = conv(weights(16, 6, channels, 3, 2), shape, **geometry)
    out = synapse.output_shape
    again = conv(weights(17, 6, 6, 3, 3), out, padding=(1, 1))
    return network(
        shape,
        [("a", out, neuron(vth=400)), ("b", (5,), neuron())],
        [
            ("input", "a", synapse, 0),
            ("input", "a", conv(synapse.weight[::-1], shape, **geometry), 2),
            ("a", "a", again, 0),
            ("a", "b", dense(18, 5, prod(out)), 0),
        ],
    )


def tall_convolution() -> Case:
    """More rows and channels than an int8 holds."""
    shape = (130, 140, 1)
    synapse = conv(weights(22, 2, 130, 2, 1, low=-9, high=10), shape, stride=(3, 1))
    return network(
        shape, [("a", synapse.output_shape, neuron(vth=200))], [("input", "a", synapse, 0)]
    )


def apart() -> Case:
    """Two populations that nothing links to the input, one of them to nothing at all."""
    return network(
        (3,),
        [("a", (2,), neuron(bias=60)), ("b", (4,), neuron(bias=90)), ("c", (2,), neuron())],
        [("a", "a", dense(19, 2, 2), 1), ("input", "c", dense(20, 2, 3), 0)],
    )


def saturating() -> Case:
    return network(
        (4,),
        [("a", (3,), neuron(du=4095, dv=0, vth=131071))],
        [("input", "a", Dense(np.full((3, 4), -256, np.int16), WeightFormat(8, 6)), 0)],
    )


def real(case: Case, *, graded: bool = False) -> Case:
    """The same network of CubaLif with weights, states and decays as fractions."""
    program, _ = case
    neurons: dict[str, Any] = {p.name: p.neuron for p in program.populations}
    rng = np.random.default_rng(21)

    def fraction(x: Any, scale: float) -> Any:
        return x.astype(np.float64) / scale

    populations = [
        (
            p.name,
            p.shape,
            replace(
                n,
                current_decay=fraction(n.current_decay, 4096),
                voltage_decay=fraction(n.voltage_decay, 4096),
                bias_mantissa=fraction(n.bias_mantissa, 64),
                bias_exponent=0,
                threshold=np.where(n.threshold > 131000, np.inf, fraction(n.threshold, 64)),
                initial_voltage=fraction(n.initial_voltage, 64),
                reset_voltage=fraction(n.reset_voltage, 64),
            ),
        )
        for p in program.populations
        for n in [neurons[p.name]]
    ]
    projections = []
    for p in program.projections:
        s: Any = p.synapse
        weight = s.weight / 64 + rng.normal(scale=0.01, size=s.weight.shape)
        made: Any = Dense(weight)
        if isinstance(s, Conv2d):
            made = Conv2d(weight, s.input_shape, s.stride, s.padding, s.dilation, s.groups)
        projections.append((p.source, p.target, made, p.delay))
    return network(
        program.inputs[0].shape,
        populations,
        projections,
        graded=(-3, 3) if graded else None,
        precision="float",
        readout=program.outputs[0].readout,
    )


FIXED: dict[str, Callable[[], Case]] = {
    "sign modes": sign_modes,
    "exponents": exponents,
    "recurrent": recurrent,
    "onset": onset,
    "graded": graded,
    "graded images": graded_images,
    "count": lambda: readout("count"),
    "last": lambda: readout("last"),
    "mean": lambda: readout("mean"),
    "per neuron": per_neuron,
    "conv": convolution,
    "conv, stride and padding": lambda: convolution(stride=(2, 1), padding=(2, 1), exponent=3),
    "conv, dilation": lambda: convolution(dilation=(2, 3), padding=(0, 2), exponent=-2),
    "conv, groups": lambda: convolution(groups=2, stride=(1, 2)),
    "conv, 140 rows, 130 channels": tall_convolution,
    "apart": apart,
    "saturating": saturating,
}
FLOAT: dict[str, Callable[[], Case]] = {
    "recurrent": lambda: real(recurrent()),
    "onset": lambda: real(onset()),
    "graded": lambda: real(graded(), graded=True),
    "mean": lambda: real(readout("mean")),
    "last": lambda: real(readout("last")),
    "per neuron": lambda: real(per_neuron()),
    "conv, stride and padding": lambda: real(convolution(stride=(2, 1), padding=(2, 1))),
    "conv, groups and dilation": lambda: real(convolution(groups=2, dilation=(1, 2))),
}
