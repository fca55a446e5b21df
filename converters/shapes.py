"""Shapes along the edges of a NIR graph, by our own rules.

nir 1.0.8 looks at the first kernel axis only, takes C_in / groups for C_in, and lets 'same'
ignore the stride; it also visits each node once, so that a back edge is not followed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Problem
from .nir_schema import ELEMENTWISE, FIELDS, Node

if TYPE_CHECKING:
    import nir

Shape = tuple[int, ...]


class ShapeError(ValueError):
    """A node cannot take a shape."""


def _window(size: Shape, kernel: Shape, stride: Shape, padding: Any, dilation: Shape) -> Shape:
    if isinstance(padding, str):
        if padding == "same":
            return size
        padding = (0,) * len(size)
    axes = zip(size, kernel, stride, padding, dilation, strict=True)
    result = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes)
    if min(result) < 1:
        raise ShapeError(f"takes no {size}: its kernel {kernel} is larger")
    return result


def _dense(fields: Mapping[str, Any], given: Shape) -> Shape:
    out, into = fields["weight"].shape
    if given != (into,):
        hint = "; is the weight transposed?" if given == (out,) else ""
        if prod(given) == into:
            hint = "; a Flatten with start_dim 0 is missing: NIR counts axes without the batch"
        elif len(given) > 1 and given[-1] == into:
            hint = (
                f"; do the axes {given[:-1]} count samples or steps? NIR's shapes have neither"
            )
        raise ShapeError(f"takes ({into},){hint}")
    return (out,)


def _conv(fields: Mapping[str, Any], given: Shape) -> Shape:
    weight, groups = fields["weight"], fields["groups"][0]
    axes = weight.ndim - 2
    channels = weight.shape[1] * groups
    size = fields.get("input_shape")
    if len(given) != axes + 1 or given[0] != channels or (size and given[1:] != size):
        spatial = size or ("length",) if axes == 1 else size or ("height", "width")
        raise ShapeError(f"takes ({', '.join(map(str, (channels, *spatial)))})")
    kernel = weight.shape[2:]
    placed = _window(given[1:], kernel, fields["stride"], fields["padding"], fields["dilation"])
    return (int(weight.shape[0]), *placed)


def _pool(fields: Mapping[str, Any], given: Shape) -> Shape:
    if len(given) != 3:
        raise ShapeError("takes (channels, height, width)")
    kernel, stride, padding = fields["kernel_size"], fields["stride"], fields["padding"]
    return (given[0], *_window(given[1:], kernel, stride, padding, (1, 1)))


def _flatten(fields: Mapping[str, Any], given: Shape) -> Shape:
    declared = fields.get("input_type")
    if declared and declared != given:
        raise ShapeError(f"takes {declared}")
    rank = len(given)
    first, last = fields["start_dim"][0], fields["end_dim"][0]
    first, last = first + rank * (first < 0), last + rank * (last < 0)
    if not 0 <= first < rank or not first <= last < rank:
        raise ShapeError(f"has no axes {fields['start_dim'][0]} to {fields['end_dim'][0]}")
    return (*given[:first], prod(given[first : last + 1]), *given[last + 1 :])


def _elementwise(fields: Mapping[str, Any], given: Shape) -> Shape:
    own = next(iter(fields.values())).shape
    if own != given and prod(own) != 1:
        raise ShapeError(f"has {own} neurons or values")
    return given


def _output(fields: Mapping[str, Any], given: Shape) -> Shape:
    if fields["shape"] != given:
        raise ShapeError(f"declares {fields['shape']}")
    return given


_RULES = {
    "Affine": _dense,
    "Linear": _dense,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "SumPool2d": _pool,
    "AvgPool2d": _pool,
    "Flatten": _flatten,
    "Output": _output,
    **dict.fromkeys(ELEMENTWISE, _elementwise),
}


def _own_shapes(node: Node) -> tuple[Shape, Shape] | None:
    """Shapes in and out that a node fixes by itself, so that the search goes on behind it."""
    weight = node.fields.get("weight")
    if weight is not None and weight.ndim == 2:
        return (weight.shape[1],), (weight.shape[0],)
    if node.kind in ELEMENTWISE:
        own = next(iter(node.fields.values())).shape
        return own, own
    return None


def output_shape(node: Node, given: Shape) -> Shape:
    """Shape that a node sends if it is given one. Raises ShapeError if it cannot take it."""
    return _RULES[node.kind](node.fields, given)


def infer(
    nodes: Mapping[str, Node], edges: list[tuple[str, str]], where: str
) -> tuple[dict[str, tuple[Shape, Shape]], list[Problem]]:
    """Shapes (in, out) of every node that is reached, and every edge that does not fit."""
    shapes: dict[str, tuple[Shape, Shape]] = {}
    problems: list[Problem] = []
    refused: set[tuple[str, str]] = set()
    following: dict[str, list[str]] = {}
    for start, end in edges:
        following.setdefault(start, []).append(end)
    ready = deque(name for name, node in nodes.items() if node.kind == "Input")
    for name in ready:
        shape = nodes[name].fields["shape"]
        shapes[name] = (shape, shape)

    def refuse(start: str, end: str, text: str) -> None:
        refused.add((start, end))
        what = f"{start} sends {shapes[start][1]}, but {end} ({nodes[end].kind}) {text}"
        remedy = "the two ends of an edge must have one shape"
        problems.append(Problem(what, f"{where}, edge {start} -> {end}", remedy))

    while ready:
        start = ready.popleft()
        for end in following.get(start, []):
            if end in shapes:
                continue
            given = shapes[start][1]
            try:
                shapes[end] = (given, output_shape(nodes[end], given))
            except ShapeError as error:
                refuse(start, end, str(error))
                own = _own_shapes(nodes[end])
                if own is None:
                    continue
                shapes[end] = own
            ready.append(end)
    for start, end in edges:
        fits = start not in shapes or end not in shapes or shapes[start][1] == shapes[end][0]
        if not fits and (start, end) not in refused:
            refuse(start, end, f"takes {shapes[end][0]}")
    return shapes, problems


def record(node: nir.NIRNode) -> Node:
    """A nir node as plain values, as :func:`infer` takes it."""
    kind = type(node).__name__
    values = dict(vars(node))
    if kind in ("Input", "Output"):
        values["shape"] = node.input_type["input"]
    if isinstance(values.get("input_type"), dict):
        values["input_type"] = values["input_type"].get("input")
    geometry = ("shape", "input_type", "input_shape", "start_dim", "end_dim", "groups")
    lists = ("stride", "padding", "dilation", "kernel_size")
    required, optional = FIELDS[kind]
    fields: dict[str, Any] = {}
    for name in (*required, *optional):
        value = values.get(name)
        if value is None:
            continue
        if name in (*geometry, *lists) and not isinstance(value, str):
            value = tuple(int(v) for v in np.ravel(value))
            if name in lists and len(value) == 1 and kind != "Conv1d":
                value = value * 2
        fields[name] = value
    return Node(kind, fields)


def graph_shapes(graph: nir.NIRGraph) -> tuple[dict[str, tuple[Shape, Shape]], list[Problem]]:
    """Shapes (in, out) of a flat graph's nodes, and every edge that does not fit."""
    nodes = {name: record(node) for name, node in graph.nodes.items()}
    return infer(nodes, [(str(a), str(b)) for a, b in graph.edges], "graph")
