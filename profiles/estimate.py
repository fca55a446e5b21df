"""Counts times a cost model: the one function that prices a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import UsageError
from . import events, memory, operations
from .costs import CostModel
from .counts import Counts, counts_of
from .latency import step_with
from .terms import Band, Estimate, Latency, Term

METHODS: dict[str, Callable[[Counts, CostModel], Estimate]] = {
    "events": events.price,
    "memory": memory.price,
    "operations": operations.price,
}


def estimate(run: Mapping[str, Any], model: CostModel) -> Estimate:
    """Energy and time of one inference.

    Args:
        run: a run.json that `check_run` accepted.
        model: the prices.

    Raises:
        UsageError: the model's figures are not to be multiplied with counts.
    """
    return price(counts_of(run), model)


def price(counts: Counts, model: CostModel) -> Estimate:
    """As `estimate`, of counts that were read before."""
    if model.method not in METHODS:
        raise UsageError(
            f"{model.name} has no price of an operation: its figures are all-in or of unstated "
            "scope, each holds at one operating point, and must not be multiplied with counts",
            where=model.file,
            remedy=f"read them with: slipway costs {model.name}; choose another cost model",
        )
    return METHODS[model.method](counts.on(model.device), model)


def sensitivity(run: Mapping[str, Any], model: CostModel) -> dict[str, tuple[float, float]]:
    """Nominal total in joule with one constant at its low, then at its high.

    Only constants that have a band and move the total; the one that moves it most comes first.
    """
    counts = counts_of(run)
    nominal = price(counts, model)
    total_with = _total_with(counts.on(model.device), model, nominal)
    found = {}
    for name in nominal.used:
        constant = model.constants[name]
        if constant.low == constant.high:
            continue
        ends = tuple(total_with(name, end) for end in (constant.low, constant.high))
        if ends[0] != ends[1]:
            found[name] = (ends[0], ends[1])
    return dict(sorted(found.items(), key=lambda item: item[1][0] - item[1][1]))


def _total_with(
    counts: Counts, model: CostModel, nominal: Estimate
) -> Callable[[str, float], float]:
    """The nominal total with one constant at another value."""
    latency, static = nominal.latency, nominal.terms["static"].energy
    timed = latency is not None and latency.placed and static is not None
    step = step_with(counts, model) if timed else None

    def total_with(name: str, value: float) -> float:
        constant = model.constants[name]
        if constant.unit == "second" and step and latency and static:
            # Only static power lasts longer.
            longer = step(name, value) / latency.step.nominal
            return nominal.dynamic.nominal + static.nominal * longer
        changed = replace(
            model, constants={**model.constants, name: replace(constant, value=value)}
        )
        if constant.unit != "second" and model.method == "events":
            return events.price(counts, changed, latency).total.nominal
        return METHODS[model.method](counts, changed).total.nominal

    return total_with


__all__ = ["METHODS", "Band", "Estimate", "Latency", "Term", "estimate", "price", "sensitivity"]
