"""A Program on the engine's kernels: batches of samples of bounded memory, side by side.

Each batch runs on one thread from the first step to the last: the kernels need no
interpreter, and no thread waits for another. Within a batch the feed-forward populations go
layer by layer through all steps of a chunk; the populations of a loop step by step.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import DataError
from ..program import Program
from ..trace import Stimulus, Trace
from .batch import Batch
from .closed_loop import ClosedLoop, named
from .counting import Weights, weights_of
from .native import cores
from .plan import Plan
from .result import Result

Array = npt.NDArray[Any]

MEMORY = 512 * 2**20
"""Bytes for the arrays of all batches that run side by side."""
CACHED = 2**20
"""Bytes of the messages of one sample that a core's cache should hold."""
BATCHED = 2**23
"""Bytes of one batch: each call of a kernel has enough to do, and the last cache holds it."""
BATCH_SAMPLES = 1024
LEAST_STEPS = 16
"""Steps below which a chunk is not cut to fit the cache: states are loaded once a chunk."""
SERIAL = 2**18
"""Neuron steps that are done before a second thread has started."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How a run is divided: samples of a batch, steps of a chunk, threads."""

    samples: int
    steps: int
    threads: int


class Engine:
    """A Program prepared to run, again and again.

    Args:
        program: what to run.
        memory: bytes for the arrays of all batches that run side by side; the stimulus and
            the trace come on top.
    """

    def __init__(self, program: Program, *, memory: int = MEMORY) -> None:
        self.program, self.memory = program, memory
        self.plan = Plan(program)
        self._options: tuple[tuple[int, bool], dict[str, Any]] = ((-1, False), {})
        self._fans: dict[str, tuple[Array, Weights]] = {}
        self._idle: deque[Batch] = deque()
        self._lock, self._foreseen = threading.Lock(), False
        self._loop: ClosedLoop | None = None

    def run(
        self,
        stimulus: Stimulus,
        *,
        record: bool = False,
        progress: Callable[[int], None] | None = None,
        fans: Mapping[str, Array] | None = None,
        counting: bool = True,
    ) -> Trace:
        """Run all samples; equal bit for bit to the reference at precision `fixed`.

        Args:
            stimulus: encoded samples.
            record: keep messages and states of every population at every step.
            progress: called with the number of samples finished so far.
            fans: source -> (n, k) whole numbers from 0, which are not to be changed: return
                totals of the messages weighted with these, and the messages of each element
                over all samples, instead of those of each element and sample.
            counting: whether messages are counted; without, the counts are zeros.
        """
        sizes = self.sizes(stimulus, record)
        options = self.options(self.program.run_steps(stimulus.steps), record)
        result = Result(self.plan, stimulus, record, self._weights(fans or {}))
        starts = range(0, stimulus.samples, sizes.samples)

        def run(start: int) -> None:
            self._run(result, start, stimulus, sizes, options, counting)

        with ThreadPoolExecutor(sizes.threads) as pool:
            finished = map(run, starts) if sizes.threads == 1 else pool.map(run, starts)
            try:
                for start, _ in zip(starts, finished, strict=True):
                    if progress:
                        progress(min(start + sizes.samples, stimulus.samples))
            except BaseException:  # an interruption must not wait for what has not begun
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return result.trace()

    def step(self, messages: Mapping[str, Array] | Array) -> Mapping[str, Array]:
        """One step, for closed loops; the states stay until the next step or `reset`.

        A message needs one step to the next population: what goes in at step t comes out of
        a network of depth d at step t + d.

        Args:
            messages: whole numbers (n,) or (B, n) for the one input, or for each by its name:
                ``round(value * scale)`` within its legal range.

        Returns:
            Output -> (B, n_out), channels first: the messages of this step where spikes are
            counted, else the membranes after it. The arrays are written anew at the next
            step: no step allocates any.

        Raises:
            DataError: an input is missing or has another shape, or the number of samples
                is not that of the last step.
        """
        given, samples = named(self.plan, messages)
        if self._loop is None or self._loop.samples != samples:
            if self._loop is not None and self._loop.t > 1:
                raise DataError(
                    f"{self._loop.samples} samples are on their way, and messages for "
                    f"{samples} were given",
                    where=f"step {self._loop.t}",
                    remedy="call reset() before another number of samples",
                )
            self._loop = ClosedLoop(self.plan, samples)
        return self._loop.step(given)

    def reset(self) -> None:
        """Put the samples of `step` back to the state before step 1."""
        if self._loop is not None:
            self._loop.reset()

    def sizes(self, stimulus: Stimulus, record: bool = False) -> Sizes:
        """Batches that fit the budget, and the cache where they can."""
        samples, steps = stimulus.samples, self.program.run_steps(stimulus.steps)
        neurons = sum(p.size for p in self.program.populations)
        threads = cores() if samples * steps * neurons >= SERIAL else 1
        threads = min(threads, samples)
        frames = _frames(stimulus)
        of_sample, of_step, most = self.bytes_needed(frames)
        chunk = 1 if record else int(np.clip(CACHED // of_step, min(LEAST_STEPS, steps), steps))
        budget = self.memory // threads
        chunk = int(np.clip((budget - of_sample) // most, 1, chunk))
        batch = min(
            BATCHED // (of_sample + chunk * of_step), budget // (of_sample + chunk * most)
        )
        batch = int(np.clip(batch, 1, BATCH_SAMPLES))
        parts = -(-samples // batch)
        parts = -(-parts // threads) * threads  # all threads end at about the same time
        return Sizes(max(-(-samples // parts), 1), chunk, threads)

    def bytes_needed(self, frames: frozenset[str] = frozenset()) -> tuple[int, int, int]:
        """Memory for a sample; on top of it for each step of a chunk; for each at the most.

        The most is needed where messages are so dense that they go through a matrix product.

        Args:
            frames: inputs whose messages are the same at every step.
        """
        number = np.dtype(self.plan.number).itemsize
        of_sample = of_step = 0
        for name, size in self.plan.sizes.items():
            kind = np.dtype(self.plan.message_type(name))
            row = size // 8 + 8 + (0 if kind == np.uint8 else kind.itemsize * size)
            of_step += 0 if name in frames else row
            of_sample += row * self.plan.history[name]
        most = 0
        outputs = {o.population for o in self.program.outputs}
        for name, layer in self.plan.layers.items():
            size = layer.population.size
            of_sample += size * number * len(layer.start) + (
                24 * size if name in outputs else 0
            )
            over_time = [s for s in layer.others if s.projection.source not in frames]
            shown = [s for s in layer.synapses if s.projection.source in frames]
            of_sample += size * number * len(shown)
            if over_time or len(shown) > (len(layer.model.ports) == 1):
                of_step += size * number * len(layer.model.ports)
            elif layer.fused is not None and layer.fused.matrix is not None:
                most += size * number
        return of_sample, of_step, of_step + most

    def options(self, steps: int, record: bool = False) -> dict[str, Any]:
        """The models' options for all steps; row t for step t."""
        if self._options[0] != (steps, record):
            found = {}
            for name, layer in self.plan.layers.items():
                update = layer.update
                rows = [update.options(t) for t in range(steps + 1)]
                table = np.array(rows, np.int64).reshape(steps + 1, -1)
                if record and update.narrow:
                    table[:, 2] = 1  # u is written although it keeps nothing of itself
                found[name] = update.kernel(table)
            self._options = (steps, record), found
        return self._options[1]

    def _weights(self, fans: Mapping[str, Array]) -> dict[str, Weights]:
        """As they are counted with; converted once for runs one after another."""
        for name, fan in fans.items():
            if name not in self._fans or self._fans[name][0] is not fan:
                self._fans[name] = fan, weights_of(fan, self.plan.orders[name])
        return {name: self._fans[name][1] for name in fans}

    def _batch(self, samples: int, sizes: Sizes, frames: frozenset[str]) -> Batch:
        """One that is idle; made anew where none has that shape, in place of another."""
        wanted = samples, sizes.steps, frames
        with self._lock:
            for batch in self._idle:
                if (batch.samples, batch.chunk, batch.frames) == wanted:
                    self._idle.remove(batch)
                    return batch
            if self._idle:
                self._idle.popleft()
        return Batch(self.plan, *wanted)

    def _run(
        self,
        result: Result,
        start: int,
        stimulus: Stimulus,
        sizes: Sizes,
        options: dict[str, Any],
        counting: bool,
    ) -> None:
        """One batch from the first step to the last, into its place in the result."""
        part = stimulus.part(start, start + sizes.samples)
        batch = self._batch(part.samples, sizes, _frames(stimulus))
        batch.begin(part.steps, result.windows, options)
        if not self._foreseen:
            self._foreseen = True
            batch.binding.foresee()
        batch.show(part)
        for first in range(1, result.steps + 1, sizes.steps):
            stop = min(first + sizes.steps, result.steps + 1)
            batch.load(part, first, stop)
            if counting:
                result.count(batch, self.plan.inputs, start, first, stop)
            for component in self.plan.components:
                batch.advance(component, stop)
                if counting:  # while the messages are in the cache
                    result.count(batch, component.inside, start, first, stop)
            result.record(batch, start, first)
        result.keep(batch, start)
        with self._lock:
            self._idle.append(batch)


def execute(
    program: Program,
    stimulus: Stimulus,
    *,
    record: bool = False,
    progress: Callable[[int], None] | None = None,
    memory: int = MEMORY,
) -> Trace:
    """Run all samples of a stimulus once; see `Engine.run`."""
    return Engine(program, memory=memory).run(stimulus, record=record, progress=progress)


def _frames(stimulus: Stimulus) -> frozenset[str]:
    """The inputs whose messages are the same at every step."""
    return frozenset(name for name, values in stimulus.values.items() if values.ndim == 2)
