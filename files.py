"""Files appear whole under their name, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from .errors import FileError

REMEDY = "choose a folder that exists, is writable and has room"


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
    if _is_device(path):
        return  # such as /dev/full: only writing tells
    try:
        handle, probe = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
        os.close(handle)
        os.unlink(probe)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}", remedy=REMEDY) from error


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write to a temporary name in the same folder, then rename it to `path`.

    A device or a pipe is written as it is: renaming would replace it.

    Raises:
        FileError: the disk is full, the folder is missing or not writable, or `path` is a
            folder. Nothing is left behind, and an older file of that name is untouched.
    """
    if path.is_dir():
        raise FileError(f"cannot write {path}: it is a folder", remedy="name a file")
    direct = _is_device(path)
    temporary = path if direct else path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb" if direct else "xb") as file:
            file.write(content)
            file.flush()
            if not direct:
                os.fsync(file.fileno())
        if not direct:
            os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        if not path.parent.is_dir():
            reason = f"the folder {path.parent} does not exist"
        raise FileError(f"cannot write {path}: {reason}", remedy=REMEDY) from error
    finally:
        if not direct:
            with contextlib.suppress(OSError):
                temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8. Raises FileError, see `write_bytes`."""
    write_bytes(path, text.encode())


def make_folder(path: Path) -> None:
    """Make a folder and its parents. Raises FileError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"cannot make the folder {path}: {error.strerror}", remedy="choose another"
        ) from error


def sha256(path: Path) -> str:
    """Hash of a file's content, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()
