"""Runs with placement, priced by every model that ships: sums, bands, and prices by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from math import fsum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.profiles.cost_reader import REQUIRED
from slipway.profiles.costs import CostModel, list_cost_models, load_cost_model
from slipway.profiles.counts import counts_of
from slipway.profiles.estimate import METHODS, estimate, sensitivity
from slipway.profiles.terms import TERMS, Band

from .placed_runs import placed

MODELS = [
    model for model in map(load_cost_model, list_cost_models()) if model.method in METHODS
]
ENDS = ("low", "nominal", "high")
RUN = json.loads(json.dumps(placed(seed=3)))

# What a population or projection of run.json says, and of traffic: the meaning of `counts`, by
# an implementation of its own.
OF_PROJECTION = {
    "synops": lambda p: p["synops"],
    "synops_dense": lambda p: p["synops"] * (p["kind"] == "Dense"),
    "synops_convolution": lambda p: p["synops"] * (p["kind"] == "Conv2d"),
    "synops_sparse": lambda p: p["synops"] * (p["kind"] == "Sparse"),
}
OF_TRAFFIC = {
    "messages": lambda t: t["messages"],
    "messages_within_tile": lambda t: t["messages_same_core"] + t["messages_same_tile"],
    "hops": lambda t: t["hops"],
    "hops_east_west": lambda t: t["hops_east_west"],
    "hops_north_south": lambda t: t["hops_north_south"],
}


def for_device(model: CostModel, **keys: Any) -> dict[str, Any]:
    """A run that was placed for the model's device, whatever that is."""
    return placed(target=model.device, **keys)


def counted(run: dict[str, Any], name: str) -> float:
    """A named count at its nominal value, per inference."""
    profile = run["profile"]
    share = {
        k: profile["active_updates"][k] / profile["neuron_updates"][k]
        for k in run["populations"]
    }
    resting = {
        k: profile["resting_updates"][k] / profile["neuron_updates"][k]
        for k in run["populations"]
    }
    of_population = {
        "neuron_updates": lambda k, p: p["neuron_updates"],
        "neuron_updates_active": lambda k, p: share[k] * p["neuron_updates"],
        "neuron_updates_inactive": lambda k, p: (1 - share[k]) * p["neuron_updates"],
        "neuron_updates_changing": lambda k, p: (1 - resting[k]) * p["neuron_updates"],
        "spikes": lambda k, p: p["spikes"],
    }
    if name in OF_PROJECTION:
        found = fsum(OF_PROJECTION[name](p) for p in run["projections"].values())
    elif name in OF_TRAFFIC:
        found = OF_TRAFFIC[name](run["traffic"])
    else:
        found = fsum(of_population[name](k, p) for k, p in run["populations"].items())
    return float(found / run["samples"])


@pytest.mark.parametrize(
    "model", [m for m in MODELS if m.method == "events"], ids=lambda m: m.name
)
def test_each_term_is_the_sum_of_its_constants_times_their_counts(model: CostModel) -> None:
    run = for_device(model, seed=3)
    found = estimate(run, model)
    expected: dict[str, float] = {}
    for constant in model.constants.values():
        if constant.unit == "joule":
            energy = constant.value * counted(run, constant.counts)
            expected[constant.term] = expected.get(constant.term, 0.0) + energy
    dynamic = {
        k: t.energy.nominal for k, t in found.terms.items() if t.energy and k != "static"
    }
    assert dynamic == pytest.approx(expected, rel=1e-12)
    assert all(value > 0 for value in dynamic.values())


def test_sanafe_prices_messages_and_hops_of_a_placed_run() -> None:
    model = load_cost_model("loihi1_sanafe")
    found = estimate(RUN, model)
    traffic = RUN["traffic"]
    axon_out = found.terms["axon_out"].energy
    assert axon_out is not None
    assert axon_out.nominal == pytest.approx(111e-12 * traffic["messages"] / RUN["samples"])
    noc = found.terms["noc"].energy
    assert noc is not None
    hops = 3.0e-12 * traffic["hops_east_west"] + 4.2e-12 * traffic["hops_north_south"]
    assert noc.nominal == pytest.approx(hops / RUN["samples"])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    rate=st.sampled_from([0.0, 0.01, 0.2, 0.9, 1.0]),
    samples=st.integers(1, 5),
    graded=st.booleans(),
)
def test_bands_sums_and_layers(seed: int, rate: float, samples: int, graded: bool) -> None:
    run = placed(
        seed=seed, rate=rate, samples=samples, recorded=min(2, samples), graded_input=graded
    )
    for model in MODELS:
        run["placement"]["target"] = model.device
        check(estimate(run, model), model)


def check(found: Any, model: CostModel) -> None:
    bands = [t.energy for t in found.terms.values() if t.energy]
    bands += [found.total, found.dynamic, *found.network.values()]
    bands += [band for part in found.parts.values() for band in part.values()]
    if found.latency:
        bands += [found.latency.inference, found.latency.step, found.latency.throughput]
        assert 0 <= found.latency.share <= 1
        assert found.energy_delay is not None
    for band in bands:
        assert 0 <= band.low <= band.nominal <= band.high, (model.name, band)
    for end in ENDS:
        for key in TERMS:
            term = found.terms[key].energy
            parts = [getattr(p[key], end) for p in found.parts.values() if key in p]
            parts += [getattr(found.network[key], end)] if key in found.network else []
            if term is None:
                assert not parts
            elif key != "static":
                assert fsum(parts) == pytest.approx(getattr(term, end), rel=1e-12, abs=0)
        layers = [*found.populations.values(), *found.projections.values()]
        layers += list(found.network.values())
        whole = fsum(getattr(band, end) for band in layers)
        assert whole == pytest.approx(getattr(found.dynamic, end), rel=1e-12)
        static = found.terms["static"].energy
        total = getattr(found.dynamic, end) + (getattr(static, end) if static else 0.0)
        assert getattr(found.total, end) == pytest.approx(total, rel=1e-12)
        if found.details:
            details = fsum(getattr(band, end) for band in found.details.values())
            assert details == pytest.approx(getattr(found.dynamic, end), rel=1e-12)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_a_changed_constant_changes_only_the_terms_it_prices(model: CostModel) -> None:
    run = for_device(model, seed=3)
    before = estimate(run, model)
    for name, constant in model.constants.items():
        doubled = replace(constant, value=2 * constant.value, high=2 * constant.high)
        changed = replace(model, constants={**model.constants, name: doubled})
        after = estimate(run, changed)
        differing = {t for t in TERMS if before.terms[t] != after.terms[t]}
        allowed = set(constant.term.replace("latency", "static").split(", "))
        assert differing <= allowed, name
        if name not in before.used:
            assert not differing, name
        elif constant.unit == "joule" and not constant.bytes:
            assert differing, name


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_a_network_without_spikes_still_costs(model: CostModel) -> None:
    found = estimate(for_device(model, rate=0.0), model)
    assert found.terms["synapse"].energy == Band(0.0, 0.0, 0.0)
    lasting = [k for k in ("neuron", "static") if found.terms[k].energy is not None]
    for key in lasting:
        energy = found.terms[key].energy
        assert energy is not None
        if model.name != "odin_affine":  # driven by events: no event, no time
            assert energy.low > 0
    assert lasting
    assert found.terms["barrier"].energy is None
    assert found.terms["barrier"].reason
    if found.latency and model.name != "odin_affine":
        assert found.latency.inference.low > 0


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_a_placement_for_another_device_says_nothing_of_these_cores(model: CostModel) -> None:
    found = estimate(placed(target="another"), model)
    hops = {"axon_out", "noc"} if model.method == "events" else set()
    for key in hops & {c.term for c in model.constants.values()}:
        assert "placed for another" in found.terms[key].reason
    if found.latency:
        assert not found.latency.placed


def test_a_target_of_a_kind_of_the_device_is_the_device() -> None:
    model = load_cost_model("loihi2_derived")
    found = estimate(placed(target="loihi2-netx"), model)
    assert found.latency is not None
    assert found.latency.placed


def test_without_placement_messages_are_named_not_zero() -> None:
    run = placed()
    del run["placement"], run["traffic"], run["profile"]
    found = estimate(run, load_cost_model("loihi1_sanafe"))
    for key in ("axon_out", "noc"):
        assert found.terms[key].energy is None
        assert "the run has no placement" in found.terms[key].reason
    assert found.latency is not None
    assert "the placement is not known" in " ".join(found.assumptions)


def test_a_count_that_is_missing_names_itself() -> None:
    run = placed()
    for entry in run["traffic"]["sources"].values():
        del entry["hops_north_south"]
    found = estimate(run, load_cost_model("loihi1_sanafe"))
    assert "does not state hops_north_south" in found.terms["noc"].reason
    assert found.terms["axon_out"].energy is not None


def test_the_profile_gives_the_nominal_share_of_active_updates() -> None:
    counts = counts_of(RUN)
    profile = RUN["profile"]
    for layer in counts.layers:
        share = profile["active_updates"][layer.name] / profile["neuron_updates"][layer.name]
        assert layer.busy == pytest.approx(share * layer.updates)
        assert layer.active_from == "profile"
        resting = profile["resting_updates"][layer.name]
        changing = 1 - resting / profile["neuron_updates"][layer.name]
        assert layer.changing == pytest.approx(changing * layer.updates)
    text = " ".join(estimate(RUN, load_cost_model("loihi1_davies")).assumptions)
    assert "as counted in the first 3 samples" in text


def test_sensitivity_of_every_model_is_in_order() -> None:
    for model in MODELS:
        run = for_device(model, seed=3)
        nominal = estimate(run, model).total.nominal
        found = sensitivity(run, model)
        effects = [high - low for low, high in found.values()]
        assert effects == sorted(effects, reverse=True)
        for low, high in found.values():
            assert low <= nominal * (1 + 1e-12)
            assert high >= nominal * (1 - 1e-12)
        banded = [
            k
            for k in estimate(run, model).used
            if model.constants[k].low < model.constants[k].high
        ]
        assert set(found) <= set(banded)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
@pytest.mark.parametrize("chips", [4, 16])
def test_sensitivity_is_pricing_anew(model: CostModel, chips: int) -> None:
    run = for_device(model, seed=3, cores_per_chip=chips)
    for name, ends in sensitivity(run, model).items():
        constant = model.constants[name]
        for value, expected in zip((constant.low, constant.high), ends, strict=True):
            # The band is left aside: it clips a nominal value that a constant left behind.
            fixed = replace(constant, value=value, low=0.0, high=1.0)
            wide = {
                k: replace(c, low=0.0, high=max(1.0, c.high))
                for k, c in model.constants.items()
            }
            changed = replace(model, constants={**wide, name: fixed})
            total = estimate(run, changed).total.nominal
            assert total == pytest.approx(expected, rel=1e-9), name


def test_energy_of_what_belongs_to_no_layer(tmp_path: Any) -> None:
    """A user's file may price barriers and host messages: one constant, no code."""
    from .test_costs import SHIPPED

    text = (SHIPPED / "loihi1_davies.toml").read_text()
    fields = text.split("[constants.synop]")[1].split("[constants.neuron_active]")[0]
    for term, counts in (("io", "host_messages_in"), ("barrier", "tile_steps")):
        own = fields.replace('"synapse"', f'"{term}"').replace('"synops"', f'"{counts}"')
        text = text.replace(f"\n{term} = ", f"\n{term}_elsewhere = ")
        text += f"\n[constants.{term}]{own}"
    path = tmp_path / "mine.toml"
    path.write_text(text)
    found = estimate(RUN, load_cost_model(path))
    energy = {key: found.terms[key].energy for key in ("io", "barrier")}
    assert energy["io"] is not None
    assert energy["barrier"] is not None
    messages = RUN["traffic"]["host_messages_in"] / RUN["samples"]
    assert energy["io"].nominal == pytest.approx(23.6e-12 * messages)
    steps = RUN["executed_steps"] * RUN["placement"]["tiles_used"]
    assert energy["barrier"].nominal == pytest.approx(23.6e-12 * steps)
    check(found, load_cost_model(path))


def test_every_method_is_priced_or_refused() -> None:
    assert set(METHODS) | {"orientation"} == set(REQUIRED)


def test_without_resting_updates_those_that_change_are_the_active_ones() -> None:
    run = placed(seed=3)
    del run["profile"]["resting_updates"]
    for layer in counts_of(run).layers:
        assert layer.changing == layer.busy
