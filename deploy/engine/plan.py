"""In which order a Program's populations run: its strongly connected components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..components import components
from ..neurons.models import NeuronModel, model_of
from ..program import Input, Population, Program
from .layout import Order, Synapses, arriving_bound, order_of, prepare
from .packing import Update, update_of

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """A population prepared for the kernels.

    Attributes:
        population, model: parameters, and their row in the table of models.
        update: kernel and options.
        rows: the kernel's parameters (k, n), channels last.
        start: states before step 1, each (1, n), channels last.
        message: type of its messages: uint8 for spikes.
        fused: the synapses that are summed in the same kernel that updates the neurons.
        others: the other synapses into it.
    """

    population: Population
    model: NeuronModel
    update: Update
    rows: Array
    start: tuple[Array, ...]
    message: Any
    fused: Synapses | None
    others: tuple[Synapses, ...]

    @property
    def membrane(self) -> int:
        """Index of the state that an output reads."""
        return self.model.states(self.population.neuron).index(self.model.membrane)

    @property
    def synapses(self) -> tuple[Synapses, ...]:
        """All synapses into it."""
        return (self.fused, *self.others) if self.fused is not None else self.others

    @property
    def loops(self) -> bool:
        """Whether the fused synapses come from the population itself, in its own order."""
        return self.fused is not None and _loops(self.fused) and not self.fused.taken.size


@dataclass(frozen=True, slots=True)
class Component:
    """Layers that depend on each other.

    Attributes:
        layers: one, or those of a loop.
        inside: population -> the synapses into it that come from one of them.
        block: steps that all of them take before any takes the next: as many as the fastest
            of these synapses needs; None: each takes all steps at once, its own messages
            included, which it sums step by step.
    """

    layers: tuple[Layer, ...]
    inside: Mapping[str, tuple[Synapses, ...]]
    block: int | None


class Plan:
    """A Program in the kernels' layout. Holds no state of a sample."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.fixed = program.precision == "fixed"
        self.number: Any = np.int32 if self.fixed else np.float64
        self.wide: Any = np.int64 if self.fixed else np.float64
        sources: list[Input | Population] = [*program.inputs, *program.populations]
        self.orders: Mapping[str, Order] = {s.name: order_of(s.shape) for s in sources}
        self.sizes = {s.name: s.size for s in sources}
        self.inputs = {i.name: i for i in program.inputs}
        synapses = [s for p in program.projections for s in self._prepare(p)]
        self.layers = {p.name: self._layer(p, synapses) for p in program.populations}
        self.history = dict.fromkeys(self.sizes, 1)
        for each in synapses:
            source = each.projection.source
            self.history[source] = max(self.history[source], 1 + each.delay)
        self.components = [self._component(names) for names in components(program)]

    def _prepare(self, projection: Any) -> list[Synapses]:
        return list(prepare(self.program, projection, self.orders, self.number))

    def _layer(self, population: Population, synapses: Sequence[Synapses]) -> Layer:
        neuron, order = population.neuron, self.orders[population.name].last
        model = model_of(neuron)
        update = update_of(neuron, self.fixed, arriving_bound(self.program, population))
        rows = [np.broadcast_to(row, (population.size,))[order] for row in update.rows]
        start = model.fresh(neuron, (1, population.size), np.dtype(self.wide))
        into = [s for s in synapses if s.projection.target == population.name]
        # The kernel lifts what arrives at one port, and sums in the order of its neurons.
        fused = _fused([s for s in into if len(model.ports) == 1 and not s.given.size])
        return Layer(
            population,
            model,
            update,
            np.stack(rows).astype(np.int32 if update.narrow else self.wide),
            tuple(values[:, order].astype(self.number) for values in start),
            self.message_type(population.name),
            fused,
            tuple(s for s in into if s is not fused),
        )

    def _component(self, names: Sequence[str]) -> Component:
        layers = tuple(self.layers[name] for name in names)
        inside = {
            layer.population.name: tuple(
                s for s in layer.synapses if s.projection.source in names
            )
            for layer in layers
        }
        apart = (
            1 + s.delay
            for layer in layers
            for s in inside[layer.population.name]
            if not (layer.loops and s is layer.fused)
        )
        return Component(layers, inside, min(apart, default=None))

    def message_type(self, name: str) -> Any:
        """Type of a source's messages: uint8 for spikes, for which no values are kept."""
        if name in self.inputs:
            return np.uint8 if self.fixed and not self.inputs[name].graded else self.number
        spikes = model_of(self.program.population(name).neuron).message == "spike"
        return np.uint8 if spikes else self.number


def _loops(synapses: Synapses) -> bool:
    return synapses.projection.source == synapses.projection.target


def _fused(candidates: Sequence[Synapses]) -> Synapses | None:
    """A loop must be summed step by step; else what has most to sum."""
    looping = [s for s in candidates if _loops(s)]
    return max(
        looping or candidates,
        key=lambda s: s.projection.synapse.fan_out(False).sum(),
        default=None,
    )
