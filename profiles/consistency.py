"""Rows without a known rate: a family of networks, its slope, and the rate that it implies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FileError, Problem
from .costs import CostModel
from .estimate import estimate
from .tables import Tables
from .validation_rows import REMEDY, Row, changed
from .workloads import run_of_row

# Largest residual of a straight line, of the largest estimate.
RESIDUAL = 0.01
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
        isinstance(v, (int, float)) and not isinstance(v, bool) and v > 0 for v in found
    ):
        return [float(v) for v in found]
    tables.wrong(f"family.{key}", f"must be a list of numbers above 0, is {found!r}")
    return []


@dataclass(frozen=True, slots=True)
class Fit:
    """A family under one cost model, at the rate that the measured slope implies.

    Attributes:
        rate: spikes per neuron and step; None where no rate fits.
        joule: estimate of each member at that rate.
        residual: largest distance from a straight line, of the largest estimate.
    """

    rate: float | None
    joule: tuple[float, ...]
    residual: float


def fit(row: Row, family: Family, model: CostModel, values: Mapping[str, Any]) -> Fit:
    """The rate at which one more of the parameter costs what was measured.

    An estimate is a straight line in the rate, so two slopes give it.

    Raises:
        FileError, DataAbsent: as `run_of_row`.
    """

    def energies(rate: float) -> list[float]:
        found = []
        for member in family.values:
            changes = {family.parameter: member, family.rate: rate}
            run = run_of_row(row, changed(values, changes))
            found.append(estimate(run, model).dynamic.nominal)
        return found

    silent, busy = (float(np.polyfit(family.values, energies(r), 1)[0]) for r in (0.0, 1.0))
    if busy == silent:
        raise FileError(
            Problem(f"{family.rate} does not change the slope of the family", row.where, REMEDY)
        )
    rate = (family.slope_joule - silent) / (busy - silent)
    plausible = 0 < rate < 1
    found = energies(rate if plausible else 0.0)
    line = np.polyval(np.polyfit(family.values, found, 1), family.values)
    residual = float(np.abs(np.asarray(found) - line).max() / max(found))
    return Fit(rate if plausible else None, tuple(found), residual)


def family_rows(row: Row, models: Sequence[CostModel]) -> list[dict[str, Any]]:
    """An entry for every member and model; the rate is solved for, so there is no ratio.

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
            measured = family.watt[n] / family.per_second[n]
            entries.append(
                {
                    "name": _name(row.name, member),
                    "cost_model": model.name,
                    "estimate_joule": found.joule[n] if found.rate is not None else None,
                    "measured_joule": measured,
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
