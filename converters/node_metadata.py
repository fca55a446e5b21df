"""What NIR's nodes cannot say, as metadata on the node: one table of keys, and their rules.

A key holds a text, a number, or one number per neuron; times are SI seconds. Keys that are not
in the table are kept where they are plain, and mean nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import Problem
from .metadata import ENCODINGS, READOUTS
from .network import NEURONS, SPIKING

if TYPE_CHECKING:
    from .nir_schema import Node

Array = npt.NDArray[Any]
Value: TypeAlias = str | int | float | Array

RESETS = ("zero", "subtract")
REMEDY = "correct the metadata where the file is written"
_NESTED = 32
"""Concatenations within concatenations that are followed."""


@dataclass(frozen=True, slots=True)
class Key:
    """One row of the table.

    Attributes:
        kinds: NIR types that may carry the key.
        allowed: what it may hold, in words.
        read: the value as text, int, float or float64 array; None where it is not allowed.
    """

    kinds: tuple[str, ...]
    allowed: str
    read: Callable[[Any], Value | None]


def _text(*known: str) -> tuple[str, Callable[[Any], Value | None]]:
    def read(value: Any) -> Value | None:
        return value if isinstance(value, str) and value in known else None

    return " or ".join(repr(text) for text in known), read


def _number(text: str, holds: Callable[[Array], Any]) -> tuple[str, Callable[[Any], Any]]:
    def read(value: Any) -> Value | None:
        array = np.asarray(value)
        if array.dtype.kind not in "fiu" or array.size == 0:
            return None
        array = array.astype(np.float64)
        if not (np.isfinite(array) & holds(array)).all():
            return None
        return float(array.ravel()[0]) if array.size == 1 else array

    return f"{text}, one or one per neuron", read


def _whole(minimum: int) -> tuple[str, Callable[[Any], Value | None]]:
    def read(value: Any) -> Value | None:
        array = np.asarray(value)
        if array.dtype.kind not in "iu" or array.size != 1 or int(array.ravel()[0]) < minimum:
            return None
        return int(array.ravel()[0])

    return f"one whole number from {minimum} on", read


_POSITIVE = _number("positive finite seconds", lambda x: x > 0)
_LIF = ("LIF",)

KEYS: dict[str, Key] = {
    # What a spike does to v: back to v_reset, or v_threshold off. Overrides the graph's reset.
    "reset": Key(SPIKING, *_text(*RESETS)),
    # v is held for round(refractory / dt) steps after a spike.
    "refractory": Key(SPIKING, *_number("finite seconds from 0 on", lambda x: x >= 0)),
    # u = v = 0 before every step t with t % reset_interval == reset_offset % reset_interval.
    "reset_interval": Key(NEURONS, *_whole(1)),
    "reset_offset": Key(NEURONS, *_whole(0)),
    # Ternary LIF: v below it sends -1.
    "negative_threshold": Key(SPIKING, *_number("finite numbers", np.isfinite)),
    # Adaptive-threshold LIF (Lava's ATRLIF): step of the threshold, its time constant, and the
    # time constant of the refractory term.
    "threshold_step": Key(SPIKING, *_number("finite numbers from 0 on", lambda x: x >= 0)),
    "threshold_tau": Key(SPIKING, *_POSITIVE),
    "refractory_tau": Key(SPIKING, *_POSITIVE),
    # Resonate-and-fire: period of the oscillation; tau of the LIF is its envelope.
    "resonator_period": Key(_LIF, *_POSITIVE),
    "resonator_reset": Key(_LIF, *_text("none", "izhikevich")),
    # An IF behind a SumPool2d: the pair is a max-pool of binary spikes (OR).
    "pooling": Key(("IF",), *_text("max")),
    # What that max-pool was trained on: spikes as they come (the default), or activations of
    # ReLUs, which the OR of rate-coded spikes is not the maximum of.
    "pooling_of": Key(("IF",), *_text("spikes", "rates")),
    "input_encoding": Key(("Input",), *_text(*ENCODINGS)),
    "readout": Key(("Output",), *_text(*READOUTS)),
}

# Name of a model -> the keys that make a node one, and what else may stand beside them.
_MODELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "a ternary neuron (negative_threshold)": (("negative_threshold",), ("reset",)),
    "an adaptive-threshold neuron (threshold_step, threshold_tau, refractory_tau)": (
        ("threshold_step", "threshold_tau", "refractory_tau"),
        (),
    ),
    "a resonator (resonator_period)": (("resonator_period", "resonator_reset"), ()),
    "a max-pool (pooling)": (("pooling", "pooling_of"), ("reset",)),
}
# Key -> keys without which it says nothing.
_NEEDS = {
    "reset_offset": ("reset_interval",),
    "resonator_reset": ("resonator_period",),
    "pooling_of": ("pooling",),
    "threshold_step": ("threshold_tau", "refractory_tau"),
    "threshold_tau": ("threshold_step", "refractory_tau"),
    "refractory_tau": ("threshold_step", "threshold_tau"),
}


def read_metadata(
    name: str, kind: str, raw: Any, where: str
) -> tuple[dict[str, Value], list[Problem]]:
    """The metadata of one node as plain values, and what is wrong with keys of the table."""
    values: dict[str, Value] = {}
    found: list[str] = []
    for key, value in (raw if isinstance(raw, Mapping) else {}).items():
        row = KEYS.get(key)
        if row is None:
            plain = value.item() if isinstance(value, np.generic) else value
            if isinstance(plain, str | int | float):
                values[key] = plain
        elif kind not in row.kinds:
            found.append(f"metadata {key} belongs on {', '.join(row.kinds)} only")
        elif (read := row.read(value)) is None:
            found.append(f"metadata {key} is {_shown(value)}, allowed is {row.allowed}")
        else:
            values[key] = read
    found += _combinations(values)
    return values, [_problem(name, kind, what, where) for what in found]


def _shown(value: Any) -> str:
    plain = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    text = repr(plain)
    return text if len(text) <= 60 else text[:57] + "..."


def _problem(name: str, kind: str, what: str, where: str) -> Problem:
    return Problem(f"node {name!r} ({kind}): {what}", where, REMEDY)


def _combinations(values: Mapping[str, Value]) -> Iterator[str]:
    """Keys that lack their companion, and keys that one neuron cannot have together."""
    for key, needed in _NEEDS.items():
        missing = [other for other in needed if other not in values]
        if key in values and missing:
            yield f"metadata {key} says nothing without {' and '.join(missing)}"
    told: set[frozenset[str]] = set()
    for model, (own, beside) in _MODELS.items():
        mine = [key for key in own if key in values]
        others = [k for k in values if k in KEYS and k not in (*own, *beside)]
        for other in others if mine else []:
            pair = frozenset((mine[0], other))
            if pair not in told:  # two models in one node are told once
                yield f"metadata {other} has no meaning for {model}"
            told.add(pair)
        if mine and "reset" in beside and values.get("reset") == "subtract":
            yield f"metadata reset 'subtract' has no meaning for {model}: it resets to zero"


def check_nodes(
    nodes: Mapping[str, Node],
    edges: list[tuple[str, str]],
    graph: Mapping[str, Any],
    where: str,
) -> list[Problem]:
    """What is wrong with metadata beside the parameters, the shapes, dt and the edges.

    Args:
        nodes: with parameters of the full neuron shape.
        edges: of the flat graph.
        graph: the graph's own metadata, with dt in seconds.
        where: the file.
    """
    problems = []
    for name, node in nodes.items():
        found = [*_shapes(node), *_times(node, float(graph["dt"]))]
        found += _resets(node, str(graph["reset"]))
        if not found and "pooling" in node.metadata:
            found += _max_pool(name, nodes, edges, graph)
        problems += [_problem(name, node.kind, what, where) for what in found]
    return problems


def _shapes(node: Node) -> Iterator[str]:
    own = next((v.shape for v in node.fields.values() if isinstance(v, np.ndarray)), ())
    for key, value in node.metadata.items():
        if isinstance(value, np.ndarray) and value.shape != own:
            yield f"metadata {key} has shape {value.shape}, the neurons have {own}"


def _times(node: Node, dt: float) -> Iterator[str]:
    """Times that a step of dt cannot tell."""
    refractory = np.asarray(node.metadata.get("refractory", 0.0))
    short = (refractory > 0) & (np.round(refractory / dt) < 1)
    if short.any():
        yield (
            f"metadata refractory {refractory[short].ravel()[0]:g} s is less than half a step "
            f"of dt = {dt:g} s, so nothing would be held"
        )
    for key, steps in (("threshold_tau", 1), ("refractory_tau", 1), ("resonator_period", 2)):
        least = float(np.min(np.asarray(node.metadata.get(key, np.inf), np.float64)))
        if least < steps * dt * (1 - 1e-4):
            limit = "dt" if steps == 1 else f"{steps} dt"
            yield f"metadata {key} {least:g} s is below {limit} = {steps * dt:g} s"


def _resets(node: Node, default: str) -> Iterator[str]:
    """Thresholds and resets that contradict each other."""
    own = node.metadata
    if "v_threshold" not in node.fields:
        return
    threshold, rest = node.fields["v_threshold"], node.fields["v_reset"]
    low = np.asarray(own.get("negative_threshold", -np.inf), np.float64)
    if low.shape in ((), threshold.shape) and (low >= threshold).any():
        index = np.unravel_index(int(np.argmax(low >= threshold)), threshold.shape)
        yield (
            f"metadata negative_threshold {np.broadcast_to(low, threshold.shape)[index]:g} is "
            f"not below v_threshold {threshold[index]:g}"
        )
    soft = own.get("reset", default) == "subtract"
    for model, (keys, beside) in _MODELS.items():
        if not any(key in own for key in keys):
            continue
        if "reset" in beside and soft and "reset" not in own:
            yield f"the graph's reset 'subtract' has no meaning for {model}: state 'zero' here"
        if keys[0] != "negative_threshold" and (rest != 0).any():
            yield f"v_reset {rest[rest != 0].ravel()[0]:g} has no meaning for {model}"
        return
    if soft and (rest != 0).any():
        yield (
            "reset 'subtract' takes v_threshold off, so v_reset "
            f"{rest[rest != 0].ravel()[0]:g} would not be used"
        )


def _max_pool(
    name: str,
    nodes: Mapping[str, Node],
    edges: list[tuple[str, str]],
    graph: Mapping[str, Any],
) -> Iterator[str]:
    """Why this IF and the SumPool2d before it are no OR of spikes."""
    node = nodes[name]
    sources = [start for start, end in edges if end == name]
    if len(sources) != 1 or nodes[sources[0]].kind != "SumPool2d":
        yield f"metadata pooling needs one SumPool2d before it, it has {', '.join(sources)}"
        return
    threshold, jump = node.fields["v_threshold"], node.fields["r"] * float(graph["dt"])
    if (threshold < 0).any() or (jump <= threshold).any():
        yield (
            "metadata pooling needs 0 <= v_threshold < r * dt: any one spike must make it fire"
        )
    pooled = [start for start, end in edges if end == sources[0]]
    if not _are_binary(pooled, nodes, edges, graph):
        yield f"metadata pooling needs spikes of 0 and 1, but it pools {', '.join(pooled)}"


def _are_binary(
    names: list[str],
    nodes: Mapping[str, Node],
    edges: list[tuple[str, str]],
    graph: Mapping[str, Any],
    depth: int = 0,
) -> bool:
    """Whether these nodes' outputs sum to 0 or 1: one of spikes, or parts side by side."""
    placed: Array = np.zeros(1)
    if depth > _NESTED:
        return False
    for name in names:
        node = nodes[name]
        if node.kind in SPIKING and "negative_threshold" not in node.metadata:
            placed = placed + 1
        elif node.kind == "Input":
            placed = placed + 1
            if node.metadata.get("input_encoding", graph["input_encoding"]) != "spikes":
                return False
        elif node.kind == "Conv2d":  # a part of a concatenation
            weight, before = node.fields["weight"], [a for a, b in edges if b == name]
            one = weight.shape[2:] == (1, 1) and np.isin(weight, (0, 1)).all()
            if not one or node.fields["bias"].any() or len(before) != 1:
                return False
            if not _are_binary(before, nodes, edges, graph, depth + 1):
                return False
            placed = placed + weight.sum(axis=(1, 2, 3))
        else:
            return False
    return bool((placed <= 1).all())
