"""Nested graphs made flat, and the rules that edges obey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import GraphError, Problem
from .nir_schema import Node, check_fields
from .node_metadata import KEYS

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


def flatten(raw: Raw, where: str) -> tuple[dict[str, Raw], list[Edge]]:
    """Nodes and edges of a graph with its subgraphs dissolved into dotted names.

    Edges name a subgraph as a whole where it has one Input, or one Output; else they name the
    door: ``fc -> block.left``.

    Raises:
        GraphError: unknown types and fields, edges to nowhere, subgraphs without input or
            output, edges that do not say which one, names that meet, metadata that would be
            lost.
    """
    return _flatten(raw, where, "", _mapping(raw.get("metadata")))


def _mapping(value: Any) -> Raw:
    return value if isinstance(value, Mapping) else {}


def _flatten(
    raw: Raw, where: str, prefix: str, common: Raw
) -> tuple[dict[str, Raw], list[Edge]]:
    problems: list[Problem] = []
    members = _mapping(raw["nodes"])
    for name, node in members.items():
        if not isinstance(node, Mapping):
            problems.append(Problem(f"node {prefix + name!r} is no group", where))
        else:
            problems += check_fields(prefix + name, node, where)
    if problems:
        raise GraphError(*problems)
    doors = {n: _doors(node) for n, node in members.items() if node["type"] == "NIRGraph"}
    flat = _resolve(edges_of(raw, where), members, doors, where, prefix)

    nodes: dict[str, Raw] = {}
    for name, node in members.items():
        full = prefix + name
        if node["type"] != "NIRGraph":
            _put(nodes, full, node, where)
            continue
        _check_metadata(full, node, common, where)
        inner, inner_edges = _flatten(node, where, full + ".", common)
        flat += inner_edges
        passages = [f"{full}.{door}" for names in doors[name].values() for door in names]
        for door in passages:
            flat = _without(flat, door, inner[door], where)
        for key in inner:
            if key not in passages:
                _put(nodes, key, inner[key], where)
    return nodes, flat


def _doors(subgraph: Raw) -> dict[str, list[str]]:
    """The Input and Output nodes of a subgraph."""
    inside = _mapping(subgraph["nodes"]).items()
    kinds = {n: node.get("type") for n, node in inside if isinstance(node, Mapping)}
    return {k: [n for n in kinds if kinds[n] == k] for k in ("Input", "Output")}


def _resolve(
    edges: list[Edge],
    members: Raw,
    doors: Mapping[str, Mapping[str, list[str]]],
    where: str,
    prefix: str,
) -> list[Edge]:
    """Edges between full names, those at a subgraph led to one of its doors."""
    for name, own in doors.items():
        if not own["Input"] or not own["Output"]:
            raise GraphError(
                f"the subgraph {prefix + name!r} has {len(own['Input'])} inputs and "
                f"{len(own['Output'])} outputs, one of each is needed",
                where=where,
                remedy="every node must lie on a way from an Input to an Output",
            )
    places = [f"{n}.{door}" for n in doors for names in doors[n].values() for door in names]
    for place in places:
        if place in members:
            raise _meeting(prefix + place, where)
    check_ends(edges, [*members, *places], where, prefix)
    problems: list[Problem] = []

    def lead(name: str, kind: str, edge: Edge) -> str:
        if name not in doors:
            return prefix + name
        found = doors[name][kind]
        side = f"{kind.lower()}s"
        if len(found) > 1:
            problems.append(
                Problem(
                    f"the edge {prefix}{edge[0]} -> {prefix}{edge[1]} does not say which of "
                    f"the {side} of the subgraph {prefix + name!r} it means: "
                    f"{', '.join(found)}",
                    where,
                    f"name it in the edge, as {prefix}{name}.{found[0]}",
                )
            )
        return f"{prefix}{name}.{found[0]}"

    led = [(lead(s, "Output", (s, e)), lead(e, "Input", (s, e))) for s, e in edges]
    if problems:
        raise GraphError(*problems)
    return led


_OF_A_GRAPH = ("dt", "reset", "dialect", "input_encoding", "readout", "initial_voltage")


def _check_metadata(name: str, subgraph: Raw, common: Raw, where: str) -> None:
    """Refuse metadata of a subgraph that would be lost with it."""
    found = []
    own = _mapping(subgraph.get("metadata"))
    for key, value in own.items():
        if key in _OF_A_GRAPH and not np.array_equal(value, common.get(key, np.nan)):
            found.append(
                f"the subgraph {name!r} states {key} {value!s}, the graph around it "
                + (f"{common[key]!s}" if key in common else "does not")
            )
        elif key in KEYS and key not in _OF_A_GRAPH:
            found.append(f"metadata {key} of the subgraph {name!r} belongs on a node in it")
    for names in _doors(subgraph).values():
        for door in names:
            for key in _mapping(subgraph["nodes"][door].get("metadata")):
                if key in KEYS:
                    found.append(
                        f"metadata {key} of {name}.{door} has no meaning inside of the graph"
                    )
    if found:
        remedy = "state it once, in the metadata of the outermost graph or of the node itself"
        raise GraphError(*(Problem(what, where, remedy) for what in found))


def _meeting(name: str, where: str) -> GraphError:
    return GraphError(
        f"two nodes are called {name!r} once the subgraphs are dissolved",
        where=where,
        remedy="rename one of them",
    )


def _put(nodes: dict[str, Raw], name: str, node: Raw, where: str) -> None:
    if name in nodes:
        raise _meeting(name, where)
    nodes[name] = node


def _without(edges: list[Edge], name: str, node: Raw, where: str) -> list[Edge]:
    """Edges with one door of a subgraph taken out."""
    before = [start for start, end in edges if end == name]
    after = [end for start, end in edges if start == name]
    if not before or not after:
        side = "on from" if before else "to"
        raise GraphError(
            f"nothing leads {side} {name!r}, the {str(node['type']).lower()} of a subgraph",
            where=where,
            remedy="connect it, or take it out",
        )
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
    for kind, step in (("Input", 1), ("Output", -1)):
        ways = edges if step == 1 else [(end, start) for start, end in edges]
        lost = sorted(set(nodes) - _reached(kinds, ways, kind))
        loops = [name for name in lost if name in ends and name in starts]
        if loops and kind in kinds.values():
            way = "from an Input to" if step == 1 else "to an Output from"
            found.append(f"no way leads {way} {', '.join(loops[:6])}")
    parts = _components(list(nodes), edges)
    if len(parts) > 1:
        listed = "; ".join(", ".join(sorted(part)[:6]) for part in parts)
        found.append(f"the graph falls into {len(parts)} parts: {listed}")
    if found:
        remedy = "every node must lie on a way from an Input to an Output"
        raise GraphError(*(Problem(what, where, remedy) for what in found))


def _reached(kinds: Mapping[str, str], edges: list[Edge], start: str) -> set[str]:
    """Names that the edges lead to from the nodes of one kind, those included."""
    after: dict[str, list[str]] = {}
    for begin, end in edges:
        after.setdefault(begin, []).append(end)
    seen = {name for name, kind in kinds.items() if kind == start}
    waiting = list(seen)
    while waiting:
        fresh = [name for name in after.get(waiting.pop(), []) if name not in seen]
        seen.update(fresh)
        waiting += fresh
    return seen


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
