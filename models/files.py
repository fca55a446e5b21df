"""Arrays as a file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import make_folder, write_bytes


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], *, pack: bool) -> None:
    """Write a .npz file atomically, and its folder; `pack` compresses it. Raises FileError."""
    make_folder(path.parent)
    buffer = io.BytesIO()
    if pack:
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
    else:
        np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getbuffer())
