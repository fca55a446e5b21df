"""Bounds of graded messages take work that grows with the layers, not with the paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from slipway.deploy import bounds
from slipway.deploy.bounds import message_range, population_bounds
from slipway.deploy.formats import WeightFormat
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.program import Input, Output, Population, Program, Projection
from slipway.deploy.synapses.dense import Dense

DEPTH = 24


def ladder(depth: int) -> Program:
    """Each population hears the two before it: 46,368 paths lead to the 24th."""
    names = ["input", *(f"p{i}" for i in range(1, depth + 1))]
    single = np.ones(1, np.int64)
    neuron = SigmaDelta(0 * single, single, ceiling=100 * single)
    synapse = Dense(np.array([[2]], np.int16), WeightFormat(8, 0, "excitatory"))
    return Program(
        "fixed",
        1e-3,
        4,
        (Input("input", (1,), True, 1.0, 0, 255, delta=True),),
        tuple(Population(name, "IF", (1,), neuron, i) for i, name in enumerate(names) if i),
        tuple(
            Projection(f"{source}->{name}", source, name, synapse)
            for i, name in enumerate(names)
            for source in names[max(0, i - 2) : i]
        ),
        (Output("output", names[-1], "last"),),
    )


def test_each_population_is_bounded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    program = ladder(DEPTH)
    calls: list[str] = []

    def counted(program: Program, population: Population, *args: Any, **options: Any) -> Any:
        calls.append(population.name)
        return population_bounds(program, population, *args, **options)

    monkeypatch.setattr(bounds, "population_bounds", counted)
    assert message_range(program, f"p{DEPTH}") == (-101, 101)  # and a rounding
    assert sorted(calls) == sorted(f"p{i}" for i in range(1, DEPTH + 1))
