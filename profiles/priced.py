"""An estimate as JSON: energy, time, breakdown, what is not priced, what moves the total."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .costs import CostModel
from .estimate import sensitivity
from .layers import Priced
from .terms import Estimate, Latency

BADGE = "estimate, not a measurement"
PLACED = "estimate, from the placement and the counts of each step"
NOT_PLACED = "estimate, placement not known"


def energy_of(model: CostModel, estimate: Estimate, steps: int) -> dict[str, Any]:
    """Joule per inference and per executed step, with badges; power where there is a time."""
    partial = estimate.partial
    static = estimate.terms["static"].energy
    facts: dict[str, Any] = {
        **estimate.total.as_json("_joule_per_inference"),
        **estimate.total.scaled(1 / steps).as_json("_joule_per_step"),
        "dynamic": estimate.dynamic.as_json("_joule_per_inference"),
        "static": static.as_json("_joule_per_inference") if static else None,
        "kind": "estimate",
        "grade": estimate.grade,
        "partial": partial,
        "badges": [BADGE, "counts simulated", *model.badges, *(["partial"] if partial else [])],
        "band": "lows and highs of all priced terms summed",
        "uncertainty": model.uncertainty,
        "title": model.title,
        "device": model.device,
    }
    if estimate.latency is not None:
        time = estimate.latency.inference
        facts["energy_delay_product_joule_second"] = estimate.total.times(time).as_json()
        seconds = time.nominal
        watts = {
            "dynamic": estimate.dynamic.nominal / seconds if seconds else None,
            "static": static.nominal / seconds if static and seconds else None,
            "total": estimate.total.nominal / seconds if seconds else None,
        }
        facts["nominal_power_watt"] = watts
    return facts


def latency_json(estimate: Estimate) -> dict[str, Any]:
    """Seconds per inference and per step, the busiest core and what binds it."""
    found: Latency | None = estimate.latency
    if found is None:
        return {"nominal_second_per_inference": None, "reason": estimate.no_latency}
    core = found.busiest_core
    return {
        **found.inference.as_json("_second_per_inference"),
        **found.step.as_json("_second_per_step"),
        **found.throughput.as_json("_inference_per_second"),
        "cores": found.cores,
        "chips": found.chips,
        "tiles": found.tiles,
        "placed": found.placed,
        "busiest": found.busiest,
        "busiest_core": core and {"chip_idx": core[0], "core_idx": core[1]},
        "binding": found.binding,
        "binding_share": found.share,
        "reason": PLACED if found.placed else NOT_PLACED,
    }


def breakdown_of(estimate: Estimate) -> dict[str, Any]:
    """Joule per inference, by term; null where there is no price."""
    nothing = {"low": None, "nominal": None, "high": None}
    return {
        key: {
            **(term.energy.as_json() if term.energy else nothing),
            "grade": term.grade,
            "priced": term.priced,
            **({} if term.priced else {"reason": term.reason}),
        }
        for key, term in estimate.terms.items()
    }


def sensitivity_of(
    run: Mapping[str, Any], model: CostModel, nominal: Estimate
) -> list[dict[str, Any]]:
    """Nominal total with one constant at its low and at its high, largest effect first."""
    return [
        {
            "constant": name,
            "low_joule_per_inference": low,
            "nominal_joule_per_inference": nominal.total.nominal,
            "high_joule_per_inference": high,
        }
        for name, (low, high) in sensitivity(run, model).items()
    ]


def unpriced_of(priced: Priced) -> list[dict[str, str]]:
    """What each model leaves out, and why."""
    found = []
    for model, priced_by in priced:
        reasons = {k: t.reason for k, t in priced_by.terms.items() if not t.priced}
        reasons |= {k: v for k, v in model.unpriced.items() if k not in priced_by.terms}
        found += [{"model": model.name, "term": k, "reason": v} for k, v in reasons.items()]
    return found


__all__ = [
    "BADGE",
    "breakdown_of",
    "energy_of",
    "latency_json",
    "sensitivity_of",
    "unpriced_of",
]
