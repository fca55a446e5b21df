"""Reading an HDF5 file of unknown origin: everything is looked at before an array is read.

HDF5 runs no code, but a link, an external dataset or a virtual one reads other files, a
few kilobytes can inflate to gigabytes, and a hard link can close a circle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py

from ..errors import FileError, Problem, UnsafeFileError
from .hdf5_heap import Heap, check_text, read_heap

MAX_BYTES = 2**30
MAX_DEPTH = 32
MAX_OBJECTS = 200_000
MAX_EDGES = 1_000_000
MAX_TEXTS = 2 * MAX_EDGES
# deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf: what HDF5 and h5py bring along.
_FILTERS = {1, 2, 3, 4, 5, 6, 32000}


@dataclass(slots=True)
class _Survey:
    """What a walk over the file found; no array is read on it."""

    path: Path
    heap: Heap
    datasets: dict[str, h5py.Dataset] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)
    unsafe: list[Problem] = field(default_factory=list)
    dtypes: list[Problem] = field(default_factory=list)


def read_tree(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The group `node` of a NIR file as nested dicts of NumPy values and str.

    Raises:
        FileError: as `read_hdf5`, or no NIR graph.
        UnsafeFileError: as `read_hdf5`.
    """
    tree = read_hdf5(
        path, "a NIR file", "a .nir file", max_bytes, lambda f: _check_kind(f, path)
    )
    node: dict[str, Any] = tree["node"]
    return node


def read_hdf5(
    path: Path,
    wanted: str,
    example: str,
    max_bytes: int = MAX_BYTES,
    check: Callable[[h5py.File], None] | None = None,
) -> dict[str, Any]:
    """A whole HDF5 file of unknown origin as nested dicts of NumPy values and str.

    Args:
        path: the file.
        wanted: what it should be, for messages.
        example: what to name instead.
        max_bytes: most that its datasets may declare.
        check: looks at the surveyed file before any array is read, and raises.

    Raises:
        FileError: missing, a folder, empty, not HDF5, a type that is no number or text.
        UnsafeFileError: links, data outside the file, more than `max_bytes` declared.
    """
    _check_path(path, wanted, example)
    try:
        survey = _Survey(path, read_heap(path))
        with h5py.File(path, "r") as file:
            _walk(file, "", 0, survey)
            if survey.unsafe:
                raise UnsafeFileError(*survey.unsafe)
            _check_sizes(survey, max_bytes)
            if survey.dtypes:
                raise FileError(*survey.dtypes)
            if check is not None:
                check(file)
            return _read(file)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(
            f"this cannot be read as an HDF5 file of {path.stat().st_size} bytes: {text}",
            where=str(path),
            remedy="it is truncated, damaged or of another kind; write it again",
        ) from error


def _check_path(path: Path, wanted: str, example: str) -> None:
    what = ""
    if path.is_dir():
        what = f"this is a folder, not {wanted}"
    elif not path.exists():
        what = "there is no such file"
    elif path.stat().st_size == 0:
        what = "the file is empty"
    if what:
        raise FileError(what, where=str(path), remedy=f"name {example}")


def _check_kind(file: h5py.File, path: Path) -> None:
    found = f"its groups are {sorted(map(str, file))[:8]}" if len(file) else "it is empty"
    kind = None
    if file.get("node", getclass=True, getlink=True) is h5py.HardLink:
        node = file["node"]
        found = "its node states no type"
        if isinstance(node, h5py.Group):
            link = node.get("type", getclass=True, getlink=True)
            entry = node["type"] if link is h5py.HardLink else None
            if isinstance(entry, h5py.Dataset) and entry.shape == ():
                kind = _text(entry[()])
                found = f"its node is of type {kind!r}"
    if kind != "NIRGraph":
        raise FileError(
            f"this HDF5 file holds no NIR graph: {found}",
            where=str(path),
            remedy="write the graph with nir.write or slipway export",
        )


def _walk(group: h5py.Group, prefix: str, depth: int, survey: _Survey) -> None:
    """Follow hard links only, each object once."""
    if depth > MAX_DEPTH:
        survey.unsafe.append(
            _problem(survey, prefix, f"groups are nested more than {MAX_DEPTH} deep")
        )
        return
    for name in group:
        place = f"{prefix}/{name}"
        link = group.get(name, getlink=True) if isinstance(name, str) else None
        if link is None:
            raise KeyError(f"the name {name!r} in {prefix or '/'} leads to nothing")
        if not isinstance(link, h5py.HardLink):
            kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
            file = f"{link.filename}:" if isinstance(link, h5py.ExternalLink) else ""
            survey.unsafe.append(_problem(survey, place, f"{kind} to {file}{link.path}"))
            continue
        item = group[name]
        info = h5py.h5o.get_info(item.id)
        identity = (info.fileno, info.addr)
        if identity in survey.seen:
            survey.unsafe.append(
                _problem(survey, place, "a second link to an object that was met before")
            )
            continue
        survey.seen.add(identity)
        if len(survey.seen) > MAX_OBJECTS:
            raise UnsafeFileError(_problem(survey, place, f"more than {MAX_OBJECTS} objects"))
        if isinstance(item, h5py.Group):
            _walk(item, place, depth + 1, survey)
        elif isinstance(item, h5py.Dataset):
            survey.datasets[place] = item
            _check_dataset(item, place, survey)
        else:
            survey.dtypes.append(_problem(survey, place, "neither a group nor a dataset"))


def _check_dataset(data: h5py.Dataset, place: str, survey: _Survey) -> None:
    creation = data.id.get_create_plist()
    filters = {creation.get_filter(i)[0] for i in range(creation.get_nfilters())}
    if data.external or data.is_virtual:
        survey.unsafe.append(
            _problem(survey, place, "a dataset whose values lie in other files")
        )
    elif not filters <= _FILTERS:
        survey.unsafe.append(
            _problem(
                survey, place, f"a filter that needs a plug-in: {sorted(filters - _FILTERS)}"
            )
        )
    text = h5py.check_string_dtype(data.dtype)
    if text is not None and text.length is None:
        count = int(data.size or 0)
        offset = None if data.chunks or count > MAX_TEXTS else data.id.get_offset()
        what = check_text(survey.path, offset, count, survey.heap) if count else ""
        if what:
            survey.unsafe.append(_problem(survey, place, what))
    if text is None and data.dtype.kind not in "fiub":
        survey.dtypes.append(
            _problem(survey, place, f"values of type {data.dtype}; numbers or text are legal")
        )


def _check_sizes(survey: _Survey, max_bytes: int) -> None:
    sizes = {
        place: int(data.size or 0) * data.dtype.itemsize
        for place, data in survey.datasets.items()
    }
    total = sum(sizes.values())
    if total > max_bytes:
        largest = max(sizes, key=sizes.__getitem__)
        raise UnsafeFileError(
            Problem(
                f"the datasets declare {total} bytes, the limit is {max_bytes}; the largest is "
                f"{largest} with {sizes[largest]} bytes",
                where=str(survey.path),
                remedy="this file would not fit; if it is sound, store it in parts",
            )
        )
    for place, data in survey.datasets.items():
        if place.endswith("/edges") and data.shape and data.shape[0] > MAX_EDGES:
            what = f"{data.shape[0]} edges, the limit is {MAX_EDGES}"
            raise UnsafeFileError(_problem(survey, place, what))


def _problem(survey: _Survey, place: str, what: str) -> Problem:
    return Problem(
        f"{place}: {what}",
        where=f"{survey.path}:{place}",
        remedy="nothing was read; get the file from its author as one plain NIR file",
    )


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _read(group: h5py.Group) -> dict[str, Any]:
    """Load a surveyed group."""
    return {
        name: _read(item) if isinstance(item, h5py.Group) else _text(item[()])
        for name, item in group.items()
    }
