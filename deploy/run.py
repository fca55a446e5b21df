"""Run a Program over samples: outputs, accuracy and exact counts, as a value and as JSON."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, UsageError
from .data import Samples, encode
from .neurons.models import model_of
from .program import Input, Population, Program
from .trace import Stimulus, Trace

Array = npt.NDArray[Any]
Executor = Callable[..., Trace]

FORMAT = 1


def _reference(program: Program, stimulus: Stimulus, **options: Any) -> Trace:
    from .reference import execute

    options.pop("timeout", None)
    options.pop("progress", None)
    return execute(program, stimulus, **options)


def _fast(program: Program, stimulus: Stimulus, **options: Any) -> Trace:
    from .engine import execute

    options.pop("timeout", None)
    return execute(program, stimulus, **options)


def _lava(program: Program, stimulus: Stimulus, **options: Any) -> Trace:
    from .lava import execute

    options.pop("progress", None)
    return execute(program, stimulus, **options)


EXECUTORS: dict[str, Executor] = {"fast": _fast, "reference": _reference, "lava": _lava}


def executor(engine: str) -> Executor:
    """The executor of that name. Raises UsageError for an unknown one."""
    if engine not in EXECUTORS:
        raise UsageError(
            f"there is no engine {engine!r}", remedy="use one of " + ", ".join(EXECUTORS)
        )
    return EXECUTORS[engine]


@dataclass(frozen=True, slots=True)
class Run:
    """Result of a run.

    Attributes:
        program: what ran.
        engine: "fast", "reference" or "lava".
        steps: steps for which each sample was presented.
        trace: outputs, messages per sample and element, saturation, rasters if recorded.
        clipped: int64 (N,): input values clipped per sample.
        labels: class numbers of the first output, or None.
        seconds: wall time of the executor.
        provenance: JSON values: command, files and hashes.
    """

    program: Program
    engine: str
    steps: int
    trace: Trace
    clipped: Array
    labels: Array | None
    seconds: float
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.clipped)

    def predicted(self, output: str) -> Array:
        """Class of each sample at that output: its largest value, the first on a tie."""
        values = self.trace.outputs[output]
        return np.asarray(np.argmax(values, axis=1))

    @property
    def predictions(self) -> Array:
        """Class of each sample at the first output."""
        return self.predicted(self.program.outputs[0].name)

    @property
    def accuracy(self) -> float | None:
        """Share of samples whose prediction is their label; None without labels."""
        if self.labels is None:
            return None
        return float(np.mean(self.predictions == self.labels))

    def synops(self, name: str, *, nonzero: bool = True) -> Array:
        """Synaptic operations of a projection per sample, int64 (N,).

        ``sum over source elements of messages * fan-out``, counted when the message is sent;
        over non-zero weights, or over all stored ones.
        """
        projection = next(p for p in self.program.projections if p.name == name)
        messages = self.trace.messages[projection.source]
        return np.asarray(messages @ projection.synapse.fan_out(nonzero), np.int64)

    def as_json(self) -> dict[str, Any]:
        """JSON values with the keys of the design."""
        program, trace = self.program, self.trace
        names = [p.name for p in program.populations]
        return {
            "format": FORMAT,
            "engine": self.engine,
            "precision": program.precision,
            "target": program.target,
            "samples": self.samples,
            "steps": self.steps,
            "executed_steps": trace.executed_steps,
            "latency_steps": program.latency,
            "dt_second": program.dt,
            "accuracy": self.accuracy,
            "predictions": self.predictions.tolist(),
            "labels": None if self.labels is None else self.labels.tolist(),
            "clipped": int(self.clipped.sum()),
            "inputs": {
                i.name: {
                    "shape": list(i.shape),
                    "graded": i.graded,
                    "neurons": i.size,
                    "messages": int(trace.messages[i.name].sum()),
                }
                for i in program.inputs
            },
            "outputs": {
                o.name: {
                    "population": o.population,
                    "readout": o.readout,
                    "predictions": self.predicted(o.name).tolist(),
                }
                for o in program.outputs
            },
            "populations": {name: self._population(name) for name in names},
            "projections": {p.name: self._projection(p.name) for p in program.projections},
            "seconds": self.seconds,
            "sample_steps_per_second": self.samples * trace.executed_steps / self.seconds,
            "compile": dict(program.report),
            "provenance": {
                "numpy": np.__version__,
                "python": platform.python_version(),
                "platform": platform.platform(),
                **self.provenance,
            },
        }

    def _population(self, name: str) -> dict[str, Any]:
        population = self.program.population(name)
        spikes = self.trace.messages[name].sum(axis=1)
        return {
            "kind": population.kind,
            "message": model_of(population.neuron).message,
            "shape": list(population.shape),
            "neurons": population.size,
            "spikes": int(spikes.sum()),
            "spikes_per_sample": spread(spikes),
            "neuron_updates": population.size * self.trace.executed_steps * self.samples,
            "saturated": int(self.trace.saturated[name].sum()),
        }

    def _projection(self, name: str) -> dict[str, Any]:
        projection = next(p for p in self.program.projections if p.name == name)
        synapse = projection.synapse
        synops = self.synops(name)
        source = self.program.source(projection.source)
        return {
            "source": projection.source,
            "target": projection.target,
            "kind": type(synapse).__name__,
            "graded": sends_graded(source),
            "synapses": int(synapse.fan_out(True).sum()),
            "synapses_all": int(synapse.fan_out(False).sum()),
            "weights": prod(synapse.weight.shape),
            "synops": int(synops.sum()),
            "synops_all": int(self.synops(name, nonzero=False).sum()),
            "synops_per_sample": spread(synops),
            "delay": projection.longest_delay,
            "folded": list(projection.folded),
        }


def sends_graded(source: Input | Population) -> bool:
    """Whether its messages carry a value."""
    if isinstance(source, Input):
        return source.graded
    return model_of(source.neuron).message == "graded"


def spread(values: Array) -> dict[str, float]:
    """Mean, standard deviation and extremes over samples."""
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
    }


def run(
    program: Program,
    x: Samples,
    y: Array | None = None,
    *,
    engine: str = "fast",
    record: bool = False,
    timeout: float | None = None,
    progress: Callable[[int], None] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Run:
    """Run samples.

    Args:
        program: what to run.
        x: (N, *shape) frames or (N, T, *shape) over time; for several inputs a mapping from
            their names.
        y: class numbers (N,), where known.
        engine: "fast", "reference" or "lava".
        record: keep every spike and state.
        timeout: seconds after which a Lava run is stopped.
        progress: called with the number of finished samples.
        provenance: JSON values to keep with the run.

    Raises:
        DataError: the samples do not fit the network.
        UsageError: unknown engine.
        MissingDependency, LavaError, LavaTimeout: engine "lava" only.
    """
    execute = executor(engine)
    if timeout is not None and timeout <= 0:
        raise UsageError(
            f"a timeout of {timeout:g} s leaves no time", remedy="use --timeout 1 or more"
        )
    first = program.outputs[0]
    outputs = program.population(first.population).size
    if y is not None and len(y) and (int(y.min()) < 0 or int(y.max()) >= outputs):
        raise DataError(
            f"the labels reach from {y.min()} to {y.max()}; the network has {outputs} outputs",
            where=f"output {first.name}",
            remedy="number the classes from 0 as in training",
        )
    stimulus, clipped = encode(program, x)
    started = time.perf_counter()
    trace = execute(program, stimulus, record=record, timeout=timeout, progress=progress)
    seconds = time.perf_counter() - started
    return Run(
        program, engine, stimulus.steps, trace, clipped, y, seconds, dict(provenance or {})
    )
