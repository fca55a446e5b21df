"""Checks that HDF5 itself omits: text that would make it loop for ever or read too far.

Source: HDF5 File Format Specification 3.0, section III.E, "Global Heap", and IV.A.2.d, variable
length data. A collection whose objects do not add up to its size hangs libhdf5 (seen with the
one in h5py 3.16.0), a reference that states more bytes than its object has makes it allocate
and copy that many; no Python code can stop either.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

Heap = dict[tuple[int, int], int]
"""(address of the collection, index of the object) -> bytes of the object."""

_SIGNATURE = b"GCOL\x01\x00\x00\x00"  # with version 1 and the reserved bytes
_HEADER = struct.Struct("<Q")
_OBJECT = struct.Struct("<HHIQ")
_REFERENCE = struct.Struct("<IQI")


def read_heap(path: Path) -> Heap:
    """Survey the text heaps of a file. Raises ValueError for the first unsound one."""
    heap: Heap = {}
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        start = view.find(_SIGNATURE)
        while start >= 0:
            if not _is_sound(view, start, heap):
                raise ValueError(f"the text heap at byte {start} is damaged")
            start = view.find(_SIGNATURE, start + 1)
    return heap


def _is_sound(view: mmap.mmap, start: int, heap: Heap) -> bool:
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
        heap[start, index] = size
        place += _OBJECT.size + (size + 7) // 8 * 8
    return bool(place <= end)


def check_text(path: Path, offset: int | None, count: int, heap: Heap) -> str:
    """What is wrong with the references of a contiguous dataset of text; "" if nothing."""
    if offset is None:
        return "text that is not stored in one piece"
    with open(path, "rb") as file:
        file.seek(offset)
        raw = file.read(count * _REFERENCE.size)
    if len(raw) < count * _REFERENCE.size:
        return "text beyond the end of the file"
    for length, address, index in _REFERENCE.iter_unpack(raw):
        if length > heap.get((address, index), 0):
            return f"a text of {length} bytes that its heap does not hold"
    return ""
