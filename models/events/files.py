"""Event files: N-MNIST's five bytes, AEDAT 2, AEDAT 4, MATLAB.

tonic reads the same files. It is not used: it is GPL-3.0 (slipway is Apache-2.0), brings
librosa and sixteen other packages, leaves AEDAT 4 to the package aedat that is asked for here
as well, and in tonic 1.7.0 the reader of AEDAT 2 (read_dvs_128) fails on every file. On the
N-MNIST and AEDAT 4 samples its events are the same as these, one by one.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, Problem
from ...files import write_bytes
from ..needs import require
from .recording import Events, Recording, as_events

COPY = "the file is damaged or of another format: copy it again"


def read_nmnist(path: Path, size: tuple[int, int] | None = None) -> Recording:
    """N-MNIST's and N-Caltech101's events: no header, 40 bits each, most significant first.

    Bits 39..32 x, 31..24 y, 23 polarity (1 = ON), 22..0 time in microseconds. An entry with
    y = 240 is a carry of the clock: 8,192 us are added to all that follow (as in the data
    sets' own reader).

    Args:
        path: a .bin file.
        size: (height, width); without it the smallest x and y are subtracted and the size is
            that of the events (N-Caltech101: pictures of any size, placed anywhere).

    Raises:
        FileError: cannot be read, or its length is no multiple of 5.
    """
    raw = _content(path)
    if len(raw) % 5 or not len(raw):
        raise FileError(
            Problem(f"{len(raw)} bytes, expected a multiple of 5, not 0", str(path), COPY)
        )
    entries = np.frombuffer(raw, np.uint8).reshape(-1, 5).astype(np.int64)
    x, y = entries[:, 0], entries[:, 1]
    t = (entries[:, 2] & 127) << 16 | entries[:, 3] << 8 | entries[:, 4]
    carry = y == 240
    t += np.cumsum(carry) * 8192
    kept = ~carry
    if size is None and kept.any():
        x, y = x - x[kept].min(), y - y[kept].min()
    events = as_events(x[kept], y[kept], t[kept], entries[kept, 2] >> 7)
    return _recording(events, size, path)


def write_nmnist(path: Path, events: Events) -> None:
    """Write events in N-MNIST's layout, atomically.

    Raises:
        FileError: an event does not fit (x above 255, y above 239, t above 8.388607 s), or the
            file cannot be written.
    """
    limits = {"x": 255, "y": 239, "t": 2**23 - 1}
    over = {
        name: int(events[name].max())
        for name, limit in limits.items()
        if len(events) and (events[name].max() > limit or events[name].min() < 0)
    }
    if over:
        raise FileError(
            *(
                Problem(f"{name} = {value}, limit 0..{limits[name]}", str(path), "cut or crop")
                for name, value in over.items()
            )
        )
    t = events["t"].astype(np.int64)
    entries = np.empty((len(events), 5), np.uint8)
    entries[:, 0], entries[:, 1] = events["x"], events["y"]
    entries[:, 2] = events["p"].astype(np.int64) << 7 | t >> 16
    entries[:, 3], entries[:, 4] = t >> 8 & 255, t & 255
    write_bytes(path, entries.tobytes())


def read_aedat2(path: Path) -> Recording:
    """A DVS128 recording in AEDAT 2.0 (jAER), the original CIFAR10-DVS.

    Text lines that begin with `#`, then pairs of big-endian 32-bit words, address and time in
    microseconds. Address: bit 0 polarity (0 = ON), bits 7..1 and 14..8 position; entries with a
    higher bit set are no pixels and are left out. Orientation: column = 127 - (bits 14..8),
    row = 127 - (bits 7..1), which shows CIFAR10-DVS upright (as SpikingJelly reads it). Time
    counts from the first event.

    Raises:
        FileError: cannot be read, no AEDAT 2 file, or cut off.
    """
    raw = _content(path)
    if not raw.startswith(b"#!AER-DAT2.0"):
        head = raw[:14].decode("ascii", "replace")
        raise FileError(
            Problem(f"begins with {head!r}, expected '#!AER-DAT2.0'", str(path), COPY)
        )
    begin = 0
    while raw[begin : begin + 1] == b"#":
        end = raw.find(b"\n", begin)
        begin = end + 1 if end >= 0 else len(raw)
    if (len(raw) - begin) % 8 or len(raw) == begin:
        raise FileError(
            Problem(
                f"{len(raw) - begin} bytes of events, expected a multiple of 8, not 0",
                str(path),
                COPY,
            )
        )
    words = np.frombuffer(raw, ">u4", offset=begin).reshape(-1, 2).astype(np.int64)
    address, t = words[:, 0], words[:, 1]
    pixel = address < 2**15
    address, t = address[pixel], t[pixel]
    t = t - t[:1]
    column, row = 127 - (address >> 8 & 127), 127 - (address >> 1 & 127)
    return Recording(as_events(column, row, t, 1 - (address & 1)), 128, 128)


def read_aedat4(path: Path) -> Recording:
    """An AEDAT 4.0 recording (iniVation DV): the events of its first event stream.

    Time counts from the first event: the file's own is absolute (Unix time in microseconds).

    Raises:
        FileError: cannot be read, no AEDAT 4 file, or without events.
        MissingDependency: the package aedat is not installed.
    """
    aedat = require("aedat", "read AEDAT 4 files")
    _content(path, 1)  # a missing file is told as for the other formats
    try:
        decoder = aedat.Decoder(str(path))
        streams = {
            number: stream
            for number, stream in decoder.id_to_stream().items()
            if stream["type"] == "events"
        }
        chosen = min(streams, default=None)
        packets = [p["events"] for p in decoder if p["stream_id"] == chosen]
    except (OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise FileError(
            Problem(f"no readable AEDAT 4 file ({error})", str(path), COPY)
        ) from None
    if chosen is None or not packets:
        raise FileError(Problem("there are no events in the file", str(path), COPY))
    raw = np.concatenate(packets)
    t = raw["t"].astype(np.int64)
    size = int(streams[chosen]["height"]), int(streams[chosen]["width"])
    return _recording(as_events(raw["x"], raw["y"], t - t[:1], raw["on"]), size, path)


def read_mat(path: Path, size: tuple[int, int] | None = None) -> Recording:
    """Events in a MATLAB file with the variables x, y, ts (microseconds) and p (-1 or 0, 1).

    Args:
        path: a .mat file of version 4 to 7.2.
        size: (height, width); without it largest coordinate + 1.

    Raises:
        FileError: cannot be read, or a variable is missing.
        MissingDependency: scipy is not installed.
    """
    scipy = require("scipy.io", "read MATLAB files")
    _content(path, 1)
    try:
        found: dict[str, NDArray[Any]] = scipy.loadmat(
            path, variable_names=("x", "y", "ts", "p")
        )
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        NotImplementedError,
        zlib.error,
        scipy.matlab.MatReadError,
    ) as error:
        raise FileError(
            Problem(f"no readable MATLAB file ({error})", str(path), COPY)
        ) from error
    absent = [name for name in ("x", "y", "ts", "p") if name not in found]
    if absent:
        raise FileError(Problem(f"no variable {', '.join(absent)}", str(path), COPY))
    columns = (found[name].astype(np.int64) for name in ("x", "y", "ts", "p"))
    return _recording(as_events(*columns), size, path)


def _content(path: Path, limit: int = -1) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError as error:
        raise FileError(
            Problem(f"cannot be read ({error.strerror})", str(path), "copy it again")
        ) from error


def _recording(events: Events, size: tuple[int, int] | None, path: Path) -> Recording:
    """With its size; without one, that of the events."""
    height = int(events["y"].max(initial=0)) + 1
    width = int(events["x"].max(initial=0)) + 1
    if size is None:
        return Recording(events, height, width)
    if height > size[0] or width > size[1]:
        raise FileError(
            Problem(
                f"events up to column {width - 1}, row {height - 1}; the sensor has "
                f"{size[1]}x{size[0]} pixels",
                str(path),
                COPY,
            )
        )
    return Recording(events, *size)
