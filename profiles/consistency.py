"""Rows without a known rate: a family of networks, its slope, and the rate that it implies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FileError, Problem
from .costs import CostModel
from .estimate import estimate
from .tables import LARGEST, Tables
from .validation_rows import REMEDY, Row, changed
from .workloads import run_of_row

# Largest residual of a straight line, of the largest estimate.
RESIDUAL = 0.01
# Of the implied rate.
PRECISION = 1e-7
_FAMILY = ("parameter", "rate", "values", "watt", "per_second")


@dataclass(frozen=True, slots=True)
class Family:
    """The table `family` of a row.

    Attributes:
        parameter: dotted key of the row that the members differ in.
        rate: dotted key of the spike rate that is not known.
        values: of the parameter.
        watt: measured dynamic power of each member.
        per_second: units of work per second of each.
    """

    parameter: str
    rate: str
    values: tuple[int, ...]
    watt: tuple[float, ...]
    per_second: tuple[float, ...]

    @property
    def slope_joule(self) -> float:
        """Measured joule per unit of work that one more of the parameter takes."""
        slope = float(np.polyfit(self.values, self.watt, 1)[0])
        return slope / float(np.mean(self.per_second))


def family_of(row: Row) -> Family:
    """The family of a row. Raises FileError, which names every wrong key."""
    tables = Tables(row.where, REMEDY)
    table = tables.table(dict(row.values), "family")
    tables.known(table, "family", _FAMILY)
    lists = {key: _numbers(tables, table, key) for key in ("values", "watt", "per_second")}
    if len({len(values) for values in lists.values()}) > 1 or len(lists["values"]) < 3:
        tables.wrong("family", "needs values, watt and per_second of three members or more")
    parameter, rate = (tables.word(table, key, "family") for key in ("parameter", "rate"))
    for key in filter(None, (parameter, rate)):
        try:
            changed(row.values, {key: 1})
        except (KeyError, TypeError, AttributeError):
            tables.wrong("family", f"names {key}, which is not in this row")
    if tables.problems:
        raise FileError(*tables.problems)
    return Family(
        parameter,
        rate,
        tuple(round(v) for v in lists["values"]),
        tuple(lists["watt"]),
        tuple(lists["per_second"]),
    )


def _numbers(tables: Tables, table: Mapping[str, Any], key: str) -> list[float]:
    found = table.get(key)
    if isinstance(found, list) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and 0 < v < LARGEST
        for v in found
    ):
        return [float(v) for v in found]
    tables.wrong(f"family.{key}", f"must be a list of numbers above 0, is {found!r}")
    return []


@dataclass(frozen=True, slots=True)
class Fit:
    """A family under one cost model, at the rate that the measured slope implies.

    Attributes:
        rate: spikes per neuron and step; None where no rate fits.
        joule: estimate at that rate of what each member has beyond the part that all have.
        residual: largest distance from a straight line, of the largest estimate.
    """

    rate: float | None
    joule: tuple[float, ...]
    residual: float


def fit(row: Row, family: Family, model: CostModel, values: Mapping[str, Any]) -> Fit:
    """The rate at which one more of the parameter costs what was measured.

    An estimate grows with the rate, not quite in a straight line: bisection.

    Raises:
        FileError, DataAbsent: as `run_of_row`.
    """

    def energies(rate: float, members: Sequence[int]) -> list[float]:
        found = []
        for member in members:
            changes = {family.parameter: member, family.rate: rate}
            run = run_of_row(row, changed(values, changes))
            found.append(estimate(run, model).dynamic.nominal)
        return found

    ends = (min(family.values), max(family.values))

    def slope_at(rate: float) -> float:
        first, last = energies(rate, ends)
        return (last - first) / (ends[1] - ends[0])

    silent, busy = slope_at(0.0), slope_at(1.0)
    if busy <= silent:
        text = f"{family.rate} does not raise the slope of the family"
        raise FileError(Problem(text, row.where, REMEDY))
    plausible = silent < family.slope_joule < busy
    low, high = 0.0, 1.0
    while plausible and high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if slope_at(middle) < family.slope_joule else (low, middle)
    rate = (low + high) / 2
    found = energies(rate, family.values)
    slope, common = np.polyfit(family.values, found, 1)
    line = slope * np.asarray(family.values) + common
    residual = float(np.abs(np.asarray(found) - line).max() / max(found))
    joule = tuple(float(each - common) for each in found)
    return Fit(rate if plausible else None, joule, residual)


def family_rows(row: Row, models: Sequence[CostModel]) -> list[dict[str, Any]]:
    """An entry for every member and model; the rate is solved for, so there is no ratio.

    Measured is the slope times the parameter, estimated the same part at the implied rate:
    that both agree is no merit, that the estimates lie on a line and the rate in (0, 1) is.

    Raises:
        FileError, DataAbsent: as `run_of_row`.
    """
    family = family_of(row)
    entries = []
    for model in models:
        found = fit(row, family, model, row.values)
        good = found.rate is not None and found.residual < RESIDUAL
        said, variations = _assumptions(row, family, model)
        for n, member in enumerate(family.values):
            entries.append(
                {
                    "name": _name(row.name, member),
                    "cost_model": model.name,
                    "estimate_joule": found.joule[n] if found.rate is not None else None,
                    "measured_joule": family.slope_joule * member,
                    "ratio": None,
                    "assumptions": said,
                    "kind": row.kind,
                    "device": row.device,
                    "gated": False,
                    "status": "consistent" if good else "inconsistent",
                    "implied": {
                        "rate": found.rate,
                        "slope_joule": family.slope_joule,
                        "residual": found.residual,
                        "measured_with_offset_joule": family.watt[n] / family.per_second[n],
                    },
                    "variations": variations,
                    "source": row.source,
                    "grade": row.grade,
                    "notes": list(row.notes),
                }
            )
    return entries


def _name(name: str, member: int) -> str:
    """blouw_scaling_N -> blouw_scaling_4."""
    return f"{name.removesuffix('N')}{member}" if name.endswith("_N") else f"{name}_{member}"


def _assumptions(
    row: Row, family: Family, model: CostModel
) -> tuple[list[str], list[dict[str, Any]]]:
    """Each with the implied rate of its variants."""
    texts, variations = [], []
    for assumption in row.assumptions:
        told = []
        for label, changes in assumption.variants.items():
            rate = fit(row, family, model, changed(row.values, changes)).rate
            told.append(f"{label}: implied rate {'none' if rate is None else f'{rate:.3f}'}")
            variations.append({"assumption": assumption.text, "label": label, "rate": rate})
        texts.append(f"{assumption.text} ({'; '.join(told) or assumption.not_varied})")
    return texts, variations
