"""The comparison with SANA-FE: what is given to it, and what it says where it is installed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from slipway.benchmarks import sana_fe
from slipway.deploy.engine import Engine
from slipway.deploy.formats import WeightFormat
from slipway.deploy.placement import naive
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense

PYTHON = Path(os.environ.get("SANA_FE", ".venv-sana-fe")) / "bin" / "python"


@pytest.fixture(scope="module")
def small() -> sana_fe.Case:
    """A convolution and a dense layer, a few hundred neurons."""
    rng = np.random.default_rng(5)
    kernel = sana_fe._weights(rng, 4, 2, 3, 3)
    conv = Conv2d(kernel, (2, 8, 8), (2, 2), (1, 1), format=WeightFormat())
    dense = Dense(sana_fe._weights(rng, 10, conv.out_size), WeightFormat())
    return sana_fe.Case("small", (2, 8, 8), (conv, dense))


def test_the_networks_fire_without_input_and_never_clip(small: sana_fe.Case) -> None:
    program = sana_fe.network(small)
    trace = Engine(program).run(sana_fe._stimulus())
    assert trace.executed_steps == sana_fe.STEPS
    for population in program.populations:
        rate = trace.messages[population.name].mean() / sana_fe.STEPS
        assert 0.02 < rate < 0.2, population.name
        assert trace.saturated[population.name].sum() == 0


def test_every_synapse_is_handed_over(small: sana_fe.Case) -> None:
    rng = np.random.default_rng(0)
    for synapse in small.layers:
        ends, weights = sana_fe.pairs(synapse)
        assert len(ends) == synapse.fan_out(True).sum()
        x = rng.integers(0, 2, synapse.in_size)
        total = np.zeros(synapse.out_size)
        np.add.at(total, ends[:, 1], weights * x[ends[:, 0]])
        np.testing.assert_array_equal(total, synapse.accumulate(x))


def test_tiles_are_numbered_as_sana_fe_does(small: sana_fe.Case, tmp_path: Path) -> None:
    """It counts down the columns of a mesh of 8 by 4."""
    program = sana_fe.network(small)
    placement = naive(program)
    sana_fe.write_job(program, placement, tmp_path / "job.npz")
    with np.load(tmp_path / "job.npz") as job:
        for name, cores in placement.core_of.items():
            tile = cores // 4
            np.testing.assert_array_equal(job[f"tile/{name}"], tile % 8 * 4 + tile // 8)
            np.testing.assert_array_equal(job[f"core/{name}"], cores % 4)


@pytest.mark.skipif(not PYTHON.exists(), reason="SANA-FE is there after make bench-sana-fe")
def test_counts_are_equal_and_energies_agree(
    small: sana_fe.Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sana_fe.CASES, "small", lambda: small)
    monkeypatch.setattr(sana_fe, "TURNS", 1)
    found = sana_fe.compare("small", PYTHON)  # leaves where a count differs
    assert found["equal"]["spikes"] > 100
    for name, ratio in found["ratio"].items():
        assert ratio == pytest.approx(1, abs=0.02), name
