"""Counts times prices, against sums made by hand."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.profiles.costs import load_cost_model
from slipway.profiles.estimate import estimate, sensitivity
from slipway.profiles.terms import TERMS, Band, weakest

from .runs import chain, faces, population, projection

DAVIES = load_cost_model("loihi1_davies")
OPS45 = load_cost_model("ops45")


def tiny() -> dict[str, Any]:
    """10 inputs, 4 LIF, 2 readout; 5 samples, 3 executed steps; all counts are round."""
    run = faces(samples=5)
    run["executed_steps"] = 3
    run["populations"] = {
        "a": population("LIF", (4,), 20, 5, 3),  # 60 updates
        "b": population("readout", (2,), 0, 5, 3),  # 30 updates
    }
    run["projections"] = {
        "in->a": projection("in", "a", "Dense", 40, 100, 5, True),
        "a->b": projection("a", "b", "Dense", 8, 40, 5, False),
    }
    return run


def close(band: Band | None, low: float, nominal: float, high: float) -> None:
    assert band is not None
    assert (band.low, band.nominal, band.high) == pytest.approx((low, nominal, high))


def test_davies_by_hand() -> None:
    found = estimate(tiny(), DAVIES)
    # 140 synops and 90 updates over 5 samples: 28 and 18 an inference.
    close(found.terms["synapse"].energy, 28 * 23.6e-12, 28 * 23.6e-12, 28 * 36.9e-12)
    # Active updates: a 20 to 60 of 60, b 0 to 30 of 30: in the middle 40 + 15 = 55.
    nominal = (55 * 81e-12 + 35 * 52e-12) / 5
    close(found.terms["neuron"].energy, 18 * 52e-12, nominal, 18 * 81e-12)


def test_latency_by_hand() -> None:
    found = estimate(tiny(), DAVIES).latency
    assert found is not None
    # A step: a has 100 / 15 synops and 4 updates, b 40 / 15 and 2; each on a core of its own.
    a = 100 / 15 * 3.5e-9 + (40 / 15 * 8.4e-9 + 20 / 15 * 5.3e-9)
    low = max(140 / 15 * 2.69e-9, 6 * 5.3e-9) / 2 + 113e-9
    high = 140 / 15 * 3.5e-9 + 6 * 8.4e-9 + 465e-9
    close(found.step, low, a + 289e-9, high)
    close(found.inference, 3 * low, 3 * (a + 289e-9), 3 * high)
    assert (found.cores, found.chips, found.busiest, found.binding) == (2, 1, "a", "barrier")
    assert found.share == pytest.approx(289e-9 / found.step.nominal)


def test_static_is_power_times_latency() -> None:
    found = estimate(tiny(), DAVIES)
    assert found.latency is not None
    time = found.latency.inference
    close(found.terms["static"].energy, 0.03 * time.low, 0.104 * time.nominal, 0.18 * time.high)
    assert found.terms["static"].grade == "derived"
    assert found.grade == "derived"


def test_ops45_by_hand() -> None:
    found = estimate(tiny(), OPS45)
    # 20 multiply-accumulates of graded messages, 8 accumulates of spikes an inference.
    low, nominal, high = 20 * 0.23 + 8 * 0.03, 20 * 0.3 + 8 * 0.1, 20 * 4.6 + 8 * 0.9
    close(found.terms["synapse"].energy, low * 1e-12, nominal * 1e-12, high * 1e-12)
    # 12 updates LIF: one accumulate, one multiply-accumulate; 6 readout: one accumulate.
    low, nominal, high = 18 * 0.03 + 12 * 0.23, 18 * 0.1 + 12 * 3.2, 18 * 0.9 + 12 * 4.6
    close(found.terms["neuron"].energy, low * 1e-12, nominal * 1e-12, high * 1e-12)
    assert found.latency is None
    assert "no time" in found.no_latency
    assert found.terms["static"].energy is None
    assert found.total == found.dynamic


def test_several_chips() -> None:
    run = tiny()
    run["populations"]["a"] = population("LIF", (1024, 200), 20, 5, 3)
    found = estimate(run, DAVIES)
    assert found.latency is not None
    assert (found.latency.cores, found.latency.chips) == (201, 2)
    assert found.terms["static"].energy is not None
    time = found.latency.inference.nominal
    assert found.terms["static"].energy.nominal == pytest.approx(2 * 0.104 * time)


def test_counted_active_updates_are_used() -> None:
    run = tiny()
    for entry in run["populations"].values():
        entry["active_updates"] = 10
    energy = estimate(run, DAVIES).terms["neuron"].energy
    assert energy is not None
    assert energy.nominal == pytest.approx((20 * 81e-12 + 70 * 52e-12) / 5)
    assert "20 of 90 are active, as counted" in " ".join(estimate(run, DAVIES).assumptions)


def test_assumptions_say_what_is_bounded() -> None:
    text = " ".join(estimate(tiny(), DAVIES).assumptions)
    assert "20 to 90 of 90" in text
    assert "placement is not known" in text
    assert "cores of its own" in text


def test_unknown_kind_takes_the_default_and_says_so() -> None:
    run = tiny()
    run["populations"]["a"]["kind"] = "Adaptive"
    found = estimate(run, OPS45)
    assert any("Adaptive" in t and "its default" in t for t in found.assumptions)


def test_every_term_is_priced_or_has_a_reason() -> None:
    for model in (DAVIES, OPS45):
        found = estimate(faces(), model)
        assert set(found.terms) == set(TERMS)
        assert all(t.priced != bool(t.reason) for t in found.terms.values())
    priced = {k for k, t in estimate(faces(), DAVIES).terms.items() if t.priced}
    assert priced == {"synapse", "neuron", "static"}


def test_a_silent_network_still_costs() -> None:
    run = faces(silent=True)
    for entry in run["projections"].values():
        entry["synops"] = entry["synops_all"] = 0
    for model in (DAVIES, OPS45):
        found = estimate(run, model)
        assert found.terms["synapse"].energy == Band(0.0, 0.0, 0.0)
        assert found.total.low > 0
    static = estimate(run, DAVIES).terms["static"].energy
    assert static is not None
    assert static.low > 0


@pytest.mark.parametrize("name", sorted(DAVIES.constants))
def test_a_changed_constant_changes_only_its_term(name: str) -> None:
    run = faces()
    constant = DAVIES.constants[name]
    doubled = replace(constant, value=2 * constant.value, high=2 * constant.high)
    changed = replace(DAVIES, constants={**DAVIES.constants, name: doubled})
    before, after = estimate(run, DAVIES), estimate(run, changed)
    differing = {t for t in TERMS if before.terms[t] != after.terms[t]}
    if name not in before.used:
        assert differing == set()
    else:
        assert differing == {"static" if constant.term == "latency" else constant.term}


def test_sensitivity_is_the_nominal_total_at_both_ends() -> None:
    run = tiny()
    found = sensitivity(run, DAVIES)
    nominal = estimate(run, DAVIES).total.nominal
    effects = [high - low for low, high in found.values()]
    assert effects == sorted(effects, reverse=True)
    assert all(low <= nominal <= high for low, high in found.values())
    low, high = found["synop"]
    assert high - low == pytest.approx(28 * (36.9 - 23.6) * 1e-12)


def test_weakest() -> None:
    assert weakest(("measured", "derived", "simulated")) == "derived"
    assert weakest(()) == "unverified"


whole = st.integers(0, 10**12)


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    run = faces()
    run["samples"] = draw(st.integers(1, 1000))
    run["executed_steps"] = draw(st.integers(1, 500))
    for entry in run["populations"].values():
        entry["neurons"] = draw(st.integers(1, 300_000))
        entry["neuron_updates"] = entry["neurons"] * run["samples"] * run["executed_steps"]
        entry["spikes"] = draw(st.integers(0, entry["neuron_updates"]))
    for entry in run["projections"].values():
        entry["synops"] = draw(whole)
        entry["graded"] = draw(st.booleans())
    return run


@settings(max_examples=60, deadline=None)
@given(networks())
def test_bands_are_in_order_and_sums_hold(run: dict[str, Any]) -> None:
    for model in (DAVIES, OPS45):
        found = estimate(run, model)
        bands = [t.energy for t in found.terms.values() if t.energy]
        bands += [found.total, found.dynamic, *found.populations.values()]
        bands += [*found.projections.values()]
        if found.latency:
            bands += [found.latency.inference, found.latency.step]
        assert all(b.low <= b.nominal <= b.high for b in bands)
        static = found.terms["static"].energy or Band(0.0, 0.0, 0.0)
        parts = [*found.populations.values(), *found.projections.values()]
        for end in ("low", "nominal", "high"):
            dynamic = getattr(found.dynamic, end)
            assert sum(getattr(p, end) for p in parts) == pytest.approx(dynamic, rel=1e-12)
            total = dynamic + getattr(static, end)
            assert getattr(found.total, end) == pytest.approx(total, rel=1e-12)


def test_estimate_leaves_the_run_alone() -> None:
    run = chain(5)
    before = copy.deepcopy(run)
    estimate(run, DAVIES)
    assert run == before
