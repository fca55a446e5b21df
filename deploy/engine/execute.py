"""A Program on the engine's kernels, sample batches of bounded memory, step by step.

Batches run side by side, each on one thread from the first step to the last: the kernels need
no interpreter, and no thread waits for another at the end of a kernel, which takes milliseconds
where other processes want the cores.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from ..neurons.models import NeuronModel, model_of
from ..program import Input, Output, Population, Program
from ..reference import message_type
from ..trace import Raster, Stimulus, Trace
from . import kernels
from .layout import Source, Synapses, order_of, prepare
from .packing import Update, update_of

Array = npt.NDArray[Any]

BATCH_BYTES = 256 * 2**20
"""Memory for the states and arriving currents of all batches that run side by side."""
BATCH_SAMPLES = 1024
SERIAL_NEURONS = 2**13
"""Fewer neurons in all samples are done before a second thread has started."""


class Engine:
    """A Program prepared to run, again and again."""

    def __init__(self, program: Program, *, memory: int = 512 * 2**20) -> None:
        self.program, self.memory = program, memory

    def run(
        self,
        stimulus: Stimulus,
        *,
        record: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Trace:
        """Run all samples."""
        return execute(self.program, stimulus, record=record, progress=progress)


def execute(
    program: Program,
    stimulus: Stimulus,
    *,
    record: bool = False,
    progress: Callable[[int], None] | None = None,
    memory: int = 512 * 2**20,
) -> Trace:
    """Run all samples; equal bit for bit to the reference at precision `fixed`.

    Args:
        program: what to run.
        stimulus: encoded samples.
        record: keep messages and states of every population at every step.
        progress: called with the number of samples finished so far.
    """
    runner = _Runner(program)
    threads = _threads(stimulus.samples * sum(p.size for p in program.populations))
    batch = BATCH_BYTES // threads // max(runner.bytes_per_sample(stimulus), 1)
    batch = int(np.clip(batch, 1, min(BATCH_SAMPLES, -(-stimulus.samples // threads))))
    starts = range(0, stimulus.samples, batch)

    def run(start: int) -> Trace:
        return runner.run(stimulus.part(start, start + batch), record)

    parts = []
    with ThreadPoolExecutor(threads) as pool:
        finished = map(run, starts) if threads == 1 else pool.map(run, starts)
        try:
            for start, part in zip(starts, finished, strict=True):
                parts.append(part)
                if progress:
                    progress(min(start + batch, stimulus.samples))
        except BaseException:  # an interruption, too, must not wait for what has not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return parts[0] if len(parts) == 1 else _join(parts)


def _threads(work: int) -> int:
    """How many threads are worth starting for that many neurons of all samples."""
    return int(numba.config.NUMBA_NUM_THREADS) if work >= SERIAL_NEURONS else 1


@dataclass(frozen=True, slots=True)
class _Neurons:
    """A population prepared for the kernels.

    Attributes:
        population, model: parameters, and their row in the table of models.
        update: kernel and options.
        rows: the kernel's parameters (k, n), channels last.
        start: states before step 1, each (1, n), channels last.
        message: type of its messages: uint8 for spikes.
        rings: steps that the currents of each port are kept for: a current arrives at most
            that many steps after the step of its message.
    """

    population: Population
    model: NeuronModel
    update: Update
    rows: Array
    start: tuple[Array, ...]
    message: Any
    rings: tuple[int, ...]

    @property
    def membrane(self) -> int:
        """Index of the state that an output reads."""
        return self.model.states(self.population.neuron).index(self.model.membrane)


@dataclass(frozen=True, slots=True)
class _Activity:
    """What one population carries from step to step; (B, n), channels last.

    Attributes:
        states, sent, counts, saturated: as the kernels take them.
        arriving: for each port a ring (steps, B, n): what arrives in step t is in slot
            t modulo steps.
    """

    states: tuple[Array, ...]
    sent: Array
    counts: Array
    saturated: Array
    arriving: tuple[Array, ...]


class _Runner:
    """A Program in the kernels' layout. Holds no state of a sample."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.fixed = program.precision == "fixed"
        self.number: Any = np.int32 if self.fixed else np.float64
        self.wide: Any = np.int64 if self.fixed else np.float64
        sources: list[Input | Population] = [*program.inputs, *program.populations]
        self.orders = {source.name: order_of(source.shape) for source in sources}
        self.synapses = [prepare(p, self.orders, self.number) for p in program.projections]
        self.neurons = {p.name: self._neurons(p) for p in program.populations}

    def _neurons(self, population: Population) -> _Neurons:
        neuron, order = population.neuron, self.orders[population.name].last
        model, update = model_of(neuron), update_of(neuron, self.fixed)
        rows = [np.broadcast_to(row, (population.size,))[order] for row in update.rows]
        start = model.fresh(neuron, (1, population.size), np.dtype(self.wide))
        into = self.program.into(population.name)
        return _Neurons(
            population,
            model,
            update,
            np.stack(rows).astype(self.wide),
            tuple(values[:, order].astype(self.number) for values in start),
            np.uint8 if model.message == "spike" else self.number,
            tuple(
                1 + max((p.longest_delay for p in into if p.port == port), default=0)
                for port in model.ports
            ),
        )

    def bytes_per_sample(self, stimulus: Stimulus) -> int:
        """Memory that one sample of a batch needs."""
        number: int = np.dtype(self.number).itemsize
        total = sum(2 * number * spec.size for spec in self.program.inputs)
        for each in self.neurons.values():
            states = len(each.start) + sum(each.rings)
            message = np.dtype(each.message).itemsize
            total += each.population.size * (number * states + message + 4)
        for synapses in self.synapses:
            total += number * synapses.sums if self._constant(synapses, stimulus) else 0
        return total + number * self.scratch(stimulus)

    def _constant(self, synapses: Synapses, stimulus: Stimulus) -> bool:
        """Whether a frame sends the same messages at every step."""
        values = stimulus.values.get(synapses.projection.source)
        return values is not None and values.ndim == 2

    def scratch(self, stimulus: Stimulus) -> int:
        """Most sums of one projection that wait for a shift."""
        return max(
            (s.sums for s in self.synapses if s.shift and not self._constant(s, stimulus)),
            default=0,
        )

    def run(self, stimulus: Stimulus, record: bool) -> Trace:
        program, samples = self.program, stimulus.samples
        steps = program.run_steps(stimulus.steps)
        batch = _Batch(self, stimulus)
        windows = {
            o.name: np.zeros((samples, program.population(o.population).size), self.wide)
            for o in program.outputs
        }
        tape = {n: self._tape(n, samples, steps) for n in self.neurons if record}
        for t in range(1, steps + 1):
            for name, neurons in self.neurons.items():
                batch.update(neurons, t)
                if record:
                    self._record(tape[name], neurons, batch.activity[name], t)
            for synapses in self.synapses:
                batch.transmit(synapses, t)
            for output in program.outputs:
                first, last = program.window(output, stimulus.steps)
                if first <= t <= last:
                    neurons = self.neurons[output.population]
                    _read(windows[output.name], output, neurons, batch.activity)
        return Trace(
            {o.name: self._result(o, windows[o.name], stimulus) for o in program.outputs},
            batch.messages(),
            {name: activity.saturated for name, activity in batch.activity.items()},
            steps,
            tape,
        )

    def _result(self, output: Output, window: Array, stimulus: Stimulus) -> Array:
        values: Array = window[:, self.orders[output.population].first]
        mean = output.readout == "mean" and not self.fixed
        return values / stimulus.steps if mean else values

    def _tape(self, name: str, samples: int, steps: int) -> Raster:
        neurons = self.neurons[name]
        shape = (samples, steps, neurons.population.size)
        states = neurons.model.states(neurons.population.neuron)
        return Raster(
            np.zeros(shape, message_type(self.program, neurons.model.message)),
            {state: np.zeros(shape, self.number) for state in states},
        )

    def _record(self, raster: Raster, neurons: _Neurons, activity: _Activity, t: int) -> None:
        first = self.orders[neurons.population.name].first
        raster.s[:, t - 1] = activity.sent[:, first]
        for kept, values in zip(raster.states.values(), activity.states, strict=True):
            kept[:, t - 1] = values[:, first]


class _Batch:
    """A batch of samples on its way through the steps."""

    def __init__(self, runner: _Runner, stimulus: Stimulus) -> None:
        self.runner, self.stimulus = runner, stimulus
        samples, number = stimulus.samples, runner.number
        self.sources = {
            spec.name: Source(stimulus, spec.name, runner.orders[spec.name], number)
            for spec in runner.program.inputs
        }
        self.activity = {n: self._fresh(each) for n, each in runner.neurons.items()}
        # What a frame's messages sum up to, which is the same at every step.
        self.constant: dict[str, Array] = {}
        # Sums of one projection before their shift; zero between two projections.
        self.scratch = np.zeros(samples * runner.scratch(stimulus), number)

    def _fresh(self, neurons: _Neurons) -> _Activity:
        samples, size = self.stimulus.samples, neurons.population.size
        return _Activity(
            tuple(np.tile(values, (samples, 1)) for values in neurons.start),
            np.zeros((samples, size), neurons.message),
            np.zeros((samples, size), np.int32),
            np.zeros(samples, np.int64),
            tuple(np.zeros((r, samples, size), self.runner.number) for r in neurons.rings),
        )

    def update(self, neurons: _Neurons, t: int) -> None:
        """Step t of one population."""
        activity = self.activity[neurons.population.name]
        neurons.update.kernel(
            tuple(ring[t % len(ring)] for ring in activity.arriving),
            activity.states,
            activity.sent,
            activity.counts,
            activity.saturated,
            neurons.rows,
            neurons.update.options(t),
        )

    def transmit(self, synapses: Synapses, t: int) -> None:
        """Sum the messages of step t into the steps in which they arrive."""
        projection = synapses.projection
        source = self.sources.get(projection.source)
        sent = source.at(t) if source else self.activity[projection.source].sent
        if sent is None or not sent.any():
            return
        port = self.runner.neurons[projection.target].model.ports.index(projection.port)
        ring = self.activity[projection.target].arriving[port]
        first = (t + 1 + projection.delay) % len(ring)
        if source and source.frame is not None:
            sums = self._constant(synapses, sent, ring.shape)
            for delay in synapses.delays:
                kernels.add(sums[delay], ring[(first + delay) % len(ring)])
        elif not synapses.shift:
            synapses.accumulate(sent, ring, first)
        else:
            shape = (synapses.slots, *ring.shape[1:])
            sums = self.scratch[: int(np.prod(shape))].reshape(shape)
            synapses.accumulate(sent, sums, 0)
            for delay in synapses.delays:
                arriving = ring[(first + delay) % len(ring)]
                kernels.take_shifted(sums[delay], synapses.shift, arriving)

    def _constant(self, synapses: Synapses, sent: Array, ring: tuple[int, ...]) -> Array:
        name = synapses.projection.name
        if name not in self.constant:
            sums = np.zeros((synapses.slots, *ring[1:]), self.runner.number)
            synapses.accumulate(sent, sums, 0)
            if synapses.shift:
                sums >>= synapses.shift
            self.constant[name] = sums
        return self.constant[name]

    def messages(self) -> dict[str, Array]:
        """Messages other than 0 of every source, int64 (B, n)."""
        found = {name: source.count() for name, source in self.sources.items()}
        for name, activity in self.activity.items():
            counts = activity.counts[:, self.runner.orders[name].first]
            found[name] = counts.astype(np.int64)
        return found


def _read(
    window: Array, output: Output, neurons: _Neurons, activity: dict[str, _Activity]
) -> None:
    """Count, keep or sum what an output reads in this step."""
    of = activity[output.population]
    if output.readout == "count":
        window += of.sent
    elif output.readout == "last":
        window[:] = of.states[neurons.membrane]
    else:
        window += of.states[neurons.membrane]


def _join(parts: list[Trace]) -> Trace:
    """The traces of all batches, one behind the other."""
    first = parts[0]

    def joined(of: Callable[[Trace], Any]) -> dict[str, Array]:
        return {k: np.concatenate([of(part)[k] for part in parts]) for k in of(first)}

    rasters = {
        name: Raster(
            np.concatenate([part.rasters[name].s for part in parts]),
            joined(lambda part, name=name: part.rasters[name].states),  # type: ignore[misc]
        )
        for name in first.rasters
    }
    return Trace(
        joined(lambda part: part.outputs),
        joined(lambda part: part.messages),
        joined(lambda part: part.saturated),
        first.executed_steps,
        rasters,
    )
