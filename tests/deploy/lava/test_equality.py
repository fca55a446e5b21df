"""Lava's processes against the readable norm: every message, state and count."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.deploy import lava, reference
from slipway.deploy.lava.job import save_network
from slipway.deploy.lava.network import choose_convs

from ...conformance.compare import first_difference
from . import models, networks

pytestmark = pytest.mark.skipif(
    not lava.probe().lava_usable, reason=f"Lava: {lava.probe().lava_reason}"
)


TOLERANCE = 1e-9
"""Between real numbers that were added up in another order."""
FIXED = networks.FIXED | models.FIXED
STOCK = models.FIXED | {
    "recurrent": networks.recurrent,
    "onset": networks.onset,
    "conv, groups": networks.FIXED["conv, groups"],
    "refractory, float": models.FLOAT["refractory"],
}
FLOAT = networks.FLOAT | {f"{name}, model": make for name, make in models.FLOAT.items()}


@pytest.mark.parametrize("convolution", ["conv", "sparse"])
@pytest.mark.parametrize("precision", ["fixed", "float"])
def test_equals_the_norm(precision: str, convolution: Any) -> None:
    table = FIXED if precision == "fixed" else FLOAT
    cases = {name: make() for name, make in table.items()}
    traces = lava.execute_many(list(cases.values()), record=True, convolution=convolution)
    for (name, (program, stimulus)), found in zip(cases.items(), traces, strict=True):
        expected = reference.execute(program, stimulus, record=True)
        assert first_difference(expected, found, TOLERANCE) == "", name


def test_the_cases_do_something() -> None:
    for table in (FIXED, FLOAT):
        for name, make in table.items():
            program, stimulus = make()
            trace = reference.execute(program, stimulus, record=True)
            spikes = sum(int(trace.messages[p.name].sum()) for p in program.populations)
            assert spikes > 0 or name == "saturating", name
    program, stimulus = networks.saturating()
    assert reference.execute(program, stimulus).saturated["a"].sum() > 0


def test_every_model_sends_something() -> None:
    quiet = set()
    for name, make in models.FIXED.items():
        program, stimulus = make()
        trace = reference.execute(program, stimulus)
        quiet |= {
            (name, p.name) for p in program.populations if not trace.messages[p.name].any()
        }
    # Its ramp never comes.
    assert quiet == {("first spikes", "c")}


def test_both_forms_of_a_convolution_are_used() -> None:
    program, _ = networks.convolution(stride=(2, 1), padding=(2, 1), exponent=3)
    assert not choose_convs(program, "sparse")
    # Not the delayed one: Lava's Conv knows no delay.
    assert list(choose_convs(program, "conv")) == ["input->a.0", "a->a.2"]
    program, _ = networks.convolution(dilation=(2, 3), padding=(0, 2), exponent=-2)
    # Nor one with a negative exponent: Lava's Conv ignores exponents.
    assert list(choose_convs(program, "conv")) == ["a->a.2"]


def test_a_stream_equals_one_run_per_sample() -> None:
    program, stimulus = networks.recurrent()
    parts = [stimulus.part(k, k + 1) for k in range(stimulus.samples)]
    stream, *alone = lava.execute_many(
        [(program, stimulus), *((program, part) for part in parts)], record=True
    )
    for name, raster in stream.rasters.items():
        joined = np.concatenate([t.rasters[name].s for t in alone])
        np.testing.assert_array_equal(raster.s, joined)
        for state, values in raster.states.items():
            joined = np.concatenate([t.rasters[name].states[state] for t in alone])
            np.testing.assert_array_equal(values, joined)
    for name, outputs in stream.outputs.items():
        np.testing.assert_array_equal(outputs, np.concatenate([t.outputs[name] for t in alone]))


@pytest.mark.parametrize("name", sorted(STOCK))
def test_a_stream_equals_stock_lava(tmp_path: Path, name: str) -> None:
    """Not one line of slipway's mixins runs inside the models here; each sample is alone.

    Lava finds slipway's own models by itself, as those of any Process.
    """
    program, stimulus = STOCK[name]()
    save_network(tmp_path / "0", program, stimulus, False)
    script = Path(__file__).parent / "stock_run.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, cwd=tmp_path, timeout=200)
    found = lava.execute(program, stimulus, record=True, convolution="conv")
    compared = 0
    with np.load(tmp_path / "stock.npz") as stock:
        for p in program.populations:
            raster = found.rasters[p.name]
            for sample in range(stimulus.samples):
                sent = stock[f"{p.name}.s.{sample}"]
                np.testing.assert_array_equal(sent, raster.s[sample])
                for state, values in raster.states.items():
                    key = f"{p.name}.{state}.{sample}"
                    if key in stock:
                        np.testing.assert_array_equal(stock[key], values[sample, -1])
                        compared += 1
    assert compared >= 2 * stimulus.samples


def test_without_record_the_counts_are_the_same() -> None:
    program, stimulus = networks.readout("mean")
    found = lava.execute(program, stimulus)
    assert first_difference(reference.execute(program, stimulus), found) == ""
    assert not found.rasters


def test_no_samples() -> None:
    program, stimulus = networks.recurrent()
    found = lava.execute(program, stimulus.part(0, 0), record=True)
    assert found.outputs["output"].shape == (0, 4)
    assert found.rasters["a"].states["v"].shape == (0, found.executed_steps, 6)
    assert lava.execute_many([]) == []
