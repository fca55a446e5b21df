"""What is wrong with a folder: collected, and shown at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...errors import FileError, Problem

SHOWN = 20
"""Problems that are told one by one; the rest is counted."""

ACCESS: dict[str, str] = {
    "fer2013": "Kaggle, challenge 'Challenges in Representation Learning: Facial Expression "
    "Recognition' (account needed); the csv, or folders or zip archives of its pictures",
    "raf-db": "apply to its authors with a signed agreement, non-commercial research only: "
    "http://www.whdeng.cn/RAF/model1.html",
    "see": "apply to its authors (Dalian University of Technology): http://www.dluticcd.com/, "
    "named by https://github.com/zhanghaiwei1234/Single-eye-Emotion-Recognition",
    "dsee": "apply to the authors of MSKD (arXiv 2407.09521); no address is published there, "
    "the group's earlier set SEE is at http://www.dluticcd.com/",
    "n-caltech101": "https://www.garrickorchard.com/datasets/n-caltech101 (its Caltech101.zip)",
    "caltech101": "https://data.caltech.edu/records/mzrjq-6wc02 (101_ObjectCategories)",
    "cep-dvs": "the links in https://github.com/Brain-Cog-Lab/Transfer-for-DVS/issues/2",
    "cifar10-dvs": "https://doi.org/10.3389/fnins.2017.00309 (figshare; .aedat, or the .aedat4 "
    "conversion that tonic downloads)",
}
"""Data set -> where it is to be had or applied for."""

FOLDERS: dict[str, tuple[str, ...]] = {
    "fer2013": ("fer2013", "FER2013"),
    "raf-db": ("raf-db", "RAF-DB", "rafdb", "RAFDB"),
    "see": ("SEE", "see"),
    "dsee": ("DSEE", "dsee"),
    "n-caltech101": ("n-caltech101", "N-Caltech101", "NCALTECH101"),
    "cep-dvs": ("cep-dvs", "CEP-DVS"),
    "cifar10-dvs": ("cifar10-dvs", "CIFAR10-DVS", "CIFAR10DVS"),
}
"""Data set -> the names its folder goes by."""


def find(name: str, data_dir: Path | None = None) -> Path:
    """The folder of a data set.

    Args:
        name: a key of FOLDERS.
        data_dir: the folder that holds it; None: $SLIPWAY_DATA, and without that
            ../shared/data beside the repository and beside the current folder.

    Raises:
        FileError: not there; says where it looked and where the data set is to be had.
    """
    variable = os.environ.get("SLIPWAY_DATA")
    shared = Path("shared", "data")
    if data_dir is not None:
        roots = [Path(data_dir)]
    elif variable:
        roots = [Path(variable)]
    else:
        roots = [Path(__file__).resolve().parents[3] / shared, Path.cwd().parent / shared]
    folders = [root / folder for root in roots for folder in FOLDERS[name]]
    for folder in folders:
        if folder.is_dir():
            return folder
    raise FileError(
        Problem(
            f"there is no folder of the data set {name}",
            ", ".join(str(root / FOLDERS[name][0]) for root in roots),
            f"set SLIPWAY_DATA to the folder that holds it, or name the folder; "
            f"to be had: {ACCESS[name]}",
        )
    )


def refuse(name: str, problems: Sequence[Problem]) -> None:
    """Raise all problems of a folder as one error; do nothing if there are none.

    The first 20 are told one by one and the rest counted; where the data set is to be had is
    told once.

    Raises:
        FileError: there are problems.
    """
    if not problems:
        return
    shown = list(problems[:SHOWN])
    if len(problems) > SHOWN:
        shown.append(
            Problem(f"{len(problems) - SHOWN} more problems of {len(problems)} are not shown")
        )
    shown.append(Problem(f"{name}: where it is to be had", remedy=ACCESS[name]))
    raise FileError(*shown)


def needed_folder(path: Path, name: str) -> None:
    """Raise FileError if `path` is no folder; says where the data set is to be had."""
    if not path.is_dir():
        refuse(name, [Problem("there is no such folder", str(path), "name the right folder")])
