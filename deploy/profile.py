"""The first samples of a run, step by step: what each core does when, and a raster.

Exact counts of these samples; a message counts in the step in which it is sent.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .encoding import encoding_of
from .formats import WeightFormat
from .neurons.cuba_lif import NO_MEMORY, CubaLif
from .neurons.models import model_of
from .program import Input, Output, Population, Program, Projection
from .routes import Routes
from .samples import Data
from .trace import Raster, Stimulus, Trace

Array = npt.NDArray[Any]

SAMPLES = 8
"""Most samples that are looked at step by step."""
ENTRIES = 2**20
"""Most numbers in an array over samples, steps and cores."""
RASTER_NEURONS = 64
"""Neurons of a population that a raster shows, evenly spaced."""
ARRAYS = ("syn_ops", "spikes", "axon_out", "spikes_in")


@dataclass(frozen=True, slots=True)
class Observed:
    """Every message of the first samples.

    Attributes:
        program: what ran.
        sent: source -> bool (K, executed steps, n), whether an element sent a message.
        at_rest: population -> the same shape, whether all states of a neuron were 0 before
            its update, and it has no bias.
    """

    program: Program
    sent: Mapping[str, Array]
    at_rest: Mapping[str, Array]

    @property
    def samples(self) -> int:
        """How many samples these are."""
        return len(next(iter(self.sent.values())))

    @property
    def rates(self) -> dict[str, Array]:
        """Source -> (n,) mean number of messages of each element in a sample."""
        return {name: sent.sum(axis=1).mean(axis=0) for name, sent in self.sent.items()}


def observe(program: Program, data: Data, memory: int) -> Observed | None:
    """Run the first samples and keep every message; None where one sample does not fit.

    Args:
        program: a `fixed` Program.
        data: the samples.
        memory: bytes that this may take.

    Raises:
        DataError: the samples do not fit the network.
        FileError: a file is damaged.
    """
    from .engine import Engine  # brings numba

    encoding = encoding_of(program, data)
    steps = program.run_steps(encoding.steps)
    each = steps * sum(_recorded_bytes(p) for p in program.populations)
    each += 2 * steps * sum(i.size for i in program.inputs) + encoding.bytes_per_sample
    samples = min(SAMPLES, data.samples, memory // max(each, 1))
    if samples < 1:
        return None
    encoding_of(program, data.first(samples)).check(whole=False)
    with encoding.encoder() as take:
        stimulus, _ = take(samples)
        trace = Engine(program, memory=memory).run(stimulus, record=True)
    return observed(program, stimulus, trace)


def _recorded_bytes(population: Population) -> int:
    """Of one step: the message, the states, and a truth whether it was sent."""
    states = model_of(population.neuron).states(population.neuron)
    return population.size * (4 + 8 * len(states) + 1)


def observed(program: Program, stimulus: Stimulus, trace: Trace) -> Observed:
    """The messages of a recorded run."""
    steps = trace.executed_steps
    sent: dict[str, Array] = {}
    for spec in program.inputs:
        over_time = [stimulus.at(spec.name, t) != 0 for t in range(1, steps + 1)]
        sent[spec.name] = np.stack(over_time, axis=1)
    at_rest: dict[str, Array] = {}
    for population in program.populations:
        raster = trace.rasters[population.name]
        sent[population.name] = raster.s != 0
        at_rest[population.name] = _at_rest(population, raster)
    return Observed(program, sent, at_rest)


def _at_rest(population: Population, raster: Raster) -> Array:
    bias = getattr(population.neuron, "bias_mantissa", np.zeros(1))
    first = model_of(population.neuron).fresh(population.neuron, raster.s[:, 0].shape, np.int64)
    resting = np.broadcast_to(bias == 0, raster.s.shape).copy()
    for start, values in zip(first, raster.states.values(), strict=True):
        resting[:, 0] &= start == 0
        resting[:, 1:] &= values[:, :-1] == 0
    return resting


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts of the first samples.

    Attributes:
        arrays: name of ARRAYS -> int32 (K, executed steps, c), cores as in the Placement.
        active_updates: population -> neuron updates in which the neuron spikes, or a synaptic
            operation of a non-zero weight reaches it.
        resting_updates: population -> those in which nothing can change: all states are 0,
            there is no bias, no synaptic operation reaches the neuron, and it does not spike.
        neuron_updates: population -> neurons x executed steps x K.
        rasters: population -> the neurons shown, and bool (K, executed steps, shown).
        sent: population -> int32 (K, executed steps), messages of all its neurons.
    """

    arrays: Mapping[str, Array]
    active_updates: Mapping[str, int]
    resting_updates: Mapping[str, int]
    neuron_updates: Mapping[str, int]
    rasters: Mapping[str, tuple[Array, Array]]
    sent: Mapping[str, Array]

    def as_json(self) -> dict[str, Any]:
        """JSON values; arrays packed, see `packed`."""
        samples, steps, cores = self.arrays["syn_ops"].shape
        return {
            "samples": samples,
            "steps": steps,
            "cores": cores,
            "active_updates": dict(self.active_updates),
            "resting_updates": dict(self.resting_updates),
            "neuron_updates": dict(self.neuron_updates),
            "arrays": {name: packed(array) for name, array in self.arrays.items()},
            "rasters": {
                name: {
                    "neurons": shown.tolist(),
                    "spikes": packed(np.packbits(spikes, axis=-1)),
                    "sent": packed(self.sent[name]),
                }
                for name, (shown, spikes) in self.rasters.items()
            },
        }


def packed(array: Array) -> dict[str, Any]:
    """An array as JSON values: base64 of zlib of its little-endian bytes, in C order."""
    data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "data": base64.b64encode(zlib.compress(data, 9)).decode("ascii"),
    }


def profile_of(routes: Routes, found: Observed) -> Profile:
    """Count what was observed, by step and core; of as many samples as ENTRIES allow."""
    steps = next(iter(found.sent.values())).shape[1]
    samples = min(found.samples, max(1, ENTRIES // (steps * routes.cores)))
    kept = Observed(
        found.program,
        {name: sent[:samples] for name, sent in found.sent.items()},
        {name: resting[:samples] for name, resting in found.at_rest.items()},
    )
    parts = [_by_core(routes, kept, k, steps) for k in range(samples)]
    names = [p.name for p in found.program.populations]
    busy = {name: active(kept, name) for name in names}
    return Profile(
        {name: np.stack([part[name] for part in parts]) for name in ARRAYS},
        {name: int(updates.sum()) for name, updates in busy.items()},
        {name: int((kept.at_rest[name] & ~updates).sum()) for name, updates in busy.items()},
        {name: samples * steps * found.program.population(name).size for name in names},
        {name: _raster(kept.sent[name]) for name in names},
        {name: kept.sent[name].sum(axis=2, dtype=np.int32) for name in names},
    )


def _by_core(routes: Routes, found: Observed, sample: int, steps: int) -> dict[str, Array]:
    """ARRAYS of one sample, int32 (steps, c)."""
    cores = routes.cores
    sums = {name: np.zeros(steps * cores, np.int64) for name in ARRAYS}
    leaving: dict[str, list[str]] = {name: [] for name in found.sent}
    for projection in found.program.projections:
        leaving[projection.source].append(projection.name)
    for source, sent in found.sent.items():
        step, element = np.nonzero(sent[sample])
        if source in routes.homes:
            _count(sums["spikes"], step * cores + routes.homes[source][element])
        reached = routes.incidence.destinations[source]
        event, pair = _pairs(reached.indptr, element)
        there = step[event] * cores
        _count(sums["spikes_in"], there + reached.core[pair])
        if source in routes.homes:
            _count(sums["axon_out"], there + routes.homes[source][element[event]])
        for name in leaving[source]:
            fans = routes.incidence.projections[name]
            event, pair = _pairs(fans.indptr, element)
            index = step[event] * cores + fans.core[pair]
            _count(sums["syn_ops"], index, fans.nonzero[pair])
    return {name: total.reshape(steps, cores).astype(np.int32) for name, total in sums.items()}


def _count(total: Array, index: Array, weights: Array | None = None) -> None:
    """Sums stay below 2**53, where bincount is exact."""
    total += np.bincount(index, weights, minlength=len(total)).astype(np.int64)


def _pairs(indptr: Array, element: Array) -> tuple[Array, Array]:
    """For events of these elements: the event, and the place in the rows, of every entry."""
    lengths = indptr[element + 1] - indptr[element]
    event = np.repeat(np.arange(len(element)), lengths)
    first = np.repeat(indptr[element] - np.cumsum(lengths) + lengths, lengths)
    return event, first + np.arange(len(event))


def active(found: Observed, population: str) -> Array:
    """Neuron updates that are active, bool (K, executed steps, n).

    Active: the neuron spikes, or at least one synaptic operation of a non-zero weight reaches
    it in this step, that is 1 + delay steps after the message was sent.
    """
    from .engine import Engine

    spikes = found.sent[population]
    incoming = found.program.into(population)
    if not incoming:
        return spikes
    program = _touching(found.program.population(population), incoming, found.sent)
    values = {_as_input(p.source): found.sent[p.source].astype(np.uint8) for p in incoming}
    trace = Engine(program).run(Stimulus(values, spikes.shape[1]), record=True)
    touched: Array = trace.rasters[population].s != 0
    return touched | spikes


def _touching(
    population: Population, incoming: tuple[Projection, ...], sent: Mapping[str, Array]
) -> Program:
    """A Program whose one population spikes wherever a non-zero weight brings it a message."""
    zero, plain = np.zeros(1, np.int64), WeightFormat(sign_mode="excitatory")
    neuron = CubaLif(np.array([NO_MEMORY]), np.array([4095]), zero, zero, zero)
    sources = dict.fromkeys(p.source for p in incoming)
    inputs = tuple(
        Input(_as_input(name), (sent[name].shape[-1],), False, 1.0, 0.0, 1.0)
        for name in sources
    )
    projections = []
    for p in incoming:
        ones = (p.synapse.weight != 0).astype(np.int16)
        synapse = replace(p.synapse, weight=ones, format=plain)
        projections.append(Projection(p.name, _as_input(p.source), p.target, synapse, p.delay))
    steps = next(iter(sent.values())).shape[1]
    return Program(
        "fixed",
        1.0,
        steps,
        inputs,
        (Population(population.name, "LIF", population.shape, neuron, 0),),
        tuple(projections),
        (Output("active", population.name, "count"),),
    )


def _as_input(source: str) -> str:
    """A population with synapses to itself becomes an input and keeps its name, too."""
    return f"input {source}"


def _raster(sent: Array) -> tuple[Array, Array]:
    size = sent.shape[-1]
    shown = np.unique(np.linspace(0, size - 1, min(size, RASTER_NEURONS)).round().astype(int))
    return shown, sent[:, :, shown]
