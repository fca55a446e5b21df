"""Nested graphs made flat, and the rules that edges obey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import GraphError, Problem
from .nir_schema import Node, check_fields

Edge = tuple[str, str]
Raw = Mapping[str, Any]


def edges_of(raw: Raw, where: str) -> list[Edge]:
    """The edge list of a graph group. Raises GraphError if it is no list of pairs."""
    edges = np.asarray(raw["edges"])
    if edges.size == 0:
        return []
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "OSU":
        raise GraphError(
            f"edges must be pairs of names, they have shape {edges.shape}, type {edges.dtype}",
            where=where,
        )
    names = [
        [n.decode(errors="replace") if isinstance(n, bytes) else str(n) for n in pair]
        for pair in edges
    ]
    return [(start, end) for start, end in names]


def flatten(raw: Raw, where: str, prefix: str = "") -> tuple[dict[str, Raw], list[Edge]]:
    """Nodes and edges of a graph with its subgraphs dissolved into dotted names.

    Raises:
        GraphError: unknown types and fields, edges to nowhere, subgraphs without exactly one
            input and one output, names that meet.
    """
    problems: list[Problem] = []
    members: Mapping[str, Any] = raw["nodes"] if isinstance(raw["nodes"], Mapping) else {}
    for name, node in members.items():
        if not isinstance(node, Mapping):
            problems.append(Problem(f"node {prefix + name!r} is no group", where))
        else:
            problems += check_fields(prefix + name, node, where)
    if problems:
        raise GraphError(*problems)
    edges = edges_of(raw, where)
    check_ends(edges, members, where, prefix)

    nodes: dict[str, Raw] = {}
    flat = [(prefix + start, prefix + end) for start, end in edges]
    for name, node in members.items():
        full = prefix + name
        if node["type"] != "NIRGraph":
            _put(nodes, full, node, where)
            continue
        inner, inner_edges = flatten(node, where, full + ".")
        doors = {
            kind: [n for n in inner if inner[n]["type"] == kind] for kind in ("Input", "Output")
        }
        if any(len(names) != 1 for names in doors.values()):
            raise GraphError(
                f"the subgraph {full!r} has {len(doors['Input'])} inputs and "
                f"{len(doors['Output'])} outputs, one of each is needed",
                where=where,
            )
        entry, leave = doors["Input"][0], doors["Output"][0]
        flat = [(leave if s == full else s, entry if e == full else e) for s, e in flat]
        flat = _without(_without(flat + inner_edges, entry), leave)
        for key in inner:
            if key not in (entry, leave):
                _put(nodes, key, inner[key], where)
    return nodes, flat


def _put(nodes: dict[str, Raw], name: str, node: Raw, where: str) -> None:
    if name in nodes:
        raise GraphError(
            f"two nodes are called {name!r} once the subgraphs are dissolved",
            where=where,
            remedy="rename one of them",
        )
    nodes[name] = node


def _without(edges: list[Edge], name: str) -> list[Edge]:
    """Edges with one pass-through node taken out."""
    before = [start for start, end in edges if end == name]
    after = [end for start, end in edges if start == name]
    kept = [edge for edge in edges if name not in edge]
    return kept + [(start, end) for start in before for end in after]


def check_ends(edges: Iterable[Edge], names: Iterable[str], where: str, prefix: str) -> None:
    """Raise GraphError for edges that start or end nowhere."""
    known = set(names)
    problems = [
        Problem(
            f"the edge {prefix}{start} -> {prefix}{end} names {name!r}, which does not exist",
            where,
            f"the nodes are {', '.join(sorted(known)[:12])}",
        )
        for start, end in edges
        for name in (start, end)
        if name not in known
    ]
    if problems:
        raise GraphError(*dict.fromkeys(problems))


def check_topology(nodes: Mapping[str, Node], edges: list[Edge], where: str) -> None:
    """Raise GraphError for duplicate edges, loose ends, several components."""
    found: list[str] = []
    kinds = {name: node.kind for name, node in nodes.items()}
    for kind in ("Input", "Output"):
        if kind not in kinds.values():
            found.append(f"the graph has no {kind} node")
    for (start, end), times in Counter(edges).items():
        if times > 1:
            found.append(f"the edge {start} -> {end} occurs {times} times")
    ends, starts = {end for _, end in edges}, {start for start, _ in edges}
    for name, kind in kinds.items():
        if kind == "Input" and name in ends:
            found.append(f"an edge ends at the input {name!r}")
        if kind == "Output" and name in starts:
            found.append(f"an edge starts at the output {name!r}")
        if kind != "Input" and name not in ends:
            found.append(f"nothing leads to node {name!r} ({kind})")
        if kind != "Output" and name not in starts:
            found.append(f"nothing leads on from node {name!r} ({kind})")
    parts = _components(list(nodes), edges)
    if len(parts) > 1:
        listed = "; ".join(", ".join(sorted(part)[:6]) for part in parts)
        found.append(f"the graph falls into {len(parts)} parts: {listed}")
    if found:
        remedy = "every node must lie on a way from an Input to an Output"
        raise GraphError(*(Problem(what, where, remedy) for what in found))


def _components(names: list[str], edges: list[Edge]) -> list[list[str]]:
    """Sets of nodes that hang together, by union and find."""
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for start, end in edges:
        parent[root(start)] = root(end)
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(root(name), []).append(name)
    return list(parts.values())
