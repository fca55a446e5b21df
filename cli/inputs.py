"""Where a result came from: the command and the files, for `provenance`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any


def provenance(**files: Path | None) -> dict[str, Any]:
    """The version, the command, and each file with its hash, by the name it is given here."""
    from .. import __version__
    from ..files import sha256

    hashes = {
        name: {"file": str(path), "sha256": sha256(path)}
        for name, path in files.items()
        if path is not None
    }
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {"slipway": __version__, "command": command, **hashes}
