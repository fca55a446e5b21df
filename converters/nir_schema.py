"""What each NIR node must hold: fields, types, ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Problem
from .node_metadata import Value, read_metadata

Array = npt.NDArray[Any]

# Node type -> (required fields, optional fields). Checked against nir 1.0.8.
FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Input": (("shape",), ()),
    "Output": (("shape",), ()),
    "Affine": (("weight", "bias"), ()),
    "Linear": (("weight",), ()),
    "Scale": (("scale",), ()),
    "Conv1d": (("weight", "stride", "padding", "dilation", "groups", "bias"), ("input_shape",)),
    "Conv2d": (("weight", "stride", "padding", "dilation", "groups", "bias"), ("input_shape",)),
    "SumPool2d": (("kernel_size", "stride", "padding"), ()),
    "AvgPool2d": (("kernel_size", "stride", "padding"), ()),
    "Flatten": (("start_dim", "end_dim"), ("input_type",)),
    "Delay": (("delay",), ()),
    "Threshold": (("threshold",), ()),
    "I": (("r",), ()),
    "LI": (("tau", "r", "v_leak"), ()),
    "IF": (("r", "v_threshold"), ("v_reset",)),
    "LIF": (("tau", "r", "v_leak", "v_threshold"), ("v_reset",)),
    "CubaLI": (("tau_syn", "tau_mem", "r", "v_leak"), ("w_in",)),
    "CubaLIF": (("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"), ("v_reset", "w_in")),
    "NIRGraph": (("nodes", "edges"), ("input_type", "output_type", "version")),
}
COMMON = ("type", "metadata")
ELEMENTWISE = ("Scale", "Delay", "Threshold", "I", "LI", "IF", "LIF", "CubaLI", "CubaLIF")
_WEIGHT_AXES = {"Affine": 2, "Linear": 2, "Conv1d": 3, "Conv2d": 4}
_COUNTS = {"stride": 1, "dilation": 1, "groups": 1, "kernel_size": 1, "padding": 0}


@dataclass(slots=True)
class Node:
    """A node as plain values.

    Attributes:
        kind: NIR type.
        fields: float arrays, tuples of int for geometry, "same" or "valid" for padding.
        metadata: see :mod:`.node_metadata`.
    """

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Value] = field(default_factory=dict)


def check_fields(name: str, raw: Mapping[str, Any], where: str) -> list[Problem]:
    """Find an unknown type, missing fields, and fields that NIR does not have."""
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in FIELDS:
        known = ", ".join(sorted(FIELDS))
        return [
            Problem(f"node {name!r} has the unknown type {kind!r}", where, f"NIR has {known}")
        ]
    required, optional = FIELDS[kind]
    missing = [f for f in required if f not in raw]
    extra = [f for f in raw if f not in (*required, *optional, *COMMON)]
    problems = []
    if missing:
        what = f"node {name!r} ({kind}) lacks {', '.join(missing)}"
        problems.append(Problem(what, where, "write it with nir 1.0.8"))
    if extra:
        what = f"node {name!r} ({kind}) has unknown fields: {', '.join(extra)}"
        remedy = "it may come from a newer NIR than 1.0.8 or a private dialect; remove them"
        problems.append(Problem(what, where, remedy))
    return problems


def _integers(value: Any) -> tuple[int, ...] | None:
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        return None
    return tuple(int(v) for v in array.ravel())


def _geometry(kind: str, name: str, value: Any, axes: int) -> tuple[Any, str]:
    """A stride, padding, shape or the like as a tuple, and what is wrong with it."""
    if name == "padding" and isinstance(value, str) and kind.startswith("Conv"):
        return value, "" if value in ("same", "valid") else f"padding {value!r} is unknown"
    values = _integers(value)
    if values is None:
        return (), f"{name} must be whole numbers, it is {value!r}"
    if name in _COUNTS:
        values = values * axes if len(values) == 1 and name != "groups" else values
        wanted = 1 if name == "groups" else axes
        if len(values) != wanted:
            return values, f"{name} has {len(values)} values, {wanted} are needed"
        if min(values) < _COUNTS[name]:
            return values, f"{name} must be at least {_COUNTS[name]}, it is {list(values)}"
    elif name in ("shape", "input_shape", "input_type") and min(values, default=1) < 1:
        return values, f"{name} must be positive, it is {list(values)}"
    return values, ""


def _first(mask: Array, values: Array) -> str:
    index = tuple(int(i) for i in np.argwhere(mask)[0])
    return f"{values[index]} at {list(index)}"


def _numbers(name: str, value: Any) -> tuple[Array, str]:
    """A float array in native byte order, and what is wrong with it."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        return array, f"{name} must be numbers, it is {array.dtype}"
    if array.dtype.kind in "iu" and name == "weight":
        return array, f"weight is {array.dtype}: quantised weights without their scale"
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    array = array.astype(np.float32 if single else np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        return array, f"{name} is not finite: {_first(bad, array)}"
    if name.startswith("tau") and (array <= 0).any():
        return array, f"{name} must be positive: {_first(array <= 0, array)}"
    if name == "delay" and (array < 0).any():
        return array, f"delay must not be negative: {_first(array < 0, array)}"
    return array, ""


_TUPLES = ("shape", "input_shape", "input_type", "start_dim", "end_dim", *_COUNTS)


def parse_node(name: str, raw: Mapping[str, Any], where: str) -> tuple[Node, list[Problem]]:
    """Types and ranges of one node whose fields are complete; old schemas are completed."""
    kind = str(raw["type"])
    required, optional = FIELDS[kind]
    axes = 1 if kind == "Conv1d" else 2
    node, found = Node(kind), []
    for key in (*required, *optional):
        if key not in raw:
            continue
        reader: Any = _numbers(key, raw[key])
        if key in _TUPLES:
            reader = _geometry(kind, key, raw[key], axes)
        node.fields[key], what = reader
        if what:
            found.append(what)
    if not found:
        if "v_threshold" in node.fields:  # files older than nir 1.0.6 have no v_reset
            node.fields.setdefault("v_reset", np.zeros_like(node.fields["v_threshold"]))
        if "tau_syn" in node.fields:
            node.fields.setdefault("w_in", np.ones_like(node.fields["tau_syn"]))
        found += _check_weights(kind, node.fields) + _check_neuron(kind, node.fields)
    remedy = "correct the file where it is written"
    problems = [Problem(f"node {name!r} ({kind}): {what}", where, remedy) for what in found]
    node.metadata, wrong = read_metadata(name, kind, raw.get("metadata"), where)
    return node, problems + wrong


def _check_weights(kind: str, fields: Mapping[str, Any]) -> list[str]:
    if kind not in _WEIGHT_AXES:
        return []
    weight, found = fields["weight"], []
    if weight.ndim != _WEIGHT_AXES[kind] or 0 in weight.shape:
        return [f"weight must have {_WEIGHT_AXES[kind]} axes, its shape is {weight.shape}"]
    bias = fields.get("bias")
    if bias is not None and bias.shape != (len(weight),):
        found.append(f"bias has shape {bias.shape}, {(len(weight),)} is needed")
    groups = fields.get("groups", (1,))[0]
    if len(weight) % groups:
        found.append(f"{len(weight)} output channels cannot be split into {groups} groups")
    if fields.get("padding") == "same" and set(fields["stride"]) != {1}:
        found.append("padding 'same' is defined for stride 1 only")
    return found


def _check_neuron(kind: str, fields: dict[str, Any]) -> list[str]:
    """Bring a neuron's parameters to one shape; single values wait for the edges' shapes."""
    if kind not in ELEMENTWISE:
        return []
    shapes = {name: value.shape for name, value in fields.items()}
    full = {shape for shape in shapes.values() if np.prod(shape) != 1}
    if len(full) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        return [f"its parameters have unequal shapes: {listed}"]
    goal = full.pop() if full else max(shapes.values(), key=len)
    for name, value in fields.items():
        fields[name] = np.broadcast_to(value.reshape(()) if value.size == 1 else value, goal)
    return []
