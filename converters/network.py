"""A NIR graph under construction, and the signals that run in it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import Problem

if TYPE_CHECKING:
    import nir

Array = npt.NDArray[Any]
NEURONS = ("IF", "LIF", "CubaLIF", "LI", "CubaLI")
SPIKING = ("IF", "LIF", "CubaLIF")


@dataclass(frozen=True, slots=True)
class Signal:
    """What arrives on a wire: a sum of node outputs.

    NIR has no Add node: in-edges sum. So a sum stays symbolic until a node takes it in.

    Attributes:
        terms: (node name, version of the node) -> how often it is added. Empty for the
            output of something unsupported, so that all such things are found at once.
        shape: without batch axis.
    """

    terms: Counter[tuple[str, int]]
    shape: tuple[int, ...]

    def __add__(self, other: Signal) -> Signal:
        return Signal(self.terms + other.terms, self.shape)


@dataclass(slots=True)
class Network:
    """Nodes and edges so far, and everything found wrong on the way.

    Attributes:
        versions: raised when a batch norm is folded into a node; a signal that still
            carries the older version wanted the value before the batch norm.
        folded: node -> the batch norm folded into it.
        activations: Scale node of a ReLU -> its IF node.
        binary: sets of terms whose sum is 0 or 1 at each step: spikes of one layer, or of
            several side by side.
        reserved: names that only the Outputs may have.
        unsupported: things without equivalent. invalid: weights that are not finite.
        uncalibrated: names of ReLUs for which there is no activation scale.
    """

    nodes: dict[str, nir.NIRNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    folded: dict[str, str] = field(default_factory=dict)
    activations: dict[str, str] = field(default_factory=dict)
    binary: set[frozenset[tuple[str, int]]] = field(default_factory=set)
    reserved: set[str] = field(default_factory=set)
    unsupported: list[Problem] = field(default_factory=list)
    invalid: list[Problem] = field(default_factory=list)
    uncalibrated: list[str] = field(default_factory=list)

    def unique(self, path: str) -> str:
        """A free node name: the module path, dots (which other importers split) as "_"."""
        stem = re.sub(r"\W", "_", path) or "node"
        name, number = stem, 1
        while name in self.nodes or name in self.reserved:
            name, number = f"{stem}_{number}", number + 1
        return name

    def add(
        self, path: str, node: nir.NIRNode, source: Signal, shape: tuple[int, ...]
    ) -> Signal:
        """Put a node behind a signal and return the node's own signal."""
        name = self.unique(path)
        self.nodes[name] = node
        self.versions[name] = 0
        self.connect(source, name)
        return Signal(Counter({(name, 0): 1}), shape)

    def connect(self, source: Signal, target: str) -> None:
        """Draw the edges of a signal; what is added twice passes a Scale node."""
        import nir

        for (name, version), times in source.terms.items():
            if version != self.versions[name]:
                self.unsupported.append(
                    Problem(
                        f"{self.folded[name]} cannot be folded: {name} is also used without it",
                        where=self.folded[name],
                        remedy="give the batch norm a convolution or linear layer of its own",
                    )
                )
            elif times == 1:
                self.edges.append((name, target))
            else:
                scale = nir.Scale(np.full(source.shape, float(times), np.float32))
                term = Signal(Counter({(name, version): 1}), source.shape)
                twice = self.add(f"{name}_times_{times}", scale, term, source.shape)
                self.connect(twice, target)

    def mark_spikes(self, signal: Signal) -> Signal:
        """Record that a signal is 0 or 1 at each step."""
        self.binary.add(frozenset(signal.terms))
        return signal

    def is_spikes(self, signal: Signal) -> bool:
        """Whether a signal is known to be 0 or 1 at each step."""
        once = all(times == 1 for times in signal.terms.values())
        return once and frozenset(signal.terms) in self.binary

    def spikes_behind(self, signal: Signal) -> Signal | None:
        """The signal itself if it is spikes, those of its IF if it is a ReLU's; else None."""
        if self.is_spikes(signal):
            return signal
        (name, _), *others = signal.terms
        if others or name not in self.activations or sum(signal.terms.values()) > 1:
            return None
        return Signal(Counter({(self.activations[name], 0): 1}), signal.shape)

    def activation_scale(self, signal: Signal) -> float:
        """What a spike of the ReLU's IF stands for."""
        (name, _), *_ = signal.terms
        return float(self.nodes[name].scale.flat[0])

    def add_activation(
        self, name: str, scale: float, spikes: Signal, shape: tuple[int, ...]
    ) -> Signal:
        """Put the Scale of a ReLU behind its IF node `name`."""
        import nir

        result = self.add(f"{name}_scale", nir.Scale(np.full(shape, scale)), spikes, shape)
        self.activations[next(iter(result.terms))[0]] = name
        return result

    def drop_unused_scales(self) -> None:
        """Take out the Scales of ReLUs whose spikes went on without them."""
        starts = {start for start, _ in self.edges}
        for name in [name for name in self.activations if name not in starts]:
            self.edges = [edge for edge in self.edges if edge[1] != name]
            del self.nodes[name], self.activations[name]

    def refuse(self, where: str, what: str, remedy: str, shape: tuple[int, ...]) -> Signal:
        """Record something unsupported; the empty signal lets the search go on."""
        self.unsupported.append(Problem(what, where=where, remedy=remedy))
        return Signal(Counter(), shape)

    def finite(self, where: str, name: str, values: Array) -> Array:
        """Pass an array on; record the first value that is not finite."""
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            index = tuple(int(i) for i in bad[0])
            self.invalid.append(
                Problem(
                    f"{name} has {len(bad)} values that are not finite, the first at "
                    f"{list(index)}: {values[index]}",
                    where=where,
                    remedy="train again or load a sound checkpoint",
                )
            )
        return values
