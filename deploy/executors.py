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


class Executor(Protocol):
    """A Program, ready to run."""

    def samples_at_once(self, steps: int) -> int:
        """Most samples of a section, each presented for that many steps; at least 1."""

    def run(
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


class Make(Protocol):
    """Prepares a Program to be run."""

    def __call__(
        self, program: Program, *, memory: int, timeout: float | None, device: str = "cpu"
    ) -> Executor:
        """An executor that takes about that many bytes beside stimulus and trace.

        The timeout, in seconds for a section, holds for Lava only; a device other than "cpu"
        for the fast engine only. Raises UsageError for another, MissingDependency.
        """


class _Fast:
    def __init__(
        self, program: Program, *, memory: int, timeout: float | None, device: str = "cpu"
    ) -> None:
        from .engine import Engine

        self.run = Engine(program, memory=memory).run

    def samples_at_once(self, steps: int) -> int:
        return SECTION_SAMPLES


class _Gpu:
    def __init__(
        self, program: Program, *, memory: int, timeout: float | None, device: str = "cpu"
    ) -> None:
        from .gpu import GpuEngine

        # Its memory is its own: most of what is free there.
        self.engine = GpuEngine(program, device)

    def samples_at_once(self, steps: int) -> int:
        return SECTION_SAMPLES

    def run(
        self,
        stimulus: Stimulus,
        *,
        record: bool = False,
        progress: Callable[[int], None] | None = None,
        fans: Fans = None,
    ) -> Trace:
        return self.engine.run(stimulus, record=record, progress=progress)


@dataclass(frozen=True, slots=True)
class _Reference:
    program: Program
    memory: int
    timeout: float | None = None
    device: str = "cpu"

    def samples_at_once(self, steps: int) -> int:
        # int64 or float64: the currents of all steps to come, and what a step computes.
        populations = self.program.populations
        rows = sum((steps + 8) * p.size * len(model_of(p.neuron).ports) for p in populations)
        slow = _in_time(steps, 2e-9 * _synapses(self.program))
        return max(1, min(slow, self.memory // (8 * rows)))

    def run(
        self,
        stimulus: Stimulus,
        *,
        record: bool = False,
        progress: Callable[[int], None] | None = None,
        fans: Fans = None,
    ) -> Trace:
        from .reference import execute

        trace = execute(self.program, stimulus, record=record)
        if progress:
            progress(stimulus.samples)
        return trace


class _Lava:
    def __init__(
        self, program: Program, *, memory: int, timeout: float | None, device: str = "cpu"
    ) -> None:
        from .lava.environment import require_lava

        require_lava()
        self.program, self.timeout = program, timeout

    def samples_at_once(self, steps: int) -> int:
        return _in_time(steps, 1e-3 + 1e-8 * _synapses(self.program))

    def run(
        self,
        stimulus: Stimulus,
        *,
        record: bool = False,
        progress: Callable[[int], None] | None = None,
        fans: Fans = None,
    ) -> Trace:
        from .lava import execute

        trace = execute(self.program, stimulus, record=record, timeout=self.timeout)
        if progress:
            progress(stimulus.samples)
        return trace


def _in_time(steps: int, seconds_per_step: float) -> int:
    """Samples that take about SECTION_SECONDS, from 1 to SECTION_SAMPLES."""
    samples = SECTION_SECONDS / max(steps * seconds_per_step, 1e-9)
    return int(min(max(samples, 1), SECTION_SAMPLES))


def _synapses(program: Program) -> int:
    return sum(int(p.synapse.fan_out(False).sum()) for p in program.projections)


EXECUTORS: dict[str, Make] = {"fast": _Fast, "reference": _Reference, "lava": _Lava}


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
    return _Gpu
