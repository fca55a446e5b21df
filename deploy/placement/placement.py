"""A placement: the core of every neuron. As a value, and as a JSON file."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import FileError
from ...files import write_text

Array = npt.NDArray[Any]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Placement:
    """Which physical core holds each neuron of a Program. Inputs lie outside the cores.

    Attributes:
        target: name of the target.
        method: how it was found: "place" or "naive".
        seed: that it was found with.
        seconds: that it took.
        core_of: population -> int32 (n,), the core of each neuron, flat in C, H, W order. Core
            ``chip * cores_per_chip + core on the chip``, see `geometry`.
        cores: int32 (c,), the cores in use, ascending.
        used: resource of the target's `core` table -> int64 (c,), used on each of `cores`.
        compression: projection -> core -> how its synapses are stored there: "dense",
            "sparse", "run-length", or "shared" (a convolution: equal lists are stored once).
    """

    target: str
    method: str
    seed: int
    seconds: float
    core_of: Mapping[str, Array]
    cores: Array
    used: Mapping[str, Array]
    compression: Mapping[str, Mapping[int, str]]


def save_placement(placement: Placement, path: Path) -> None:
    """Write a placement as JSON, atomically. Raises FileError."""
    content = {
        "format": FORMAT,
        "target": placement.target,
        "method": placement.method,
        "seed": placement.seed,
        "seconds": placement.seconds,
        "core_of": {name: _packed(cores) for name, cores in placement.core_of.items()},
        "cores": placement.cores.tolist(),
        "used": {name: amounts.tolist() for name, amounts in placement.used.items()},
        "compression": placement.compression,
    }
    write_text(path, json.dumps(content) + "\n")


def load_placement(path: Path) -> Placement:
    """Read a placement.

    Raises:
        FileError: missing, damaged, or of an unknown version.
    """
    remedy = "place the program again: slipway place PROGRAM.slip -o placement.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["format"]
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", remedy=remedy) from error
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"{path} is no placement of slipway", remedy=remedy) from error
    if version != FORMAT:
        raise FileError(
            f"{path} has format {version}; this slipway reads format {FORMAT}", remedy=remedy
        )
    try:
        return Placement(
            target=str(content["target"]),
            method=str(content["method"]),
            seed=int(content["seed"]),
            seconds=float(content["seconds"]),
            core_of={name: _unpacked(cores) for name, cores in content["core_of"].items()},
            cores=np.asarray(content["cores"], np.int32),
            used={k: np.asarray(v, np.int64) for k, v in content["used"].items()},
            compression={
                projection: {int(core): str(how) for core, how in by_core.items()}
                for projection, by_core in content["compression"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
        raise FileError(f"{path} is damaged: {error!r}", remedy=remedy) from error


def _packed(cores: Array) -> str:
    """int32, little-endian, deflated, in base 64: a million neurons stay a small file."""
    return base64.b64encode(zlib.compress(cores.astype("<i4").tobytes())).decode()


def _unpacked(text: str) -> Array:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i4").astype(np.int32)
