"""Executors side by side: every output, spike and state of every population at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .encoding import encoding_of
from .executors import executor
from .neurons.models import model_of
from .program import Program
from .samples import Data, Samples, as_data
from .trace import Trace

Array = npt.NDArray[Any]

TOLERANCE = 1e-9
"""At precision `float` the order of additions differs: relative difference that is allowed."""
RASTER_ELEMENTS = 4 * 10**7
"""Neuron steps recorded at once; limits the samples compared in one go."""
MEMORY = 2**29
"""Bytes for each executor."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first value that differs, and its two versions."""

    first_engine: str
    second_engine: str
    quantity: str
    population: str
    sample: int
    step: int | None
    neuron: int
    first_value: float
    second_value: float

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "engines": [self.first_engine, self.second_engine],
            "quantity": self.quantity,
            "population": self.population,
            "sample": self.sample,
            "step": self.step,
            "neuron": self.neuron,
            "values": [self.first_value, self.second_value],
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of a comparison.

    Attributes:
        engines: executors that ran; each is compared with the first.
        samples, steps: how much ran.
        compared: values compared, by quantity: outputs, messages, spikes, and each state by
            its name (u, v, ...).
        mismatches: values that differ, by the same quantities.
        first_mismatch: where to look, or None.
    """

    engines: tuple[str, ...]
    samples: int
    steps: int
    compared: dict[str, int]
    mismatches: dict[str, int]
    first_mismatch: Mismatch | None

    @property
    def equal(self) -> bool:
        """Whether everything that was compared is equal."""
        return not any(self.mismatches.values())

    def as_json(self) -> dict[str, Any]:
        """JSON values with the keys of the design."""
        return {
            "engines": list(self.engines),
            "samples": self.samples,
            "steps": self.steps,
            "compared": sum(self.compared.values()),
            "compared_by_quantity": self.compared,
            "mismatches": sum(self.mismatches.values()),
            "mismatches_by_quantity": self.mismatches,
            "first_mismatch": self.first_mismatch.as_json() if self.first_mismatch else None,
        }


def verify(
    program: Program,
    x: Data | Samples,
    *,
    engines: Sequence[str] = ("fast", "lava"),
    timeout: float | None = None,
) -> Verification:
    """Run all engines on the samples and compare everything with the first engine.

    At precision `fixed` equal means equal bits; at `float` it means equal spikes and states
    within a relative difference of 1e-9.

    Raises:
        UsageError: fewer than two engines, one named twice, or an unknown one.
        DataError, MissingDependency, LavaError: as for `run`.
    """
    if len(engines) < 2 or len(set(engines)) != len(engines):
        raise UsageError(
            f"verify compares at least two different engines; given: {', '.join(engines)}",
            remedy="for instance --engines fast,lava",
        )
    makes = [executor(name) for name in engines]
    data = as_data(x)
    encoding = encoding_of(program, data)
    runners = [make(program, memory=MEMORY, timeout=timeout) for make in makes]
    encoding.check()
    neurons = sum(p.size for p in program.populations)
    steps = program.run_steps(encoding.steps)
    chunk = max(1, RASTER_ELEMENTS // (neurons * steps))
    states = [name for p in program.populations for name in model_of(p.neuron).states(p.neuron)]
    compared = dict.fromkeys(("outputs", "messages", "spikes", *states), 0)
    mismatches = dict.fromkeys(compared, 0)
    first: Mismatch | None = None
    with encoding.encoder() as take:
        for start in range(0, data.samples, chunk):
            part, _ = take(min(chunk, data.samples - start))
            traces = [runner.run(part, record=True) for runner in runners]
            for name, trace in zip(engines[1:], traces[1:], strict=True):
                pair = traces[0], trace
                for mismatch, count in _compare(
                    program, (engines[0], name), pair, start, compared
                ):
                    mismatches[mismatch.quantity] += count
                    first = first or mismatch
    return Verification(tuple(engines), data.samples, steps, compared, mismatches, first)


def _compare(
    program: Program,
    names: tuple[str, str],
    traces: tuple[Trace, Trace],
    start: int,
    compared: dict[str, int],
) -> list[tuple[Mismatch, int]]:
    """The first mismatch of each array, earliest step first, and how many there are."""
    exact = program.precision == "fixed"
    before, after = traces
    arrays = [
        ("outputs", o.population, before.outputs[o.name], after.outputs[o.name])
        for o in program.outputs
    ]
    arrays += [("messages", n, before.messages[n], after.messages[n]) for n in before.messages]
    for population in program.populations:
        left, right = before.rasters[population.name], after.rasters[population.name]
        arrays.append(("spikes", population.name, left.s, right.s))
        for state in left.states:
            values = left.states[state], right.states[state]
            arrays.append((state, population.name, *values))
    found = []
    for quantity, population_name, one, other in arrays:
        compared[quantity] += one.size
        wrong = one != other
        if not exact and one.dtype.kind == "f":
            wrong &= ~np.isclose(one, other, rtol=TOLERANCE, atol=TOLERANCE)
        if wrong.any():
            found.append(
                (
                    _locate(quantity, population_name, names, (one, other), wrong, start),
                    int(wrong.sum()),
                )
            )
    return sorted(found, key=lambda item: item[0].step or 10**9)


def _locate(
    quantity: str,
    population: str,
    names: tuple[str, str],
    values: tuple[Array, Array],
    wrong: Array,
    start: int,
) -> Mismatch:
    places = np.argwhere(wrong)
    if wrong.ndim == 3:  # by step first
        places = places[np.argsort(places[:, 1], kind="stable")]
    place = tuple(int(i) for i in places[0])
    return Mismatch(
        *names,
        quantity,
        population,
        start + place[0],
        place[1] + 1 if wrong.ndim == 3 else None,
        place[-1],
        float(values[0][place]),
        float(values[1][place]),
    )
