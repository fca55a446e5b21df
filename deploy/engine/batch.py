"""A batch of samples on its way through a Program: all arrays, and the order of the kernels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ..trace import Stimulus
from .arrays import multiply, overrun, plain, room, rows_of
from .layout import Synapses
from .messages import Listing, Messages, density, rearrange, take_in
from .plan import Layer, Plan
from .population_kernels import Arriving, Neurons, Span, advance, collect
from .synapse_kernels import no_table

Array = npt.NDArray[Any]

GROUP = 16
"""Steps that a tile of neurons goes through before the next tile."""
TILE = 2048
"""Neurons of a tile: with their parameters they stay in the first or second cache."""
DENSE_FROM = 0.5
"""Share of elements that send from which a matrix product is faster than event by event."""
DENSE_ROWS = 16
"""Steps of all samples below which a product would mostly read the matrix."""
DENSE_GRADED_FROM = 0.25
"""The same for messages that carry a value."""
SCATTER_BELOW = 6.0
"""Messages that one output of a convolution sees in a step, on the average, below which each
message is carried to the outputs; above, each output looks for its messages."""
WINDOWS = ("count", "last", "mean")
"""What outputs read, in the order of a population's windows."""


class Batch:
    """Arrays for `samples` samples and `chunk` steps at a time; used again and again.

    Args:
        plan: the network.
        samples: how many.
        chunk: most steps between two calls of `load`.
        frames: inputs whose messages are the same at every step.
    """

    def __init__(
        self,
        plan: Plan,
        samples: int,
        chunk: int,
        frames: frozenset[str] = frozenset(),
    ) -> None:
        self.plan, self.samples, self.chunk, self.frames = plan, samples, chunk, frames
        self.kernels: dict[str, Counter[str]] = {
            p.name: Counter() for p in plan.program.projections
        }
        self.rasters = {
            name: room(samples, plan.history[name] + chunk, size, plan.message_type(name))
            for name, size in plan.sizes.items()
            if name not in frames
        }
        self.shown: dict[str, Messages] = {}
        self.neurons = {name: self._fresh(layer) for name, layer in plan.layers.items()}
        self.collected: dict[str, Array] = {}
        self.constant: dict[str, list[tuple[Synapses, Array]]] = {}
        self.listings: dict[tuple[int, Any], Listing] = {}
        self.turned: dict[int, tuple[Array, Array]] = {}
        self.scratch: dict[int, Array] = {}
        self.nothing = {k: np.zeros((k, 0, 0, 0), plan.number) for k in (1, 2)}
        self.no_table = no_table(plan.number)
        self.no_current = np.zeros((0, 0), plan.number)
        self.first = 1  # the step that the row behind the history holds
        self.presented = 0

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
            np.zeros((len(layer.model.ports), self.tile(layer) + overrun(layer.fused)), number),
            np.zeros(self.tile(layer) + 64, layer.message),
        )

    @staticmethod
    def tile(layer: Layer) -> int:
        """Neurons of a tile: whole lines of a convolution's output, whole words of bits."""
        size, fused = layer.population.size, layer.fused
        if layer.loops or (fused is not None and fused.line == 0):
            return size
        unit = int(np.lcm(fused.line if fused is not None else 1, 64))
        return min(size, max(TILE // unit, 1) * unit)

    def begin(self, presented: int) -> None:
        """Before step 1 of new samples, which are presented for that many steps."""
        self.first, self.presented = 1, presented
        self.constant.clear()
        for served in self.kernels.values():  # of a run that was interrupted, too
            served.clear()
        for bits, _ in self.rasters.values():
            bits[:] = 0
        for neurons in self.neurons.values():
            neurons.windows[:] = 0

    def show(self, stimulus: Stimulus) -> None:
        """The frames of the samples: what they bring is summed once."""
        for name in self.frames:
            size, kind = self.plan.sizes[name], self.plan.message_type(name)
            shown = Messages(*room(self.samples, 1, size, kind), 1)
            given = plain(stimulus.values[name], kind)[:, None]
            take_in(given, 0, 1, self.plan.orders[name].moves, 0, shown)
            self.shown[name] = shown
            for layer in self.plan.layers.values():
                for synapses in layer.synapses:
                    if synapses.projection.source == name:
                        self._add_constant(layer, synapses, shown)

    def _add_constant(self, layer: Layer, synapses: Synapses, shown: Messages) -> None:
        sums = np.zeros((self.samples, 1, layer.population.size), self.plan.number)
        first = 2 + synapses.delay
        if synapses.taken.size:
            shown = self._turned(synapses, shown)
        self.kernels[synapses.projection.name]["frame"] += self.samples
        self._collect(synapses, shown, sums, first, first + 1, synapses.table)
        self.constant.setdefault(layer.population.name, []).append((synapses, sums[:, 0]))

    def load(self, stimulus: Stimulus, first: int, stop: int) -> None:
        """The messages of the inputs over time, for the steps first to stop - 1."""
        self._forget(first)
        for name in self.plan.inputs:
            if name in self.frames:
                continue
            history = self.plan.history[name]
            bits, values = self.rasters[name]
            rows = max(min(stop, self.presented + 1) - first, 0)
            bits[:, history + rows :] = 0
            if rows:
                given = plain(stimulus.values[name], values.dtype)
                self._take(name, given, first - 1, rows)

    def feed(self, given: dict[str, Array], first: int) -> None:
        """The messages (B, 1, n) of all inputs in one step."""
        self._forget(first)
        for name, values in given.items():
            self._take(name, values, 0, 1)

    def _take(self, name: str, given: Array, row: int, rows: int) -> None:
        places, history = self.plan.orders[name].moves, self.plan.history[name]
        take_in(given, row, rows, places, history, self.messages(name))

    def _forget(self, first: int) -> None:
        """Keep of the steps before `first` what delays still need."""
        passed = first - self.first
        for name, (bits, values) in self.rasters.items() if passed else ():
            history = self.plan.history[name]
            for array in (bits, values) if values.size else (bits,):
                for row in range(history):  # row by row: the two ranges may overlap
                    array[:, row] = array[:, row + passed]
        self.first = first

    def advance(self, stop: int, window: dict[str, tuple[int, int]], options: Any) -> None:
        """All populations, from the step that `load` began with to stop - 1."""
        for component in self.plan.components:
            if component.stepwise:
                for t in range(self.first, stop):
                    for layer in component.layers:
                        self._advance(layer, t, t + 1, window, options)
            else:
                for layer in component.layers:
                    self._advance(layer, self.first, stop, window, options)

    def _advance(self, layer: Layer, first: int, stop: int, window: Any, options: Any) -> None:
        name, fused = layer.population.name, layer.fused
        table, source, turns = self.no_table, self.messages(name), self.tile(layer)
        rest = list(layer.others)
        if fused is not None and fused.projection.source not in self.frames:
            source = self._source(fused)
            if not layer.loops and self._is_dense(fused, source, first, stop):
                rest.append(fused)
            else:
                kind, table = self._table(fused, source, first, stop)
                self.kernels[fused.projection.name][kind] += self.samples * (stop - first)
        active = None if table is self.no_table else fused
        constant, from_step, to_step = self._constant(layer)
        collected = self._collected(layer, rest, first, stop)
        opens, closes = window.get(name, (0, 0))
        span = Span(
            first,
            stop,
            active.delay if active else 0,
            active.lift if active else 0,
            active.shift if active else 0,
            1 if layer.loops else GROUP,
            turns,
            from_step,
            to_step,
            opens,
            closes,
            self._readouts(name),
            layer.membrane,
            first == 1,
        )
        advance(
            span,
            table,
            source,
            Arriving(collected, constant),
            options[name],
            self.neurons[name],
            self.messages(name),
            self._listing(active, source, span.group),
        )

    def _readouts(self, name: str) -> int:
        outputs = self.plan.program.outputs
        return sum({1 << WINDOWS.index(o.readout) for o in outputs if o.population == name})

    def messages(self, name: str) -> Messages:
        """What a source sends, with the history."""
        return Messages(*self.rasters[name], self.first - self.plan.history[name])

    def _source(self, synapses: Synapses) -> Messages:
        """What the synapses see, in their order."""
        source = self.messages(synapses.projection.source)
        return self._turned(synapses, source) if synapses.taken.size else source

    def _turned(self, synapses: Synapses, source: Messages) -> Messages:
        key = id(synapses)
        if key not in self.turned or len(self.turned[key][0][0]) != len(source.bits[0]):
            self.turned[key] = np.zeros_like(source.bits), np.zeros_like(source.values)
        target = Messages(*self.turned[key], source.first)
        rearrange(source, synapses.taken, target)
        return target

    def _constant(self, layer: Layer) -> tuple[Array, int, int]:
        """A frame's current that the kernel adds itself, and its steps; the first of them."""
        constants = self.constant.get(layer.population.name, ())
        if len(layer.model.ports) == 1 and constants:
            synapses, sums = constants[0]
            first = 2 + synapses.delay
            return sums, first, first + self.presented
        return self.no_current, 0, 0

    def _collected(self, layer: Layer, rest: list[Synapses], first: int, stop: int) -> Array:
        """What all other synapses bring, (ports, B, steps, n); 0 steps where there are none."""
        name, ports, size = layer.population.name, layer.model.ports, layer.population.size
        constants = self.constant.get(name, [])[1 if len(ports) == 1 else 0 :]
        rest = [s for s in rest if s.projection.source not in self.frames]
        if not rest and not constants:
            return self.nothing[len(ports)]
        if name not in self.collected:
            shape = (len(ports), self.samples, self.chunk, size)
            self.collected[name] = np.zeros(shape, self.plan.number)
        collected = self.collected[name]
        collected[:, :, : stop - first] = 0
        for synapses in rest:
            source = self._source(synapses)
            into = collected[ports.index(synapses.projection.port)]
            kernels = self.kernels[synapses.projection.name]
            if self._is_dense(synapses, source, first, stop):
                kernels["dense"] += self.samples * (stop - first)
                multiply(synapses, source, into, first, stop, self.plan.fixed)
            else:
                kind, table = self._table(synapses, source, first, stop)
                kernels[kind] += self.samples * (stop - first)
                self._collect(synapses, source, into, first, stop, table)
        for synapses, sums in constants:
            low = max(2 + synapses.delay, first)
            high = min(2 + synapses.delay + self.presented, stop)
            port = ports.index(synapses.projection.port)
            collected[port, :, max(low - first, 0) : max(high - first, 0)] += sums[:, None]
        return collected

    def _collect(
        self,
        synapses: Synapses,
        source: Messages,
        into: Array,
        first: int,
        stop: int,
        table: Any,
    ) -> None:
        span = Span(first, stop, synapses.delay, synapses.lift, synapses.shift)
        size = into.shape[2] + overrun(synapses)
        if size not in self.scratch:
            self.scratch[size] = np.zeros(size, self.plan.number)
        listing = self._listing(synapses, source, 1)
        collect(
            span,
            table,
            source,
            synapses.given,
            into,
            listing,
            self.scratch[size],
        )

    def _table(
        self, synapses: Synapses, source: Messages, first: int, stop: int
    ) -> tuple[str, Any]:
        """Which way around a convolution goes; its name in the run."""
        if synapses.scatter is not None:
            low, high = rows_of(synapses, source, first, stop)
            size = self.plan.sizes[synapses.projection.source]
            share = density(source.bits, low, high, size) if low < high else 0.0
            if share * synapses.window < SCATTER_BELOW:
                return "scatter", synapses.scatter
            return "gather", synapses.table
        return "event", synapses.table

    def _is_dense(self, synapses: Synapses, source: Messages, first: int, stop: int) -> bool:
        if synapses.matrix is None:
            return False
        low, high = rows_of(synapses, source, first, stop)
        if self.samples * (high - low) < DENSE_ROWS:
            return False
        size = self.plan.sizes[synapses.projection.source]
        limit = DENSE_GRADED_FROM if source.values.size else DENSE_FROM
        return bool(density(source.bits, low, high, size) >= limit)

    def _listing(self, synapses: Synapses | None, source: Messages, group: int) -> Listing:
        """Scratch for what the kernels list; the same for every call with these synapses."""
        key = id(synapses) if synapses is not None else 0, source.values.dtype
        found = self.listings.get(key)
        if found is None or len(found.count) < group:
            size = source.bits.shape[2] * 64 if synapses is not None else 0
            kind = source.values.dtype
            weighted = kind != np.uint8
            cells = synapses.cells if synapses is not None else 0
            window = synapses.window if synapses is not None else 0
            found = self.listings[key] = Listing(
                np.zeros(group, np.int64),
                np.zeros((group, size + 64), np.int32),
                np.zeros((group, size + 64 if weighted else 0), kind),
                np.zeros((group, cells + 1), np.int32),
                np.zeros(size // 64 + 1, np.int32),
                np.zeros(window + 64, np.int32),
                np.zeros(window + 64 if weighted else 0, kind),
            )
        return found
