"""Run a Program over samples, section by section: outputs, accuracy and exact counts."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, UsageError
from .counts import Counts, bytes_per_sample, fan_outs, join, reduce
from .encoding import Encoding, encoding_of
from .executors import EXECUTORS, Executor, executor
from .neurons.models import model_of
from .partial import Partial
from .program import Input, Population, Program
from .samples import Data, Samples, as_data
from .synapses.geometry import geometry
from .trace import Stimulus, Trace

if TYPE_CHECKING:
    from .profile import Profile
    from .routes import Routes

__all__ = ["EXECUTORS", "MEMORY", "Run", "executor", "run", "sends_graded", "spread"]

Array = npt.NDArray[Any]

FORMAT = 1
MEMORY = 2**30
"""Bytes that a run may take, where nothing else is said."""
SCRATCH_SHARE = 16
"""The part of them that encoding may take, where a sample needs no more."""


@dataclass(frozen=True, slots=True)
class Run:
    """Result of a run.

    Attributes:
        program: what ran.
        engine: "fast", "reference" or "lava".
        steps: steps for which each sample was presented.
        counts: outputs and counts of each sample; wall time of the executor.
        labels: class numbers of the first output, or None.
        provenance: JSON values: command, files and hashes.
        recorded: every message and state of every element, where asked for.
        device: "cpu", or the GPU it ran on.
        routes: the placed Program, where it was placed.
        profile: the first samples step by step, where they were looked at.
    """

    program: Program
    engine: str
    steps: int
    counts: Counts
    labels: Array | None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    recorded: Trace | None = None
    device: str = "cpu"
    routes: Routes | None = None
    profile: Profile | None = None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.counts.samples

    @property
    def executed_steps(self) -> int:
        """Steps executed for each sample."""
        return self.program.run_steps(self.steps)

    @property
    def seconds(self) -> float:
        """Wall time of the executor."""
        return self.counts.seconds

    @property
    def trace(self) -> Trace:
        """Every message and state. Raises UsageError where the run was not recorded."""
        if self.recorded is None:
            raise UsageError("the run was not recorded", remedy="call run(..., record=True)")
        return self.recorded

    def predicted(self, output: str) -> Array:
        """Class of each sample at that output: its largest value, the first on a tie."""
        return np.asarray(np.argmax(self.counts.outputs[output], axis=1))

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
        """Synaptic operations of a projection per sample, int64 (N,); see Counts."""
        return (self.counts.synops if nonzero else self.counts.synops_all)[name]

    def as_json(self) -> dict[str, Any]:
        """JSON values with the keys of the design."""
        program, counts = self.program, self.counts
        names = [p.name for p in program.populations]
        return {
            "format": FORMAT,
            "engine": self.engine,
            "device": self.device,
            "precision": program.precision,
            "target": program.target,
            "samples": self.samples,
            "steps": self.steps,
            "executed_steps": self.executed_steps,
            "latency_steps": program.latency,
            "dt_second": program.dt,
            "accuracy": self.accuracy,
            "predictions": self.predictions.tolist(),
            "labels": None if self.labels is None else self.labels.tolist(),
            "clipped": int(counts.clipped.sum()),
            "inputs": {
                i.name: {
                    "shape": list(i.shape),
                    "graded": i.graded,
                    "neurons": i.size,
                    "messages": int(counts.messages[i.name].sum()),
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
            "sample_steps_per_second": self.samples * self.executed_steps / self.seconds,
            **self._by_step(),
            **self._placed(),
            "compile": dict(program.report),
            "provenance": {
                "numpy": np.__version__,
                "python": platform.python_version(),
                "platform": platform.platform(),
                **self.provenance,
            },
        }

    def _by_step(self) -> dict[str, Any]:
        """What each step adds to the counts; nothing where the executor does not say."""
        if not self.counts.step_totals:
            return {}
        from .activity import steps_json  # brings the placement

        return {"by_step": steps_json(self.program, self.counts)}

    def _placed(self) -> dict[str, Any]:
        """What is known of cores and messages between them; nothing without a placement."""
        if self.routes is None:
            return {}
        from .activity import placement_json, traffic_json  # brings the placement

        placement = placement_json(
            self.routes,
            self.counts,
            self.executed_steps,
            dict(self.provenance).get("placement", {}).get("file"),
        )
        traffic = traffic_json(self.program, self.counts, spread)
        profile = {} if self.profile is None else {"profile": self.profile.as_json()}
        return {"placement": placement, "traffic": traffic, **profile}

    def _population(self, name: str) -> dict[str, Any]:
        population = self.program.population(name)
        spikes = self.counts.messages[name]
        return {
            "kind": population.kind,
            "message": model_of(population.neuron).message,
            "shape": list(population.shape),
            "neurons": population.size,
            "spikes": int(spikes.sum()),
            "spikes_per_sample": spread(spikes),
            "neuron_updates": population.size * self.executed_steps * self.samples,
            "saturated": int(self.counts.saturated[name].sum()),
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
            "weight_bits": synapse.format.bits if synapse.format else None,
            "geometry": geometry(synapse),
            "synops": int(synops.sum()),
            "synops_all": int(self.synops(name, nonzero=False).sum()),
            "synops_per_sample": spread(synops),
            "delay": projection.longest_delay,
            "folded": list(projection.folded),
            "kernels": dict(sorted(self.counts.kernels.get(name, {}).items())),
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
    x: Data | Samples,
    y: Array | None = None,
    *,
    engine: str = "fast",
    device: str = "cpu",
    memory: int = MEMORY,
    record: bool = False,
    timeout: float | None = None,
    progress: Callable[[int], None] | None = None,
    provenance: Mapping[str, Any] | None = None,
    partial: Partial | None = None,
    routes: Routes | None = None,
    profile: Profile | None = None,
) -> Run:
    """Run samples, in sections that fit into memory.

    Args:
        program: what to run.
        x: an opened file; or (N, *shape) frames or (N, T, *shape) over time, for several
            inputs a mapping from their names.
        y: class numbers (N,), where known and not in the file.
        engine: "fast", "reference" or "lava".
        device: "cpu", or for the fast engine a GPU: "cuda", "cuda:1".
        memory: bytes for the samples being run and all that comes of them, beside the Program
            itself; half of them are the executor's own.
        record: keep every spike and state; then all samples are one section, whatever their
            size.
        timeout: seconds after which Lava is stopped if it has not finished a section.
        progress: called with the number of finished samples.
        provenance: JSON values to keep with the run.
        partial: where finished sections are kept, and those that an earlier process finished.
        routes: the placed Program: then messages and hops are counted, too.
        profile: what goes into the result as it is, see deploy/profile.py.

    Raises:
        DataError: the samples do not fit the network.
        FileError: a file is damaged, or a section cannot be kept.
        UsageError: unknown engine or device, or the memory does not hold one sample.
        MissingDependency: Lava, or torch for a GPU, is not installed.
        LavaError, LavaTimeout: engine "lava" only.
    """
    make = executor(engine, device)
    if timeout is not None and timeout <= 0:
        raise UsageError(
            f"a timeout of {timeout:g} s leaves no time", remedy="use --timeout 1 or more"
        )
    data = as_data(x, y)
    if not data.samples:
        raise DataError("there are no samples", remedy="give at least one")
    _check_labels(program, data)
    encoding = encoding_of(program, data, memory // SCRATCH_SHARE)
    finished = list(partial.finished) if partial else []
    started = time.perf_counter()
    prepared = make(program, memory=memory // 2, timeout=timeout, device=device)
    spent = time.perf_counter() - started
    size = data.samples if record else _section_size(program, encoding, prepared, memory)
    encoding.check()
    fans, trace = fan_outs(program, routes), None

    def section(stimulus: Stimulus, clipped: Array, done: int, spent: float) -> Counts:
        """Nothing of its arrays outlives the call but the counts."""
        nonlocal trace
        told = None if progress is None else lambda count: progress(done + count)
        started = time.perf_counter()
        result = prepared.run(
            stimulus, record=record, progress=told, fans=None if record else fans
        )
        seconds = spent + time.perf_counter() - started
        trace = result if record else None
        return reduce(program, fans, result, clipped, seconds)

    done = sum(part.samples for part in finished)
    if progress and done:
        progress(done)
    with encoding.encoder(done) as take:
        while done < data.samples:
            counts = section(*take(min(size, data.samples - done)), done, spent)
            finished.append(counts)
            done, spent = done + counts.samples, 0.0
            if partial and done < data.samples:
                partial.save(counts)
    return Run(
        program,
        engine,
        encoding.steps,
        join(finished),
        data.y,
        dict(provenance or {}),
        trace,
        device,
        routes,
        profile,
    )


def _check_labels(program: Program, data: Data) -> None:
    first, y = program.outputs[0], data.y
    outputs = program.population(first.population).size
    if y is not None and len(y) and (int(y.min()) < 0 or int(y.max()) >= outputs):
        raise DataError(
            f"the labels reach from {y.min()} to {y.max()}; the network has {outputs} outputs",
            where=f"output {first.name}",
            remedy="number the classes from 0 as in training",
        )


def _section_size(program: Program, encoding: Encoding, prepared: Executor, memory: int) -> int:
    """As many samples as fit into the half that is not the executor's. Raises UsageError."""
    each = encoding.bytes_per_sample + bytes_per_sample(program)
    fitting = (memory // 2 - encoding.scratch_bytes) // each
    if fitting < 1:
        share = each * 2 * SCRATCH_SHARE // (SCRATCH_SHARE - 2)
        needed = max(2 * (each + encoding.least_scratch_bytes), share)
        raise UsageError(
            f"one sample of {encoding.steps} steps needs {_size_text(needed)} of memory; "
            f"the limit is {_size_text(memory)}",
            where="--memory",
            remedy=f"use --memory {_size_text(needed)} or more",
        )
    return min(fitting, prepared.samples_at_once(encoding.steps))


def _size_text(size: int) -> str:
    """Bytes, rounded up to a whole KiB, or MiB from 10 MiB on."""
    unit, name = (2**20, "MiB") if size >= 10 * 2**20 else (2**10, "KiB")
    return f"{-(-size // unit)}{name}"
