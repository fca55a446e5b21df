"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, Problem


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name beside it, then rename it.

    Args:
        path: the file; its folder is made if it is missing.
        write: gets the open file and fills it.

    Raises:
        FileError: it cannot be written; nothing is left behind.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            write(file)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes files that only the owner may read
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise FileError(
                Problem(
                    f"cannot write the file: {error.strerror or error}",
                    str(path),
                    "choose a folder that you may write to and that has room",
                )
            ) from error
        raise


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], *, pack: bool) -> None:
    """Write a .npz file atomically; `pack` compresses it.

    Raises:
        FileError: it cannot be written.
    """
    buffer = io.BytesIO()
    if pack:
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
    else:
        np.savez(buffer, allow_pickle=False, **arrays)
    write_atomically(path, lambda file: file.write(buffer.getbuffer()))
