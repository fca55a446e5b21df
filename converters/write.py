"""Atomic writing: a file appears whole under its name, or not at all."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FileError, GraphError, Problem

if TYPE_CHECKING:
    import nir


def write_atomic(path: Path, content: bytes) -> None:
    """Write bytes to a temporary name in the same folder, then rename it.

    Raises:
        FileError: the folder is missing or unwritable, the disk is full, the name is a
            folder. Nothing is left behind and an older file of that name is untouched.
    """
    path = Path(path)
    if path.is_dir():
        raise FileError("this is a folder, not a file", where=str(path), remedy="name a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(
            f"cannot write {len(content)} bytes: {error.strerror or error}",
            where=str(path),
            remedy="choose a folder that exists, is writable and has room",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_graph(graph: nir.NIRGraph, path: Path | str) -> None:
    """Write a NIR graph as HDF5 (`.nir`), atomically.

    Raises:
        GraphError: a node name that HDF5 would take for a path.
        FileError: see :func:`write_atomic`.
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
    write_atomic(Path(path), buffer.getvalue())
