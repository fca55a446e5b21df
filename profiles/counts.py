"""What a run counted, as exact integers, ready to be priced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .terms import Band

# Kinds that integrate and never spike.
SILENT = ("LI", "CubaLI", "readout")


@dataclass(frozen=True, slots=True)
class Layer:
    """Counts of a population, totals over all samples.

    Attributes:
        neurons: in the population.
        spikes: messages that it sent.
        updates: neuron updates: neurons x executed steps x samples.
        active: (least, most) of these updates in which the neuron spikes or receives input.
        graded: its messages carry a value, so that they are no spikes.
    """

    name: str
    kind: str
    neurons: int
    spikes: int
    updates: int
    active: tuple[int, int]
    graded: bool

    @property
    def spiking(self) -> bool:
        """Whether a rate of spikes says something of it."""
        return self.kind not in SILENT and not self.graded

    def priced(self, active: Band, inactive: Band) -> Band:
        """All updates times two prices.

        Low: all inactive; high: all active; nominal: the middle of the bounds on the active.
        """
        busy = sum(self.active) / 2
        return Band(
            self.updates * min(active.low, inactive.low),
            busy * active.nominal + (self.updates - busy) * inactive.nominal,
            self.updates * max(active.high, inactive.high),
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """Counts of a projection, totals over all samples.

    Attributes:
        graded: its messages carry a value.
        synops: messages times synapses with a weight other than zero.
        synops_all: messages times all synapses.
    """

    name: str
    source: str
    target: str
    graded: bool
    synapses: int
    synapses_all: int
    synops: int
    synops_all: int


@dataclass(frozen=True, slots=True)
class Counts:
    """All counts of a run; `steps` are the executed steps of one inference."""

    samples: int
    steps: int
    layers: tuple[Layer, ...]
    streams: tuple[Stream, ...]

    def into(self, target: str) -> tuple[Stream, ...]:
        """The projections into a population."""
        return tuple(s for s in self.streams if s.target == target)


def counts_of(run: Mapping[str, Any]) -> Counts:
    """The counts of a checked run.json."""
    streams = tuple(
        Stream(
            name=name,
            source=entry["source"],
            target=entry["target"],
            graded=entry["graded"],
            synapses=entry["synapses"],
            synapses_all=entry["synapses_all"],
            synops=entry["synops"],
            synops_all=entry["synops_all"],
        )
        for name, entry in run["projections"].items()
    )
    layers = tuple(_layer(name, e, streams) for name, e in run["populations"].items())
    return Counts(run["samples"], run["executed_steps"], layers, streams)


def _layer(name: str, entry: Mapping[str, Any], streams: tuple[Stream, ...]) -> Layer:
    updates, spikes = entry["neuron_updates"], entry["spikes"]
    counted = entry.get("active_updates")
    if isinstance(counted, int):
        active = (counted, counted)
    else:
        # A spike makes an update active; so does input, and each synop is input to one update.
        events = spikes + sum(s.synops for s in streams if s.target == name)
        active = (min(updates, spikes), min(updates, events))
    graded = any(s.graded for s in streams if s.source == name)
    kind = str(entry.get("kind", ""))
    return Layer(name, kind, entry["neurons"], spikes, updates, active, graded)
