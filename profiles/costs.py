"""Cost models: data files with the price of each operation and where the price is from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from ..errors import FileError, UsageError
from .terms import Band

_FOLDER = "costs"


@dataclass(frozen=True, slots=True)
class Constant:
    """One price.

    Attributes:
        value, low, high: in `unit`; 0 <= low <= value <= high.
        unit: "joule", "second" or "watt".
        term: the term of the breakdown that it prices, or "latency".
        scope: "per_term" or "all_in"; an all-in figure is never multiplied with counts.
        evidence: one of EVIDENCE.
        grade: how the figure was read: primary, secondary quote, computed, unverified.
        voltage, source: as the source states them.
        band: where low and high come from, with the word "assumed" where they are.
        counts: the count that it prices, one of `quantities`; empty where the method knows.
        tiles, chips: of a barrier: the number in use at which it has this value; else 0.
        bytes: of a memory: its size at which an access has this value; else 0.
    """

    value: float
    low: float
    high: float
    unit: str
    term: str
    scope: str
    evidence: str
    grade: str
    voltage: str
    source: str
    band: str
    counts: str = ""
    tiles: int = 0
    chips: int = 0
    bytes: int = 0

    @property
    def price(self) -> Band:
        """Low, nominal and high."""
        return Band(self.low, self.value, self.high)


@dataclass(frozen=True, slots=True)
class CostModel:
    """A cost model as its file states it.

    Attributes:
        name: the file's name without ".toml".
        title: one line.
        device: the target that it prices; compared with the run's target.
        process: technology node.
        method: how counts are priced: "events", "operations" or "memory"; "orientation":
            not at all, the figures are only for reading.
        constants: by name.
        unpriced: term (or other omission) -> reason.
        layout: neurons_per_core and cores_per_chip; empty if the model has no time.
        core_time: "sum" or "maximum": how synops, updates and messages of a core add up.
        neuron_operations: neuron kind -> operations of one update (methods "operations" and
            "memory").
        orientation: figures that are never multiplied with counts, all-in ones among them.
        badges: short words beside every headline figure.
        uncertainty: how far the figures may be off, in words.
        assumptions: one sentence each.
        file: path or name of the file.
        sha256: of the file's content.
    """

    name: str
    title: str
    device: str
    process: str
    method: str
    constants: Mapping[str, Constant]
    unpriced: Mapping[str, str]
    layout: Mapping[str, int] = field(default_factory=dict)
    core_time: str = "sum"
    neuron_operations: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    orientation: Mapping[str, Constant] = field(default_factory=dict)
    badges: tuple[str, ...] = ()
    uncertainty: str = ""
    assumptions: tuple[str, ...] = ()
    file: str = ""
    sha256: str = ""

    @property
    def timed(self) -> bool:
        """Whether the model has a time of an inference."""
        return any(constant.unit == "second" for constant in self.constants.values())


def list_cost_models() -> tuple[str, ...]:
    """Names of the cost models that slipway ships."""
    home = resources.files(__package__) / _FOLDER
    names = [path.name for path in home.iterdir()]
    return tuple(sorted(n.removesuffix(".toml") for n in names if n.endswith(".toml")))


def load_cost_model(name_or_path: str | Path) -> CostModel:
    """A shipped cost model by name, or any by the path of its .toml file.

    Raises:
        UsageError: no cost model of that name; lists the known ones.
        FileError: the file cannot be read or is no cost model; names each wrong key.
    """
    from .cost_reader import read_cost_model

    text = str(name_or_path)
    known = list_cost_models()
    if text in known:
        path = resources.files(__package__) / _FOLDER / f"{text}.toml"
        return read_cost_model(path.read_bytes(), name=text, where=path.name)
    if not text.endswith(".toml"):
        near = difflib.get_close_matches(text, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"unknown cost model {text!r}",
            remedy=f"{hint}known are {', '.join(known)}; or give the path of a .toml file",
        )
    try:
        content = Path(text).read_bytes()
    except OSError as error:
        raise FileError(
            f"cannot read the cost model: {error.strerror}",
            where=text,
            remedy=f"check the path, or choose from {', '.join(known)}",
        ) from error
    return read_cost_model(content, name=Path(text).stem, where=text)
