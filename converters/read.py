"""A NIR file of any writer -> a canonical NIR graph, or the reason why not.

The stages below are run in this order; each collects all that it finds before it raises, and
nothing is built from a file that a former stage refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FileError, GraphError, Problem, UnsupportedNode, UsageError
from .conv_forms import padded_same
from .metadata import ENCODINGS, READOUTS, complete_readouts
from .nir_schema import ELEMENTWISE, Node, parse_node
from .node_metadata import RESETS, check_nodes

if TYPE_CHECKING:
    import nir

    from .shapes import Shape

FORMAT = 1
_WEIGHTED = ("Affine", "Linear", "Conv1d", "Conv2d")


def read_graph(path: Path | str, *, dt: float | None = None) -> nir.NIRGraph:
    """Read and validate a NIR file.

    Args:
        path: the file. It is opened read-only and never followed to another file.
        dt: seconds a step; needed where the file's metadata do not state it.

    Raises:
        FileError, UnsafeFileError: see :func:`.hdf5_safety.read_tree`.
        GraphError: fields, values, edges, shapes, metadata of nodes (see
            :mod:`.node_metadata`).
        UnsupportedNode: a reset that is not known, or a dialect other than NIR's.
        UsageError: dt is unknown or does not fit.
    """
    from .batch_axes import drop_batch_axes
    from .dialect import decide_dt
    from .hdf5_safety import read_tree
    from .nir_topology import check_topology, flatten
    from .shapes import infer

    path = Path(path)
    where = str(path)
    tree = read_tree(path)
    raw, edges = flatten(_graph_of(tree, where), where)

    nodes, problems = {}, []
    for name, fields in raw.items():
        nodes[name], found = parse_node(name, fields, where)
        problems += found
    if problems:
        raise GraphError(*problems)

    check_topology(nodes, edges, where)
    shapes, problems = infer(nodes, edges, where)
    dropped = drop_batch_axes(nodes, edges) if problems else None
    if dropped:
        shapes, problems = infer(nodes, edges, where)
    if problems:
        raise GraphError(*problems)
    _broadcast(nodes, edges, shapes, where)

    metadata = _metadata(tree.get("metadata", {}), where)
    if dropped:
        metadata["dropped_axes"] = " x ".join(map(str, dropped))
    metadata["dt"] = decide_dt(nodes, metadata.get("dt"), dt, where)
    problems = check_nodes(nodes, edges, metadata, where)
    if problems:
        raise GraphError(*problems)
    graph = _build(nodes, edges, shapes, metadata)
    complete_readouts(graph)
    return graph


def _graph_of(tree: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    missing = [key for key in ("nodes", "edges") if key not in tree]
    if missing:
        raise FileError(f"the graph lacks {' and '.join(missing)}", where=where)
    return tree


def _broadcast(
    nodes: dict[str, Node],
    edges: list[tuple[str, str]],
    shapes: Mapping[str, tuple[Shape, Shape]],
    where: str,
) -> None:
    """Give every neuron its own parameters, where a weight says how many there are."""
    problems = []
    for name, node in nodes.items():
        if node.kind not in ELEMENTWISE:
            continue
        shape = shapes[name][0]
        own = next(iter(node.fields.values())).shape
        if own != shape and not _width_is_known(name, nodes, edges):
            problems.append(
                Problem(
                    f"node {name!r} ({node.kind}) has single parameters of shape {own}, and "
                    f"only the Input's shape {shape} says how many neurons it has: it may be "
                    f"one neuron and a sample of {shape[0]} steps",
                    where,
                    "store one value per neuron, and an Input shape without time axis",
                )
            )
            continue
        for key, value in node.fields.items():
            spread = value.reshape(()) if value.size == 1 else value
            node.fields[key] = np.array(np.broadcast_to(spread, shape))
    if problems:
        raise GraphError(*problems)


def _width_is_known(name: str, nodes: Mapping[str, Node], edges: list[tuple[str, str]]) -> bool:
    """Tell whether a weight, or a neuron with own parameters, lies on this node's wires."""
    for here, there in ((0, 1), (1, 0)):
        waiting, seen = [name], {name}
        while waiting:
            current = waiting.pop()
            for edge in edges:
                other = edge[there]
                if edge[here] != current or other in seen:
                    continue
                seen.add(other)
                node = nodes[other]
                if node.kind in _WEIGHTED:
                    return True
                if node.kind in ELEMENTWISE and next(iter(node.fields.values())).size > 1:
                    return True
                waiting.append(other)
    return False


def _metadata(raw: Any, where: str) -> dict[str, str | int | float]:
    """Flat keys as plain Python values, checked, with defaults; arrays and nests are left."""
    values: dict[str, str | int | float] = {}
    for key, value in (raw if isinstance(raw, Mapping) else {}).items():
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, str | int | float):
            values[key] = plain
    if "reset" not in values:
        values["reset_from"] = "default"
    for key, default in (
        ("slipway_format", FORMAT),
        ("reset", "zero"),
        ("dialect", "nir"),
        ("source", "nir"),
        ("input_encoding", "current"),
    ):
        values.setdefault(key, default)
    if values["slipway_format"] != FORMAT:
        raise FileError(
            f"this graph has slipway_format {values['slipway_format']}, known is {FORMAT}",
            where=where,
            remedy="read it with the slipway that wrote it, or a newer one",
        )
    if values["reset"] not in RESETS:
        raise UnsupportedNode(
            f"metadata state reset {values['reset']!r}; known are "
            f"{' and '.join(map(repr, RESETS))}",
            where=where,
            remedy="'zero' sets v to v_reset, 'subtract' takes v_threshold off",
        )
    if values["dialect"] != "nir":
        raise UnsupportedNode(
            f"metadata state dialect {values['dialect']!r}; only 'nir' is read",
            where=where,
            remedy="write the file with NIR's own equations and units",
        )
    for key, allowed in (("readout", READOUTS), ("input_encoding", ENCODINGS)):
        if values.get(key, allowed[0]) not in allowed:
            raise UsageError(
                f"metadata {key} is {values[key]!r}, allowed are {', '.join(allowed)}",
                where=where,
            )
    steps = values.get("steps", 1)
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise UsageError(f"metadata steps must be a whole number, it is {steps!r}", where=where)
    return values


def _build(
    nodes: Mapping[str, Node],
    edges: list[tuple[str, str]],
    shapes: Mapping[str, tuple[Shape, Shape]],
    metadata: dict[str, str | int | float],
) -> nir.NIRGraph:
    """Make nir's objects and put our shapes into them, without nir's own inference."""
    import nir

    built = {}
    for name, (given, sent) in shapes.items():  # in the order of the signal, not of HDF5
        built[name] = _make(nodes[name], given)
        built[name].metadata = dict(nodes[name].metadata)
        built[name].input_type = {"input": np.array(given)}
        built[name].output_type = {"output": np.array(sent)}
    return nir.NIRGraph(built, edges, metadata=metadata, type_check=False)


def _make(node: Node, given: Shape) -> Any:
    import nir

    fields = dict(node.fields)
    if node.kind == "Input":
        return nir.Input({"input": np.array(given)})
    if node.kind == "Output":
        return nir.Output({"output": np.array(given)})
    if node.kind == "Flatten":
        first, last = fields["start_dim"][0], fields["end_dim"][0]
        return nir.Flatten({"input": np.array(given)}, first, last)
    if node.kind in ("SumPool2d", "AvgPool2d"):
        return getattr(nir, node.kind)(**{key: np.array(v) for key, v in fields.items()})
    if node.kind in ("Conv1d", "Conv2d"):
        groups = fields["groups"][0]
        if fields["padding"] == "same":
            conv = padded_same(fields["weight"], fields["dilation"], groups)
            fields.update(weight=conv.weight, padding=conv.padding, dilation=conv.dilation)
        elif fields["padding"] == "valid":
            fields["padding"] = (0,) * len(fields["stride"])
        fields.update(groups=groups, input_shape=given[1:])
        if node.kind == "Conv1d":
            geometry = ("stride", "padding", "dilation", "input_shape")
            fields.update({key: fields[key][0] for key in geometry})
    return getattr(nir, node.kind)(**fields)
