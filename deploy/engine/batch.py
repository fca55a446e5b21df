"""A batch of samples on its way through a Program: all arrays, and the order of the kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..trace import Stimulus
from .arrays import multiply, overrun, plain, room, rows_of
from .binding import GROUP, Binding, Call, Summed, tile
from .layout import Synapses
from .messages import Messages, density, take_in
from .plan import Component, Layer, Plan
from .population_kernels import Neurons, drive
from .synapse_kernels import Table

Array = npt.NDArray[Any]

DENSE_FROM = 0.5
"""Share of elements that send from which a matrix product is faster than event by event."""
DENSE_ROWS = 16
"""Steps of all samples below which a product would mostly read the matrix."""
DENSE_GRADED_FROM = 0.25
"""The same for messages that carry a value."""
SCATTER_BELOW = 6.0
"""Messages that one output of a convolution sees in a step, on the average, below which each
message is carried to the outputs; above, each output looks for its messages."""


class Batch:
    """Arrays for `samples` samples and `chunk` steps at a time; used again and again.

    Args:
        plan: the network.
        samples: how many.
        chunk: most steps between two calls of `load`.
        frames: inputs whose messages are the same at every step.
    """

    def __init__(
        self, plan: Plan, samples: int, chunk: int, frames: frozenset[str] = frozenset()
    ) -> None:
        self.plan, self.samples, self.chunk, self.frames = plan, samples, chunk, frames
        self.kernels: dict[str, Counter[str]] = {
            p.name: Counter() for p in plan.program.projections
        }
        self.messages = {name: self._room(name) for name in plan.sizes}
        self.neurons = {name: self._fresh(layer) for name, layer in plan.layers.items()}
        self.collected: dict[str, Array] = {}
        self.constant = {
            name: [
                (s, np.zeros((samples, layer.population.size), plan.number))
                for s in layer.synapses
                if s.projection.source in frames
            ]
            for name, layer in plan.layers.items()
        }
        self.first = np.array([1])  # the step that the row behind the history holds
        self.presented = 0
        self.binding = Binding(plan, self.messages, self.neurons, self.constant, self.first)

    def _room(self, name: str) -> Messages:
        """What a source sends, with the history; a frame is one row."""
        size, kind = self.plan.sizes[name], self.plan.message_type(name)
        if name in self.frames:
            return room(self.samples, 1, size, kind, 1)
        history = self.plan.history[name]
        return room(self.samples, history + self.chunk, size, kind, 1 - history)

    def _fresh(self, layer: Layer) -> Neurons:
        samples, size, number = self.samples, layer.population.size, self.plan.number
        outputs = [
            o for o in self.plan.program.outputs if o.population == layer.population.name
        ]
        return Neurons(
            tuple(np.zeros((samples, size), number) for _ in layer.start),
            np.concatenate(layer.start),
            layer.rows,
            np.zeros(samples, np.int64),
            np.zeros((3, samples if outputs else 0, size), self.plan.wide),
            np.zeros(3, np.int64),
            np.zeros((len(layer.model.ports), tile(layer) + overrun(layer.fused)), number),
            np.zeros(tile(layer) + 64, layer.message),
        )

    def begin(
        self, presented: int, windows: Mapping[str, tuple[int, int]], options: Mapping[str, Any]
    ) -> None:
        """Before step 1 of new samples.

        Args:
            presented: steps for which they are presented.
            windows: population -> first step in which outputs are read, and the last and 1.
            options: population -> the options of its model.
        """
        self.first[0], self.presented = 1, presented
        self.binding.use(options)
        for served in self.kernels.values():  # of a run that was interrupted, too
            served.clear()
        for name, messages in self.messages.items():
            messages.bits[:] = 0
            if name not in self.frames:
                messages.first[0] = 1 - self.plan.history[name]
        for name, neurons in self.neurons.items():
            neurons.windows[:] = 0
            neurons.limits[:] = (presented, *windows.get(name, (0, 0)))

    def show(self, stimulus: Stimulus) -> None:
        """The frames of the samples: what they bring is summed once."""
        for name in self.frames:
            messages = self.messages[name]
            given = plain(stimulus.values[name], self.plan.message_type(name))[:, None]
            take_in(given, 0, 1, self.plan.orders[name].moves, 0, messages)
        for constants in self.constant.values():
            for synapses, sums in constants:
                sums[:] = 0
                arrives = 2 + synapses.delay
                self._served(synapses, "frame", 1)
                summed, into = (synapses, synapses.table), sums[:, None]
                self._run(
                    self.binding.collecting(summed, into, np.array([arrives])),
                    *(arrives, arrives + 1),
                )

    def load(self, stimulus: Stimulus, first: int, stop: int) -> None:
        """The messages of the inputs over time, for the steps first to stop - 1."""
        self._forget(first)
        for name in self.plan.inputs:
            if name in self.frames:
                continue
            history, messages = self.plan.history[name], self.messages[name]
            rows = max(min(stop, self.presented + 1) - first, 0)
            messages.bits[:, history + rows :] = 0
            if rows:
                given = plain(stimulus.values[name], messages.values.dtype)
                self._take(name, given, first - 1, rows)

    def feed(self, given: Mapping[str, Array], first: int) -> None:
        """The messages (B, 1, n) of all inputs in one step."""
        self._forget(first)
        for name, values in given.items():
            self._take(name, values, 0, 1)

    def _take(self, name: str, given: Array, row: int, rows: int) -> None:
        places, history = self.plan.orders[name].moves, self.plan.history[name]
        take_in(given, row, rows, places, history, self.messages[name])

    def _forget(self, first: int) -> None:
        """Keep of the steps before `first` what delays still need."""
        passed = first - int(self.first[0])
        for name, messages in self.messages.items() if passed else ():
            if name in self.frames:
                continue
            history = self.plan.history[name]
            arrays = (messages.bits, messages.values)[: 1 + (messages.values.size > 0)]
            for array in arrays:
                for row in range(history):  # row by row: the two ranges may overlap
                    array[:, row] = array[:, row + passed]
            messages.first[0] = first - history
        self.first[0] = first

    def advance(self, component: Component, stop: int) -> None:
        """All layers of a component, from the step that `load` began with to stop - 1.

        The kernels of a loop are chosen anew for pieces of these steps.
        """
        first = int(self.first[0])
        brought = [self._bring(layer, component, first, stop) for layer in component.layers]
        piece = stop - first
        if any(s.scatter for inside in component.inside.values() for s in inside):
            piece = max(GROUP, component.block or 1)
        for begin in range(first, stop, piece):
            end = min(begin + piece, stop)
            calls: list[Call] = []
            for layer, (summed, collected) in zip(component.layers, brought, strict=True):
                for synapses in component.inside[layer.population.name]:
                    # Of the messages to come nothing is known: those before must do.
                    table = self._table(synapses, begin - piece, begin, end - begin)
                    if synapses is layer.fused:
                        summed = synapses, table
                        calls += self.binding.turning(synapses)
                    else:
                        into = self._port(layer, synapses)
                        calls += self.binding.collecting((synapses, table), into, self.first)
                calls.append(self.binding.advancing(layer, summed, collected))
            self._run(calls, begin, end, component.block or piece)

    def _bring(
        self, layer: Layer, component: Component, first: int, stop: int
    ) -> tuple[Summed | None, Array | None]:
        """Sum in all steps what comes from outside a component.

        Returns:
            The synapses that are left for the kernel of the neurons, with their table; and
            where the others are summed, None if there are none.
        """
        name, fused, summed = layer.population.name, layer.fused, None
        inside = component.inside[name]
        outside = [
            s
            for s in layer.synapses
            if s not in inside and s.projection.source not in self.frames
        ]
        dense = [s for s in outside if self._is_dense(s, first, stop)]
        if fused in outside and fused not in dense:
            outside.remove(fused)
            summed = fused, self._table(fused, first, stop, stop - first)
            self._run(self.binding.turning(fused), first, stop)
        constants = self.constant[name][1 if len(layer.model.ports) == 1 else 0 :]
        if not outside and not constants and all(s is fused for s in inside):
            return summed, None
        collected = self._collected(layer)
        collected[:, :, : stop - first] = 0
        for synapses in outside:
            into = self._port(layer, synapses)
            if synapses in dense:
                source = self.messages[synapses.projection.source]
                multiply(synapses, source, into, first, stop, self.plan.fixed)
                self._served(synapses, "dense", stop - first)
            else:
                table = self._table(synapses, first, stop, stop - first)
                calls = self.binding.collecting((synapses, table), into, self.first)
                self._run(calls, first, stop)
        for synapses, sums in constants:
            low = max(2 + synapses.delay, first)
            high = min(2 + synapses.delay + self.presented, stop)
            into = self._port(layer, synapses)
            into[:, max(low - first, 0) : max(high - first, 0)] += sums[:, None]
        return summed, collected

    def _collected(self, layer: Layer) -> Array:
        """Sums of synapses that are summed apart, (ports, B, chunk, n)."""
        name = layer.population.name
        if name not in self.collected:
            shape = (len(layer.model.ports), self.samples, self.chunk, layer.population.size)
            self.collected[name] = np.zeros(shape, self.plan.number)
        return self.collected[name]

    def _port(self, layer: Layer, synapses: Synapses) -> Array:
        """Where among them those of these synapses belong, (B, chunk, n)."""
        port = layer.model.ports.index(synapses.projection.port)
        into: Array = self._collected(layer)[port]
        return into

    @staticmethod
    def _run(calls: list[Call], first: int, stop: int, at_once: int | None = None) -> None:
        """Make all calls for some steps, then for the next."""
        if calls:
            drive(np.array(calls), first, stop, at_once or stop - first)

    def _table(self, synapses: Synapses, first: int, stop: int, steps: int) -> Table:
        """Which way around a convolution goes, by the messages that arrive in some steps.

        Args:
            synapses: any.
            first: the first of these steps.
            stop: the last one and 1.
            steps: for how many it is chosen, for the run's account of its kernels.
        """
        kind, table = "event", synapses.table
        if synapses.scatter is not None:
            source = self.messages[synapses.projection.source]
            low, high = rows_of(synapses, source, first, stop)
            size = self.plan.sizes[synapses.projection.source]
            share = density(source.bits, low, high, size) if low < high else 0.0
            kind = "gather"
            if share * synapses.window < SCATTER_BELOW:
                kind, table = "scatter", synapses.scatter
        self._served(synapses, kind, steps)
        return table

    def _served(self, synapses: Synapses, kind: str, steps: int) -> None:
        self.kernels[synapses.projection.name][kind] += self.samples * steps

    def _is_dense(self, synapses: Synapses, first: int, stop: int) -> bool:
        if synapses.matrix is None:
            return False
        source = self.messages[synapses.projection.source]
        low, high = rows_of(synapses, source, first, stop)
        if self.samples * (high - low) < DENSE_ROWS:
            return False
        size = self.plan.sizes[synapses.projection.source]
        limit = DENSE_GRADED_FROM if source.values.size else DENSE_FROM
        return bool(density(source.bits, low, high, size) >= limit)
