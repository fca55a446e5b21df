"""What a run counted, as exact integers, ready to be priced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .profile import Placed, Profile, placed_of, profile_of
from .terms import Band

TOTALS = ("host_messages_in", "host_messages_out", "chip_bytes")
# Kinds that integrate and never spike.
SILENT = ("LI", "CubaLI", "readout")


@dataclass(frozen=True, slots=True)
class Activity:
    """How many updates of a population are active, and in how many anything can change."""

    active: float
    changing: float


@dataclass(frozen=True, slots=True)
class Layer:
    """Counts of a population, totals over all samples.

    Attributes:
        neurons: in the population.
        spikes: messages that it sent.
        updates: neuron updates: neurons x executed steps x samples.
        active: (least, most) of these updates in which the neuron spikes or receives input.
        busy: the nominal number of them: as counted, else by the share of the profiled
            samples, else the middle of the bounds.
        graded: its messages carry a value, so that they are no spikes.
        changing: the nominal number of updates in which anything can change: all but those at
            rest, with states of 0, no bias, no input and no spike; `busy` where these were not
            counted.
        active_from: "counted", "profile" or "bounds": where `busy` comes from.
    """

    name: str
    kind: str
    neurons: int
    spikes: int
    updates: int
    active: tuple[int, int]
    graded: bool
    busy: float
    changing: float
    active_from: str

    @property
    def spiking(self) -> bool:
        """Whether a rate of spikes says something of it."""
        return self.kind not in SILENT and not self.graded

    def over_activity(self, price: Callable[[Activity], Band]) -> Band:
        """A price that depends on how many updates are active and change, in straight lines.

        Low and high: the extremes between none and all; nominal: `busy` and `changing`.
        """
        none, every = 0.0, float(self.updates)
        ends = [
            price(Activity(*pair)) for pair in ((none, none), (none, every), (every, every))
        ]
        low, high = min(end.low for end in ends), max(end.high for end in ends)
        nominal = price(Activity(self.busy, self.changing)).nominal
        # Rounding must not push the nominal value out of its band.
        return Band(low, min(max(nominal, low), high), high)


@dataclass(frozen=True, slots=True)
class Stream:
    """Counts of a projection, totals over all samples.

    Attributes:
        graded: its messages carry a value.
        synops: messages times synapses with a weight other than zero.
        synops_all: messages times all synapses.
        form: "dense", "sparse" or "convolution".
        messages: that its source sent; None where the run does not say.
        weights: stored weights; a convolution shares them.
        weight_bits: of one weight; None where the run does not say.
        geometry: of run.json; empty where the run does not say.
        bias: whether it adds a bias of its own.
    """

    name: str
    source: str
    target: str
    graded: bool
    synapses: int
    synapses_all: int
    synops: int
    synops_all: int
    form: str = "dense"
    messages: int | None = None
    weights: int = 0
    weight_bits: int | None = None
    geometry: Mapping[str, Any] = field(default_factory=dict)
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """All counts of a run.

    Attributes:
        steps: executed steps of one inference.
        traffic: messages and hops by source, totals over all samples; empty without a
            placement.
        host: the same of no source: the counts of TOTALS.
        placed: where the neurons lie; None without a placement.
        profile: the first samples, step by step; None where the run has none.
        profiled: samples of the profile from which the share of active updates was taken.
        target: that the network was placed for.
    """

    samples: int
    steps: int
    layers: tuple[Layer, ...]
    streams: tuple[Stream, ...]
    traffic: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    host: Mapping[str, int] = field(default_factory=dict)
    placed: Placed | None = None
    profile: Profile | None = None
    profiled: int = 0
    target: str = ""

    def on(self, device: str) -> Counts:
        """The same counts, without a placement if it is for another device's cores."""
        if self.target in ("", device) or self.target.startswith(f"{device}-"):
            return self
        return replace(self, traffic={}, host={}, placed=None, profile=None)

    def into(self, target: str) -> tuple[Stream, ...]:
        """The projections into a population."""
        return tuple(s for s in self.streams if s.target == target)


_FORMS = {"conv2d": "convolution", "convolution": "convolution", "sparse": "sparse"}


def counts_of(run: Mapping[str, Any]) -> Counts:
    """The counts of a checked run.json."""
    streams = tuple(_stream(run, name, e) for name, e in run["projections"].items())
    profile = profile_of(run)
    layers = tuple(_layer(name, e, streams, profile) for name, e in run["populations"].items())
    traffic = run.get("traffic") or {}
    host = {key: traffic[key] for key in TOTALS if key in traffic}
    return Counts(
        run["samples"],
        run["executed_steps"],
        layers,
        streams,
        traffic.get("sources") or {},
        host,
        placed_of(run),
        profile,
        profile.samples if profile else 0,
        str((run.get("placement") or {}).get("target", "")),
    )


def _stream(run: Mapping[str, Any], name: str, entry: Mapping[str, Any]) -> Stream:
    source = entry["source"]
    from_input = (run.get("inputs") or {}).get(source, {}).get("messages")
    sent = run["populations"].get(source, {}).get("spikes", from_input)
    geometry = entry.get("geometry") or {}
    form = str(geometry.get("type") or entry.get("kind") or "dense").lower()
    return Stream(
        name=name,
        source=source,
        target=entry["target"],
        graded=entry["graded"],
        synapses=entry["synapses"],
        synapses_all=entry["synapses_all"],
        synops=entry["synops"],
        synops_all=entry["synops_all"],
        form=_FORMS.get(form, "dense"),
        messages=sent,
        weights=entry.get("weights") or entry["synapses_all"],
        weight_bits=entry.get("weight_bits"),
        geometry=geometry,
        bias=bool(entry.get("bias")),
    )


def _layer(
    name: str, entry: Mapping[str, Any], streams: tuple[Stream, ...], profile: Profile | None
) -> Layer:
    updates, spikes = entry["neuron_updates"], entry["spikes"]
    counted = entry.get("active_updates")
    share = profile.active_share(name) if profile else None
    # A spike makes an update active; so does input, and each synop is input to one update.
    events = spikes + sum(s.synops for s in streams if s.target == name)
    active = (min(updates, spikes), min(updates, events))
    if isinstance(counted, int):
        active, busy, origin = (counted, counted), float(counted), "counted"
    elif share is not None:
        busy, origin = share * updates, "profile"
    else:
        busy, origin = sum(active) / 2, "bounds"
    resting = profile.resting_share(name) if profile else None
    changing = busy if resting is None else max(busy, (1 - resting) * updates)
    graded = any(s.graded for s in streams if s.source == name)
    kind = str(entry.get("kind", ""))
    neurons = entry["neurons"]
    return Layer(name, kind, neurons, spikes, updates, active, graded, busy, changing, origin)
