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
from slipway.deploy.trace import Stimulus, Trace

from . import networks

pytestmark = pytest.mark.skipif(
    not lava.probe().lava_usable, reason=f"Lava: {lava.probe().lava_reason}"
)


def assert_equal(expected: Trace, found: Trace) -> None:
    def same(a: Any, b: Any, what: str) -> None:
        if a.dtype.kind == "f":
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9, err_msg=what)
        else:
            np.testing.assert_array_equal(b, a, err_msg=what)

    assert found.executed_steps == expected.executed_steps
    same(expected.outputs, found.outputs, "outputs")
    for name, values in expected.messages.items():
        same(values, found.messages[name], f"messages of {name}")
    for name, values in expected.saturated.items():
        same(values, found.saturated[name], f"saturated of {name}")
    assert found.rasters.keys() == expected.rasters.keys()
    for name, raster in expected.rasters.items():
        for field in "suv":
            same(
                getattr(raster, field), getattr(found.rasters[name], field), f"{field}, {name}"
            )


@pytest.mark.parametrize("convolution", ["conv", "sparse"])
@pytest.mark.parametrize("precision", ["fixed", "float"])
def test_equals_the_norm(precision: str, convolution: Any) -> None:
    table = networks.FIXED if precision == "fixed" else networks.FLOAT
    cases = {name: make() for name, make in table.items()}
    traces = lava.execute_many(list(cases.values()), record=True, convolution=convolution)
    for (name, (program, stimulus)), found in zip(cases.items(), traces, strict=True):
        expected = reference.execute(program, stimulus, record=True)
        try:
            assert_equal(expected, found)
        except AssertionError as error:
            raise AssertionError(f"network {name!r}: {error}") from error


def test_the_cases_do_something() -> None:
    for table in (networks.FIXED, networks.FLOAT):
        for name, make in table.items():
            program, stimulus = make()
            trace = reference.execute(program, stimulus, record=True)
            spikes = sum(int(trace.messages[p.name].sum()) for p in program.populations)
            assert spikes > 0 or name == "saturating", name
    program, stimulus = networks.saturating()
    assert reference.execute(program, stimulus).saturated["a"].sum() > 0


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
        for field in "suv":
            joined = np.concatenate([getattr(t.rasters[name], field) for t in alone])
            np.testing.assert_array_equal(getattr(raster, field), joined)
    np.testing.assert_array_equal(stream.outputs, np.concatenate([t.outputs for t in alone]))


@pytest.mark.parametrize("name", ["recurrent", "onset", "conv, groups"])
def test_a_stream_equals_stock_lava(tmp_path: Path, name: str) -> None:
    """Not one line of slipway runs inside the models here, and each sample is alone."""
    program, stimulus = networks.FIXED[name]()
    save_network(tmp_path / "0", program, stimulus, False)
    script = Path(__file__).parent / "stock_run.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, cwd=tmp_path, timeout=100)
    found = lava.execute(program, stimulus, record=True)
    with np.load(tmp_path / "stock.npz") as stock:
        for p in program.populations:
            raster = found.rasters[p.name]
            for sample in range(stimulus.samples):
                for field in "suv":
                    values = getattr(raster, field)[sample]
                    values = values if field == "s" else values[-1]
                    np.testing.assert_array_equal(stock[f"{p.name}.{field}.{sample}"], values)


def test_without_record_the_counts_are_the_same() -> None:
    program, stimulus = networks.readout("mean")
    found = lava.execute(program, stimulus)
    assert_equal(reference.execute(program, stimulus), found)
    assert not found.rasters


def test_no_samples() -> None:
    program, stimulus = networks.recurrent()
    found = lava.execute(program, Stimulus(stimulus.values[:0], stimulus.steps), record=True)
    assert found.outputs.shape == (0, 4)
    assert found.rasters["a"].v.shape == (0, found.executed_steps, 6)
    assert lava.execute_many([]) == []
