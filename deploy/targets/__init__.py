"""Targets as data: limits and number formats of each chip, with unit, grade and source."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
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
class Mesh:
    """How cores lie: tiles of cores in a chip, chips in rows.

    Attributes:
        cores_per_chip: by which cores are numbered; the last `cores_reserved` of a chip are
            not free.
        cores_per_tile: cores that share a router.
        columns, rows: tiles of a chip.
        chips: of the largest board.
        chip_columns: chips that lie beside each other.
        grade, source: as for a limit.
    """

    cores_per_chip: int
    cores_reserved: int
    cores_per_tile: int
    columns: int
    rows: int
    chips: int
    chip_columns: int
    grade: str
    source: str

    @property
    def usable(self) -> int:
        """Cores of a chip that a placement may use."""
        return self.cores_per_chip - self.cores_reserved


@dataclass(frozen=True, slots=True)
class Memory:
    """How synapses are stored on a core, see deploy/placement/memory.py.

    Attributes:
        formula: name of the formula.
        unit_bits: bits of the unit in which the limit `synaptic_memory` is given.
        compressions: those that may be chosen from.
        synapses_per_entry: most synapses under one header; 0: any number.
        index_bits, skip_bits, delay_bits: legal widths of these fields.
        header_bits: of an entry.
        dense_zeros_stored: whether a dense projection stores its zero weights all the same.
        grade, source: as for a limit.
    """

    formula: str
    unit_bits: int
    compressions: tuple[str, ...]
    synapses_per_entry: int
    index_bits: tuple[int, ...]
    skip_bits: tuple[int, ...]
    delay_bits: tuple[int, ...]
    header_bits: int
    dense_zeros_stored: bool
    grade: str
    source: str


@dataclass(frozen=True, slots=True)
class Axons:
    """Entries of the sender's table, where that is limited (`output_axons`).

    Attributes:
        discrete: per element and destination core, for elements with several of them.
        shared: for all elements together that have the same one destination core.
        other_chip: added to each where the destination lies on another chip.
        grade, source: as for a limit.
    """

    discrete: int
    shared: int
    other_chip: int
    grade: str
    source: str


@dataclass(frozen=True, slots=True)
class Board:
    """A board with that many chips."""

    chips: int
    grade: str
    source: str


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
        limits: of a chip, by name.
        core: limits of one core, by name.
        layers_share_cores: whether neurons of two populations may lie on one core.
        utilisation_ceiling: share of each core's limits that a placement may use.
        memory: how synapses are stored.
        axons: what axons take at the sender; None where nothing is known to limit them.
        mesh: how cores lie.
        boards: by name.
        facts: what else is known of the chip, by name.
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
    core: dict[str, Limit]
    layers_share_cores: bool
    utilisation_ceiling: float
    memory: Memory
    axons: Axons | None
    mesh: Mesh
    boards: dict[str, Board]
    facts: dict[str, Limit]

    def capacity(self, resource: str) -> float:
        """What a placement may use of a core's resource: its limit under the ceiling."""
        return self.core[resource].value * self.utilisation_ceiling


def list_targets() -> list[str]:
    """Names of the targets that come with slipway."""
    files = resources.files(__package__).iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


@cache
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
        core={key: Limit(**entry) for key, entry in content["core"].items()},
        layers_share_cores=bool(content["layers_share_cores"]),
        utilisation_ceiling=float(content["utilisation_ceiling"]),
        memory=_memory(content["memory"]),
        axons=Axons(**content["axons"]) if "axons" in content else None,
        mesh=Mesh(**content["mesh"]),
        boards={key: Board(**entry) for key, entry in content["boards"].items()},
        facts={key: Limit(**entry) for key, entry in content["facts"].items()},
    )


def _memory(content: dict[str, Any]) -> Memory:
    """Lists as tuples: a Target is immutable."""
    fields: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in content.items()
    }
    return Memory(**fields)
