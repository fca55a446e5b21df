"""Targets as data: limits and number formats of each chip, with unit, grade and source."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ...errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a target.

    Attributes:
        value: the limit.
        unit: what it counts.
        grade: primary, secondary quote, computed or unverified.
        source: where the figure comes from.
    """

    value: float
    unit: str
    grade: str
    source: str


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of the table of what is legal.

    Attributes:
        legal: whether the target can do it.
        note: how, or why not.
        grade, source: as for a limit.
        compartments: neurons of the chip that one such neuron takes.
    """

    legal: bool
    note: str
    grade: str
    source: str
    compartments: int = 1


@dataclass(frozen=True, slots=True)
class Target:
    """A chip.

    Attributes:
        name: as on the command line.
        title: for people.
        graded_messages: whether a message may carry a value.
        thresholds_per_neuron: whether neurons of one population may have unequal thresholds,
            so that each output channel can have a weight scale of its own.
        weight_bits: legal widths of a weight.
        weight_exponents, bias_exponents: least and greatest exponent.
        weights_in_two_parts: whether the compiler may split weights for precision.
        neurons: neuron models and what they may do, by name.
        limits: per chip and core, by name.
    """

    name: str
    title: str
    graded_messages: bool
    thresholds_per_neuron: bool
    weight_bits: tuple[int, ...]
    weight_exponents: tuple[int, int]
    bias_exponents: tuple[int, int]
    weights_in_two_parts: bool
    neurons: dict[str, Feature]
    limits: dict[str, Limit]


def list_targets() -> list[str]:
    """Names of the targets that come with slipway."""
    files = resources.files(__package__).iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def load_target(name: str) -> Target:
    """A target by name. Raises UsageError for an unknown one."""
    if name not in list_targets():
        raise UsageError(
            f"there is no target {name!r}", remedy="use one of " + ", ".join(list_targets())
        )
    text = (resources.files(__package__) / f"{name}.toml").read_text(encoding="utf-8")
    content: dict[str, Any] = tomllib.loads(text)
    limits = {key: Limit(**entry) for key, entry in content["limits"].items()}
    return Target(
        name=name,
        title=content["title"],
        graded_messages=bool(content["graded_messages"]),
        thresholds_per_neuron=bool(content["thresholds_per_neuron"]),
        weight_bits=tuple(content["weight_bits"]),
        weight_exponents=tuple(content["weight_exponents"]),
        bias_exponents=tuple(content["bias_exponents"]),
        weights_in_two_parts=bool(content["weights_in_two_parts"]),
        neurons={key: Feature(**row) for key, row in content["neurons"].items()},
        limits=limits,
    )
