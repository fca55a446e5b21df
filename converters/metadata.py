"""Graph metadata: allowed values, defaults, and what an output is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UsageError
from .network import NEURONS, SPIKING

if TYPE_CHECKING:
    import nir

READOUTS = ("count", "last", "mean")
ENCODINGS = ("current", "spikes")


def output_kinds(graph: nir.NIRGraph) -> set[str]:
    """NIR types that the Output reads, seen through Flatten; "linear" for anything else."""
    sources: dict[str, list[str]] = {}
    for start, end in graph.edges:
        sources.setdefault(end, []).append(start)
    waiting = [name for name, node in graph.nodes.items() if type(node).__name__ == "Output"]
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


def check_readout(readout: str, kinds: set[str]) -> None:
    """Raise UsageError where spikes are to be counted of something that never spikes."""
    if readout == "count" and not kinds <= set(SPIKING):
        raise UsageError(
            f"readout 'count' counts spikes, but the output is {', '.join(sorted(kinds))}, "
            "which does not spike",
            where="readout",
            remedy="give --readout last or --readout mean",
        )
