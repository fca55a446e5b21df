"""How the kernels are compiled: without the interpreter's lock, kept on disk, never stale."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

SOURCES = (
    *("compiled.py", "vectors.py", "messages.py", "arithmetic.py", "synapse_kernels.py"),
    *("neuron_kernels.py", "population_kernels.py", "../neurons/arithmetic.py"),
)
INLINE = {"forceinline": True}
"""For functions that take whole structures, which a call would copy."""


@cache
def _stamp() -> str:
    """Hash of every file that compiled code comes from."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile at the first call and keep the machine code beside the source.

    numba holds kept code for fresh as long as the file of the function itself is unchanged.
    These kernels call functions of other files, so that all of them count here.
    """
    compiled = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)
    kept = compiled._cache
    if hasattr(kept, "_cache_file"):  # none where no folder for it can be written
        kept._cache_file._source_stamp = (kept._cache_file._source_stamp, _stamp())
    return compiled
