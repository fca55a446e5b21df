"""What a NIR graph is made of, for `export` and `inspect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .tables import print_table

if TYPE_CHECKING:
    from rich.console import Console


def describe_graph(graph: Any) -> dict[str, Any]:
    """Nodes with type, shapes and number of parameters; edges; metadata. JSON values."""
    nodes = {
        name: {
            "type": type(node).__name__,
            "input": _shape(node.input_type),
            "output": _shape(node.output_type),
            "parameters": _parameters(node),
        }
        for name, node in graph.nodes.items()
    }
    return {
        "nodes": nodes,
        "edges": [list(edge) for edge in graph.edges],
        "metadata": dict(graph.metadata),
        "parameters": sum(node["parameters"] for node in nodes.values()),
    }


def show_graph(console: Console, facts: Mapping[str, Any]) -> None:
    """The table of nodes."""
    rows = [
        (name, node["type"], node["input"], node["output"], node["parameters"])
        for name, node in facts["nodes"].items()
    ]
    columns = ("node", "type", ">input", ">output", ">parameters")
    print_table(console, columns, rows)
    told = ", ".join(f"{key} {value}" for key, value in sorted(facts["metadata"].items()))
    console.print(
        f"{len(rows)} nodes, {len(facts['edges'])} edges, {facts['parameters']:,} parameters"
    )
    if told:
        console.print(told)


def _shape(types: Mapping[str, Any] | None) -> list[int] | None:
    values = list((types or {}).values())
    if not values or values[0] is None:
        return None
    return [int(size) for size in values[0]]


def _parameters(node: Any) -> int:
    """Numbers in the node's floating-point arrays."""
    import numpy as np

    arrays = [value for value in vars(node).values() if isinstance(value, np.ndarray)]
    return sum(int(array.size) for array in arrays if array.dtype.kind == "f")
