"""A Program on one device: batches of bounded memory, copied while others are evaluated."""

from __future__ import annotations

import importlib.util
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...errors import UsageError
from ..neurons.models import model_of
from ..program import Input, Population, Program
from ..reference import message_type
from ..trace import Raster, Stimulus, Trace
from .batch import Batch, Keep, prepare_program
from .counting import Counting
from .neurons import Tensor
from .plan import portion
from .transfer import Transfer

Array = npt.NDArray[Any]

CPU_MEMORY = 2**30
"""Bytes for a run on torch's own CPU device, where nothing else is said."""
SHARE = 0.8
"""Of what is free on a GPU; the rest is for what its libraries need."""


def find_device(name: str) -> torch.device:
    """The device of that name. Raises UsageError where there is none."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UsageError(f"there is no device {name!r}", remedy="use cpu, cuda or cuda:N")
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UsageError(
            f"there is no device {name!r}: torch {torch.__version__} finds no CUDA GPU",
            remedy="use --device cpu, or install a driver and a torch built for CUDA",
        )
    count = torch.cuda.device_count()
    index = int(name.partition(":")[2] or torch.cuda.current_device())
    if index >= count:
        raise UsageError(
            f"there is no device {name!r}; the last one is cuda:{count - 1}",
            remedy=f"use cuda:N with N from 0 to {count - 1}",
        )
    return torch.device("cuda", index)


def fuses(device: torch.device) -> bool:
    """Whether Triton's kernels run there; on a CPU Triton's interpreter alone runs them."""
    there = importlib.util.find_spec("triton") is not None
    return there and (device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1")


@contextmanager
def _told_where(device: torch.device) -> Iterator[None]:
    """Too little memory on a GPU is for its user to repair."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise UsageError(
            f"the GPU is out of memory: {str(error).splitlines()[0]}",
            where=f"device {device}",
            remedy="end what else runs there, or allow less memory",
        ) from error


class Runner:
    """A Program on its device.

    Attributes:
        program: what runs.
        device: where.
        memory: bytes for everything but the weights.
        prepared: weights and parameters there.
    """

    def __init__(self, program: Program, name: str, memory: int | None) -> None:
        self.program, self.device = program, find_device(name)
        self.fused = fuses(self.device)
        with _told_where(self.device):
            self.prepared = prepare_program(program, self.device, self.fused)
        self.memory = self._free() if memory is None else memory

    def _free(self) -> int:
        if self.device.type != "cuda":
            return CPU_MEMORY
        reserved = torch.cuda.memory_reserved(self.device)
        unused = reserved - torch.cuda.memory_allocated(self.device)
        return int(SHARE * (torch.cuda.mem_get_info(self.device)[0] + unused))

    def run(
        self,
        stimulus: Stimulus,
        record: bool,
        progress: Callable[[int], None] | None,
        fans: Mapping[str, Array] | None,
    ) -> Trace:
        """Run all samples; see GpuEngine.run."""
        with Transfer(self.device) as transfer, transfer.here(), _told_where(self.device):
            return self._run(stimulus, record, progress, fans or {}, transfer)

    def _run(
        self,
        stimulus: Stimulus,
        record: bool,
        progress: Callable[[int], None] | None,
        fans: Mapping[str, Array],
        transfer: Transfer,
    ) -> Trace:
        program, samples = self.program, stimulus.samples
        steps = program.run_steps(stimulus.steps)
        wide = 4 if self.fused else 8
        size = portion(program, self.memory, samples, steps, record=record, wide=wide)
        trace = _empty(program, samples, steps, record, self.prepared.kinds, fans)
        counting = {
            name: Counting(fan, steps, size.samples, self.device) for name, fan in fans.items()
        }
        kinds = {i.name: torch.int32 if i.graded else torch.int8 for i in program.inputs}
        parts = [
            slice(start, min(start + size.samples, samples))
            for start in range(0, samples, size.samples)
        ]

        def upload(part: slice) -> Callable[[], dict[str, Tensor]]:
            return transfer.upload({n: stimulus.values[n][part] for n in kinds}, kinds)

        waiting: deque[tuple[int, Future[None]]] = deque()
        ready = upload(parts[0])
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            values = ready()
            if following:  # on its way while this part is evaluated
                ready = upload(following)
            keep = _keeper(trace, part) if record else None
            batch = Batch(self.prepared, values, stimulus.steps, size.scratch, keep, counting)
            batch.run(steps, size.steps)
            waiting.append(
                (part.stop, transfer.download(_results(batch, trace, part, counting)))
            )
            del values, batch
            if len(waiting) > 1:
                _finish(*waiting.popleft(), progress)
        while waiting:
            _finish(*waiting.popleft(), progress)
        for name, each in counting.items():
            trace.element_messages[name][:] = each.elements.cpu().numpy()
            trace.step_totals[name][:] = each.steps.cpu().numpy()
        return trace


def _finish(stop: int, copied: Future[None], progress: Callable[[int], None] | None) -> None:
    copied.result()
    if progress:
        progress(stop)


def _results(
    batch: Batch, trace: Trace, part: slice, counting: Mapping[str, Counting]
) -> list[tuple[Tensor, Array]]:
    """What the batch found on the device, and where it belongs."""
    short = torch.int16 if trace.executed_steps < 2**15 else torch.int32
    messages = batch.messages()
    found = (
        (batch.read(), trace.outputs),
        ({name: messages[name].to(short) for name in trace.messages}, trace.messages),
        ({name: each.totals(messages[name]) for name, each in counting.items()}, trace.totals),
        (batch.saturated, trace.saturated),
    )
    return [
        (values, kept[name][part])
        for several, kept in found
        for name, values in several.items()
    ]


def _empty(
    program: Program,
    samples: int,
    steps: int,
    record: bool,
    kinds: dict[str, str],
    fans: Mapping[str, Array],
) -> Trace:
    """A trace with room for everything."""
    sources: list[Input | Population] = [*program.inputs, *program.populations]
    read = {o.name: program.population(o.population).size for o in program.outputs}
    return Trace(
        {name: np.empty((samples, size), np.int64) for name, size in read.items()},
        {s.name: np.empty((samples, s.size), np.int32) for s in sources if s.name not in fans},
        {p.name: np.empty(samples, np.int64) for p in program.populations},
        steps,
        {p.name: _raster(program, p, samples, steps) for p in program.populations if record},
        {name: {kind: samples * steps} for name, kind in kinds.items()},
        {name: np.empty((samples, fan.shape[1]), np.int64) for name, fan in fans.items()},
        {name: np.empty(len(fan), np.int64) for name, fan in fans.items()},
        {name: np.empty((steps, fan.shape[1]), np.int64) for name, fan in fans.items()},
    )


def _raster(program: Program, population: Population, samples: int, steps: int) -> Raster:
    model, shape = model_of(population.neuron), (samples, steps, population.size)
    states = model.states(population.neuron)
    return Raster(
        np.empty(shape, message_type(program, model.message)),
        {name: np.empty(shape, np.int32) for name in states},
    )


def _keeper(trace: Trace, rows: slice) -> Keep:
    """What puts the messages and states of some steps in their place."""

    def keep(name: str, first: int, sent: Tensor, states: list[Tensor]) -> None:
        raster = trace.rasters[name]
        steps = slice(first - 1, first - 1 + sent.shape[1])
        raster.s[rows, steps] = sent.cpu().numpy()
        for kept, values in zip(raster.states.values(), states, strict=True):
            kept[rows, steps] = values.cpu().numpy()

    return keep
