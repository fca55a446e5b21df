"""Arrays of an .npz file, read a few rows at a time, in order; none is ever loaded whole.

Stored and compressed arrays are read alike, through the zip archive's own stream, which checks
the sum over an array when its last row has been read.
"""

from __future__ import annotations

import lzma
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, FileError
from .rows import Read

Array = npt.NDArray[Any]

REMEDY = "write it with numpy.savez(path, x=samples, y=labels)"

_SUFFIX = ".npy"
_CHUNK = 2**18
"""Bytes that are taken from a stream at once."""
_TURNED = 2**24
"""Bytes of an array in Fortran order that are brought into C order at once."""
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_DAMAGE = (
    *(OSError, EOFError, ValueError, SyntaxError, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    RuntimeError,  # encrypted, or a compression that this Python does not know
)


@dataclass(frozen=True, slots=True)
class FileRows:
    """An array of an .npz file.

    Attributes:
        path, member: the file, and the array's name in it with its suffix.
        shape, dtype: of the array; the first axis counts rows.
        fortran: its first axis runs fastest, so that a row is scattered over the file.
        offset: bytes of the header in front of the numbers.
    """

    path: Path
    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int

    @contextmanager
    def reader(self, start: int = 0) -> Iterator[Read]:
        """A function that returns the next rows, the first ones from row `start` on.

        Raises:
            FileError: the file is damaged; so does the function.
        """
        width = prod(self.shape[1:]) * self.dtype.itemsize
        with ExitStack() as stack:
            with _readable(self.path):
                archive = stack.enter_context(zipfile.ZipFile(self.path))
                stream = stack.enter_context(archive.open(self.member))
                stream.seek(self.offset)
            rows: IO[bytes] = stream
            axes, begin = self.shape[1:], self.offset
            if self.fortran:
                rows, axes, begin = stack.enter_context(_scratch_file()), axes[::-1], 0
                self._turn(stream, rows)
            with _readable(self.path):
                rows.seek(begin + start * width)

            def read(count: int) -> Array:
                found = np.empty((count, *axes), self.dtype)
                with _readable(self.path):
                    _fill(found, rows)
                if self.fortran:
                    return found.transpose(0, *range(found.ndim - 1, 0, -1))
                return found

            yield read

    def _turn(self, stream: IO[bytes], into: IO[bytes]) -> None:
        """Write the rows one after the other, each with its own axes in reverse order.

        In Fortran order the file is a C-ordered array of all axes in reverse: its last axis,
        the rows, comes to the front, a block of columns at a time.
        """
        rows, columns, size = self.shape[0], prod(self.shape[1:]), self.dtype.itemsize
        at_once = max(1, _TURNED // (rows * size))
        for first in range(0, columns, at_once):
            block = np.empty((min(at_once, columns - first), rows), self.dtype)
            with _readable(self.path):
                _fill(block, stream)
            with _writable():
                for row, values in enumerate(np.ascontiguousarray(block.T)):
                    into.seek((row * columns + first) * size)
                    into.write(values.tobytes())
        with _writable():
            into.flush()


def array_names(path: Path) -> list[str]:
    """Names of the arrays of an .npz file.

    Raises:
        FileError: missing, damaged or truncated.
        DataError: no .npz file.
    """
    if not path.is_file():
        raise FileError(f"there is no file {path}", remedy=REMEDY)
    with _readable(path), path.open("rb") as file:
        start = file.read(6)
    if not start:
        raise FileError(f"{path} cannot be read as .npz: it is empty", remedy=REMEDY)
    if start.startswith(b"\x93NUMPY"):
        raise DataError(f"{path} is a bare array, not an .npz archive", remedy=REMEDY)
    if not start.startswith(b"PK"):
        raise DataError(f"{path} holds Python objects or is no .npz file", remedy=REMEDY)
    with _readable(path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]


def open_array(path: Path, name: str) -> FileRows:
    """An array of an .npz file; only its header is read.

    Raises:
        FileError: damaged or truncated.
        DataError: made of Python objects, which would run code.
    """
    with _readable(path), zipfile.ZipFile(path) as archive:
        return _describe(path, archive, archive.getinfo(name + _SUFFIX))


def _describe(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> FileRows:
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:  # 3.0 is for names of fields beyond Latin letters
            raise ValueError(f"{info.filename} has format {version}")
        shape, fortran, dtype = _HEADERS[version](stream)
        offset = stream.tell()
    if dtype.hasobject:
        raise DataError(
            f"{path} holds Python objects or is no .npz file: {info.filename} is made of them",
            remedy=REMEDY,
        )
    promised, held = prod(shape) * dtype.itemsize, info.file_size - offset
    if min(shape, default=0) < 0 or held < promised:
        raise ValueError(
            f"{info.filename} of shape {shape} and type {dtype} needs {promised} bytes, "
            f"the file holds {held}"
        )
    in_turn = fortran and sum(size > 1 for size in shape) > 1
    return FileRows(path, info.filename, shape, dtype, in_turn, offset)


def _fill(array: Array, stream: IO[bytes]) -> None:
    """Read an array's bytes. Raises EOFError where the stream ends before."""
    room, done = array.reshape(-1).view(np.uint8), 0
    while done < len(room):
        chunk = stream.read(min(_CHUNK, len(room) - done))
        if not chunk:
            raise EOFError("it ends too early")
        room[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
        done += len(chunk)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise FileError(f"{path} cannot be read as .npz: {error}", remedy=REMEDY) from error


@contextmanager
def _scratch_file() -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        with _writable():
            file = stack.enter_context(tempfile.TemporaryFile())
        yield file


@contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(
            f"cannot write a temporary file: {error.strerror or error}",
            where=tempfile.gettempdir(),
            remedy="set TMPDIR to a folder with more space, or store the array in C order: "
            "numpy.ascontiguousarray(x)",
        ) from error
