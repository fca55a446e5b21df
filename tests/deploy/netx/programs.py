"""Random stacks of layers that a .net file can say."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from slipway.deploy.formats import WeightFormat
from slipway.deploy.netx.weights import OffGrid, exact_format, netx_problem
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.onset import guard_onset
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import from_matrix

Draw = Any


@st.composite
def matrices(draw: Draw, *shape: int) -> Any:
    """Weights of any sign and range on some legal grid that netx reproduces."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, high = draw(st.sampled_from([(-128, 128), (-60, 70), (-3, 4), (0, 128), (-9, 2)]))
    unit = draw(st.sampled_from([1, 2]))
    weight = unit * rng.integers(low, high, shape)
    weight.flat[0] = unit * (high - 1)  # not all 0
    return weight.astype(np.int64)


def formatted(weight: Any, *, fill: bool) -> tuple[Any, WeightFormat] | None:
    made = exact_format(weight, fill=fill)
    return None if isinstance(made, OffGrid) else made


@st.composite
def neurons(draw: Draw, size: int, depth: int, interval: int) -> CubaLif:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def some(low: int, high: int) -> Any:
        count = size if draw(st.booleans()) else 1
        values = rng.integers(low, high, count)
        return values[:1] if np.all(values == values[0]) else values

    bias = some(-30, 30) if draw(st.booleans()) else np.zeros(1, np.int64)
    threshold = some(1, 900)
    low = np.minimum(32 * (threshold << 6), 2**23 - 1)
    onset = depth + 1 if bias.any() else 0
    return CubaLif(
        some(0, 4096),
        some(0, 4096),
        bias,
        threshold,
        np.where(bias > 0, -low, 0) if bias.any() else np.zeros(1, np.int64),
        6,
        (depth + 1) % interval if interval else onset,
        reset_interval=interval,
    )


@st.composite
def programs(draw: Draw) -> Program:
    """Stacks of convolutions, then of matrices, with delays or recurrence."""
    interval = draw(st.sampled_from([0, 0, 9]))
    convs, flat = draw(st.integers(0, 2)), draw(st.integers(1, 3))
    shape: tuple[int, ...] = (2, 5, 6) if convs else (draw(st.integers(1, 9)),)
    inputs = (Input("input", shape, False, 1.0, 0.0, 1.0),)
    populations, projections, before = [], [], "input"
    for depth in range(1, convs + flat + 1):
        name, size = f"layer {depth}", int(np.prod(shape))
        synapses: list[tuple[str, Any, int]] = []
        if depth <= convs:
            kernel = formatted(draw(matrices(3, shape[0], 2, 2)), fill=False)
            if kernel is None or kernel[1].exponent:
                kernel = (np.full((3, shape[0], 2, 2), 2, np.int16), WeightFormat(8, 0))
                kernel = formatted(kernel[0].astype(np.int64), fill=False)
            assert kernel is not None
            padding = draw(st.sampled_from([(0, 0), (1, 0), (1, 2)]))
            conv = Conv2d(kernel[0], shape, padding=padding, format=kernel[1])  # type: ignore[arg-type]
            synapses.append((before, conv, 0))
            shape = conv.output_shape
        else:
            rows = draw(st.integers(1, 6))
            shape = (rows,)
            weight = draw(matrices(rows, size).filter(lambda w: not netx_problem(w)))
            made = formatted(weight, fill=True)
            assert made is not None
            kind = draw(st.sampled_from(["plain", "delay", "delays", "recurrent"]))
            if kind == "delays":
                delay = np.random.default_rng(depth).integers(0, 63, (rows, size))
                sparse = from_matrix(*made, delay)
                kind = "plain" if sparse.delay is None or len(set(delay.flat)) == 1 else kind
                synapses.append((before, sparse if kind == "delays" else Dense(*made), 0))
            else:
                synapses.append((before, Dense(*made), 17 if kind == "delay" else 0))
            if kind == "recurrent":
                own = draw(matrices(rows, rows))
                back = formatted(own, fill=True)
                if back is not None and not netx_problem(weight, own):
                    synapses.append((name, Dense(*back), 0))
        neuron = draw(neurons(int(np.prod(shape)), depth, interval))
        kind = "CubaLIF" if np.any(neuron.current_decay != 4095) else "LIF"
        if kind == "LIF" and not np.any(neuron.voltage_decay):
            kind = "IF"
        populations.append(Population(name, kind, shape, neuron, depth, np.full(1, 64.0)))
        projections += [
            Projection(f"{begin}->{name}", begin, name, synapse, delay)
            for begin, synapse, delay in synapses
        ]
        before = name
    return Program(
        "fixed",
        1e-3,
        12,
        inputs,
        guard_onset(tuple(populations), fixed=True)[0],
        tuple(projections),
        (Output("output", before, "count"),),
    )


def writable(program: Program) -> bool:
    """Biases that fire early beside delays or loops are refused; see test_write_refusals."""
    biased = any(np.any(p.neuron.bias_mantissa) for p in program.populations)  # type: ignore[union-attr]
    kept = any(p.longest_delay or p.source == p.target for p in program.projections)
    return not (biased and kept)
