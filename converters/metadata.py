"""Graph metadata: allowed values, defaults, and what an output is read from.

`input_encoding` and `readout` in the graph's metadata hold for every Input and Output; in the
metadata of one Input or Output they hold for that one, and win.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .network import NEURONS, SPIKING

if TYPE_CHECKING:
    import nir

READOUTS = ("count", "last", "mean")
ENCODINGS = ("current", "spikes")


def input_encoding(graph: nir.NIRGraph, name: str) -> str:
    """What one Input carries: "current" or "spikes"."""
    return _own_or_common(graph, name, "input_encoding", "current")


def readout(graph: nir.NIRGraph, name: str) -> str:
    """How one Output is read: "count", "last" or "mean"."""
    default = default_readout(output_kinds(graph, name))
    return _own_or_common(graph, name, "readout", default)


def _own_or_common(graph: nir.NIRGraph, name: str, key: str, default: str) -> str:
    own: Mapping[str, Any] = graph.nodes[name].metadata or {}
    return str(own.get(key, graph.metadata.get(key, default)))


def output_kinds(graph: nir.NIRGraph, output: str) -> set[str]:
    """NIR types that an Output reads, seen through Flatten; "linear" for anything else."""
    sources: dict[str, list[str]] = {}
    for start, end in graph.edges:
        sources.setdefault(end, []).append(start)
    waiting = [output]
    kinds: set[str] = set()
    seen: set[str] = set()
    while waiting:
        for name in sources.get(waiting.pop(), []):
            kind = type(graph.nodes[name]).__name__
            if kind == "Flatten" and name not in seen:
                seen.add(name)
                waiting.append(name)
            elif kind != "Flatten":
                kinds.add(kind if kind in NEURONS else "linear")
    return kinds


def default_readout(kinds: set[str]) -> str:
    """Spikes are counted, anything else is read at the last step."""
    return "count" if kinds and kinds <= set(SPIKING) else "last"


def outputs(graph: nir.NIRGraph) -> list[str]:
    """Names of the Output nodes."""
    return [name for name, node in graph.nodes.items() if type(node).__name__ == "Output"]


def complete_readouts(graph: nir.NIRGraph) -> None:
    """State the default readout: in the graph where it is one for all, else on each Output."""
    if "readout" in graph.metadata:
        return
    found = {name: readout(graph, name) for name in outputs(graph)}
    if len(set(found.values())) == 1:
        graph.metadata["readout"] = next(iter(found.values()))
        return
    for name, value in found.items():
        graph.nodes[name].metadata["readout"] = value


def check_readout(chosen: str, kinds: set[str], where: str = "readout") -> None:
    """Raise UsageError where spikes are to be counted of something that never spikes."""
    if chosen == "count" and not kinds <= set(SPIKING):
        raise UsageError(
            f"readout 'count' counts spikes, but the output is {', '.join(sorted(kinds))}, "
            "which does not spike",
            where=where,
            remedy="give --readout last or --readout mean",
        )
