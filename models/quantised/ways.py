"""A deployable ReLU network as populations: what leads into each ReLU, and into the output."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx, nn

from ...errors import ModelError, Problem
from .deployable import is_scaled

INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True, slots=True)
class Way:
    """One projection: a source, what its messages pass, and the layer that has the weights.

    Attributes:
        source: a ReLU's path, or INPUT.
        before: paths of pooling, flatten and dropout layers before the layer, in order.
        layer: path of a convolution or linear layer; "" where there is none yet.
    """

    source: str
    before: tuple[str, ...] = ()
    layer: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One population: a ReLU's path, or OUTPUT, and the ways into it."""

    name: str
    ways: tuple[Way, ...]


def stages_of(network: nn.Module) -> tuple[Stage, ...]:
    """The populations in an order in which every source precedes its targets.

    Raises:
        ModelError: every layer or function that has no place in this scheme.
    """
    try:
        graph = fx.symbolic_trace(network).graph
    except Exception as error:  # a forward that cannot be traced raises nearly anything
        told = f"the network cannot be traced ({type(error).__name__}: {error})"
        raise ModelError(told, where=type(network).__name__) from error
    reader = _Reader(network)
    for node in graph.nodes:
        reader.read(node)
    if reader.problems:
        raise ModelError(*dict.fromkeys(reader.problems))
    return tuple(reader.stages)


class _Reader:
    """Walks the trace once; `ways` says what each node adds up."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.ways: dict[fx.Node, tuple[Way, ...]] = {}
        self.stages: list[Stage] = []
        self.problems: list[Problem] = []
        self.layers: set[str] = set()

    def read(self, node: fx.Node) -> None:
        given = [way for source in node.all_input_nodes for way in self.ways[source]]
        if node.op == "placeholder":
            self.ways[node] = (Way(INPUT),)
        elif node.op == "output":
            self._end(OUTPUT, given)
        elif node.op == "call_module":
            module = self.network.get_submodule(str(node.target))
            self.ways[node] = self._module(str(node.target), module, given)
        elif node.target in (operator.add, operator.iadd, torch.add, "add", "add_"):
            self.ways[node] = tuple(given)
        else:
            name = getattr(node.target, "__name__", str(node.target))
            remedy = "use a layer: Conv2d, Linear, ReLU, average pooling, Flatten, Dropout"
            self._refuse(f"{name}() has no integer form here", node.name, remedy)
            self.ways[node] = tuple(Way(way.source) for way in given)  # and look at the rest

    def _module(self, path: str, module: nn.Module, given: list[Way]) -> tuple[Way, ...]:
        if isinstance(module, nn.Conv2d | nn.Linear):
            return self._layer(path, module, given)
        if is_scaled(module):
            self._end(path, given)
            return (Way(path),)
        kind = type(module).__name__
        if isinstance(module, nn.Identity):
            return tuple(given)
        check = _PASSED.get(type(module))
        reason = f"{kind} has no integer form here" if check is None else check(module)
        if check is not None and any(way.layer for way in given):
            reason = f"{kind} stands between a layer and its ReLU"
        if reason:
            remedy = (
                "average pooling or a convolution with a stride"
                if isinstance(module, nn.MaxPool2d)
                else "a layer, batch norm, ReLU, average pooling, in this order"
            )
            self._refuse(reason, path, remedy)
            return tuple(Way(way.source) for way in given)  # and look at the rest
        return tuple(Way(way.source, (*way.before, path)) for way in given)

    def _layer(
        self, path: str, module: nn.Conv2d | nn.Linear, given: list[Way]
    ) -> tuple[Way, ...]:
        told = ""
        if path in self.layers:
            told = "it is used twice"
        elif len(given) != 1 or given[0].layer:
            told = "it does not follow one ReLU or the input, through pooling at most"
        elif isinstance(module, nn.Conv2d) and module.padding_mode != "zeros":
            told = f"padding_mode is {module.padding_mode!r}"
        if told:
            self._refuse(told, path, "a layer behind each ReLU, with zeros as padding")
        self.layers.add(path)
        return tuple(Way(way.source, way.before, path) for way in given)

    def _end(self, name: str, given: list[Way]) -> None:
        if any(stage.name == name for stage in self.stages):
            self._refuse("this ReLU is used twice", name, "a ReLU for each layer")
        if any(not way.layer for way in given):
            told = "what arrives has passed no convolution or linear layer"
            self._refuse(told, name, "a convolution or linear layer on each way between ReLUs")
        self.stages.append(Stage(name, tuple(given)))

    def _refuse(self, told: str, where: str, remedy: str) -> None:
        self.problems.append(Problem(told, where, remedy))


def _windows(pool: nn.AvgPool2d) -> str:
    """Windows that overlap, hang over or have another divisor make other weights."""
    kernel, stride = _pair(pool.kernel_size), _pair(pool.stride)
    plain = kernel == stride and _pair(pool.padding) == (0, 0) and not pool.ceil_mode
    return "" if plain and pool.divisor_override is None else "its windows are not side by side"


def _to_one(pool: nn.AdaptiveAvgPool2d) -> str:
    sizes = pool.output_size
    one = all(size == 1 for size in (sizes if isinstance(sizes, tuple) else (sizes,)))
    return "" if one else f"adaptive pooling to {sizes}"


def _flattens(layer: nn.Flatten) -> str:
    return "" if (layer.start_dim, layer.end_dim) == (1, -1) else "it keeps some axes"


def _nothing(layer: nn.Module) -> str:
    return ""


_PASSED: dict[type, Callable[[Any], str]] = {
    nn.AvgPool2d: _windows,
    nn.AdaptiveAvgPool2d: _to_one,
    nn.Flatten: _flattens,
    nn.Dropout: _nothing,
    nn.Dropout2d: _nothing,
}
"""What messages may pass before they meet weights -> why not, or ""."""


def _pair(value: Any) -> tuple[int, int]:
    return cast("tuple[int, int]", tuple(value)) if isinstance(value, tuple) else (value, value)
