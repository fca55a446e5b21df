"""Where the batches of a run leave what they found: arrays for all samples, made once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..reference import message_type
from ..trace import Raster, Stimulus, Trace
from .arrays import unpacked
from .batch import Batch
from .binding import WINDOWS
from .counting import UNWEIGHTED, Elements, Weights, tally, tally_steps
from .plan import Plan

Array = npt.NDArray[Any]


class Result:
    """The trace of a run while it is being made; batches write to their own samples.

    Args:
        plan: the network.
        stimulus: all samples.
        recording: whether messages and states of every step are kept.
        fans: weights of the sources' messages, see `Engine.run`; those of other sources are
            counted element by element.
    """

    def __init__(
        self,
        plan: Plan,
        stimulus: Stimulus,
        recording: bool,
        fans: Mapping[str, Weights],
    ) -> None:
        program, samples = plan.program, stimulus.samples
        self.plan, self.presented = plan, stimulus.steps
        self.steps = program.run_steps(stimulus.steps)
        self.windows = {}
        for output in program.outputs:
            first, last = program.window(output, stimulus.steps)
            self.windows[output.population] = first, last + 1
        self.fans = fans
        self.weights = {name: fans.get(name, UNWEIGHTED) for name in plan.sizes}
        self.outputs = {
            o.name: np.zeros((samples, plan.sizes[o.population]), plan.wide)
            for o in program.outputs
        }
        self.digits = {
            name: np.zeros((samples, len(each.digits)), np.int64)
            for name, each in self.weights.items()
        }
        self.messages = {
            name: np.zeros((0, 0) if name in fans else (samples, size), np.int32)
            for name, size in plan.sizes.items()
        }
        self.saturated = {name: np.zeros(samples, np.int64) for name in plan.layers}
        self.rasters = {n: self._raster(n, samples) for n in plan.layers if recording}
        self.kernels: dict[str, Counter[str]] = {p.name: Counter() for p in program.projections}
        self.frames = {name for name, values in stimulus.values.items() if values.ndim == 2}
        self.lock, self.own = threading.Lock(), threading.local()
        self.elements: list[dict[str, Elements]] = []  # of each thread
        self.by_step: list[dict[str, Array]] = []  # of each thread: source -> int64 (steps, r)

    def _raster(self, name: str, samples: int) -> Raster:
        layer = self.plan.layers[name]
        shape = (samples, self.steps, layer.population.size)
        states = layer.model.states(layer.population.neuron)
        return Raster(
            np.zeros(shape, message_type(self.plan.program, layer.model.message)),
            {state: np.zeros(shape, self.plan.number) for state in states},
        )

    def record(self, batch: Batch, start: int, t: int) -> None:
        """Messages and states after step t."""
        part = slice(start, start + batch.samples)
        for name, raster in self.rasters.items():
            first, history = self.plan.orders[name].first, self.plan.history[name]
            sent = unpacked(batch.messages[name], history, history + 1, self.plan.sizes[name])
            raster.s[part, t - 1] = sent[:, 0, first]
            states = batch.neurons[name].states
            for kept, values in zip(raster.states.values(), states, strict=True):
                kept[part, t - 1] = values[:, first]

    def count(
        self, batch: Batch, names: Iterable[str], start: int, first: int, stop: int
    ) -> None:
        """Messages of some sources in the steps from first to stop - 1, which are done."""
        if not hasattr(self.own, "elements"):
            self.own.elements = {n: Elements(each) for n, each in self.weights.items()}
            self.own.by_step = {n: self._steps(each) for n, each in self.fans.items()}
            self.elements.append(self.own.elements)
            self.by_step.append(self.own.by_step)
        for name in names:
            bits, history = batch.messages[name].bits, self.plan.history[name]
            if name not in batch.frames:
                self._count(name, bits, history, history + stop - first, start, first - 1)
            elif first == 1:
                self._count(name, bits, 0, 1, start, 0)

    def _steps(self, weights: Weights) -> Array:
        return np.zeros((self.steps, len(weights.digits)), np.int64)

    def _count(
        self, name: str, bits: Array, first: int, last: int, start: int, done: int
    ) -> None:
        """Add some rows of a source's bits to its counts; those of the step after `done`."""
        part, places = slice(start, start + len(bits)), self.plan.orders[name].origin
        digits, totals = self.weights[name].digits, self.digits[name][part]
        elements, messages = self.own.elements[name], self.messages[name][part]
        tally(bits, first, last, digits, totals, elements, places, messages)
        if name in self.fans:
            steps = self.own.by_step[name][done : done + last - first]
            tally_steps(bits, first, last, self.fans[name], steps)

    def keep(self, batch: Batch, start: int) -> None:
        """What outputs read of a batch that has come to its end, and how it was summed."""
        part = slice(start, start + batch.samples)
        for output in self.plan.program.outputs:
            first = self.plan.orders[output.population].first
            window = batch.neurons[output.population].windows[WINDOWS.index(output.readout)]
            self.outputs[output.name][part] = window[:, first]
        for name, saturated in self.saturated.items():
            saturated[part] = batch.neurons[name].saturated
        with self.lock:
            for name, served in batch.kernels.items():
                self.kernels[name].update(served)

    def trace(self) -> Trace:
        """What all batches found."""
        outputs = dict(self.outputs)
        for output in self.plan.program.outputs:
            if output.readout == "mean" and not self.plan.fixed:
                outputs[output.name] = outputs[output.name] / self.presented
        return Trace(
            outputs,
            {
                name: self._shown(name, m)
                for name, m in self.messages.items()
                if name not in self.fans
            },
            self.saturated,
            self.steps,
            self.rasters,
            {name: dict(served) for name, served in self.kernels.items()},
            {n: self._shown(n, self.digits[n] @ each.places) for n, each in self.fans.items()},
            {name: self._shown(name, self._elements(name)) for name in self.fans},
            {name: self._at_steps(name, each) for name, each in self.fans.items()},
        )

    def _shown(self, name: str, counts: Array) -> Array:
        """Counts of a source; of a frame one step was counted."""
        if name in self.frames:
            counts *= self.presented
        return counts

    def _elements(self, name: str) -> Array:
        """Messages of each element of a source, of all threads, channels first."""
        counted = np.zeros(self.plan.sizes[name], np.int64)
        for elements in self.elements:
            counted += elements[name].total()[: len(counted)]
        found: Array = counted[self.plan.orders[name].first]
        return found

    def _at_steps(self, name: str, weights: Weights) -> Array:
        """Weighted messages of a source at each step, of all threads."""
        counted = sum((counted[name] for counted in self.by_step), self._steps(weights))
        if name in self.frames:  # of which the first step was counted
            counted[: self.presented] = counted[0]
        found: Array = counted @ weights.places
        return found
