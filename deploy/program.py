"""The Program: a network in discrete time, in floating point or in Loihi-style integers.

Time step t = 1, 2, ... of every executor, for precision `fixed` (Lava 0.10.0, `fixed_pt`):

1. each projection delivers to its target what its source sent at step t - 1 - delay,
   summed over synapses and scaled by `2**exponent` (a shift; right shifts floor the sum);
2. each population adds these currents into u, integrates v, spikes and resets;
3. each source's messages of this step are taken up by its projections.

All arrays are flat in C, H, W order unless a shape is stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .neurons.models import Neuron
from .synapses.conv2d import Conv2d
from .synapses.dense import Dense
from .synapses.sparse import Sparse

Array = npt.NDArray[Any]
Precision: TypeAlias = Literal["float", "fixed"]
Readout: TypeAlias = Literal["count", "last", "mean"]
Synapse: TypeAlias = Dense | Sparse | Conv2d


def _one() -> Array:
    return np.ones(1)


@dataclass(frozen=True, slots=True)
class Input:
    """Where a sample enters.

    Attributes:
        name: node name in the NIR graph.
        shape: shape of one time step of one sample, without batch axis.
        graded: False: messages are spikes (0 or 1). True: messages carry a value.
        scale: integer message = round(value * scale); 1.0 at precision `float`.
        minimum, maximum: legal range of a message, inclusive. What lies outside is
            clipped and counted. (-inf, inf) at precision `float`.
        delta: messages are changes: the value at the first step, then what it grew by. The
            range is that of the value, which the messages sum up to.
    """

    name: str
    shape: tuple[int, ...]
    graded: bool
    scale: float
    minimum: float
    maximum: float
    delta: bool = False

    @property
    def size(self) -> int:
        """Elements of one time step."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Population:
    """Neurons with one set of equations and one shape.

    Attributes:
        name: node name in the NIR graph.
        kind: the NIR node type it came from: "IF", "LIF", "CubaLIF", "LI", "CubaLI"; or what
            slipway adds: "readout" (the integrator behind a last linear layer), "bias" (a
            neuron that always spikes), "encoder" (the delta encoder of an input).
        shape: (n,) or (channels, height, width).
        neuron: the parameters, flat in C, H, W order.
        depth: projections on the longest feed-forward way from the input. What the source
            framework computes at step t, this population computes at step t + depth.
        scale: integer current units per unit of the NIR graph, one value (1,) or one per
            neuron (n,): u and v in the graph's units are u / (64 * scale), v / (64 * scale).
            1.0 and no 64 at `float`.
        message_scale: integer value of a graded message of 1; 1.0 for spikes and at `float`.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    neuron: Neuron
    depth: int
    scale: Array = field(default_factory=_one)
    message_scale: float = 1.0

    @property
    def size(self) -> int:
        """Number of neurons."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Projection:
    """Synapses from one population (or input) to another.

    Attributes:
        name: "source->target", with the NIR nodes folded into it in `folded`.
        source, target: names of an Input or Population, and of a Population.
        synapse: weights and their geometry.
        delay: steps beyond the one step that every projection takes; with the synapse's own
            delays 0 to 62.
        folded: names of the NIR nodes that this projection replaces, in signal order.
        port: of the target's neuron: "", or "real" or "imaginary" of a Resonator.
    """

    name: str
    source: str
    target: str
    synapse: Synapse
    delay: int = 0
    folded: tuple[str, ...] = ()
    port: str = ""

    @property
    def exponent(self) -> int:
        """Of the weight format; 0 at `float`."""
        return self.synapse.format.exponent if self.synapse.format else 0

    @property
    def longest_delay(self) -> int:
        """Most steps beyond the one that every projection takes."""
        own = self.synapse.longest_delay if isinstance(self.synapse, Sparse) else 0
        return self.delay + own


@dataclass(frozen=True, slots=True)
class Output:
    """What is read from a population at the end of a sample.

    Attributes:
        name: node name in the NIR graph.
        population: the population that is read.
        readout: "count" of spikes over the window, membrane potential at its "last" step,
            or "mean" membrane potential over it. The window is steps depth + 1 to
            depth + steps of the population, when the sample is what it sees.
    """

    name: str
    population: str
    readout: Readout


@dataclass(frozen=True, slots=True)
class Program:
    """A network ready to run; immutable.

    Attributes:
        precision: "float" or "fixed".
        dt: seconds of the source's time per step.
        steps: time steps for which a frame is presented, and the most that bounds are
            proven for.
        inputs: where samples enter.
        populations: in an order in which every feed-forward source precedes its target.
        projections: any order; several into one population add.
        outputs: what is read; the first one gives the predictions.
        target: name of the target it was compiled for.
        provenance: JSON values: source file and hash, versions, calibration, seed.
        report: JSON values: the compile report.
    """

    precision: Precision
    dt: float
    steps: int
    inputs: tuple[Input, ...]
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    outputs: tuple[Output, ...]
    target: str = "loihi2"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    def population(self, name: str) -> Population:
        """The population of that name. Raises KeyError."""
        for candidate in self.populations:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    def source(self, name: str) -> Input | Population:
        """The input or population of that name. Raises KeyError."""
        for candidate in self.inputs:
            if candidate.name == name:
                return candidate
        return self.population(name)

    def is_input(self, name: str) -> bool:
        """Whether that is the name of an input."""
        return any(candidate.name == name for candidate in self.inputs)

    def into(self, target: str) -> tuple[Projection, ...]:
        """The projections whose target is that population."""
        return tuple(p for p in self.projections if p.target == target)

    def message_scale(self, source: str) -> float:
        """Integer value of a message of 1 from that input or population."""
        found = self.source(source)
        return found.scale if isinstance(found, Input) else found.message_scale

    @property
    def latency(self) -> int:
        """Steps by which the last output lags behind the input: its depth."""
        return max(self.population(output.population).depth for output in self.outputs)

    def run_steps(self, presented: int) -> int:
        """Steps to execute for a sample that is presented for `presented` steps."""
        return presented + self.latency

    def window(self, output: Output, presented: int) -> tuple[int, int]:
        """First and last step in which that output is read."""
        depth = self.population(output.population).depth
        return depth + 1, depth + presented
