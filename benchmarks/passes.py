"""Two ways through a float network; each framework is measured in both, and the faster counts.

by_layer: a layer over all steps, its convolution or product once for all steps and samples.
by_step: a step through all layers, so that what a step makes is still in the cache when it is
read. What comes from a frame, shown at every step, is computed once in both.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from .float_network import Connection, FloatNetwork, Layer
from .frameworks import Cell

MakeCell: TypeAlias = Callable[[float], Cell]
Counts: TypeAlias = MutableMapping[str, int]
Pass: TypeAlias = Callable[[FloatNetwork, MakeCell, Tensor, int, "Counts | None"], Tensor]


def by_layer(
    network: FloatNetwork, make: MakeCell, x: Tensor, steps: int, counts: Counts | None = None
) -> Tensor:
    """All steps of a layer, then the next layer.

    Args:
        network: what is computed.
        make: makes the neurons of a layer from its leak.
        x: frames (N, *shape), or (T, N, *shape) over time.
        steps: T.
        counts: if given, it is told the number of spikes of each layer.

    Returns:
        Spike counts of the output (N, n), or the sums of its currents if it does not spike.
    """
    signals = {(network.input, False): x}
    timed = {network.input: x.ndim == len(network.shape) + 2}
    result = x
    for layer in network.layers:
        varying: list[Tensor] = []
        constant: list[Tensor] = []
        for connection in layer.connections:
            key, over_time = (connection.source, connection.pooled), timed[connection.source]
            if key not in signals:
                signals[key] = _over(_pool, signals[connection.source, False], over_time)
            current = _over(connection.weights, signals[key], over_time)
            (varying if over_time else constant).append(current)
        currents = _added([*varying, *constant])
        if not varying:
            currents = currents.expand(steps, *currents.shape)
        if not layer.spiking:
            return currents.sum(0)
        spikes = _sequence(layer, make(layer.leak), currents)
        signals[layer.name, False], timed[layer.name] = spikes, True
        if counts is not None:
            counts[layer.name] = int(spikes.sum())
        result = spikes
    return result.sum(0)


def _sequence(layer: Layer, cell: Cell, currents: Tensor) -> Tensor:
    if layer.recurrent is None:
        return cell.sequence(currents)
    spikes = [cell.step(currents[0])]
    for current in currents[1:]:
        spikes.append(cell.step(current + layer.recurrent(spikes[-1])))
    return torch.stack(spikes)


def by_step(
    network: FloatNetwork, make: MakeCell, x: Tensor, steps: int, counts: Counts | None = None
) -> Tensor:
    """A step through all layers, then the next step; arguments and result as `by_layer`."""
    over_time = x.ndim == len(network.shape) + 2
    cells = {layer.name: make(layer.leak) for layer in network.layers}
    fixed: dict[str, list[Tensor]] = {layer.name: [] for layer in network.layers}
    moving: dict[str, list[Connection]] = {layer.name: [] for layer in network.layers}
    for layer in network.layers:
        for connection in layer.connections:
            if connection.source == network.input and not over_time:
                frame = _pool(x) if connection.pooled else x
                fixed[layer.name].append(connection.weights(frame))
            else:
                moving[layer.name].append(connection)
    before: dict[str, Tensor] = {}
    result: Tensor | None = None
    for t in range(steps):
        signals = {(network.input, False): x[t]} if over_time else {}
        for layer in network.layers:
            parts = list(fixed[layer.name])
            for connection in moving[layer.name]:
                key = (connection.source, connection.pooled)
                if key not in signals:
                    signals[key] = _pool(signals[connection.source, False])
                parts.append(connection.weights(signals[key]))
            if layer.recurrent is not None and layer.name in before:
                parts.append(layer.recurrent(before[layer.name]))
            sent = _added(parts)
            if layer.spiking:
                sent = cells[layer.name].step(sent)
                if counts is not None:
                    counts[layer.name] = counts.get(layer.name, 0) + int(sent.sum())
            signals[layer.name, False] = before[layer.name] = sent
        result = sent if result is None else result + sent
    assert result is not None
    return result


def _pool(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 2)


def _over(function: Callable[[Tensor], Tensor], x: Tensor, over_time: bool) -> Tensor:
    """A function of samples, on (T, N, ...) at once or on (N, ...)."""
    if not over_time:
        return function(x)
    y = function(x.flatten(0, 1))
    return y.reshape(*x.shape[:2], *y.shape[1:])


def _added(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


PASSES: dict[str, Pass] = {"by_layer": by_layer, "by_step": by_step}
