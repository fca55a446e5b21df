"""Options that several verbs share, each written once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from ..errors import UsageError

Target: TypeAlias = Annotated[
    str, typer.Option("--target", help="Name of a target; see `slipway targets`.")
]
Steps: TypeAlias = Annotated[
    int | None,
    typer.Option("--steps", min=1, help="Time steps for which a frame is presented."),
]
Code: TypeAlias = Annotated[
    Literal["rate", "sigma-delta", "ttfs"],
    typer.Option(
        "--code",
        help="What the IF nodes of a ReLU network become: rates of spikes, graded changes "
        "(sigma-delta), or the time to the first spike.",
    ),
]
WeightBits: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--weight-bits",
        min=1,
        max=16,
        help="Width of all weights, 1 to 8, or 16 for two parts of 8; else 8, two parts behind "
        "loops, fewer where the target's memory needs it.",
    ),
]
Reset: TypeAlias = Annotated[
    Literal["zero", "subtract"] | None,
    typer.Option(
        "--reset", help="What a spike does to the membrane; NIR files often cannot say it."
    ),
]
Encoding: TypeAlias = Annotated[
    Literal["current", "spikes"] | None,
    typer.Option("--input-encoding", help="Whether the inputs carry values or spikes."),
]
Dt: TypeAlias = Annotated[
    float | None,
    typer.Option("--dt", help="Seconds of the network's time per step, e.g. 1e-3."),
]
Calibrate: TypeAlias = Annotated[
    Path | None,
    typer.Option("--calibrate", help="Training data, .npz with x, to take the ranges from."),
]
Data: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--data",
        help=".npz with x and, where known, y: x (N, T, ...) is over time, (N, ...) is frames.",
    ),
]
Samples: TypeAlias = Annotated[
    int | None, typer.Option("--samples", min=1, help="Take the first N samples only.")
]
Memory: TypeAlias = Annotated[
    str,
    typer.Option(
        "--memory",
        help="Most memory for samples and what comes of them, e.g. 512MiB or 2GiB.",
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option("--timeout", help="Stop Lava after this many seconds without an answer."),
]
CostModels: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--cost-model",
        help="Name or file of a cost model; may be repeated.",
    ),
]


UNITS = {"": 1, "b": 1} | {
    prefix + suffix: factor**power
    for suffix, factor in (("ib", 2**10), ("b", 10**3))
    for power, prefix in enumerate("kmgt", start=1)
}
"""Bytes in each unit of size, in lower case."""


def shape(text: str) -> tuple[int, ...]:
    """A shape such as `1,48,48`. Raises UsageError."""
    try:
        sizes = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise UsageError(
            f"--sample-shape {text!r} is no shape",
            remedy="give the sizes of one sample without batch or time, e.g. 1,48,48 or 64",
        )
    return sizes


def names(text: str) -> tuple[str, ...]:
    """Names set apart by commas, such as `fast,lava`."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def size(text: str, option: str) -> int:
    """Bytes, given as `1073741824`, `512MiB` or `1.5 GB`. Raises UsageError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", text.strip().lower())
    count = int(float(found[1]) * UNITS.get(found[2], 0)) if found else 0
    if count < 1:
        raise UsageError(
            f"{option} {text!r} is no size",
            remedy="give bytes, or a number with KiB, MiB, GiB, kB, MB or GB, e.g. 2GiB",
        )
    return count


def positive(value: float | None, option: str) -> float | None:
    """The value, if it is a positive number. Raises UsageError."""
    if value is not None and not 0 < value < float("inf"):
        raise UsageError(f"{option} {value:g} must be a positive number")
    return value
