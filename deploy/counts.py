"""What is kept of each sample: outputs, and counts without an axis of neurons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .program import Input, Population, Program
from .trace import Trace

if TYPE_CHECKING:
    from .routes import Routes

Array = npt.NDArray[Any]

_BLOCK = 2**17
"""Messages that are converted to floating point in one go, which fit into a cache."""
_EXACT: dict[int, type] = {2**24: np.float32, 2**53: np.float64}
"""Whole numbers below are exact in that type, sums in any order included."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of some samples in a row; arrays are int64 (N,) unless stated.

    Attributes:
        outputs: output -> (N, n_out), as in a Trace.
        messages: input or population -> non-zero messages that it sent.
        synops: projection -> synaptic operations: the sum over source elements of messages
            x fan-out, counted when the message is sent, over non-zero weights.
        synops_all: the same over all stored weights.
        saturated: population -> neuron steps in which v was clipped.
        traffic: source -> (N, 6), its messages as TRAFFIC of deploy/routes.py counts them;
            empty without a placement.
        elements: source -> (n,), non-zero messages of each element, of all samples.
        step_totals: source -> (executed steps, k), of all samples: what each step adds to the
            columns of `fan_outs`, see `columns_of`; empty where the executor does not say.
        clipped: input values that were clipped.
        kernels: projection -> kind of kernel -> sample-steps that it served, of all samples.
        seconds: that the executor took for all of them.
    """

    outputs: Mapping[str, Array]
    messages: Mapping[str, Array]
    synops: Mapping[str, Array]
    synops_all: Mapping[str, Array]
    saturated: Mapping[str, Array]
    traffic: Mapping[str, Array]
    elements: Mapping[str, Array]
    step_totals: Mapping[str, Array]
    clipped: Array
    kernels: Mapping[str, Mapping[str, int]]
    seconds: float

    @property
    def samples(self) -> int:
        """How many samples they are of."""
        return len(self.clipped)


PER_SAMPLE = ("outputs", "messages", "synops", "synops_all", "saturated", "traffic")
"""Fields of Counts that map names to arrays with a row for each sample."""
SUMMED = ("elements", "step_totals")
"""Fields that map names to sums over samples."""
BY_NAME = (*PER_SAMPLE, *SUMMED)
"""Fields of Counts that map names to arrays."""


def fan_outs(program: Program, routes: Routes | None = None) -> dict[str, Array]:
    """Source -> float64 (n, 1 + 2 projections), with routes (n, 7 + 2 projections).

    The first column is all 1, so that it counts messages; then come, for each projection that
    leaves the source, the fan-out over non-zero weights and that over all of them; then the
    columns of the routes.
    """
    sources: list[Input | Population] = [*program.inputs, *program.populations]
    return {
        source.name: np.stack(
            [
                np.ones(source.size),
                *(
                    projection.synapse.fan_out(nonzero).astype(np.float64)
                    for projection in program.projections
                    if projection.source == source.name
                    for nonzero in (True, False)
                ),
                *([] if routes is None else routes.columns[source.name].T.astype(np.float64)),
            ],
            axis=1,
        )
        for source in sources
    }


@dataclass(frozen=True, slots=True)
class Columns:
    """Sums of messages weighted with `fan_outs`, by what they count; see Counts."""

    messages: dict[str, Array] = field(default_factory=dict)
    synops: dict[str, Array] = field(default_factory=dict)
    synops_all: dict[str, Array] = field(default_factory=dict)
    traffic: dict[str, Array] = field(default_factory=dict)


def columns_of(program: Program, sums: Mapping[str, Array]) -> Columns:
    """The columns (rows, k) of each source by their names."""
    found = Columns()
    for source, columns in sums.items():
        found.messages[source] = columns[:, 0]
        leaving = [p.name for p in program.projections if p.source == source]
        for k, name in enumerate(leaving):
            found.synops[name] = columns[:, 1 + 2 * k]
            found.synops_all[name] = columns[:, 2 + 2 * k]
        rest = columns[:, 1 + 2 * len(leaving) :]
        if rest.shape[1]:
            found.traffic[source] = rest
    return found


def reduce(
    program: Program,
    fans: Mapping[str, Array],
    trace: Trace,
    clipped: Array,
    seconds: float,
) -> Counts:
    """Sum a trace's messages over the elements of each source.

    Args:
        program: what ran.
        fans: its `fan_outs`.
        trace: of some samples.
        clipped: input values of each that were clipped.
        seconds: how long the executor took.
    """
    sums, elements = {}, {}
    for source, fan in fans.items():
        if source in trace.totals:
            sums[source] = trace.totals[source]
            elements[source] = trace.element_messages[source]
        else:
            sums[source] = _weighted(trace.messages[source], fan, trace.executed_steps)
            elements[source] = trace.messages[source].sum(axis=0, dtype=np.int64)
    found = columns_of(program, sums)
    return Counts(
        trace.outputs,
        found.messages,
        found.synops,
        found.synops_all,
        trace.saturated,
        found.traffic,
        elements,
        trace.step_totals,
        clipped,
        {
            p: {kind: int(n) for kind, n in served.items()}
            for p, served in trace.kernels.items()
        },
        seconds,
    )


def _weighted(messages: Array, fan: Array, most: int) -> Array:
    """``messages @ fan`` in whole numbers, of messages up to `most`: by BLAS where exact."""
    bound = most * float(fan.sum(axis=0).max())
    kind: Any = next((kind for limit, kind in _EXACT.items() if bound < limit), np.int64)
    weights: Array = fan.astype(kind)
    sums = np.empty((len(messages), fan.shape[1]), np.int64)
    rows = max(1, _BLOCK // messages.shape[1])
    for first in range(0, len(messages), rows):
        sums[first : first + rows] = messages[first : first + rows].astype(kind) @ weights
    return sums


def join(parts: Sequence[Counts]) -> Counts:
    """Counts of samples in a row as one value."""

    def joined(field: str) -> dict[str, Array]:
        fields = [getattr(part, field) for part in parts]
        return {name: np.concatenate([f[name] for f in fields]) for name in fields[0]}

    def summed(field: str) -> dict[str, Array]:
        fields = [getattr(part, field) for part in parts]
        return {name: np.sum([f[name] for f in fields], axis=0) for name in fields[0]}

    kernels: dict[str, Counter[str]] = {}
    for part in parts:
        for name, served in part.kernels.items():
            kernels.setdefault(name, Counter()).update(served)
    return Counts(
        **{field: joined(field) for field in PER_SAMPLE},
        **{field: summed(field) for field in SUMMED},
        clipped=np.concatenate([part.clipped for part in parts]),
        kernels={name: dict(served) for name, served in kernels.items()},
        seconds=sum(part.seconds for part in parts),
    )


def bytes_per_sample(program: Program) -> int:
    """Memory of one sample in a Trace without rasters: the int64 messages of each element."""
    sources: list[Input | Population] = [*program.inputs, *program.populations]
    outputs = (program.population(output.population) for output in program.outputs)
    return 8 * (sum(s.size for s in sources) + sum(p.size for p in outputs))
