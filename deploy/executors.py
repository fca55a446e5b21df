"""The table of executors: each is made once for a Program and then run section by section."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from ..errors import UsageError
from .neurons.models import model_of
from .program import Program
from .trace import Stimulus, Trace

Fans = Mapping[str, npt.NDArray[Any]] | None

SECTION_SAMPLES = 1024
"""Most samples between two moments at which a run can be continued."""
SECTION_SECONDS = 60.0
"""What a section may take, about, where an executor is slow."""


class Running(Protocol):
    """Runs all samples of a stimulus."""

    def __call__(
        self,
        stimulus: Stimulus,
        *,
        record: bool = False,
        progress: Callable[[int], None] | None = None,
        fans: Fans = None,
    ) -> Trace:
        """Run all samples; `progress` is called with how many are finished.

        Where `fans` are given, source -> weights (n, k) of its elements, the trace may hold the
        weighted totals of the messages, and the messages of each element over all samples,
        instead of the messages.
        """


@dataclass(frozen=True, slots=True)
class Executor:
    """A Program, ready to run.

    Attributes:
        run: runs a section.
        samples_at_once: steps of a presentation -> most samples of a section; at least 1.
    """

    run: Running
    samples_at_once: Callable[[int], int]


class Make(Protocol):
    """Prepares a Program to be run."""

    def __call__(
        self, program: Program, *, memory: int, timeout: float | None, device: str = "cpu"
    ) -> Executor:
        """An executor that takes about that many bytes beside stimulus and trace.

        The timeout, in seconds for a section, holds for Lava only; a device other than "cpu"
        for the fast engine only. Raises UsageError for another, MissingDependency.
        """


def _fast(
    program: Program, *, memory: int, timeout: float | None, device: str = "cpu"
) -> Executor:
    from .engine import Engine

    return Executor(Engine(program, memory=memory).run, lambda steps: SECTION_SAMPLES)


def _gpu(
    program: Program, *, memory: int, timeout: float | None, device: str = "cpu"
) -> Executor:
    from .gpu import GpuEngine

    # Its memory is its own: most of what is free there.
    return Executor(GpuEngine(program, device).run, lambda steps: SECTION_SAMPLES)


def _reference(
    program: Program, *, memory: int, timeout: float | None, device: str = "cpu"
) -> Executor:
    def samples_at_once(steps: int) -> int:
        # int64 or float64: the currents of all steps to come, and what a step computes.
        populations = program.populations
        rows = sum((steps + 8) * p.size * len(model_of(p.neuron).ports) for p in populations)
        slow = _in_time(steps, 2e-9 * _synapses(program))
        return max(1, min(slow, memory // (8 * rows)))

    def execute(stimulus: Stimulus, record: bool) -> Trace:
        from .reference import execute

        return execute(program, stimulus, record=record)

    return Executor(_whole(execute), samples_at_once)


def _lava(
    program: Program, *, memory: int, timeout: float | None, device: str = "cpu"
) -> Executor:
    from .lava.environment import require_lava

    require_lava()

    def execute(stimulus: Stimulus, record: bool) -> Trace:
        from .lava import execute

        return execute(program, stimulus, record=record, timeout=timeout)

    return Executor(
        _whole(execute), lambda steps: _in_time(steps, 1e-3 + 1e-8 * _synapses(program))
    )


def _whole(execute: Callable[[Stimulus, bool], Trace]) -> Running:
    """Of what runs all samples in one go, and gives the messages of each element."""

    def run(
        stimulus: Stimulus,
        *,
        record: bool = False,
        progress: Callable[[int], None] | None = None,
        fans: Fans = None,
    ) -> Trace:
        trace = execute(stimulus, record)
        if progress:
            progress(stimulus.samples)
        return trace

    return run


def _in_time(steps: int, seconds_per_step: float) -> int:
    """Samples that take about SECTION_SECONDS, from 1 to SECTION_SAMPLES."""
    samples = SECTION_SECONDS / max(steps * seconds_per_step, 1e-9)
    return int(min(max(samples, 1), SECTION_SAMPLES))


def _synapses(program: Program) -> int:
    return sum(int(p.synapse.fan_out(False).sum()) for p in program.projections)


EXECUTORS: dict[str, Make] = {"fast": _fast, "reference": _reference, "lava": _lava}


def executor(engine: str, device: str = "cpu") -> Make:
    """How the executor of that name is made.

    Raises:
        UsageError: unknown, or an engine that runs on no such device.
    """
    if engine not in EXECUTORS:
        raise UsageError(
            f"there is no engine {engine!r}", remedy="use one of " + ", ".join(EXECUTORS)
        )
    if device == "cpu":
        return EXECUTORS[engine]
    if engine != "fast":
        raise UsageError(
            f"the engine {engine!r} runs on the CPU alone, not on {device!r}",
            where="--device",
            remedy="use --engine fast, or leave --device out",
        )
    return _gpu
