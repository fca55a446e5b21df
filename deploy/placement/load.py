"""How much work each neuron is: from the rates at which its sources send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import DataError, Problem
from ..program import Program, Projection
from ..synapses.dense import Dense
from .order import sources

Array = npt.NDArray[Any]
Rates = Mapping[str, Array]

ASSUMED_RATE = 0.1
"""Messages of an element per step where no rates are given."""
_BLOCK = 2**22


def full_rates(program: Program, rates: Rates | None) -> dict[str, Array]:
    """Mean messages of each element per inference, float64 (n,), for every source.

    Without rates, and for sources that they lack, an element sends in a tenth of the steps; a
    bias neuron in every step.

    Raises:
        DataError: rates of the wrong shape, negative or not finite.
    """
    given = dict(rates or {})
    found: dict[str, Array] = {}
    problems = []
    for source in sources(program):
        always = getattr(source, "kind", "") == "bias"
        assumed = program.steps * (1.0 if always else ASSUMED_RATE)
        values = np.asarray(given.get(source.name, np.full(source.size, assumed)), np.float64)
        if values.shape != (source.size,) or not np.all(np.isfinite(values) & (values >= 0)):
            problems.append(
                Problem(
                    f"rates of shape {values.shape}; needed are {source.size} finite numbers "
                    "from 0 on",
                    f"source {source.name}",
                    "take the rates from a run of this program",
                )
            )
        found[source.name] = values
    if problems:
        raise DataError(*problems)
    return found


def neuron_loads(program: Program, rates: Rates) -> dict[str, Array]:
    """Synaptic operations with non-zero weights plus updates, per neuron and inference."""
    steps = float(program.run_steps(program.steps))
    loads = {p.name: np.full(p.size, steps) for p in program.populations}
    for projection in program.projections:
        loads[projection.target] += _operations(projection, rates[projection.source])
    return loads


def _operations(projection: Projection, rates: Array) -> Array:
    """Synaptic operations of each target neuron."""
    synapse = projection.synapse
    if isinstance(synapse, Dense):
        total = np.zeros(synapse.out_size)
        step = max(1, _BLOCK // max(1, synapse.in_size))
        for first in range(0, synapse.out_size, step):
            block = synapse.weight[first : first + step] != 0
            total[first : first + step] = block.astype(np.float32) @ rates.astype(np.float32)
        return total
    counted = replace(synapse, weight=(synapse.weight != 0).astype(np.float64))
    summed: Array = counted.accumulate(rates[None])[0]
    return summed
