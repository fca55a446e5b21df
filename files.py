"""Writing files so that nobody ever finds half of one."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import FileError


def check_writable(path: Path) -> None:
    """Make sure that `path` can be written, before any long work starts.

    Raises:
        FileError: the folder is missing or not writable, or `path` is a folder.
    """
    folder = path.parent
    if path.is_dir():
        raise FileError(f"cannot write {path}: it is a folder", remedy="name a file")
    if not folder.is_dir():
        raise FileError(
            f"cannot write {path}: the folder {folder} does not exist",
            remedy=f"create it (mkdir -p {folder}) or choose another output",
        )
    if path.exists() and not path.is_file():
        return  # a device such as /dev/full: only writing tells
    try:
        handle, probe = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
        os.close(handle)
        os.unlink(probe)
    except OSError as error:
        raise FileError(
            f"cannot write {path}: {error.strerror}", remedy="choose a folder you may write to"
        ) from error


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Call `write` with a temporary name in the same folder, then rename it to `path`.

    Raises:
        FileError: the disk is full, the folder is missing or not writable. Nothing is left.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        temporary = path  # a device or pipe cannot be replaced
    else:
        check_writable(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    try:
        write(temporary)
        if temporary != path:
            os.replace(temporary, path)
    except OSError as error:
        raise FileError(
            f"cannot write {path}: {error.strerror or error}",
            remedy="free some space, or choose another output",
        ) from error
    finally:
        if temporary != path:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text atomically, UTF-8. Raises FileError."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def sha256(path: Path) -> str:
    """Hash of a file's content, hexadecimal."""
    with path.open("rb") as stream:
        return (
            hashlib.file_digest(stream, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else hashlib.sha256(stream.read()).hexdigest()
        )
