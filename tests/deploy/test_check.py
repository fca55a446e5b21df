"""Targets and `slipway check`."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest
from slipway.deploy.check import check_graph
from slipway.deploy.compile import compile_graph
from slipway.deploy.schedule import align
from slipway.deploy.targets import list_targets, load_target
from slipway.errors import CapacityExceeded, UnsupportedNode, UsageError

from .nir_graphs import Builder


def graph(size: int = 3, encoding: str = "spikes") -> nir.NIRGraph:
    build = Builder(np.random.default_rng(0), (2,))
    build.affine(size)
    build.neuron(("LIF",))
    return build.graph({"dt": 1e-3, "steps": 4, "input_encoding": encoding})


def test_targets_are_data_with_a_source_each() -> None:
    assert list_targets() == ["loihi1", "loihi2", "loihi2-netx"]
    for name in list_targets():
        target = load_target(name)
        grades = {"primary", "secondary quote", "computed", "unverified"}
        for table in (target.limits, target.core, target.facts):
            for limit in table.values():
                assert limit.value > 0
                assert limit.unit
                assert limit.source
                assert limit.grade in grades
        everything: tuple[Any, ...] = (target.mesh, target.memory, *target.boards.values())
        for stated in everything:
            assert stated.source
            assert stated.grade in grades
        tiles = target.mesh.columns * target.mesh.rows
        assert tiles * target.mesh.cores_per_tile == target.mesh.cores_per_chip
        assert target.mesh.chips == max(board.chips for board in target.boards.values())
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


def spiking(metadata: dict[str, object] | None = None, **fields: object) -> nir.NIRGraph:
    """Two spiking inputs, three LIF neurons with these metadata and fields."""
    made = graph()
    node = next(n for n in made.nodes.values() if isinstance(n, nir.LIF))
    for name in ("tau", "v_threshold"):
        setattr(node, name, np.full(3, float(getattr(node, name)[0])))
    for name, value in fields.items():
        setattr(node, name, value)
    node.metadata = metadata or {}
    return made


# metadata of a node, status on Loihi 2, process, reason on Loihi 1 ("" where it is legal there)
FEATURES: list[tuple[dict[str, object], str, str, str]] = [
    ({"reset": "subtract"}, "own model", "slipway GeneralLIF", ""),
    ({"refractory": 2e-3}, "own model", "slipway GeneralLIF", ""),
    ({"reset_interval": 3}, "stock", "Lava LIFReset", ""),
    (
        {"negative_threshold": -0.5},
        "stock",
        "Lava TernaryLIF",
        "a compartment has one threshold and unsigned spikes",
    ),
    (
        {"threshold_step": 0.1, "threshold_tau": 4e-3, "refractory_tau": 4e-3},
        "stock",
        "Lava ATRLIF",
        "the state theta needs programmable neurons",
    ),
    (
        {"resonator_period": 5e-3},
        "stock",
        "Lava RF",
        "resonate and fire: needs programmable neurons",
    ),
    (
        {"resonator_period": 5e-3, "resonator_reset": "izhikevich"},
        "stock",
        "Lava RF_IZ",
        "resonate and fire: needs programmable neurons",
    ),
]


@pytest.mark.parametrize(("metadata", "status", "process", "refusal"), FEATURES)
def test_each_neuron_model_is_stock_or_own_and_legal_or_not(
    metadata: dict[str, object], status: str, process: str, refusal: str
) -> None:
    made = spiking(metadata)
    name = next(n for n, node in made.nodes.items() if isinstance(node, nir.LIF))
    verdict = check_graph(made, "loihi2").nodes[name]
    assert verdict.status == status
    assert verdict.reason.startswith(process)
    on_loihi1 = check_graph(made, "loihi1")
    if not refusal:
        assert on_loihi1.deployable
        return
    assert not on_loihi1.deployable
    assert on_loihi1.nodes[name].status == "unsupported"
    assert refusal in on_loihi1.nodes[name].reason
    assert "choose another target than loihi1" in on_loihi1.nodes[name].remedy
    with pytest.raises(UnsupportedNode, match=refusal):
        compile_graph(made, target="loihi1")


def test_a_reset_voltage_is_our_model_and_not_for_loihi1() -> None:
    made = spiking(v_reset=np.full(3, 0.1))
    name = next(n for n, node in made.nodes.items() if isinstance(node, nir.LIF))
    assert (
        check_graph(made, "loihi2").nodes[name].reason == "slipway GeneralLIF: needs microcode"
    )
    assert "a compartment resets to 0" in check_graph(made, "loihi1").nodes[name].reason


def test_soft_reset_takes_two_compartments_on_loihi1() -> None:
    made = spiking({"reset": "subtract"})
    assert check_graph(made, "loihi1").resources["neurons"]["used"] == 6
    assert check_graph(made, "loihi2").resources["neurons"]["used"] == 3


def test_what_runs_but_not_exactly_is_said_to_be_approximated() -> None:
    made = graph()
    made.nodes["wait"] = nir.Delay(np.full(2, 1.4e-3))
    first = next(edge for edge in made.edges if edge[0] == "input")
    made.edges.remove(first)
    made.edges += [("input", "wait"), ("wait", first[1])]
    found = check_graph(made, "loihi2")
    assert found.deployable
    assert found.nodes["wait"].status == "approximated"
    assert "2 of 2 delays are no whole number of steps" in found.nodes["wait"].reason
    assert found.resources["delay"] == {
        "used": 1,
        "limit": 62,
        "unit": "steps beyond the one of every synapse",
    }


def test_weight_bits_must_be_the_targets() -> None:
    with pytest.raises(
        CapacityExceeded, match=r"weights of 7 bits; Loihi 1, one chip has 1, 2"
    ):
        compile_graph(graph(), target="loihi1", weight_bits=7)
    assert compile_graph(graph(), target="loihi1", weight_bits=6).projections[0].synapse.format


def test_fewer_weight_bits_make_a_network_fit() -> None:
    chip = load_target("loihi1").limits["weight_memory"].value
    wide = check_graph(graph(size=3), "loihi1", weight_bits=8).resources["weight_memory"]
    narrow = check_graph(graph(size=3), "loihi1", weight_bits=4).resources["weight_memory"]
    assert (wide["used"], narrow["used"]) == (48, 24)
    assert wide["limit"] == chip


def test_a_code_refuses_by_node() -> None:
    made = graph()
    name = next(n for n, node in made.nodes.items() if isinstance(node, nir.LIF))
    found = check_graph(made, "loihi2", code="ttfs")
    assert found.nodes[name].status == "unsupported"
    assert "--code ttfs needs IF nodes" in found.nodes[name].reason
    with pytest.raises(UnsupportedNode, match="needs IF nodes"):
        compile_graph(made, code="ttfs")


@pytest.mark.parametrize("code", ["sigma-delta", "ttfs"])
def test_codes_are_own_models_of_loihi2(code: Any) -> None:
    n = 3
    nodes = {
        "input": nir.Input({"input": np.array([2])}),
        "dense": nir.Linear(np.ones((n, 2))),
        "relu": nir.IF(np.full(n, 1e3), np.ones(n), np.zeros(n)),
        "last": nir.Linear(np.ones((2, n))),
        "output": nir.Output({"output": np.array([2])}),
    }
    names = list(nodes)
    made = nir.NIRGraph(
        nodes, list(pairwise(names)), metadata={"dt": 1e-3, "steps": 4}, type_check=False
    )
    found = check_graph(made, "loihi2", code=code)
    assert found.deployable
    assert found.nodes["relu"].status == "own model"
    assert "needs microcode" in found.nodes["relu"].reason
    refused = check_graph(made, "loihi1", code=code)
    assert not refused.deployable
    assert refused.nodes["relu"].status == "unsupported"
