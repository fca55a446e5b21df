"""What the verbs read: data files and where they came from."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..deploy.data import Data


def take(path: Path, samples: int | None) -> Data:
    """The data, or their first samples."""
    from ..deploy.data import load_data

    data = load_data(path)
    if samples is None or samples >= len(data.x):
        return data
    labels = None if data.y is None else data.y[:samples]
    return dataclasses.replace(data, x=data.x[:samples], y=labels)


def provenance(program: Path, data: Data) -> dict[str, Any]:
    """The command, and the files with their hashes."""
    from ..files import sha256

    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "program": {"file": str(program), "sha256": sha256(program)},
        "data": {"file": str(data.path), "sha256": data.sha256},
    }
