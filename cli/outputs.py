"""Outputs: refused before long work starts; JSON that every parser reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from ..errors import FileError, UsageError

# Who writes what -o names: the wrapper the result as JSON, or the verb itself.
Writes = Literal["json", "file", "folder"]


def prepare(path: Path, writes: Writes, inputs: Iterable[Path]) -> None:
    """Make sure that the output can be written, without touching what is there.

    Raises:
        UsageError: the path is one of the inputs.
        FileError: it cannot be written; says why and what to do.
    """
    from ..files import check_writable, make_folder

    if any(_same(path, source) for source in inputs):
        raise UsageError(
            "the output would overwrite an input",
            where=str(path),
            remedy="give another file to -o",
        )
    if path.exists() and not path.is_file() and not path.is_dir():
        raise FileError(  # renaming a finished file to it would replace the device itself
            f"cannot write {path}: it is a device or a pipe, not a regular file",
            remedy="give a file to -o; --json prints the result to standard output",
        )
    if writes == "folder":
        make_folder(path)
        check_writable(path / "probe")
    else:
        check_writable(path)


def _same(path: Path, source: Path) -> bool:
    try:
        return path.samefile(source)
    except OSError:
        return False


def json_text(value: Mapping[str, Any]) -> str:
    """JSON that every parser reads: infinities and NaN become null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False, default=_plain)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays, and paths, as JSON values."""
    return str(value) if isinstance(value, Path) else _finite(value.tolist())
