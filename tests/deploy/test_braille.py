"""Recurrent networks that others trained keep their spikes in integers.

A loop amplifies every difference: these networks lose two percent of the raster cosine to a
relative weight error of 1e-4. What is tested here has not been calibrated with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from slipway.deploy.alone import part_of
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.divergence import compare
from slipway.deploy.engine import execute
from slipway.deploy.program import Program

from .braille import DATA, NETWORKS, STEPS, Array, delta_coded, network, random_spikes

pytestmark = pytest.mark.skipif(
    not (DATA / "braille").is_dir(), reason=f"no Braille data in {DATA}; set SLIPWAY_DATA"
)
INPUTS: dict[str, Callable[[], tuple[Array, Array]]] = {
    "delta": delta_coded,
    "random": lambda: random_spikes(0.1),
    "dense random": lambda: random_spikes(0.3),
}


def differences(floating: Program, fixed: Program, x: Array) -> dict[str, dict[str, Any]]:
    before = execute(floating, encode(floating, x)[0], record=True)
    after = execute(fixed, encode(fixed, x)[0], record=True)
    found = {}
    for population in fixed.populations:
        window = slice(population.depth, population.depth + x.shape[1])
        rasters = [t.rasters[population.name] for t in (before, after)]
        one, other = (part_of(r, slice(None), window) for r in rasters)
        found[population.name] = compare(population, one, other)
    return found


@pytest.mark.parametrize("source", INPUTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_population_keeps_its_spikes(name: str, source: str) -> None:
    known, unseen = INPUTS[source]()
    graph = network(name)
    floating = compile_graph(graph, precision="float")
    fixed = compile_graph(graph, calibration=known)
    spikes = 0
    for population, entry in differences(floating, fixed, unseen).items():
        assert entry["raster_cosine"] >= 0.98, population
        assert entry["best_lag"] == 0
        assert entry["rate_cosine"] >= 0.99
        spikes += entry["spikes_float"]
    assert spikes > 5000
    for entry in fixed.report["populations"].values():
        assert entry["saturated"] == 0


@pytest.mark.parametrize("name", NETWORKS[:2])
def test_eight_bits_alone_do_not_reach_it(name: str) -> None:
    """Why the weights of loops are in two parts."""
    known, unseen = delta_coded()
    graph = network(name)
    floating = compile_graph(graph, precision="float")
    fixed = compile_graph(graph, calibration=known, weight_bits=8)
    assert not any(p.name.endswith(".low") for p in fixed.projections)
    recurrent = differences(floating, fixed, unseen)
    least = min(entry["raster_cosine"] for entry in recurrent.values())
    assert 0.5 < least < 0.95


@pytest.mark.parametrize("name", NETWORKS[:2])
def test_no_input_drives_a_state_beyond_its_bounds(name: str) -> None:
    fixed = compile_graph(network(name), calibration=delta_coded()[0])
    x = np.concatenate([np.ones((1, STEPS, 12)), random_spikes(0.6)[1]])
    trace = execute(fixed, encode(fixed, x)[0], record=True)
    for population, raster in trace.rasters.items():
        bounds = fixed.report["populations"][population]["bounds"]
        for state, values in raster.states.items():
            low, high = bounds[state]
            assert low <= values.min()
            assert values.max() <= high
        low, high = bounds["u"]
        assert max(-low, high) <= bounds["state_limit"]


def test_taxels_become_twelve_channels() -> None:
    known, unseen = delta_coded()
    assert known.shape[1:] == unseen.shape[1:] == (STEPS, 12)
    assert len(unseen) == 270
    assert set(np.unique(unseen)) == {0.0, 1.0}
    rates = unseen.mean(axis=(0, 1))
    assert np.all((rates > 5e-4) & (rates < 0.25))
    on, off, fast = unseen[..., 0::3], unseen[..., 1::3], unseen[..., 2::3]
    assert not (on * off).any()
    assert not (fast * (1 - on) * (1 - off)).any()
