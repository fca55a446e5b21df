"""Batch and time axes that exporters leave in the shapes of Input and Output.

nirtorch copies the shape of the sample that it traced with: norse and rockpool write (1, 20) or
(1, steps, 20) for 20 inputs, where NIR's shapes have neither batch nor time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .nir_schema import Node
from .shapes import Shape, infer


def drop_batch_axes(nodes: dict[str, Node], edges: list[tuple[str, str]]) -> Shape | None:
    """Take leading axes off every Input, and off every Output that has them, where that fits.

    They begin with a batch of one: (32, 20) may be 32 channels.

    Args:
        nodes: with shapes that do not fit along the edges; replaced where others do.
        edges: of the flat graph.

    Returns:
        The axes; None if no such axes make the shapes fit.
    """
    shapes: list[Shape] = [
        node.fields["shape"] for node in nodes.values() if node.kind == "Input"
    ]
    for count in range(1, min(map(len, shapes))):
        axes = shapes[0][:count]
        if axes[0] != 1 or any(shape[:count] != axes for shape in shapes):
            continue
        trial = {name: _without(node, axes) for name, node in nodes.items()}
        _, problems = infer(trial, edges, "")
        if not problems:
            nodes.update(trial)
            return axes
    return None


def _without(node: Node, axes: Shape) -> Node:
    shape = node.fields.get("shape", ())
    if node.kind not in ("Input", "Output") or shape[: len(axes)] != axes:
        return node
    fields: Mapping[str, object] = {**node.fields, "shape": shape[len(axes) :]}
    return replace(node, fields=dict(fields))
