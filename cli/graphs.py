"""What a NIR graph or a .net file is made of, for `export` and `inspect`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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


def describe_net(path: Path) -> dict[str, Any]:
    """Layers of a lava-dl network with type, shape, neuron and fields. JSON values.

    Raises:
        FileError, UnsafeFileError: it cannot be read.
    """
    from ..deploy.netx.fields import Fields
    from ..deploy.netx.file import read_file

    layers, simulation = read_file(path)
    found = []
    for index, values in enumerate(layers):
        fields = Fields(f"{path}: layer {index}", values)
        shape = fields.numbers("shape")
        found.append(
            {
                "type": fields.text("type"),
                "shape": None if shape is None else [int(n) for n in shape.reshape(-1)],
                "neuron": fields.text("neuron/type") or None,
                "weights": _weights(fields),
                "fields": sorted(_flat(values)),
            }
        )
    return {"layers": found, "simulation": {key: _number(v) for key, v in simulation.items()}}


def show_net(console: Console, facts: Mapping[str, Any]) -> None:
    """The table of layers."""
    rows = [
        (index, f["type"], f["shape"], f["neuron"], f["weights"])
        for index, f in enumerate(facts["layers"])
    ]
    print_table(console, (">layer", "type", ">shape", "neuron", ">weights"), rows)
    told = ", ".join(f"{key} {value}" for key, value in sorted(facts["simulation"].items()))
    total = sum(f["weights"] for f in facts["layers"])
    console.print(f"{len(rows)} layers, {total:,} weights" + (f", {told}" if told else ""))


def _weights(fields: Any) -> int:
    """Weights of a layer, of all its matrices."""
    import numpy as np

    keys = ("weight", "weight_rec", "weight/real", "weight/imag")
    found = [fields.find(key) for key in keys]
    return sum(int(np.size(w)) for w in found if w is not None and not isinstance(w, dict))


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key, value in values.items():
        inner = _flat(value, f"{prefix}{key}/") if isinstance(value, Mapping) else None
        names += [f"{prefix}{key}"] if inner is None else inner
    return names


def _number(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
