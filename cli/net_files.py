"""Verbs that take a graph also take a .net file: what they do with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..deploy.program import Program

SUFFIX = ".net"


def is_net(path: Path) -> bool:
    """Whether the name is that of a network file of lava-dl."""
    return path.suffix == SUFFIX


def refuse_options(path: Path, given: Mapping[str, Any]) -> None:
    """Refuse options that change numbers: a .net file has its integers already.

    Args:
        path: the file.
        given: option -> whether the user gave it.

    Raises:
        UsageError: one or more were given.
    """
    wrong = [option for option, value in given.items() if value]
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)}: a .net file has its own integers, and they are taken as they "
            "are",
            where=str(path),
            remedy="leave these options out, or export the network as NIR",
        )


def read_program(path: Path, target: str, steps: int | None, dt: float | None) -> Program:
    """The Program that a .net file holds. Errors as for `deploy.netx.read_net`."""
    from ..deploy.netx import read_net
    from .inputs import provenance

    return read_net(
        path, steps=steps, dt=dt, target=target, provenance=provenance(network=path)
    )
