"""What comes in: graphs with what their files do not say, and where a result came from."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any


def provenance(**files: Path | None) -> dict[str, Any]:
    """The version, the command, and each file with its hash, by the name it is given here."""
    from .. import __version__
    from ..files import sha256

    hashes = {
        name: {"file": str(path), "sha256": sha256(path)}
        for name, path in files.items()
        if path is not None
    }
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {"slipway": __version__, "command": command, **hashes}


def read_graph(
    path: Path, dt: float | None, reset: str | None = None, encoding: str | None = None
) -> Any:
    """A NIR graph; reset mode and input encoding as the user states them, else as the file."""
    from ..converters.read import read_graph as read

    graph = read(path, dt=dt)
    if reset is not None:
        graph.metadata.update(reset=reset, reset_from="user")
    if encoding is not None:
        graph.metadata["input_encoding"] = encoding
        for node in graph.nodes.values():
            node.metadata.pop("input_encoding", None)
    return graph
