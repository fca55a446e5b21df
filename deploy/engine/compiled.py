"""How the kernels are compiled: without the interpreter's lock, kept on disk, never stale."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import config, njit

from ...errors import UsageError

SOURCES = (
    *(
        "compiled.py",
        "native.py",
        "vectors.py",
        "messages.py",
        "arithmetic.py",
        "synapse_kernels.py",
    ),
    *("neuron_kernels.py", "population_kernels.py", "counting.py", "../neurons/arithmetic.py"),
)
INLINE = {"forceinline": True, "no_cfunc_wrapper": True}
"""For functions of kernels: a call would copy the structures that they take, and nobody calls
them from elsewhere."""


@cache
def _stamp() -> str:
    """Hash of every file that compiled code comes from."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def compiled(function: Callable[..., Any], **more: bool) -> Any:
    """Compile when types are known and keep the machine code beside the source.

    numba holds kept code for fresh as long as the file of the function itself is unchanged.
    These kernels call functions of other files, so that all of them count here.

    Raises:
        UsageError: numba's compiler is switched off.
    """
    if config.DISABLE_JIT:
        raise UsageError(
            "NUMBA_DISABLE_JIT is set: without its compiler the fast engine cannot run",
            remedy="unset it, or use --engine reference",
        )
    options = {"nogil": True, "error_model": "numpy", "_nrt": False, **more}
    try:
        made = njit(cache=True, **options)(function)
    except RuntimeError:  # no folder can be written: each process compiles anew
        return njit(**options)(function)
    kept = made._cache._cache_file
    kept._source_stamp = (kept._source_stamp, _stamp())
    return made


def kernel(function: Callable[..., Any]) -> Any:
    """A function that Python calls; see `compiled`."""
    return compiled(function, no_cfunc_wrapper=True)
