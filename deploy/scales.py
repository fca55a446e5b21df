"""Which scales a population can be tried at, and how those of its neurons compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt

from .bits import TWO_PARTS
from .bounds import current_limit, message_range
from .formats import (
    BIAS_EXPONENT,
    EXPONENT_MAX,
    EXPONENT_MIN,
    STATE,
    THRESHOLD,
    WeightFormat,
    sign_mode_of,
)
from .neurons.arithmetic import STATE_SHIFT
from .neurons.cuba_lif import CubaLif
from .neurons.first_spike import FirstSpike
from .neurons.quantise import QUANTISE, SILENT
from .neurons.sigma_delta import SigmaDelta
from .program import Population, Program, Projection
from .synapses.conv2d import Conv2d
from .synapses.sparse import Sparse
from .weights import levels_of

Array = npt.NDArray[Any]

QUARTERS = 4
"""Scales an octave that are tried where each costs some of the weights' steps."""
SMALLEST = -17
"""Exponent of the smallest scale: with it no bit of a mantissa is left."""
OCTAVES = (*np.arange(0, 2, 1 / 8), *np.arange(2, 20, 1 / 2))
"""How far below the largest scale of weights in two parts others are tried."""
SAFE = 0.98
"""Where they start: the largest scale is an estimate."""
WITHIN = 8
"""Scales within an octave that are compared."""
AMPLE_THRESHOLD = 512
"""Threshold beyond which the start far below 0 counts for more than a larger scale."""
SPREAD, SPREAD_OF_PARTS = 8.0, 32.0
"""Largest ratio of the scales within a population, of weights in one or in two parts."""
MARGIN = 1.5
"""By how much the calibrated membranes must stay inside the 24 bits."""
TOP = WeightFormat().largest


@dataclass(frozen=True, slots=True)
class Task:
    """One population to fit.

    Attributes:
        known: the Program in which inputs and the populations fitted so far are integers.
        population: in floating point.
        bits: projection -> bits of its weights.
        per_neuron: whether each channel or neuron may have its own scale.
        observed: largest magnitude of each neuron's membrane on the calibration data that
            must not be clipped, in the graph's units, (n,); None without such data.
        importance: projection -> weight of each squared error (`rounding.importance`).
        weight_exponents, bias_exponents: least and greatest that the target has.
    """

    known: Program
    population: Population
    bits: Mapping[str, int]
    per_neuron: bool = False
    observed: Array | None = None
    importance: Mapping[str, Array] = field(default_factory=dict)
    weight_exponents: tuple[int, int] = (EXPONENT_MIN, EXPONENT_MAX)
    bias_exponents: tuple[int, int] = (BIAS_EXPONENT.minimum, BIAS_EXPONENT.maximum)

    @property
    def incoming(self) -> tuple[Projection, ...]:
        """Its projections in floating point."""
        return self.known.into(self.population.name)

    @property
    def refined(self) -> bool:
        """Whether some of its weights are in two parts."""
        return any(self.bits[p.name] == TWO_PARTS for p in self.incoming)

    def clips(self, population: Population) -> bool:
        """Whether the calibrated membranes come too near to the 24 bits at that scale."""
        if self.observed is None:
            return False
        unit = QUANTISE[type(population.neuron)].state_unit(population.neuron)
        reached = self.observed * population.scale * unit * MARGIN
        return bool(np.any(reached > STATE.maximum))


def nearby(task: Task, scale: Array) -> list[Array]:
    """Scales within an octave below, at which the weights fall differently on their grid."""
    if task.refined or task.population.kind == "bias":
        return []
    found = [scale * 2.0 ** (-k / WITHIN) for k in range(1, WITHIN)]
    return [_whole_thresholds(task.population, s) for s in found]


def scales(task: Task) -> list[Array]:
    """Scales to try, largest first, each (1,) or (n,)."""
    population = task.population
    if population.kind == "bias":
        return [np.ones(1)]
    if task.refined:
        base = _headroom(task)
        if not _apart(task):
            base = np.full(1, base.min())
        base = np.minimum(_by_group(task, base), base.min() * SPREAD_OF_PARTS)
        found = [base * (SAFE * 2.0**-octaves) for octaves in OCTAVES]
    else:
        shape = _filling(task)
        found = [shape * factor for factor in _octaves(task)]
    return [_whole_thresholds(population, s) for s in found if _room_below(population, s)]


def _octaves(task: Task) -> list[float]:
    """Scales at which the largest weight fills a mantissa, from the largest exponent down.

    Where sums are kept, weights are whole numbers: once the largest of them is a mantissa of
    steps of 1, each quarter of an octave below costs some of the steps. Weights that were
    trained on such a grid lie on it already: its octaves are taken.
    """
    kept = QUANTISE[type(task.population.neuron)].keeps_sums
    layouts = [_layout(task, p) for p in task.incoming]
    steps = [layout.largest // layout.unit for layout in layouts]
    levels: list[int] = []
    if kept:
        pairs = zip(task.incoming, steps, strict=True)
        levels = [levels_of(p.synapse.weight, most) for p, most in pairs]
    on_grid = kept and all(levels)
    if on_grid:
        steps = [
            count << ((most // count).bit_length() - 1)
            for count, most in zip(levels, steps, strict=True)
        ]
    filled, unit, count = 0.0, 1, 1
    for projection, layout, most in zip(task.incoming, layouts, steps, strict=True):
        largest = float(_largest(task, projection).max(initial=0.0))
        if largest > filled * layout.unit * max(most, 1):
            filled, unit, count = largest / (layout.unit * max(most, 1)), layout.unit, most
    octaves = range(EXPONENT_MAX, SMALLEST, -1)
    found = [2.0**e / (filled or 1.0) for e in octaves]
    if not kept or on_grid:
        return found
    whole = 2.0 ** (1 - unit.bit_length()) / (filled or 1.0)
    found = [scale for scale in found if scale >= whole]
    return found + [whole * fewer / count for fewer in _fewer(count)]


def _fewer(count: int) -> list[int]:
    """Numbers of steps below that one, each a quarter of an octave below the one before."""
    found = {floor(count * 2.0 ** (-k / QUARTERS)) for k in range(1, 32 * QUARTERS)}
    return sorted(found - {0, count}, reverse=True)


def _layout(task: Task, projection: Projection) -> WeightFormat:
    """The format of its weights in one part."""
    mode = sign_mode_of(projection.synapse.weight)
    return WeightFormat(task.bits[projection.name], 0, mode)


def _apart(task: Task) -> bool:
    return task.per_neuron and QUANTISE[type(task.population.neuron)].per_neuron


def _room_below(population: Population, scale: Array) -> bool:
    """Whether a membrane that starts far below 0 finds room there."""
    start = float(np.min(getattr(population.neuron, "initial_voltage", np.zeros(1))))
    thresholds = QUANTISE[type(population.neuron)].thresholds(population.neuron)
    hushed = isinstance(population.neuron, CubaLif) and start < 0
    if not hushed or not np.all(np.isfinite(thresholds)):
        return True
    room = -SILENT / (-start * 2**STATE_SHIFT)
    return float(scale.max()) <= room or float(np.min(thresholds * scale)) < AMPLE_THRESHOLD


def _whole_thresholds(population: Population, scale: Array) -> Array:
    """The next lower scale at which thresholds are whole numbers, where each has its own."""
    if not isinstance(population.neuron, CubaLif):
        return scale
    threshold = population.neuron.threshold
    if threshold.size > scale.size or not np.all(np.isfinite(threshold)):
        return scale
    units = np.floor(threshold * scale * (1 + 1e-12))
    usable = units > 0
    return np.where(usable, units / np.where(usable, threshold, 1.0), scale)


def _filling(task: Task) -> Array:
    """Relative scales that let the largest weight of each channel or neuron fill a mantissa."""
    if not _apart(task):
        return np.ones(1)
    size = task.population.size
    largest = np.zeros(size)
    for projection in task.incoming:
        largest = np.maximum(largest, _filled(task, projection))
    if not largest.any():
        return np.ones(1)
    top = float(largest.max())
    relative = _by_group(task, np.minimum(top / np.where(largest > 0, largest, top), SPREAD))
    return np.ones(1) if np.all(relative == relative[0]) else relative


def _by_group(task: Task, values: Array) -> Array:
    """The least value of each channel where a convolution ties its neurons together."""
    if values.size == 1 or not any(isinstance(p.synapse, Conv2d) for p in task.incoming):
        return values
    channels = task.population.shape[0]
    least = values.reshape(channels, -1).min(axis=1)
    return np.repeat(least, task.population.size // channels)


def _headroom(task: Task) -> Array:
    """About the largest scale of each neuron that its weights, states and threshold allow.

    An estimate in floating point: what is tried is proven afterwards.
    """
    population = task.population
    size, steps = population.size, task.known.run_steps(task.known.steps)
    sums = np.zeros((2, size))
    weight = np.full(size, 1e-30)
    for projection in task.incoming:
        low, high = message_range(task.known, projection.source)
        up, down = max(high, 0), max(-low, 0)
        positive, negative = _signed(projection, np.add, np.sum)
        reached = np.stack([up * positive + down * negative, up * negative + down * positive])
        sums += reached / task.known.message_scale(projection.source)
        weight = np.maximum(weight, _largest(task, projection))
    rows = np.maximum(sums.max(axis=0), 1e-30)
    memory = _gain(getattr(population.neuron, "current_decay", np.ones(1)), steps)
    unit = QUANTISE[type(population.neuron)].state_unit(population.neuron)
    limits = [
        TOP * 2.0**EXPONENT_MAX / weight,
        current_limit(population) / rows,
        STATE.maximum / unit / (rows * memory),
    ]
    threshold = QUANTISE[type(population.neuron)].thresholds(population.neuron)
    silent = not np.all(np.isfinite(threshold))
    if isinstance(population.neuron, CubaLif) and (silent or task.observed is None):
        both = silent or population.neuron.reset == "subtract"
        pushed = rows if both else sums[1]
        reached = pushed * memory * _gain(population.neuron.voltage_decay, steps)
        limits.append(STATE.maximum / 2**STATE_SHIFT / np.maximum(reached, 1e-30))
    if not silent:
        highest, most = threshold.max(), THRESHOLD.maximum
        if isinstance(population.neuron, SigmaDelta | FirstSpike):
            highest, most = _highest_parameter(population.neuron), STATE.maximum
        limits.append(most / np.maximum(highest, 1e-30) * np.ones(size))
    if task.observed is not None:
        reached = np.maximum(task.observed * MARGIN * unit, 1e-30)
        limits.append(STATE.maximum / reached)
    return np.asarray(np.min(np.stack(limits), axis=0))


def _highest_parameter(neuron: SigmaDelta | FirstSpike) -> float:
    """What must fit into a state: the ceiling, or the threshold at the first tick."""
    found = neuron.threshold if isinstance(neuron, FirstSpike) else neuron.ceiling
    return 0.0 if found is None else float(np.max(found))


def _gain(decay: Array, steps: int) -> Array:
    """What a constant input of 1 sums up to in so many steps."""
    kept = 1 - decay
    return np.where(decay > 0, (1 - kept**steps) / np.where(decay > 0, decay, 1.0), steps)


def _largest(task: Task, projection: Projection) -> Array:
    """Largest weight of each target neuron per integer message, (n_out,)."""
    maxima = _signed(projection, np.maximum, np.max).max(axis=0)
    return np.asarray(maxima / task.known.message_scale(projection.source))


def _filled(task: Task, projection: Projection) -> Array:
    """The same over the largest mantissa of the projection's format."""
    return _largest(task, projection) / max(_layout(task, projection).largest, 1)


def _signed(projection: Projection, ufunc: Any, reduction: Any) -> Array:
    """Magnitudes of the positive and of the negative weights, reduced over rows: (2, n_out)."""
    synapse, found = projection.synapse, []
    for sign in (1, -1):
        part = np.maximum(sign * synapse.weight, 0.0)
        if isinstance(synapse, Sparse):
            rows = np.zeros(synapse.shape[0])
            ufunc.at(rows, synapse.row, part)
        else:
            rows = reduction(part.reshape(len(part), -1), axis=1)
            rows = np.repeat(rows, synapse.out_size // len(rows))
        found.append(rows)
    return np.stack(found)
