"""A Program on the engine's kernels, sample batches of bounded memory, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.cuba_lif import STATE_SHIFT
from ..program import Population, Program, Projection
from ..synapses.conv2d import Conv2d
from ..trace import Raster, Stimulus, Trace
from . import kernels

Array = npt.NDArray[Any]

BATCH_BYTES = 256 * 2**20
"""Memory for the states of one batch of samples."""


@dataclass(frozen=True, slots=True)
class _Synapse:
    """A projection prepared for the kernels: weights channels last, exponent folded if >= 0."""

    projection: Projection
    accumulate: Callable[[Array, Array], None]
    shift: int  # right shift still to be applied to the sum; 0 if none


@dataclass(slots=True)
class _State:
    """What one population carries from step to step; (B, n), channels last."""

    u: Array
    v: Array
    spikes: Array
    messages: Array
    saturated: Array
    arriving: list[Array]  # ring by step


def execute(
    program: Program,
    stimulus: Stimulus,
    *,
    record: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Run all samples; equal bit for bit to the reference at precision `fixed`.

    Args:
        program: what to run.
        stimulus: encoded samples.
        record: keep s, u and v of every population at every step.
        progress: called with the number of samples finished so far.
    """
    runner = _Runner(program)
    size = sum(p.size for p in program.populations) + program.input.size
    per_sample = size * (24 + 8 * runner.ring)
    batch = int(np.clip(BATCH_BYTES // max(per_sample, 1), 1, 256))
    parts = []
    for start in range(0, stimulus.samples, batch):
        parts.append(runner.run(stimulus.part(start, start + batch), record))
        if progress:
            progress(min(start + batch, stimulus.samples))
    return parts[0] if len(parts) == 1 else _join(parts)


def channels_last(shape: tuple[int, ...]) -> Array:
    """Index such that flat[index] turns C, H, W order into H, W, C order."""
    index = np.arange(int(np.prod(shape)))
    return index.reshape(shape).transpose(1, 2, 0).reshape(-1) if len(shape) == 3 else index


class _Runner:
    """A Program in the kernels' layout. Holds no state of a sample."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.fixed = program.precision == "fixed"
        self.number: Any = np.int32 if self.fixed else np.float64
        self.order = {program.input.name: channels_last(program.input.shape)}
        self.order |= {p.name: channels_last(p.shape) for p in program.populations}
        self.inverse = {name: np.argsort(order) for name, order in self.order.items()}
        self.ring = 2 + max((p.delay for p in program.projections), default=0)
        self.synapses = [self._synapse(p) for p in program.projections]
        self.parameters = {p.name: self._parameters(p) for p in program.populations}

    def _synapse(self, projection: Projection) -> _Synapse:
        synapse = projection.synapse
        weight: Array = synapse.weight.astype(self.number)
        exponent = synapse.exponent if self.fixed else 0
        if exponent > 0:
            weight = weight << exponent
        shift = max(-exponent, 0)
        if isinstance(synapse, Conv2d):
            return _Synapse(projection, _convolution(synapse, weight), shift)
        rows = self.order[projection.source]
        columns = self.order[projection.target]
        table = np.ascontiguousarray(weight[columns][:, rows].T)
        return _Synapse(projection, lambda x, total: kernels.dense(x, table, total), shift)

    def _parameters(self, population: Population) -> Array:
        neuron = population.neuron
        if self.fixed:
            bias = neuron.bias_mantissa.astype(np.int64) << neuron.bias_exponent
            threshold = neuron.threshold.astype(np.int64) << STATE_SHIFT
        else:
            bias, threshold = neuron.bias_mantissa, neuron.threshold
        rows = [neuron.current_decay, neuron.voltage_decay, bias, threshold]
        full = [np.broadcast_to(row, (population.size,)) for row in rows]
        dtype = np.int64 if self.fixed else np.float64
        return np.stack(full).astype(dtype)[:, self.order[population.name]].copy()

    def _fresh(self, population: Population, samples: int) -> _State:
        shape = (samples, population.size)
        start = np.broadcast_to(population.neuron.initial_voltage, (population.size,))
        v = np.tile(start[self.order[population.name]].astype(self.number), (samples, 1))
        return _State(
            u=np.zeros(shape, self.number),
            v=v,
            spikes=np.zeros(shape, np.uint8),
            messages=np.zeros(shape, np.int32),
            saturated=np.zeros(samples, np.int64),
            arriving=[np.zeros(shape, self.number) for _ in range(self.ring)],
        )

    def run(self, stimulus: Stimulus, record: bool) -> Trace:
        program, samples = self.program, stimulus.samples
        steps = program.run_steps(stimulus.steps)
        states = {p.name: self._fresh(p, samples) for p in program.populations}
        source = _Source(stimulus, self.order[program.input.name], self.number)
        last = program.population(program.output.population)
        window = np.zeros((samples, last.size), np.int64 if self.fixed else np.float64)
        tape = {
            p.name: Raster(
                np.zeros((samples, steps, p.size), bool),
                np.zeros((samples, steps, p.size), self.number),
                np.zeros((samples, steps, p.size), self.number),
            )
            for p in program.populations
            if record
        }
        constant: dict[str, Array] | None = {} if source.frames else None
        for t in range(1, steps + 1):
            for population in program.populations:
                state = states[population.name]
                self._update(population, state, t)
                if record:
                    self._record(tape[population.name], population.name, state, t)
            messages = source.at(t)
            for synapse in self.synapses:
                self._transmit(synapse, messages, states, t, constant)
            if last.depth < t <= last.depth + stimulus.steps:
                self._read(window, states[last.name])
        outputs: Array = window[:, self.inverse[last.name]]
        if program.output.readout == "mean" and not self.fixed:
            outputs = outputs / stimulus.steps
        counts = {program.input.name: source.count()}
        for name, state in states.items():
            counts[name] = state.messages[:, self.inverse[name]].astype(np.int64)
        saturated = {name: state.saturated for name, state in states.items()}
        return Trace(outputs, counts, saturated, steps, tape)

    def _update(self, population: Population, state: _State, t: int) -> None:
        kernel = kernels.cuba_lif_fixed if self.fixed else kernels.cuba_lif_float
        kernel(
            state.arriving[t % self.ring],
            state.u,
            state.v,
            state.spikes,
            state.messages,
            state.saturated,
            self.parameters[population.name],
            population.neuron.onset == t,
        )

    def _transmit(
        self,
        synapse: _Synapse,
        messages: Array,
        states: dict[str, _State],
        t: int,
        constant: dict[str, Array] | None,
    ) -> None:
        """Sum this step's messages into the step in which they arrive.

        `constant` keeps the sums of a frame, which is the same at every step.
        """
        projection = synapse.projection
        from_input = projection.source == self.program.input.name
        sent = messages if from_input else states[projection.source].spikes
        if not sent.any():
            return
        target = states[projection.target]
        arriving = target.arriving[(t + 1 + projection.delay) % self.ring]
        kept = constant if from_input else None
        if not synapse.shift and kept is None:
            synapse.accumulate(sent, arriving)
            return
        total = kept.get(projection.name) if kept is not None else None
        if total is None:
            total = np.zeros_like(arriving)
            synapse.accumulate(sent, total)
            if kept is not None:
                kept[projection.name] = total
        if self.fixed:
            kernels.add_shifted(total, -synapse.shift, arriving)
        else:
            kernels.add(total, arriving)

    def _read(self, window: Array, state: _State) -> None:
        if self.program.output.readout == "count":
            window += state.spikes
        elif self.program.output.readout == "last":
            window[:] = state.v
        else:
            window += state.v

    def _record(self, raster: Raster, name: str, state: _State, t: int) -> None:
        inverse = self.inverse[name]
        raster.s[:, t - 1] = state.spikes[:, inverse]
        raster.u[:, t - 1] = state.u[:, inverse]
        raster.v[:, t - 1] = state.v[:, inverse]


def _convolution(synapse: Conv2d, weight: Array) -> Callable[[Array, Array], None]:
    groups = synapse.groups
    out, per_group = weight.shape[:2]
    channels, height, width = synapse.input_shape
    _, out_h, out_w = synapse.output_shape
    taps = weight.reshape(groups, out // groups, per_group, *weight.shape[2:])
    taps = np.ascontiguousarray(taps.transpose(3, 4, 0, 2, 1))
    stride, padding, dilation = (
        np.array(pair, np.int64) for pair in (synapse.stride, synapse.padding, synapse.dilation)
    )

    def accumulate(x: Array, total: Array) -> None:
        kernels.conv2d(
            x.reshape(-1, height, width, groups, per_group),
            taps,
            total.reshape(-1, out_h, out_w, groups, out // groups),
            stride,
            padding,
            dilation,
        )

    assert channels == groups * per_group
    return accumulate


class _Source:
    """The input's messages in the kernels' layout."""

    def __init__(self, stimulus: Stimulus, order: Array, number: Any) -> None:
        self.stimulus, self.order, self.number = stimulus, order, number
        self.frames = stimulus.values.ndim == 2
        self.frame = self._arrange(stimulus.values) if self.frames else None
        self.silence = self._arrange(np.zeros_like(stimulus.at(stimulus.steps + 1)))

    def _arrange(self, values: Array) -> Array:
        return np.ascontiguousarray(values[:, self.order].astype(self.number))

    def at(self, t: int) -> Array:
        if t > self.stimulus.steps:
            return self.silence
        return self.frame if self.frame is not None else self._arrange(self.stimulus.at(t))

    def count(self) -> Array:
        values, steps = self.stimulus.values, self.stimulus.steps
        if self.frames:
            return np.asarray(values != 0, np.int64) * steps
        return np.asarray(np.count_nonzero(values, axis=1), np.int64)


def _join(parts: list[Trace]) -> Trace:
    first = parts[0]
    return Trace(
        np.concatenate([p.outputs for p in parts]),
        {k: np.concatenate([p.messages[k] for p in parts]) for k in first.messages},
        {k: np.concatenate([p.saturated[k] for p in parts]) for k in first.saturated},
        first.executed_steps,
        {
            k: Raster(
                *(np.concatenate([getattr(p.rasters[k], f) for p in parts]) for f in "suv")
            )
            for k in first.rasters
        },
    )
