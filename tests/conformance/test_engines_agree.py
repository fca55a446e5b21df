"""reference == engine == Lava, bit for bit, on random networks over the whole legal range."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from slipway.deploy import reference
from slipway.deploy.engine import execute as fast
from slipway.deploy.lava import execute_many, probe
from slipway.deploy.program import Program
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.trace import Trace

from .networks import KINDS, random_case

NETWORKS = int(os.environ.get("CONFORMANCE_NETWORKS", "240"))
"""Random networks compared with real Lava processes."""
PER_WORKER = 20


def assert_equal(one: Trace, other: Trace, what: str) -> None:
    np.testing.assert_array_equal(one.outputs, other.outputs, err_msg=f"{what}: outputs")
    for name in one.messages:
        np.testing.assert_array_equal(
            one.messages[name], other.messages[name], err_msg=f"{what}: messages of {name}"
        )
    for name in one.saturated:
        np.testing.assert_array_equal(
            one.saturated[name], other.saturated[name], err_msg=f"{what}: saturation of {name}"
        )
    for name in one.rasters:
        for field in ("s", "u", "v"):
            np.testing.assert_array_equal(
                getattr(one.rasters[name], field),
                getattr(other.rasters[name], field),
                err_msg=f"{what}: {field} of {name}",
            )


SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_engine_equals_reference(seed: int) -> None:
    program, stimulus = random_case(seed)
    norm = reference.execute(program, stimulus, record=True)
    assert_equal(norm, fast(program, stimulus, record=True), f"seed {seed}")


@pytest.mark.skipif(not probe().lava_usable, reason="Lava is not installed: slipway doctor")
@settings(
    max_examples=-(-NETWORKS // PER_WORKER),
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
)
@given(st.lists(SEEDS, min_size=PER_WORKER, max_size=PER_WORKER, unique=True))
def test_lava_equals_reference(seeds: list[int]) -> None:
    cases = [random_case(seed) for seed in seeds]
    traces = execute_many(cases, record=True)
    for seed, (program, stimulus), trace in zip(seeds, cases, traces, strict=True):
        norm = reference.execute(program, stimulus, record=True)
        assert_equal(norm, trace, f"seed {seed}")


def synapse_kinds(program: Program) -> set[str]:
    found = set()
    for projection in program.projections:
        kind = type(projection.synapse).__name__
        found |= {kind, projection.synapse.sign_mode, f"exponent {projection.synapse.exponent}"}
        if projection.delay:
            found.add("delay")
        if projection.source == projection.target:
            found.add("recurrent")
        if isinstance(projection.synapse, Conv2d):
            found.add("depthwise" if projection.synapse.groups > 1 else "full convolution")
    return found


def test_the_random_networks_cover_what_they_claim() -> None:
    kinds: set[str] = set()
    synapses: set[str] = set()
    spikes = saturated = silent = 0
    for seed in range(150):
        program, stimulus = random_case(seed)
        kinds |= {p.kind for p in program.populations}
        synapses |= synapse_kinds(program)
        trace = fast(program, stimulus)
        count = sum(int(trace.messages[p.name].sum()) for p in program.populations)
        spikes += count
        silent += count == 0
        saturated += any(int(s.sum()) for s in trace.saturated.values())
    assert kinds == set(KINDS)
    assert synapses >= {"Dense", "Conv2d", "mixed", "excitatory", "inhibitory", "delay"}
    assert synapses >= {
        "recurrent",
        "depthwise",
        "full convolution",
        "exponent -7",
        "exponent 7",
    }
    assert spikes > 5000
    assert saturated > 2
    assert silent < 75
