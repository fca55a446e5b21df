"""The counts that a constant may price, by name.

A constant of a cost model names one of these in its key `counts`; a new chip is a new file.
All are totals over the samples of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .counts import Activity, Counts, Layer, Stream


def _of(form: str) -> Callable[[Stream], int]:
    return lambda stream: stream.synops if stream.form == form else 0


# Of a projection. Synaptic operations: messages x synapses with a weight other than zero.
PROJECTION: Mapping[str, Callable[[Stream], int]] = {
    "synops": lambda stream: stream.synops,
    "synops_all": lambda stream: stream.synops_all,
    "synops_dense": _of("dense"),
    "synops_sparse": _of("sparse"),
    "synops_convolution": _of("convolution"),
}

# Of a population, given how many of its updates are active, and in how many anything changes.
POPULATION: Mapping[str, Callable[[Layer, Activity], float]] = {
    "neuron_updates": lambda layer, activity: layer.updates,
    "neuron_updates_active": lambda layer, activity: activity.active,
    "neuron_updates_inactive": lambda layer, activity: layer.updates - activity.active,
    "neuron_updates_changing": lambda layer, activity: activity.changing,
    "dendrite_updates": lambda layer, activity: 2 * layer.updates + layer.spikes,
    "spikes": lambda layer, activity: layer.spikes,
}

# Of a source of messages, where the run has a placement: the keys of traffic.sources that
# each sums up.
TRAFFIC: Mapping[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "messages_same_core": ("messages_same_core",),
    "messages_same_tile": ("messages_same_tile",),
    "messages_within_tile": ("messages_same_core", "messages_same_tile"),
    "messages_other_chip": ("messages_other_chip",),
    "hops": ("hops",),
    "hops_east_west": ("hops_east_west",),
    "hops_north_south": ("hops_north_south",),
}

# Of the network as a whole.
NETWORK: Mapping[str, Callable[[Counts], int | None]] = {
    "host_messages_in": lambda counts: counts.host.get("host_messages_in"),
    "host_messages_out": lambda counts: counts.host.get("host_messages_out"),
    "chip_bytes": lambda counts: counts.host.get("chip_bytes"),
    "steps": lambda counts: counts.steps * counts.samples,
    "core_steps": lambda counts: _times_steps(counts, "cores"),
    "tile_steps": lambda counts: _times_steps(counts, "tiles"),
    "chip_steps": lambda counts: _times_steps(counts, "chips"),
}

ENERGY = (*PROJECTION, *POPULATION, *TRAFFIC, *NETWORK)

# What the time of a core may count, and the part of a step that it belongs to.
CORE_TIME: Mapping[str, str] = {
    **dict.fromkeys(PROJECTION, "synapse"),
    **dict.fromkeys(POPULATION, "neuron"),
    "messages": "message",
    "messages_received": "message",
}
# ... and the time of a step beside it: the barrier, by tiles or by chips in use.
TIME = (*CORE_TIME, "steps")


def traffic(counts: Counts, source: str, name: str) -> int | None:
    """A count of TRAFFIC of one source; None where the run has none."""
    entry = counts.traffic.get(source) or {}
    values = [entry.get(key) for key in TRAFFIC[name]]
    return None if None in values else sum(v for v in values if v is not None)


def _times_steps(counts: Counts, unit: str) -> int | None:
    if counts.placed is None:
        return None
    number: int = getattr(counts.placed, unit)
    return number * counts.steps * counts.samples
