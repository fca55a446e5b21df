"""Subgraphs of several levels and doors become flat; what cannot be told apart is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from slipway.converters.read import read_graph
from slipway.errors import GraphError

from .interpreter import Interpreter

N = 2
RNG = np.random.default_rng(0)


def door(kind: str, size: int = N) -> Any:
    return getattr(nir, kind)({kind.lower(): np.array([size])})


def linear(seed: int) -> nir.Linear:
    return nir.Linear(np.random.default_rng(seed).normal(size=(N, N)))


def li() -> nir.LI:
    return nir.LI(0.01 * np.ones(N), np.ones(N), np.zeros(N))


def graph(nodes: dict[str, Any], edges: list[tuple[str, str]], **metadata: Any) -> nir.NIRGraph:
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)


def chain(inner: Any, **metadata: Any) -> nir.NIRGraph:
    nodes = {"input": door("Input"), "body": inner, "output": door("Output")}
    return graph(nodes, [("input", "body"), ("body", "output")], **metadata)


def two_doors() -> nir.NIRGraph:
    """Two inputs and two outputs: out_a = A (a + B b), out_b = B b."""
    return graph(
        {
            "a": door("Input"),
            "b": door("Input"),
            "first": linear(1),
            "second": linear(2),
            "out_a": door("Output"),
            "out_b": door("Output"),
        },
        [
            ("a", "first"),
            ("b", "second"),
            ("second", "first"),
            ("first", "out_a"),
            ("second", "out_b"),
        ],
    )


def around(edges: list[tuple[str, str]], inner: nir.NIRGraph | None = None) -> nir.NIRGraph:
    nodes = {
        "x": door("Input"),
        "y": door("Input"),
        "block": inner or two_doors(),
        "u": door("Output"),
        "v": door("Output"),
    }
    return graph(nodes, edges, dt=1e-3)


NAMED = [("x", "block.a"), ("y", "block.b"), ("block.out_a", "u"), ("block.out_b", "v")]


def read(path: Path, built: nir.NIRGraph) -> nir.NIRGraph:
    nir.write(path, built)
    return read_graph(path)


def refused(path: Path, built: nir.NIRGraph) -> str:
    with pytest.raises(GraphError) as caught:
        read(path, built)
    assert all(str(path) in p.where and p.remedy for p in caught.value.problems)
    return str(caught.value)


def test_several_levels(tmp_path: Path) -> None:
    inner = chain(li())
    inner.nodes["body"].metadata["reset_interval"] = 4
    deep = chain(chain(chain(inner)), dt=1e-3)
    found = read(tmp_path / "a.nir", deep)
    assert list(found.nodes) == ["input", "body.body.body.body", "output"]
    assert found.nodes["body.body.body.body"].metadata == {"reset_interval": 4}
    flat = chain(li(), dt=1e-3)
    x = RNG.normal(size=(9, N))
    ours, wanted = Interpreter(found), Interpreter(flat)
    for row in x:
        np.testing.assert_array_equal(ours.step(row), wanted.step(row))


def test_a_subgraph_that_only_passes_on(tmp_path: Path) -> None:
    wire = graph({"i": door("Input"), "o": door("Output")}, [("i", "o")])
    built = chain(chain(wire))
    built.nodes["fc"], built.metadata = linear(0), {"dt": 1e-3}
    built.edges = [("input", "fc"), ("fc", "body"), ("body", "output")]
    assert set(read(tmp_path / "a.nir", built).edges) == {("input", "fc"), ("fc", "output")}


def test_edges_that_name_the_door(tmp_path: Path) -> None:
    found = read(tmp_path / "a.nir", around(NAMED))
    assert set(found.edges) == {
        ("x", "block.first"),
        ("y", "block.second"),
        ("block.second", "block.first"),
        ("block.first", "u"),
        ("block.second", "v"),
    }
    assert [n for n in found.nodes if n in "xyuv"] == ["x", "y", "u", "v"]


def test_the_same_through_another_level(tmp_path: Path) -> None:
    doors = {n: door("Input" if n in "xy" else "Output") for n in "xyuv"}
    middle = graph({**doors, "block": two_doors()}, NAMED)
    edges = [("x", "block.x"), ("y", "block.y"), ("block.u", "u"), ("block.v", "v")]
    found = read(tmp_path / "a.nir", around(edges, middle))
    assert ("y", "block.block.second") in found.edges
    assert ("block.block.first", "u") in found.edges
    assert len(found.edges) == 5


def test_edges_that_do_not_say_which(tmp_path: Path) -> None:
    text = refused(tmp_path / "a.nir", around([("x", "block"), ("y", "block"), ("block", "u")]))
    for line in (
        "the edge x -> block does not say which of the inputs of the subgraph 'block' it "
        "means: a, b",
        "the edge y -> block does not say which of the inputs of the subgraph 'block'",
        "the edge block -> u does not say which of the outputs of the subgraph 'block' it "
        "means: out_a, out_b",
        "to do: name it in the edge, as block.a",
        "to do: name it in the edge, as block.out_a",
    ):
        assert line in text


def test_doors_without_wires(tmp_path: Path) -> None:
    text = refused(tmp_path / "a.nir", around([e for e in NAMED if e[0] != "y"]))
    assert "nothing leads to 'block.b', the input of a subgraph" in text
    text = refused(tmp_path / "a.nir", around([e for e in NAMED if e[1] != "v"]))
    assert "nothing leads on from 'block.out_b', the output of a subgraph" in text
    text = refused(tmp_path / "a.nir", around([*NAMED, ("x", "block.c")]))
    assert "the edge x -> block.c names 'block.c', which does not exist" in text
    built = around(NAMED)
    built.nodes["block.a"] = linear(3)
    assert "two nodes are called 'block.a'" in refused(tmp_path / "a.nir", built)


def test_subgraphs_without_doors(tmp_path: Path) -> None:
    built = chain(graph({"fc": linear(0), "o": door("Output")}, [("fc", "o")]), dt=1e-3)
    text = "the subgraph 'body' has 0 inputs and 1 outputs, one of each is needed"
    assert text in refused(tmp_path / "a.nir", built)


def test_nodes_that_no_input_reaches(tmp_path: Path) -> None:
    """A circle has edges at both ends, and still nothing comes in, or out."""
    nodes = {n: linear(3) for n in ("fc", "a", "b")}
    nodes = {"input": door("Input"), "output": door("Output"), **nodes}
    wires = [("input", "fc"), ("fc", "output"), ("a", "b"), ("b", "a")]
    text = refused(tmp_path / "a.nir", graph(nodes, [*wires, ("b", "fc")], dt=1e-3))
    assert "no way leads from an Input to a, b" in text
    text = refused(tmp_path / "a.nir", graph(nodes, [*wires, ("fc", "a")], dt=1e-3))
    assert "no way leads to an Output from a, b" in text


def test_metadata_of_subgraphs_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    read(path, chain(chain(li(), dt=1e-3, note="x"), dt=1e-3))
    text = refused(path, chain(chain(li(), dt=1e-4), dt=1e-3))
    assert "the subgraph 'body' states dt 0.0001, the graph around it 0.001" in text
    text = refused(path, chain(chain(li(), reset="subtract"), dt=1e-3))
    assert "the subgraph 'body' states reset subtract, the graph around it does not" in text
    text = refused(path, chain(chain(li(), refractory=0.01), dt=1e-3))
    assert "metadata refractory of the subgraph 'body' belongs on a node in it" in text
    inner = chain(li())
    inner.nodes["output"].metadata["readout"] = "mean"
    text = refused(path, chain(inner, dt=1e-3))
    assert "metadata readout of body.output has no meaning inside of the graph" in text
    assert "to do: state it once, in the metadata of the outermost graph" in text


def test_delays_thresholds_and_integrators_pass(tmp_path: Path) -> None:
    delays = np.array([0.002, 0.0])
    nodes = {
        "input": door("Input"),
        "late": nir.Delay(delays),
        "sum": nir.I(np.ones(N)),
        "cut": nir.Threshold(0.5 * np.ones(N)),
        "output": door("Output"),
    }
    names = list(nodes)
    built = graph(nodes, list(pairwise(names)), dt=1e-3)
    found = read(tmp_path / "a.nir", built)
    np.testing.assert_array_equal(found.nodes["late"].delay, delays)
    assert [type(found.nodes[n]) for n in ("sum", "cut")] == [nir.I, nir.Threshold]
    built.nodes["late"] = nir.Delay(np.array([0.002, -0.001]))
    assert "delay must not be negative: -0.001 at [1]" in refused(tmp_path / "a.nir", built)


def test_one_delay_for_all_is_spread(tmp_path: Path) -> None:
    nodes = {
        "input": door("Input"),
        "fc": linear(0),
        "late": nir.Delay(np.array([0.003])),
        "output": door("Output"),
    }
    names = list(nodes)
    built = graph(nodes, list(pairwise(names)), dt=1e-3)
    found = read(tmp_path / "a.nir", built)
    np.testing.assert_array_equal(found.nodes["late"].delay, [0.003, 0.003])
