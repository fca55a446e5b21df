"""What may not be exceeded in a run, found by running the norm; and weaker networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from slipway.deploy import reference
from slipway.deploy.formats import CURRENT, STATE, shift
from slipway.deploy.program import Population, Program, Projection
from slipway.deploy.synapses.sparse import Sparse
from slipway.deploy.trace import Stimulus, Trace

Array = np.ndarray[Any, Any]

_INT32 = 2**31 - 1
# Lava keeps these in 32 bits and clips none of them.
_WIDE = {"theta": _INT32, "r": _INT32}
# What makes a neuron strong by itself.
_DRIVES = ("bias_mantissa", "bias", "initial_voltage", "reset_voltage", "slope", "initial")


def sent_by(program: Program, stimulus: Stimulus, trace: Trace, source: str) -> Array:
    """Messages of an input or population, int64 (N, executed steps, n)."""
    if not program.is_input(source):
        return trace.rasters[source].s.astype(np.int64)
    steps = range(1, trace.executed_steps + 1)
    return np.stack([stimulus.at(source, t) for t in steps], axis=1).astype(np.int64)


def excesses(program: Program, stimulus: Stimulus, trace: Trace) -> dict[str, float]:
    """Population -> how many times its currents or states exceed what is legal."""
    currents: dict[tuple[str, str], Array] = {}
    found = {p.name: 0.0 for p in program.populations}
    for p in program.projections:
        size = program.population(p.target).size
        into = currents.setdefault(
            (p.target, p.port), np.zeros((stimulus.samples, trace.executed_steps, size), int)
        )
        sent = sent_by(program, stimulus, trace, p.source)
        for own, part in (
            p.synapse.bins() if isinstance(p.synapse, Sparse) else [(0, p.synapse)]
        ):
            lag = 1 + p.delay + own
            total = part.accumulate(sent)
            found[p.target] = max(found[p.target], _times(total, _INT32))
            into[:, lag:] += shift(total, p.exponent)[:, : max(trace.executed_steps - lag, 0)]
    for (name, _), values in currents.items():
        found[name] = max(found[name], _times(values, CURRENT.maximum))
    for name, raster in trace.rasters.items():
        for state, values in raster.states.items():
            limit = _WIDE.get(state, STATE.maximum)
            found[name] = max(found[name], _times(values, limit))
    return {name: times for name, times in found.items() if times > 1}


def _times(values: Array, limit: int) -> float:
    return float(np.abs(values).max(initial=0)) / limit


def weakened(program: Program, stimulus: Stimulus) -> Program:
    """Lower exponents, then thin out weights and drives, until nothing is exceeded."""
    for _ in range(100):
        trace = reference.execute(program, stimulus, record=True)
        broken = excesses(program, stimulus, trace)
        if not broken:
            return program
        program = replace(
            program,
            projections=tuple(
                _weaker(p, broken[p.target]) if p.target in broken else p
                for p in program.projections
            ),
            populations=tuple(
                _calmer(p) if p.name in broken else p for p in program.populations
            ),
        )
    raise AssertionError("no legal network found")


def _weaker(projection: Projection, times: float) -> Projection:
    """Weights that many times smaller: by the exponent, then by the mantissas."""
    synapse, format = projection.synapse, projection.synapse.format
    assert format is not None
    halvings = max(1, int(np.ceil(np.log2(times))))
    exponent = max(-7, format.exponent - halvings)
    weight = synapse.weight
    if format.exponent == -7:
        unit = format.unit
        weight = np.trunc(weight / 2**halvings / unit).astype(np.int16) * np.int16(unit)
    return replace(
        projection,
        synapse=replace(synapse, weight=weight, format=replace(format, exponent=exponent)),
    )


def _calmer(population: Population) -> Population:
    neuron: Any = population.neuron
    changes: dict[str, Any] = {
        name: np.trunc(getattr(neuron, name) / 2).astype(np.int64)
        for name in _DRIVES
        if hasattr(neuron, name)
    }
    if hasattr(neuron, "current_decay"):
        changes["current_decay"] = np.minimum(neuron.current_decay * 2 + 1, 4095)
    if getattr(neuron, "input_exponent", 0) > getattr(neuron, "state_exponent", 0):
        changes["input_exponent"] = neuron.input_exponent - 1
    return replace(population, neuron=replace(neuron, **changes))
