"""Data sets read where they lie: item by item, checked, split, labelled by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import UsageError
from .faces import open_fer2013, open_raf_db
from .findings import find
from .part import Part
from .recordings import open_cep_dvs, open_cifar10_dvs, open_n_caltech101
from .see import open_dsee, open_see

DATASETS: dict[str, Callable[[Path], Mapping[str, Part[Any]]]] = {
    "fer2013": open_fer2013,
    "raf-db": open_raf_db,
    "see": open_see,
    "dsee": open_dsee,
    "n-caltech101": open_n_caltech101,
    "cep-dvs": open_cep_dvs,
    "cifar10-dvs": open_cifar10_dvs,
}
"""Name -> function of its folder that gives its parts by split."""


def open_dataset(name: str, data_dir: Path | None = None) -> Mapping[str, Part[Any]]:
    """Find a data set and open it; see `findings.find` and the functions of DATASETS.

    Raises:
        UsageError: there is no data set of that name.
        FileError: it is not there, or all that is wrong with its folder.
    """
    if name not in DATASETS:
        raise UsageError(
            f"there is no data set named {name!r}", remedy=f"data sets: {', '.join(DATASETS)}"
        )
    return DATASETS[name](find(name, data_dir))
