"""Where cores lie: chips side by side, tiles on a grid, cores in tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..targets import Mesh

Array = npt.NDArray[Any]


def chip_of(mesh: Mesh, core: Any) -> Array:
    """The chip of each core."""
    return np.asarray(core) // mesh.cores_per_chip


def tile_of(mesh: Mesh, core: Any) -> tuple[Array, Array]:
    """(x, y) of each core's tile in the grid over all chips."""
    chip, tile = np.divmod(np.asarray(core), mesh.cores_per_chip)
    tile = tile // mesh.cores_per_tile
    x = chip % mesh.chip_columns * mesh.columns + tile % mesh.columns
    y = chip // mesh.chip_columns * mesh.rows + tile // mesh.columns
    return x, y


def physical(mesh: Mesh, number: Any) -> Array:
    """Core of each consecutive number, the cores that a chip reserves left out."""
    chip, core = np.divmod(np.asarray(number), mesh.usable)
    return np.asarray(chip * mesh.cores_per_chip + core)
