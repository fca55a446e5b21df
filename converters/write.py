"""A NIR graph as a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GraphError, Problem
from ..files import write_bytes

if TYPE_CHECKING:
    import nir


def write_graph(graph: nir.NIRGraph, path: Path | str) -> None:
    """Write a NIR graph as HDF5 (`.nir`), atomically.

    Raises:
        GraphError: a node name that HDF5 would take for a path.
        FileError: it cannot be written; nothing is left behind.
    """
    import nir

    bad = [name for name in graph.nodes if "/" in name or name in ("", ".")]
    if bad:
        raise GraphError(
            *(
                Problem(f"{name!r} cannot be a node name in HDF5", str(path), "rename the node")
                for name in bad
            )
        )
    buffer = io.BytesIO()
    nir.write(buffer, graph)
    write_bytes(Path(path), buffer.getvalue())
