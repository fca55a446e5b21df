"""Where the batches of a run leave what they found: arrays for all samples, made once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..reference import message_type
from ..trace import Raster, Stimulus, Trace
from .arrays import unpacked
from .batch import WINDOWS, Batch
from .messages import weigh
from .plan import Plan

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Fan:
    """Weights of a source's messages, as the kernel takes them.

    Attributes:
        rows: int32 (r, n), each different.
        same: (r,), whether a row holds one number only.
        factors: int64 (r,), the first number of a row.
        which: (k,), the row of each of the weights that were asked for.
    """

    rows: Array
    same: Array
    factors: Array
    which: Array


class Result:
    """The trace of a run while it is being made; batches write to their own samples.

    Args:
        plan: the network.
        stimulus: all samples.
        recording: whether messages and states of every step are kept.
        fans: source -> (n, k), see `Engine.run`.
    """

    def __init__(
        self,
        plan: Plan,
        stimulus: Stimulus,
        recording: bool,
        fans: Mapping[str, Array] | None,
    ) -> None:
        program, samples = plan.program, stimulus.samples
        self.plan, self.presented = plan, stimulus.steps
        self.steps = program.run_steps(stimulus.steps)
        self.windows = {}
        for output in program.outputs:
            first, last = program.window(output, stimulus.steps)
            self.windows[output.population] = first, last + 1
        self.fans = None if fans is None else {n: self._fan(n, f) for n, f in fans.items()}
        self.outputs = {
            o.name: np.zeros((samples, plan.sizes[o.population]), plan.wide)
            for o in program.outputs
        }
        kind: Any = np.int32 if fans is None else np.int64
        self.sums = {
            name: np.zeros((samples, size if fans is None else fans[name].shape[1]), kind)
            for name, size in plan.sizes.items()
        }
        self.elements = {
            name: np.zeros(0 if fans is None else size, np.int64)
            for name, size in plan.sizes.items()
        }
        self.saturated = {name: np.zeros(samples, np.int64) for name in plan.layers}
        self.rasters = {n: self._raster(n, samples) for n in plan.layers if recording}
        self.kernels: dict[str, Counter[str]] = {p.name: Counter() for p in program.projections}
        self.lock = threading.Lock()

    def _fan(self, name: str, fan: Array) -> Fan:
        """In the order in which messages are counted; what is equal is summed once."""
        order = slice(None) if name in self.plan.inputs else self.plan.orders[name].last
        different: list[Array] = []
        which = []
        for row in np.asarray(fan)[order].T.astype(np.int32):
            known = (k for k, each in enumerate(different) if np.array_equal(each, row))
            which.append(next(known, len(different)))
            if which[-1] == len(different):
                different.append(row)
        rows = np.stack(different)
        # A row that is the same for all elements is a multiple of the number of messages.
        same = (rows == rows[:, :1]).all(axis=1)
        return Fan(rows, same, rows[:, 0].astype(np.int64), np.array(which))

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
            sent = unpacked(batch.messages(name), history, history + 1, self.plan.sizes[name])
            raster.s[part, t - 1] = sent[:, 0, first]
            states = batch.neurons[name].states
            for kept, values in zip(raster.states.values(), states, strict=True):
                kept[part, t - 1] = values[:, first]

    def keep(self, batch: Batch, start: int) -> None:
        """Outputs and counts of a batch that has come to its end."""
        part = slice(start, start + batch.samples)
        for output in self.plan.program.outputs:
            first = self.plan.orders[output.population].first
            window = batch.neurons[output.population].windows[WINDOWS.index(output.readout)]
            self.outputs[output.name][part] = window[:, first]
        for name, sums in self.sums.items():
            inside = name in self.plan.layers
            counts = batch.neurons[name].counts if inside else batch.input_counts[name]
            if not counts.size:
                continue
            if self.fans is not None:
                fan = self.fans[name]
                totals = np.zeros((batch.samples, len(fan.rows)), np.int64)
                elements = np.zeros(counts.shape[1], np.int64)
                weigh(counts, fan.rows, fan.same, fan.factors, totals, elements)
                sums[part] = totals[:, fan.which]
                with self.lock:
                    self.elements[name] += elements
            elif inside and not isinstance(self.plan.orders[name].first, slice):
                first = self.plan.orders[name].first
                np.take(counts, first, axis=1, out=sums[part], mode="clip")
            else:
                sums[part] = counts
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
            self.sums if self.fans is None else {},
            self.saturated,
            self.steps,
            self.rasters,
            {name: dict(served) for name, served in self.kernels.items()},
            {} if self.fans is None else self.sums,
            {} if self.fans is None else {n: self._in_order(n) for n in self.elements},
        )

    def _in_order(self, name: str) -> Array:
        """What was counted for each element, channels first."""
        elements = self.elements[name]
        return elements if name in self.plan.inputs else elements[self.plan.orders[name].first]
