"""What goes into an executor and what comes out: the one interface of all three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Stimulus:
    """Encoded messages of the inputs for a batch of samples.

    Attributes:
        values: input name -> (N, n) frames, shown at each of `steps` steps, or (N, steps, n)
            over time; whole numbers (uint8 for spikes, else int32) for a `fixed` Program,
            float64 for a `float` one; flat in C, H, W order.
        steps: steps for which the sample is presented; afterwards the inputs are silent.
    """

    values: Mapping[str, Array]
    steps: int

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(next(iter(self.values.values())))

    def at(self, name: str, t: int) -> Array:
        """Messages of an input in step t = 1, 2, ...: (N, n), zeros after the presentation."""
        values = self.values[name]
        over_time = values.ndim == 3
        if t > self.steps:
            return np.zeros_like(values[:, 0] if over_time else values)
        return values[:, t - 1] if over_time else values

    def part(self, start: int, stop: int) -> Stimulus:
        """The samples start to stop."""
        return Stimulus({k: v[start:stop] for k, v in self.values.items()}, self.steps)


@dataclass(frozen=True, slots=True)
class Raster:
    """Everything that one population did: arrays (N, executed steps, n).

    Attributes:
        s: messages: bool for spikes, else int32 (float64 for graded ones at `float`).
        states: state name -> its values after each step; see the neuron's model.
    """

    s: Array
    states: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Trace:
    """Result of an executor for a batch of samples.

    Attributes:
        outputs: output name -> (N, n_out): spike counts or membrane potentials in the
            Program's units; the mean readout of a `fixed` Program is the exact integer sum
            over the window.
        messages: source name -> int32 or int64 (N, n): non-zero messages sent by each element
            of the input and of each population over the executed steps.
        saturated: population -> int64 (N,): neuron steps in which v was clipped.
        executed_steps: steps executed for each sample.
        rasters: population -> Raster, where recording was asked for.
        kernels: projection -> kind of kernel ("event", "dense") -> sample-steps that it
            served; only the fast engine has a choice.
        totals: source -> int64 (N, k), ``messages @ fans`` for the weights (n, k) that the
            executor was given for its elements; `messages` is then empty.
        element_messages: source -> int64 (n,), with `totals` only: messages of each element,
            summed over all samples.
        step_totals: source -> int64 (executed steps, k), with `totals` only: the weighted
            messages of each step, summed over all samples.
    """

    outputs: Mapping[str, Array]
    messages: Mapping[str, Array]
    saturated: Mapping[str, Array]
    executed_steps: int
    rasters: Mapping[str, Raster] = field(default_factory=dict)
    kernels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    totals: Mapping[str, Array] = field(default_factory=dict)
    element_messages: Mapping[str, Array] = field(default_factory=dict)
    step_totals: Mapping[str, Array] = field(default_factory=dict)
