"""Loops through three populations, of each model: what a step takes, and equal bits.

Excitatory, inhibitory and relay neurons, all to all, behind 100 inputs at 10 %. Run as
`python -m slipway.benchmarks.loops`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from slipway.cli.tables import print_table
from slipway.deploy import reference
from slipway.deploy.engine import Engine
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.models import model_of
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.neurons.ternary_lif import TernaryLif
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.trace import Stimulus

from .equality import compare

STEPS, INPUTS, RATE = 200, 100, 0.1
SIZES = {"excitatory": 160, "inhibitory": 40, "relay": 40}
BATCHES = (1, 32, 256)
REPETITIONS = 7


def one(value: int) -> Any:
    """The same for all neurons."""
    return np.array([value])


NEURONS: dict[str, Any] = {
    "CubaLif": CubaLif(one(4095), one(400), one(0), one(900), one(0)),
    "CubaLif, refractory": CubaLif(one(4095), one(400), one(0), one(900), one(0), refractory=2),
    "TernaryLif": TernaryLif(one(4095), one(400), one(0), one(900), one(-900), one(0)),
    "AdaptiveLif": AdaptiveLif(
        one(4095), one(400), one(300), one(400), one(900), one(100), one(0)
    ),
    "SigmaDelta": SigmaDelta(one(0), one(300), "relu", accumulate=False, ceiling=one(900)),
    "Resonator": Resonator(one(3800), one(900), one(40), "none", 6),
}


def network(name: str) -> Program:
    """All three populations of one model."""
    rng, neuron = np.random.default_rng(0), NEURONS[name]
    port = model_of(neuron).ports[0]
    projections = []
    for target, size in SIZES.items():
        for source, fan in {"input": INPUTS, **SIZES}.items():
            weight = 2 * rng.integers(-16, 17, (size, fan)).astype(np.int16)
            weight += 8 * (source == "input")
            projections.append(
                Projection(
                    f"{source}->{target}",
                    source,
                    target,
                    Dense(weight, WeightFormat()),
                    port=port,
                )
            )
    return Program(
        "fixed",
        1e-3,
        STEPS,
        (Input("input", (INPUTS,), False, 1.0, 0, 1),),
        tuple(Population(each, "LIF", (size,), neuron, 1) for each, size in SIZES.items()),
        tuple(projections),
        (Output("output", "relay", "last"),),
    )


def measure(name: str, batches: Sequence[int] = BATCHES) -> dict[str, Any]:
    """Microseconds for a step of a population, by samples at once; bits; activity."""
    program = network(name)
    rng = np.random.default_rng(1)
    shown = (rng.random((max(batches), STEPS, INPUTS)) < RATE).astype(np.uint8)
    engine, found = Engine(program), {}
    for samples in batches:
        stimulus = Stimulus({"input": shown[:samples]}, STEPS)
        trace = engine.run(stimulus)
        fastest = min(_seconds(engine, stimulus) for _ in range(REPETITIONS))
        found[samples] = 1e6 * fastest / (trace.executed_steps * len(SIZES))
    two = Stimulus({"input": shown[:2]}, STEPS)
    norm = reference.execute(program, two, record=True)
    compared = compare(engine.run(two, record=True), norm)
    sent = sum(int(trace.messages[population].sum()) for population in SIZES)
    rate = sent / (max(batches) * trace.executed_steps * sum(SIZES.values()))
    return {"microseconds": found, "equal": compared["mismatches"] == 0, "rate": rate}


def _seconds(engine: Engine, stimulus: Stimulus) -> float:
    started = time.process_time()
    engine.run(stimulus)
    return time.process_time() - started


def main() -> int:
    """Measure and print; 1 if bits differ anywhere."""
    found = {name: measure(name) for name in NEURONS}
    columns = (
        "loop of three",
        *(f">B = {size}" for size in BATCHES),
        ">a sample",
        ">messages",
        ">equal",
    )
    rows = [
        (
            name,
            *(f"{each['microseconds'][size]:.2f}" for size in BATCHES),
            f"{each['microseconds'][BATCHES[-1]] / BATCHES[-1]:.3f}",
            f"{100 * each['rate']:.1f} %",
            "yes" if each["equal"] else "NO",
        )
        for name, each in found.items()
    ]
    console = Console(width=120, highlight=False)
    console.print("microseconds of a processor for a step of a population\n")
    print_table(console, columns, rows)
    return int(not all(each["equal"] for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
