"""A check that HDF5 itself omits: damaged heaps of text make it loop for ever.

Source: HDF5 File Format Specification 3.0, section III.E, "Level 1E - Global Heap". Reading a
string out of a collection whose objects do not add up to its size hangs in libhdf5 (seen with
the one in h5py 3.16.0), where no Python code can stop it.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_SIGNATURE = b"GCOL\x01\x00\x00\x00"  # with version 1 and the reserved bytes
_HEADER = struct.Struct("<Q")
_OBJECT = struct.Struct("<HHIQ")


def damaged_heap(path: Path) -> str:
    """What is wrong with the first unsound global heap collection; "" if all are sound."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        start = view.find(_SIGNATURE)
        while start >= 0:
            if not _is_sound(view, start):
                return f"the text heap at byte {start} is damaged"
            start = view.find(_SIGNATURE, start + 1)
    return ""


def _is_sound(view: mmap.mmap, start: int) -> bool:
    head = start + len(_SIGNATURE)
    if head + _HEADER.size > len(view):
        return False
    end = start + int(_HEADER.unpack_from(view, head)[0])
    if end > len(view):
        return False
    place = head + _HEADER.size
    while place + _OBJECT.size <= end:
        index, _, _, size = _OBJECT.unpack_from(view, place)
        if index == 0:  # free space, its own header included, to the end of the collection
            return bool(place + size == end)
        place += _OBJECT.size + (size + 7) // 8 * 8
    return bool(place <= end)
