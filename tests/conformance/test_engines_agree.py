"""reference == engine == Lava on random networks; `make conformance` does it at length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from slipway.deploy import reference
from slipway.deploy.engine import execute as fast
from slipway.deploy.formats import EXPONENT_MAX, EXPONENT_MIN, WEIGHT_BITS_MAX
from slipway.deploy.lava import execute_many, probe
from slipway.deploy.lava.compatibility import PROCESS_NAMES
from slipway.deploy.lava.processes import PROCESSES
from slipway.deploy.neurons.models import MODELS
from slipway.deploy.program import Precision
from slipway.deploy.trace import Raster, Trace

from .agree import TIMEOUT, compare_all
from .compare import first_difference
from .coverage import Coverage
from .limits import excesses
from .networks import Case, random_case
from .real import random_real_case

NETWORKS = 240
"""Random networks compared with real Lava processes."""
PER_WORKER = 20
TOLERANCE = 1e-9
"""Between real numbers that were added up in another order."""

SEEDS = st.integers(0, 2**32 - 1)
BATCHES = st.lists(SEEDS, min_size=PER_WORKER, max_size=PER_WORKER, unique=True)
with_lava = pytest.mark.skipif(
    not probe().lava_usable, reason="Lava is not installed: slipway doctor"
)


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_engine_equals_reference(seed: int) -> None:
    assert compare_all([seed], lava=False).differences == []


@with_lava
@settings(
    max_examples=NETWORKS // PER_WORKER, deadline=None, phases=(Phase.explicit, Phase.generate)
)
@given(BATCHES)
def test_lava_equals_reference(seeds: list[int]) -> None:
    assert compare_all(seeds, engine=False).differences == []


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_engine_equals_reference_in_floating_point(seed: int) -> None:
    case = random_real_case(seed)
    norm = reference.execute(*case, record=True)
    assert first_difference(norm, fast(*case, record=True), TOLERANCE) == ""


@with_lava
@settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(BATCHES)
def test_lava_equals_reference_in_floating_point(seeds: list[int]) -> None:
    cases = [random_real_case(seed) for seed in seeds]
    traces = execute_many(cases, record=True, timeout=TIMEOUT, convolution="conv")
    for seed, case, trace in zip(seeds, cases, traces, strict=True):
        norm = reference.execute(*case, record=True)
        assert first_difference(norm, trace, TOLERANCE) == "", f"seed {seed}"


def test_the_random_networks_cover_what_they_claim() -> None:
    coverage, silent = Coverage(), 0
    for seed in range(300):
        program, stimulus = random_case(seed)
        norm = reference.execute(program, stimulus, record=True)
        assert excesses(program, stimulus, norm) == {}
        coverage.add(program, norm)
        silent += not any(norm.messages[p.name].any() for p in program.populations)
    print(coverage.table())
    expected = {f"neuron {kind.__name__}" for kind in MODELS}
    expected |= {f"neuron CubaLif, reset {how}" for how in ("zero", "value", "subtract")}
    expected |= {f"neuron CubaLif, {option}" for option in OPTIONS}
    expected |= {
        f"neuron SigmaDelta, {how} {kind}"
        for how in ("exact", "lossy")
        for kind in ("neuron", "encoder")
    }
    expected |= {"neuron SigmaDelta, ceiling", "neuron SigmaDelta, onset"}
    expected |= {"neuron Resonator, reset none", "neuron Resonator, reset izhikevich"}
    expected |= {"neuron Resonator, both ports", "port real", "port imaginary"}
    expected |= {f"synapse {kind}" for kind in ("Dense", "Sparse", "Conv2d")}
    expected |= {f"synapse Conv2d, {option}" for option in GEOMETRY}
    expected |= {"synapse Sparse, delays of its own", "synapse Sparse, a delay of 62"}
    expected |= {f"synapse {kind}, recurrent" for kind in ("Dense", "Sparse", "Conv2d")}
    expected |= {f"weights of {bits} bits" for bits in range(1, WEIGHT_BITS_MAX + 1)}
    expected |= {f"weights with exponent {e:+d}" for e in range(EXPONENT_MIN, EXPONENT_MAX + 1)}
    expected |= {f"weights {mode}" for mode in ("mixed", "excitatory", "inhibitory")}
    expected |= {f"messages {kind}" for kind in ("spike", "ternary", "graded")}
    expected |= {"network, 2 inputs", "network, two outputs of one population"}
    assert {label for label in expected if coverage.messages[label] < 20} == set()
    assert silent < 75


OPTIONS = ("refractory", "reset interval", "onset", "refractory and subtract", "saturated")
GEOMETRY = (
    "stride",
    "padding",
    "dilation",
    "groups",
    "depthwise",
    "recurrent",
    "source of another shape",
    "target of another shape",
)


def test_every_lava_process_is_covered() -> None:
    """All that exist at a precision, at that precision."""
    assert set(PROCESSES) == set(MODELS)
    makers: dict[Precision, Callable[[int], Case]] = {
        "fixed": random_case,
        "float": random_real_case,
    }
    for precision, make in makers.items():
        coverage = Coverage()
        for seed in range(150):
            program, stimulus = make(seed)
            coverage.add(program, reference.execute(program, stimulus))
        found = {label.split()[1] for label in coverage.parts if label.startswith("process ")}
        assert found == set(PROCESS_NAMES[precision]) - {"RingBuffer"}


def test_a_difference_is_found_and_said() -> None:
    """The comparison itself: one value too many, one name too few."""
    raster = Raster(np.zeros((1, 2, 3), bool), {"u": np.zeros((1, 2, 3), int)})
    counts = {"p": np.zeros((1, 3), int)}
    norm = Trace({"out": np.zeros((1, 3))}, counts, {"p": np.zeros(1, int)}, 2, {"p": raster})
    assert first_difference(norm, norm) == ""
    u = np.zeros((1, 2, 3), int)
    u[0, 1, 2] = 5
    other = Trace(norm.outputs, counts, norm.saturated, 2, {"p": Raster(raster.s, {"u": u})})
    assert first_difference(norm, other) == (
        "state u of p at (0, 1, 2): 0 in the norm, 5 found (1 of 6 differ)"
    )
    other = Trace({}, counts, norm.saturated, 2, norm.rasters)
    assert first_difference(norm, other) == "outputs of out: missing"
    near = Trace({"out": np.full((1, 3), 1e-12)}, counts, norm.saturated, 2, norm.rasters)
    assert first_difference(norm, near, TOLERANCE) == ""
    assert first_difference(norm, near).startswith("outputs of out at (0, 0): 0.0 in the norm")
