"""Which core each neuron lies on, for a run: from a file, or by what the first samples do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import CapacityExceeded, FileError, Problem, UsageError
from .placement import Placement, load_placement, place
from .profile import Observed, Profile, observe, profile_of
from .program import Program
from .routes import Routes, routes_of
from .samples import Data


@dataclass(frozen=True, slots=True)
class Layout:
    """Placement and profile of a run.

    Attributes:
        routes: the placed Program; None in floating point, which no core can hold.
        profile: the first samples step by step; None where one does not fit into memory.
        unplaced: why there is no placement; empty where there is one, and of a Program in
            floating point.
    """

    routes: Routes | None = None
    profile: Profile | None = None
    unplaced: str = ""

    @property
    def fingerprint(self) -> str | None:
        """Hash of which neuron lies on which core; None without a placement."""
        if self.routes is None:
            return None
        from hashlib import sha256

        placement = self.routes.placement
        digest = sha256(placement.target.encode())
        for name, cores in placement.core_of.items():
            digest.update(name.encode() + b"\0" + np.ascontiguousarray(cores, "<i4").tobytes())
        return digest.hexdigest()


def placed(program: Program, data: Data, path: Path | None, memory: int) -> Layout:
    """Place a Program by the messages of the first samples, and profile these.

    Args:
        program: what will run.
        data: its samples.
        path: a placement to take as it is; None: make one.
        memory: bytes of the run; a quarter of them is taken here.

    Raises:
        UsageError: a placement is given for a Program in floating point.
        FileError: the placement is of another Program, or unreadable.
        DataError: the samples do not fit the network.
    """
    if program.precision == "float":
        if path is None:
            return Layout()
        raise UsageError(
            "a Program in floating point lies on no cores",
            where=str(path),
            remedy="leave --placement out, or compile without --precision float",
        )
    if path is not None:
        placement = load_placement(path)
        _check_fit(program, placement, path)
        return _profiled(program, placement, observe(program, data, memory // 4))
    try:
        found = observe(program, data, memory // 4)
        rates = None if found is None else found.rates
        return _profiled(program, place(program, rates=rates), found)
    except (CapacityExceeded, UsageError) as error:  # too large, or no compiler of kernels
        return Layout(unplaced=str(error))


def _check_fit(program: Program, placement: Placement, path: Path) -> None:
    """Raises FileError where it is of another Program."""
    cores = {name: len(of) for name, of in placement.core_of.items()}
    sizes = {p.name: p.size for p in program.populations}
    wrong = {
        name: f"has {size} neurons in the program and {cores.get(name, 0)} in the placement"
        for name, size in sizes.items()
        if cores.get(name) != size
    }
    wrong |= {name: "is not in the program" for name in cores if name not in sizes}
    if wrong:
        remedy = "place this program: slipway place PROGRAM.slip -o placement.json"
        raise FileError(
            *(
                Problem(f"population {name} {what}", str(path), remedy)
                for name, what in wrong.items()
            )
        )


def _profiled(program: Program, placement: Placement, found: Observed | None) -> Layout:
    routes = routes_of(program, placement)
    return Layout(routes, None if found is None else profile_of(routes, found))
