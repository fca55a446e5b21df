"""A NIR graph as a file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GraphError, Problem
from ..files import write_bytes
from .node_metadata import read_metadata

if TYPE_CHECKING:
    import nir


def write_graph(graph: nir.NIRGraph, path: Path | str) -> None:
    """Write a NIR graph as HDF5 (`.nir`), atomically, with the metadata of its nodes.

    Raises:
        GraphError: a name that HDF5 would take for a path; metadata that it cannot hold, or
            that :func:`.read.read_graph` would refuse.
        FileError: it cannot be written; nothing is left behind.
    """
    import nir

    where = str(path)
    problems = [
        Problem(f"{name!r} cannot be a node name in HDF5", where, "rename the node")
        for name in graph.nodes
        if "/" in name or name in ("", ".")
    ]
    problems += _metadata_problems("the graph", graph.metadata, where)
    for name, node in graph.nodes.items():
        unheld = _metadata_problems(f"node {name!r}", node.metadata, where)
        problems += unheld or read_metadata(name, type(node).__name__, node.metadata, where)[1]
    if problems:
        raise GraphError(*problems)
    buffer = io.BytesIO()
    nir.write(buffer, graph)
    write_bytes(Path(path), buffer.getvalue())


def _metadata_problems(owner: str, metadata: Any, where: str) -> list[Problem]:
    """Names and values that HDF5 cannot hold."""
    found = []
    for key, value in (metadata if isinstance(metadata, Mapping) else {}).items():
        if not isinstance(key, str) or "/" in key or key in ("", "."):
            found.append(f"{key!r} cannot be a name of metadata in HDF5")
        elif isinstance(value, Mapping):
            found += [p.what for p in _metadata_problems(key, value, where)]
        elif isinstance(value, np.ndarray) and (
            not value.ndim or value.dtype.kind not in "fiub"
        ):
            found.append(f"metadata {key} is an array of {value.dtype}, shape {value.shape}")
        elif not isinstance(value, str | int | float | np.number | np.bool_ | np.ndarray):
            found.append(f"metadata {key} is a {type(value).__name__}")
    remedy = "HDF5 holds text, numbers and arrays of numbers"
    return [Problem(f"{owner}: {what}", where, remedy) for what in found]
