"""What a model returns: names of its outputs, and their Output nodes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from torch import fx

from .network import NEURONS, Network, Signal

OUTPUT = "output"
WHERE = "the model's return value"


@dataclass(frozen=True, slots=True)
class CellOutput:
    """The pair (output, state) that a cell returns."""

    signal: Signal
    path: str


@dataclass(frozen=True, slots=True)
class State:
    """The state that a cell returns; `path` is the cell's."""

    path: str


def output_names(
    net: Network, result: Any, inputs: Iterable[str], has_cells: bool
) -> tuple[dict[str, Any], list[Any]]:
    """What the model returns by output name, and the rest, which must be states.

    One tensor is "output"; a dict's or named tuple's outputs have its names, those of a tuple
    or list are "output_0", "output_1" and so on.
    """
    rest: list[Any] = []
    if has_cells and isinstance(result, tuple):  # (output, state)
        result, rest = result[0], list(result[1:])
    result = fields_of(result) or result
    if isinstance(result, Mapping):
        named = [(str(key), value) for key, value in result.items()]
    elif isinstance(result, tuple | list):
        named = [(f"{OUTPUT}_{n}", v) for n, v in enumerate(result) if v is not None]
        if len(named) == 1:
            named = [(OUTPUT, named[0][1])]
    else:
        named = [(OUTPUT, result)]
    names = [re.sub(r"\W", "_", name) or OUTPUT for name, _ in named]
    twice = sorted({name for name in names if names.count(name) > 1 or name in inputs})
    if twice:
        net.refuse(
            WHERE,
            f"{', '.join(twice)} would name two inputs or outputs",
            "give every argument of forward and every output a name of its own",
            (),
        )
    return dict(zip(names, (value for _, value in named), strict=True)), rest


def fields_of(value: Any) -> dict[str, Any] | None:
    """The fields of a named tuple, which torch.fx traces as a call of its class."""
    target = value.target if isinstance(value, fx.Node) else None
    if not (isinstance(target, type) and issubclass(target, tuple)):
        return None
    names = getattr(target, "_fields", ())
    return {**dict(zip(names, value.args, strict=False)), **value.kwargs} or None


def connect_outputs(
    net: Network,
    outputs: Mapping[str, Any],
    rest: list[Any],
    values: Mapping[fx.Node, Any],
    where: Callable[[fx.Node], str],
) -> None:
    """Draw the Outputs; whatever else the model returns must be states."""
    extra: list[fx.Node] = []
    fx.node.map_arg(rest, extra.append)
    others = [where(n) for n in extra if not isinstance(values[n], State)]
    signals = {name: _signal(value, values) for name, value in outputs.items()}
    strange = [name for name, signal in signals.items() if signal is None]
    if others or strange or not signals:
        kinds = f"also {', '.join(others)}" if others else "no tensor that a layer made"
        kinds += f" as {', '.join(strange)}" if strange and len(signals) > 1 else ""
        net.refuse(
            WHERE,
            "the model must return a tensor, a tuple, list or dict of tensors, or (those, "
            f"state); it returns {kinds}",
            "return the outputs alone",
            (),
        )
        return
    for name, signal in signals.items():
        assert signal is not None
        _connect(net, name, signal, alone=len(signals) == 1)


def _signal(value: Any, values: Mapping[fx.Node, Any]) -> Signal | None:
    found = values.get(value) if isinstance(value, fx.Node) else None
    if isinstance(found, CellOutput):
        return found.signal
    return found if isinstance(found, Signal) else None


def _connect(net: Network, name: str, signal: Signal, alone: bool) -> None:
    """One Output. Where a ReLU is the last layer, its IF is read: its spikes are counted."""
    scale: float | None = None
    terms: Counter[tuple[str, int]] = Counter()
    for term, times in signal.terms.items():
        origin = net.activations.get(term[0])
        if origin is not None:
            scale = float(net.nodes[term[0]].scale.flat[0])
        terms[term if origin is None else (origin, 0)] += times
    kinds = [type(net.nodes[node]).__name__ for node, _ in terms]
    if sum(terms.values()) > 1 and any(kind in NEURONS for kind in kinds):
        net.refuse(
            WHERE,
            ("the output" if alone else f"the output {name}")
            + " is a sum of neurons; an output reads one population",
            "put a Linear layer or a neuron behind the addition",
            (),
        )
        return
    node = nir.Output({"output": np.array(signal.shape)})
    if scale is not None:
        node.metadata["output_scale"] = scale
    net.nodes[name] = node
    net.connect(Signal(terms, signal.shape), name)
