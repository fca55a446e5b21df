"""Which Lava process a population becomes, and what is refused before a run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from slipway.deploy import lava
from slipway.deploy.formats import WeightFormat
from slipway.deploy.lava.processes import problems_of, process_of, states_of
from slipway.deploy.neurons.models import model_of
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.program import Population
from slipway.deploy.synapses.sparse import Sparse
from slipway.errors import UnsupportedNode

from . import models, networks
from .models import one


def processes(case: networks.Case, precision: Any = "fixed") -> list[str]:
    names = [process_of(p, precision) for p in case[0].populations]
    assert all((whose == "own model") == (name in OWN) for name, whose in names)
    assert {whose for _, whose in names} <= {"stock", "own model"}
    return [name for name, _ in names]


OWN = {"GeneralLIF", "GeneralSigmaDelta", "FirstSpike"}


def test_stock_where_stock_is_right() -> None:
    assert processes(networks.onset()) == ["LIFReset", "LIFReset"]
    assert processes(networks.recurrent()) == ["LIF", "LIF"]
    assert processes(models.intervals()) == ["LIFReset", "LIFReset", "LIFReset", "GeneralLIF"]
    assert processes(models.resets()) == ["GeneralLIF"] * 4
    assert processes(models.refractory()) == ["GeneralLIF"] * 4
    assert processes(models.ternary()) == ["TernaryLIF", "TernaryLIF", "LIF"]
    assert processes(models.adaptive()) == ["ATRLIF", "ATRLIF", "LIF"]
    assert processes(models.resonators()) == ["RF", "RF_IZ", "RF", "LIF"]
    assert processes(models.first_spikes()) == ["FirstSpike"] * 3
    assert processes(models.sigma_delta()) == [
        "Delta",
        "SigmaDelta",
        "GeneralSigmaDelta",
        "LIF",
    ]
    assert processes(models.exact_sigma_delta()) == ["GeneralSigmaDelta"] * 4


def test_a_refractory_period_is_stock_in_floating_point_only() -> None:
    case = models.FLOAT["refractory"]()
    # The second one has a dv per neuron, which LIFRefractory cannot index.
    assert processes(case, "float") == ["LIFRefractory", *["GeneralLIF"] * 3]
    population = case[0].populations[0]
    below = replace(population.neuron, threshold=one(-1.0))
    assert process_of(replace(population, neuron=below), "float")[0] == "GeneralLIF"


def test_the_lossy_form_is_stock_only_where_stock_has_it() -> None:
    delta, sigma = models.sigma_delta()[0].populations[:2]

    def name(population: Population, **changes: Any) -> str:
        neuron = replace(population.neuron, **changes)
        return process_of(replace(population, neuron=neuron), "fixed")[0]

    assert name(delta) == "Delta"
    assert name(sigma) == "SigmaDelta"
    # Delta shifts by spike_exp + state_exp and knows neither bias nor activation; SigmaDelta
    # does not shift.
    own = "GeneralSigmaDelta"
    assert name(delta, input_exponent=1) == own
    assert name(delta, bias=one(1)) == own
    assert name(delta, activation="relu") == own
    assert name(delta, threshold=np.arange(5)) == own
    assert name(sigma, input_exponent=1) == own
    assert name(sigma, exact=True) == own
    assert name(sigma, ceiling=one(9)) == own
    assert name(sigma, onset=2) == own
    parameters: Any = sigma.neuron
    shifted = replace(sigma, neuron=replace(parameters, input_exponent=1))
    assert process_of(shifted, "float") == ("SigmaDelta", "stock")


def test_every_state_has_a_place_in_its_process() -> None:
    for make in (*models.FIXED.values(), *networks.FIXED.values()):
        for population in make()[0].populations:
            names = states_of(population, "fixed")
            assert tuple(names) == model_of(population.neuron).states(population.neuron)
            assert len(set(names.values())) == len(names) or "Delta" in str(
                process_of(population, "fixed")
            )


def test_the_table_imports_no_lava() -> None:
    script = (
        "import sys; import slipway.deploy.lava.processes;"
        "print([m for m in ('torch', 'lava', 'numba', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd="/"
    )
    assert done.stdout == "[]\n"


def test_all_good_networks_are_taken() -> None:
    tables = (networks.FIXED, networks.FLOAT, models.FIXED, models.FLOAT)
    for make in (make for table in tables for make in table.values()):
        assert problems_of(make()[0]) == []


def test_everything_that_lava_cannot_take_is_named_at_once() -> None:
    program, _ = models.ternary()
    first, second, third = program.populations
    neurons: list[Any] = [p.neuron for p in program.populations]
    apart = replace(neurons[0], threshold_high=np.array([1, 2, 3, 4, 5]))
    crossed = replace(neurons[1], threshold_low=one(300))
    wild = Resonator(np.array([3000, 3001, 0, 0, 0]), one(9), one(9))
    doubled = Sparse(
        np.array([2, 4, 6], np.int16),
        np.array([0, 0, 1], np.int32),
        np.array([1, 1, 0], np.int32),
        (5, 5),
        WeightFormat(),
        np.array([0, 1, 0], np.uint8),
    )
    odd: Any = replace(program.projections[1].synapse, format=WeightFormat(4))
    program = replace(
        program,
        populations=(
            replace(first, neuron=apart),
            replace(second, neuron=crossed),
            replace(third, neuron=wild),
        ),
        projections=(
            replace(program.projections[0], synapse=doubled),
            replace(program.projections[1], synapse=odd),
            *program.projections[2:],
        ),
    )
    problems = problems_of(program)
    assert [p.where for p in problems] == [
        "population a",
        "population b",
        "population c",
        "projection input->a.0",
        "projection a->b.1",
    ]
    assert problems[0].what == (
        "threshold_high differs between neurons (1 to 5); Lava has one value of it for a "
        "population of ternary leaky integrate-and-fire neurons"
    )
    assert problems[0].remedy == "split the population, or use the fast engine"
    assert problems[1].what == "the lower threshold 300 lies above the upper one 200"
    assert problems[1].remedy == "exchange them"
    assert problems[2].what.startswith("cosine differs between neurons (0 to 3001)")
    assert problems[3].what == (
        "1 synapses share source and target with another one; Lava has one weight and one "
        "delay for each pair"
    )
    assert "add their weights up" in problems[3].remedy
    count = int((odd.weight % 32 != 0).sum())
    assert problems[4].what == (
        f"{count} weights are no multiples of 32 from -256 to 224: Lava would truncate them"
    )
    assert problems[4].remedy == "compile the network again"


@pytest.mark.skipif(not lava.probe().lava_usable, reason=f"Lava: {lava.probe().lava_reason}")
def test_it_is_refused_before_the_run() -> None:
    program, stimulus = models.ternary()
    population = program.populations[0]
    neuron: Any = population.neuron
    apart = replace(neuron, threshold_low=np.array([-1, -2, -3, -4, -5]))
    bad = replace(
        program, populations=(replace(population, neuron=apart), *program.populations[1:])
    )
    with pytest.raises(UnsupportedNode, match="threshold_low differs") as caught:
        lava.execute_many([(program, stimulus), (bad, stimulus)])
    assert caught.value.problems[0].where == "population a of network 1"
