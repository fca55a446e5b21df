"""A Program on a GPU, behind the interface of the engine on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from ...errors import MissingDependency, UsageError
from ..program import Program
from ..trace import Stimulus, Trace


class GpuEngine:
    """A Program prepared to run on a GPU, again and again; equal bit for bit to the norm."""

    def __init__(
        self, program: Program, device: str = "cuda", memory: int | None = None
    ) -> None:
        """Put weights and parameters on the device.

        Args:
            program: at precision `fixed`.
            device: "cuda", or "cuda:N" for one of several. "cpu" is torch's own, which serves
                tests: the engine in deploy/engine is far faster there.
            memory: bytes that a run may take there beside the weights; None: most of what is
                free.

        Raises:
            MissingDependency: torch is not installed.
            UsageError: there is no such device; precision `float`; the weights of one neuron
                add up to more than 32 bits can sum.
        """
        if program.precision != "fixed":
            raise UsageError(
                f"a GPU runs whole numbers, and this program has precision {program.precision}",
                remedy="compile it at precision fixed, or use --device cpu",
            )
        try:
            import torch  # noqa: F401
        except ImportError as error:
            raise MissingDependency(
                "running on a GPU needs torch, which is not installed",
                remedy="pip install 'torch>=2.3'",
            ) from error
        from .runner import Runner

        self.program = program
        self._runner = Runner(program, device, memory)

    @property
    def memory(self) -> int:
        """Bytes that a run may take on the device beside the weights."""
        return self._runner.memory

    def run(
        self,
        stimulus: Stimulus,
        *,
        record: bool = False,
        progress: Callable[[int], None] | None = None,
        fans: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Trace:
        """Run all samples.

        Args:
            stimulus: encoded samples; they may be mapped from a file.
            record: keep messages and states of every population at every step.
            progress: called with the number of samples finished so far.
            fans: source -> (n, k) whole numbers from 0, for all sources: return totals of the
                messages weighted with these, and the messages of each element over all
                samples, instead of those of each element and sample.

        Raises:
            UsageError: the memory does not hold one step of one sample, or others have taken
                it since.
        """
        return self._runner.run(stimulus, record, progress, fans)
