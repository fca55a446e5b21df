"""The ways through a NIR graph: chains of linear nodes from one neuron to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import nir
import numpy as np
import numpy.typing as npt

from ..errors import GraphError
from .linear import Chain, Gain, identity, split_by_delay, then_delay
from .neurons.lowering import NEURONS, shape_of
from .synapses.lowering import LINEAR, bias_of, delay_steps

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bias:
    """A constant that reaches a population: `values` (n,) from `late` (n,) steps on."""

    values: Array
    late: Array


@dataclass(slots=True)
class Paths:
    """What one pass over the graph collects.

    Attributes:
        paths: (source, target, chain) of every way from an input or neuron to the next neuron
            or output; two ways between the same two are two entries.
        biases: target -> constants that reach it, from the biases of linear nodes.
    """

    paths: list[tuple[str, str, Chain]] = field(default_factory=list)
    biases: dict[str, list[Bias]] = field(default_factory=dict)


def is_linear(node: Any) -> bool:
    """Whether a node is folded into a projection."""
    return type(node) in LINEAR or type(node) is nir.Delay


def node_shape(node: Any) -> Shape:
    """Shape of an Input, an Output or a neuron."""
    if type(node) in NEURONS:
        return shape_of(node)
    (shape,) = node.input_type.values()
    return tuple(int(n) for n in np.ravel(shape))


def read_paths(graph: Any, dt: float) -> Paths:
    """Follow every chain of linear nodes from each source to the next neurons or outputs.

    Raises GraphError: a loop without a neuron, shapes that do not fit.
    """
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for begin, end in graph.edges:
        after[begin].append(end)
    found = Paths()

    def follow(start: str, name: str, chain: Chain, constant: Array | None) -> None:
        for follower in after[name]:
            node = graph.nodes[follower]
            if is_linear(node):
                if follower in chain.nodes:
                    raise GraphError(
                        "a loop without a neuron in it has no meaning in time",
                        where=" -> ".join((*chain.nodes, follower)),
                        remedy="put a spiking layer into the loop",
                    )
                for step in _extend(chain, node, follower, dt):
                    follow(start, follower, step, constant)
                continue
            _check_arrival(node, follower, chain)
            if constant is None:
                found.paths.append((start, follower, chain))
            else:
                found.biases.setdefault(follower, []).extend(_biases(chain, constant))

    shapes: dict[str, Shape] = {}
    for name, node in graph.nodes.items():
        if type(node) in NEURONS or type(node) is nir.Input:
            shapes[name] = node_shape(node)
            follow(name, name, identity(shapes[name]), None)
    for name, shape in _linear_shapes(graph, after, shapes, dt).items():
        bias = bias_of(graph.nodes[name], shape)
        if bias is not None:
            follow(name, name, identity(shape), bias)
    return found


def _extend(chain: Chain, node: Any, name: str, dt: float) -> list[Chain]:
    """The chain with one more node; several that add up where delays differ before a sum."""
    if type(node) is nir.Delay:
        steps = [then_delay(chain, delay_steps(node, dt))]
    elif type(node) is nir.Flatten:
        steps = [LINEAR[type(node)](chain, node, name)]
    else:
        steps = [LINEAR[type(node)](part, node, name) for part in split_by_delay(chain)]
    return [replace(step, nodes=(*chain.nodes, name)) for step in steps]


def _biases(chain: Chain, constant: Array) -> list[Bias]:
    """What a constant at the chain's source becomes at its end, and from which step on."""
    size = prod(chain.shape)
    late = np.zeros(size, np.int64) if chain.target_delay is None else chain.target_delay
    source = chain.source_delay
    if source is None:
        return [Bias(chain.apply(constant), late)]
    if isinstance(chain.operator, Gain):
        return [Bias(chain.apply(constant), late + source)]
    return [
        Bias(chain.apply(np.where(source == d, constant, 0.0)), late + d)
        for d in np.unique(source)
    ]


def _linear_shapes(
    graph: Any, after: Mapping[str, list[str]], shapes: Mapping[str, Shape], dt: float
) -> dict[str, Shape]:
    """Output shape of each linear node, by walking from the sources over single nodes."""
    found: dict[str, Shape] = {}
    waiting = list(shapes.items())
    while waiting:
        name, shape = waiting.pop()
        for follower in after[name]:
            node = graph.nodes[follower]
            if is_linear(node) and follower not in found:
                found[follower] = _extend(identity(shape), node, follower, dt)[0].shape
                waiting.append((follower, found[follower]))
    return found


def _check_arrival(node: Any, name: str, chain: Chain) -> None:
    wanted = node_shape(node)
    if tuple(chain.shape) != tuple(wanted):
        raise GraphError(
            f"an input of shape {chain.shape} reaches a node of shape {wanted}",
            where=f"{' -> '.join((*chain.nodes, name))} ({type(node).__name__})",
            remedy="check the layer sizes of the exported network",
        )
