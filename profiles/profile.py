"""Where the neurons of a run lie, and what its first samples did step by step."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ARRAYS = ("syn_ops", "spikes", "axon_out", "spikes_in")


@dataclass(frozen=True, slots=True)
class Placed:
    """The placement that a run.json states.

    Attributes:
        cores, tiles, chips: in use.
        populations: of each core, name -> neurons.
        addresses: (chip_idx, core_idx) of each core.
    """

    cores: int
    tiles: int
    chips: int
    populations: tuple[Mapping[str, int], ...]
    addresses: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """The first samples of a run.

    Attributes:
        samples, steps: K and T.
        syn_ops, spikes, axon_out, spikes_in: float64 (K, T, cores).
        active: population -> (active updates, all updates) of these samples.
        resting: the same of those in which nothing can change; lacks what was not counted.
    """

    samples: int
    steps: int
    syn_ops: Array
    spikes: Array
    axon_out: Array
    spikes_in: Array
    active: Mapping[str, tuple[int, int]]
    resting: Mapping[str, tuple[int, int]]

    def active_share(self, name: str) -> float | None:
        """Share of a population's updates that were active; None where it was not counted."""
        return _share(self.active.get(name, (0, 0)))

    def resting_share(self, name: str) -> float | None:
        """Share of those in which nothing can change; None where it was not counted."""
        return _share(self.resting.get(name, (0, 0)))


def _share(counted: tuple[int, int]) -> float | None:
    part, whole = counted
    return part / whole if whole else None


def placed_of(run: Mapping[str, Any]) -> Placed | None:
    """The placement of a checked run.json, or None."""
    found = run.get("placement")
    if not found:
        return None
    cores = found["cores"]
    return Placed(
        found["cores_used"],
        found["tiles_used"],
        found["chips_used"],
        tuple(core["populations"] for core in cores),
        tuple((core["chip_idx"], core["core_idx"]) for core in cores),
    )


def profile_of(run: Mapping[str, Any]) -> Profile | None:
    """The profile of a checked run.json, or None; without placement it says nothing."""
    found = run.get("profile")
    if not found or not run.get("placement") or not found["samples"]:
        return None
    arrays = {key: unpack(found["arrays"][key]).astype(np.float64) for key in ARRAYS}
    updates = found.get("neuron_updates") or {}
    active, resting = (
        {
            name: (int(part), int(updates[name]))
            for name, part in (found.get(key) or {}).items()
            if name in updates
        }
        for key in ("active_updates", "resting_updates")
    )
    return Profile(found["samples"], found["steps"], **arrays, active=active, resting=resting)


def unpack(entry: Mapping[str, Any]) -> Array:
    """The array that an entry of run.json holds: base64 of zlib of little-endian bytes.

    Raises:
        ValueError: it holds something else; says what.
    """
    shape, name = entry.get("shape"), entry.get("dtype")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"its shape is {shape!r}")
    if name not in ("int32", "uint8", "int64"):
        raise ValueError(f"its dtype is {name!r}")
    kind = np.dtype(name).newbyteorder("<")
    size = prod(shape) * kind.itemsize
    try:
        packed = base64.b64decode(entry.get("data", ""), validate=True)
        # What would unpack to more than the shape says is not unpacked.
        data = zlib.decompressobj().decompress(packed, size + 1)
    except (binascii.Error, zlib.error, TypeError, ValueError) as error:
        raise ValueError(f"its data cannot be unpacked: {error}") from error
    if len(data) != size:
        raise ValueError(f"its data are not the {size} bytes of shape {shape}")
    return np.frombuffer(data, kind).reshape(shape)
