"""What the keys of a report are called in words."""

from __future__ import annotations

from .figures import plain

TERMS = {
    "synapse": "Synapses",
    "neuron": "Neurons",
    "axon_out": "Messages sent",
    "noc": "Network on chip",
    "barrier": "Barrier",
    "io": "Input and output",
    "static": "Static power",
    "encoding": "Encoding",
    "reset": "Reset of states",
    "memory": "Memory",
    "memory_fetch": "Memory fetch",
    "leakage": "Leakage",
}
LOADS = {
    "syn_ops": "Synops",
    "neuron_updates": "Neuron updates",
    "axon_out": "Messages out",
    "spikes_in": "Messages in",
}
TRAFFIC = {
    "messages": "All",
    "messages_same_core": "to the own core",
    "messages_same_tile": "to another core of the tile",
    "messages_other_chip": "to another chip",
    "chip_bytes": "Bytes between chips",
    "hops": "Hops",
    "hops_east_west": "Hops east and west",
    "hops_north_south": "Hops north and south",
    "host_messages_in": "From the host",
    "host_messages_out": "To the host",
}
BINDING = {
    "synapse": "synops",
    "neuron": "neuron updates",
    "message": "messages",
    "barrier": "barrier",
}


PLACERS = {"place": "slipway place", "naive": "the naive splitter"}


def words(key: str) -> str:
    """A key as words: "synaptic_memory" is "Synaptic memory"."""
    return plain(key).replace("_", " ").capitalize()


def term(key: str) -> str:
    """A term of the breakdown."""
    return TERMS.get(key, words(key))


def load(key: str) -> str:
    """A kind of work of a core."""
    return LOADS.get(key, words(key))


def traffic(key: str) -> str:
    """A count of messages."""
    return TRAFFIC.get(key, words(key))


def binding(key: str) -> str:
    """What bounds a step, in the middle of a sentence."""
    return BINDING.get(key, words(key).lower())


def placer(method: str) -> str:
    """What placed the network, in the middle of a sentence."""
    return PLACERS.get(method, plain(method))
