"""The HDF5 side: a file of unknown origin to nested fields, and layers to a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import FileError
from ...files import write_bytes

MAX_BYTES = 2**30
MAX_LAYERS = 1000
_REMEDY = "export the network with lava-dl: net.export_hdf5('network.net')"

Layers = list[dict[str, Any]]


def read_file(path: Path) -> tuple[Layers, dict[str, Any]]:
    """The fields of each layer, and those of the group `simulation`.

    Fields are NumPy values or str, groups inside a layer are dicts. Nothing is read before the
    whole file was looked at (see :mod:`slipway.converters.hdf5_safety`).

    Raises:
        FileError: missing, a folder, empty, not HDF5, no lava-dl network.
        UnsafeFileError: links, data outside the file, more than `MAX_BYTES` declared.
    """
    from ...converters.hdf5_safety import read_hdf5

    tree = read_hdf5(path, "a .net file", "a .net file of lava-dl", MAX_BYTES)
    return _layers(tree, str(path))


def _layers(tree: Mapping[str, Any], where: str) -> tuple[Layers, dict[str, Any]]:
    groups = tree.get("layer")
    if not isinstance(groups, dict) or not groups:
        found = ", ".join(sorted(tree)[:8]) or "nothing"
        raise FileError(
            f"this HDF5 file holds no lava-dl network: no layer/0, its root holds {found}",
            where=where,
            remedy=_REMEDY,
        )
    if len(groups) > MAX_LAYERS:
        raise FileError(
            f"{len(groups)} layers; the limit is {MAX_LAYERS}", where=where, remedy=_REMEDY
        )
    wanted = [str(index) for index in range(len(groups))]
    if sorted(groups) != sorted(wanted):
        odd = ", ".join(sorted(set(groups) - set(wanted))[:5])
        raise FileError(
            f"the {len(groups)} layers must be numbered 0 to {len(groups) - 1}; found is {odd}",
            where=f"{where}: layer",
            remedy=_REMEDY,
        )
    flat = [name for name in wanted if not isinstance(groups[name], dict)]
    if flat:
        raise FileError(
            f"layer {', '.join(flat)} is no group of fields", where=where, remedy=_REMEDY
        )
    simulation = tree.get("simulation")
    return [groups[n] for n in wanted], simulation if isinstance(simulation, dict) else {}


def write_file(
    layers: Sequence[Mapping[str, Any]], simulation: Mapping[str, Any], path: Path
) -> None:
    """Write atomically; keys with a slash make groups. Raises FileError."""
    import h5py

    content = BytesIO()
    with h5py.File(content, "w") as file:
        for index, fields in enumerate(layers):
            for key, value in fields.items():
                _put(file, f"layer/{index}/{key}", value)
        for key, value in simulation.items():
            _put(file, f"simulation/{key}", value)
    write_bytes(path, content.getbuffer())


def _put(file: Any, name: str, value: Any) -> None:
    if name.count("/") == 2 and name.endswith("/type"):  # as slayer writes a layer's type
        file.create_dataset(name, (1,), "S10", [value.encode("ascii")])
    elif isinstance(value, str):
        file.create_dataset(name, data=value)
    else:
        file.create_dataset(name, data=np.asarray(value))
