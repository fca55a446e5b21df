"""Small networks made by hand, one for each neuron model and kind of synapse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.first_spike import FirstSpike
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.neurons.ternary_lif import TernaryLif
from slipway.deploy.program import Input, Output
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.synapses.sparse import from_matrix
from slipway.deploy.trace import Stimulus

from .networks import Case, dense, network, neuron, real, weights


def one(value: float) -> Any:
    return np.array([value])


def each(seed: int, low: int, high: int, n: int) -> Any:
    return np.random.default_rng(seed).integers(low, high, n)


def chain(*neurons: Any, graded: tuple[int, int] | None = None, exponent: int = 0) -> Case:
    """input -> a -> b -> ..., five neurons each, with a delayed loop on the last one."""
    n = 5
    names = "abcdefgh"[: len(neurons)]
    links: list[tuple[str, str, Any, int]] = [
        (p, q, dense(31 + i, n, n, exponent=exponent), 0)
        for i, (p, q) in enumerate(pairwise(("input", *names)))
    ]
    links.append((names[-1], names[-1], dense(40, n, n, exponent=exponent - 2), 2))
    populations: list[tuple[str, tuple[int, ...], Any]] = [
        (name, (n,), of) for name, of in zip(names, neurons, strict=True)
    ]
    return network((n,), populations, links, graded=graded)


def resets() -> Case:
    """Value, subtraction, and both with a refractory period."""
    return chain(
        neuron(vth=80, reset="subtract"),
        neuron(vth=60, reset="value", reset_voltage=each(1, -900, 900, 5)),
        neuron(vth=40, reset="subtract", refractory=2, bias=300),
        neuron(vth=each(2, 20, 90, 5), reset="value", reset_voltage=one(-50), refractory=1),
    )


def refractory() -> Case:
    """Stock in floating point alone, and with what stock cannot do there."""
    return chain(
        neuron(vth=90, refractory=3, bias=2000),
        neuron(vth=30, refractory=1, dv=each(3, 0, 4096, 5)),
        neuron(vth=40, refractory=2, onset=3, bias=900),
        neuron(vth=20, refractory=4, reset_interval=5, onset=2),
    )


def intervals() -> Case:
    """LIFReset; an offset that is no step of the first interval; one that never comes."""
    return chain(
        neuron(vth=300, bias=800, reset_interval=3),
        neuron(vth=30, reset_interval=4, onset=9),
        neuron(vth=50, bias=400, onset=40),
        neuron(vth=60, reset="subtract", reset_interval=2, onset=1),
    )


def ternary() -> Case:
    of = neuron(v=700, bias=-150)
    return chain(
        TernaryLif(*_leak(of), one(40), one(-30), of.initial_voltage),
        TernaryLif(*_leak(of), one(200), one(10), of.initial_voltage, bias_exponent=2),
        neuron(vth=60),
    )


def _leak(of: Any) -> tuple[Any, Any, Any]:
    return of.current_decay, of.voltage_decay, of.bias_mantissa


def adaptive() -> Case:
    return chain(
        AdaptiveLif(
            one(700), one(100), one(900), one(300), one(60), one(9), each(4, -90, 300, 5), 2
        ),
        AdaptiveLif(one(0), one(4095), one(0), one(4095), one(30), one(0), one(50)),
        neuron(vth=60),
    )


def sigma_delta() -> Case:
    """Stock Delta and SigmaDelta, then the exact one, into spikes."""
    return chain(
        SigmaDelta(one(0), one(90), "identity", False, 2, 6, exact=False),
        SigmaDelta(each(5, -500, 500, 5), one(200), "relu", True, 3, 0, exact=False),
        SigmaDelta(one(100), each(6, 10, 900, 5), "relu", True, 5, 1),
        neuron(du=4095, vth=20),
        graded=(-127, 127),
        exponent=-6,
    )


def exact_sigma_delta() -> Case:
    """What stock cannot do: ceiling, onset, initial sum, an encoder with a bias."""
    return chain(
        SigmaDelta(one(70), one(9), "relu", False, 4, 5),
        SigmaDelta(one(50), one(30), "relu", True, 6, 0, onset=3, ceiling=one(9000)),
        SigmaDelta(one(-5), one(8), "identity", True, 7, 0, initial=each(7, 0, 99, 5)),
        SigmaDelta(one(5), one(3), "relu", True, 1, 0, exact=False, onset=5),
        graded=(-127, 127),
        exponent=-6,
    )


def resonators() -> Case:
    """Both resets, both ports, one port that nothing feeds."""
    program, stimulus = chain(
        Resonator(one(3900), one(900), one(30), "none", 6),
        Resonator(one(-1200), one(3500), one(40), "izhikevich", 3),
        Resonator(one(2000), one(3500), one(5), "none", 0),
        neuron(vth=40),
    )
    ports = ("real", "imaginary", "real", "")
    links = [replace(p, port=q) for p, q in zip(program.projections, ports, strict=False)]
    into_a = replace(
        links[0], name="input->a again", synapse=dense(41, 5, 5, exponent=1), port="imaginary"
    )
    loop = replace(program.projections[-1], delay=1)
    return replace(program, projections=(*links[:4], into_a, loop)), stimulus


def first_spikes() -> Case:
    return chain(
        FirstSpike(each(8, -50, 50, 5), one(90), one(200), 3, 4),
        FirstSpike(one(0), each(9, 1, 99, 5), each(10, 0, 300, 5), 5, 5),
        FirstSpike(one(7), one(1), one(9), 10**9, 3),
    )


def sparse() -> Case:
    """Delays of its own on top of the projection's, each floored by itself; none at all."""
    weight, delay = weights(42, 5, 5), each(11, 0, 7, 25).reshape(5, 5)
    weight[delay == 3] = 0
    form = WeightFormat(8, -3)
    late = from_matrix(weight, form, delay)
    short = from_matrix(weights(43, 5, 5), WeightFormat())
    empty = from_matrix(np.zeros((5, 5), np.int16), WeightFormat())
    return network(
        (5,),
        [("a", (5,), neuron(vth=20)), ("b", (5,), neuron(vth=40))],
        [
            ("input", "a", late, 0),
            ("input", "b", late, 2),
            ("a", "b", short, 0),
            ("a", "a", short, 3),
            ("b", "a", empty, 0),
            ("b", "a", empty, 1),
        ],
    )


def weight_bits() -> Case:
    """Every width and sign mode, mantissas over its whole range."""
    links: list[tuple[str, str, Any, int]] = []
    for bits in range(1, 9):
        for mode in ("mixed", "excitatory", "inhibitory"):
            form = WeightFormat(bits, -4, mode)
            legal = form.mantissa
            values = np.arange(legal.minimum, legal.maximum + 1, legal.unit)
            weight = np.random.default_rng(bits).choice(values, (4, 4)).astype(np.int16)
            weight[0, :2] = legal.minimum, legal.maximum
            links.append(("input", "a", Dense(weight, form), 0))
    return network((4,), [("a", (4,), neuron(vth=100))], links)


def several() -> Case:
    """Two inputs, one of them graded; an idle one; three outputs, two of one population."""
    program, stimulus = chain(neuron(vth=70), neuron(vth=60))
    inputs = (
        program.inputs[0],
        Input("values", (3,), True, 1.0, -9.0, 9.0),
        Input("idle", (2,), False, 1.0, 0.0, 1.0),
    )
    link = replace(program.projections[0], name="values->b", source="values", target="b")
    values = np.random.default_rng(12).integers(-9, 10, (3, 3)).astype(np.int32)
    shown = {"values": values, "idle": np.ones((3, 9, 2), np.int32), **stimulus.values}
    return (
        replace(
            program,
            inputs=inputs,
            projections=(*program.projections, replace(link, synapse=dense(44, 5, 3))),
            outputs=(
                Output("spikes", "b", "count"),
                Output("level", "b", "mean"),
                Output("early", "a", "last"),
            ),
        ),
        Stimulus(shown, stimulus.steps),
    )


FIXED: dict[str, Callable[[], Case]] = {
    "resets": resets,
    "refractory": refractory,
    "intervals": intervals,
    "ternary": ternary,
    "adaptive": adaptive,
    "sigma-delta": sigma_delta,
    "exact sigma-delta": exact_sigma_delta,
    "resonators": resonators,
    "first spikes": first_spikes,
    "sparse": sparse,
    "weight bits": weight_bits,
    "several": several,
}
# The other models in floating point: tests/conformance.
FLOAT: dict[str, Callable[[], Case]] = {
    "resets": lambda: real(resets()),
    "refractory": lambda: real(refractory()),
    "intervals": lambda: real(intervals()),
}
