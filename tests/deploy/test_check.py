"""Targets and `slipway check`."""

from __future__ import annotations

import nir
import numpy as np
import pytest
from slipway.deploy.check import check_graph
from slipway.deploy.compile import compile_graph
from slipway.deploy.schedule import align
from slipway.deploy.targets import list_targets, load_target
from slipway.errors import CapacityExceeded, UsageError

from .nir_graphs import Builder


def graph(size: int = 3, encoding: str = "spikes") -> nir.NIRGraph:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(size)
    build.neuron(("LIF",))
    return build.graph({"dt": 1e-3, "steps": 4, "input_encoding": encoding})


def test_targets_are_data_with_a_source_each() -> None:
    assert list_targets() == ["loihi1", "loihi2"]
    for name in list_targets():
        for limit in load_target(name).limits.values():
            assert limit.value > 0
            assert limit.source
            assert limit.grade
    with pytest.raises(UsageError, match=r"there is no target 'loihi9'"):
        load_target("loihi9")


def test_every_node_and_resource_has_a_verdict() -> None:
    found = check_graph(graph(), "loihi2").as_json()
    assert found["deployable"] is True
    assert {n["status"] for n in found["nodes"].values()} == {"interface", "folded", "stock"}
    assert found["resources"]["neurons"]["used"] == 3
    assert found["resources"]["weight_memory"]["used"] == 3 * 2 * 8


def test_what_slipway_adds_is_said() -> None:
    build = Builder(np.random.default_rng(0), (2,))
    build.add("affine", nir.Affine(np.ones((3, 2)), np.full(3, 0.2)), (3,))
    biased = build.neuron(("LIF",))
    build.add("affine", nir.Affine(np.ones((3, 3)), np.full(3, 0.2)), (3,))
    filtering = build.neuron(("CubaLIF",))
    build.affine(2)
    found = check_graph(build.graph({"dt": 1e-3, "input_encoding": "spikes"}), "loihi2").nodes
    assert found[biased].reason == "Lava LIFReset"
    assert "its bias from an added neuron that always spikes" in found[filtering].reason
    assert found["output"].reason.startswith("is read through an added integrator, Lava LIF")


def test_values_cannot_go_to_a_chip_that_only_sends_spikes() -> None:
    found = check_graph(graph(encoding="current"), "loihi1")
    assert not found.deployable
    assert "the input sends values, and Loihi 1, one chip sends spikes only" in str(
        found.problems[0]
    )
    with pytest.raises(CapacityExceeded, match=r"sends spikes only"):
        compile_graph(graph(encoding="current"), target="loihi1", calibration=np.ones((1, 2)))
    assert check_graph(graph(encoding="spikes"), "loihi1").deployable


def test_a_network_larger_than_the_chip_is_refused() -> None:
    found = check_graph(graph(size=140_000), "loihi1")
    assert not found.deployable
    assert "neurons: 140000 used, limit 131072" in str(found.problems[0])


def test_delays_align_paths_of_unequal_depth() -> None:
    edges = [("in", "a"), ("a", "b"), ("b", "c"), ("a", "c"), ("in", "c"), ("b", "b")]
    hops = align(["in"], edges)
    assert hops.depth == {"a": 1, "b": 2, "c": 3}
    assert hops.delays == [0, 0, 0, 1, 2, 0]
    assert not hops.late


def test_a_loop_through_two_populations_is_said_to_be_late() -> None:
    hops = align(["in"], [("in", "a"), ("a", "b"), ("b", "a")])
    assert hops.late == {("b", "a"): 1}


def test_a_delay_beyond_the_limit_is_refused() -> None:
    chain = [("in", "n0"), *((f"n{i}", f"n{i + 1}") for i in range(70)), ("in", "n70")]
    with pytest.raises(CapacityExceeded, match=r"needs a delay of 70 steps; the limit is 62"):
        align(["in"], chain)
