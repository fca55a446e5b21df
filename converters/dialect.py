"""Which time step a NIR file was written for: it is not part of the format.

Fingerprints of writers, from their sources: snnTorch and SpikingJelly write r = tau / dt and
w_in = tau_syn / dt; SpikingJelly writes r = 1 / dt into IF; sinabs counts tau in steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import GraphError, Problem, UsageError
from .nir_schema import Node

SAME = 1e-4
NORSE_DT = 1e-3
SNNTORCH = (
    "tau / r, and tau_syn / w_in, are the same everywhere, as snnTorch and SpikingJelly do it"
)
ROCKPOOL = (
    "r = tau exp(-dt / tau) / dt, as rockpool writes it; its decays are exp(-dt / tau), those "
    "of NIR's equations 1 - dt / tau"
)
COUNTING = "IF nodes with r = 1 and no time constant: v += x per step, as sinabs writes it"


def _constant(ratios: list[Any]) -> float | None:
    """The one value that all arrays hold, to within rounding of float32."""
    if not ratios:
        return None
    values = np.concatenate([np.ravel(r) for r in ratios])
    if not np.isfinite(values).all():
        return None
    middle = float(np.median(values))
    same = (np.abs(values - middle) <= SAME * abs(middle)).all()
    return float(f"{middle:.6g}") if same and middle > 0 else None


def _rockpool(tau: Any, r: Any) -> Any:
    """The dt with r = tau exp(-dt / tau) / dt: x exp(x) = 1 / r for x = dt / tau, by Newton."""
    x = np.log1p(1 / r)
    for _ in range(20):
        x = x - (x - np.exp(-x) / r) / (1 + x)
    return tau * x


def _taus(nodes: Mapping[str, Node]) -> dict[str, float]:
    """Smallest time constant of every neuron node."""
    names = ("tau", "tau_mem", "tau_syn")
    return {
        key: min(float(node.fields[n].min()) for n in names if n in node.fields)
        for key, node in nodes.items()
        if any(n in node.fields for n in names)
    }


def _norse(tau: float) -> str:
    """What to know about norse, whose files also have r = 1."""
    if tau < NORSE_DT:
        return "; norse up to 1.1.0 writes tau too small by the factor dt"
    return f"; norse's default is {NORSE_DT:g} s"


def candidates(nodes: Mapping[str, Node]) -> list[tuple[float | None, str]]:
    """Readings of the file: (dt in seconds or None, why)."""
    ratios, gains, counted, steps = [], [], [], []
    for node in nodes.values():
        f = node.fields
        with np.errstate(all="ignore"):
            if node.kind in ("LIF", "LI", "CubaLIF", "CubaLI"):
                ratios.append(f.get("tau", f.get("tau_mem")) / f["r"])
                gains.append(f["r"])
                steps.append(_rockpool(f.get("tau", f.get("tau_mem")), f["r"]))
            if node.kind in ("CubaLIF", "CubaLI"):
                ratios.append(f["tau_syn"] / f["w_in"])
        if node.kind == "IF":
            counted.append(f["r"])
    taus = _taus(nodes)
    found: list[tuple[float | None, str]] = []
    ratio, unit = _constant(ratios), _constant(gains) == 1.0
    if ratio is not None and not unit:
        found.append((ratio, SNNTORCH))
    rate = _constant(counted)
    if rate == 1.0 and not taus:
        found.append((1.0, COUNTING))
    elif rate is not None and rate > 1:
        found.append((float(f"{1 / rate:.6g}"), "IF nodes with r = 1 / dt"))
    exponential = _constant(steps)
    if not found and exponential is not None and not unit:
        found.append((exponential, ROCKPOOL))
    low = min(taus.values(), default=0.0)
    if unit and low >= 1:
        found.append((1.0, f"tau from {low:g} on looks like steps, as sinabs writes it"))
    elif unit and taus:
        found.append((None, f"r = 1 and tau in seconds: any dt below {low:g} s{_norse(low)}"))
    return found


def decide_dt(nodes: Mapping[str, Node], stored: Any, dt: float | None, where: str) -> float:
    """The step in seconds: from the argument or the file's metadata, never guessed.

    Raises:
        UsageError: unknown, contradictory, not positive, or unfit for `v += x` neurons.
        GraphError: a time constant below dt, which makes Euler's decay negative.
    """
    given = stored if dt is None else dt
    if given is None:
        raise UsageError(_unknown(nodes, where))
    if not isinstance(given, int | float) or not np.isfinite(given) or given <= 0:
        raise UsageError(f"dt must be positive seconds, it is {given!r}", where=where)
    if dt is not None and stored is not None and not np.isclose(dt, stored, rtol=1e-9, atol=0):
        raise UsageError(
            f"dt {dt:g} s contradicts the file, which states {stored:g} s",
            where=where,
            remedy="leave --dt out",
        )
    readings = candidates(nodes)
    counting = (1.0, COUNTING) in readings
    if counting and stored is None and given != 1.0:
        raise UsageError(
            f"with dt {given:g} s, {COUNTING} would become v += {given:g} * x",
            where=where,
            remedy="give --dt 1 to read one step as the unit of time",
        )
    short = {name: tau for name, tau in _taus(nodes).items() if tau < given * (1 - SAME)}
    if short:
        remedy = f"give a dt below {min(short.values()):g} s: --dt"
        unit = any(value is None for value, _ in readings)
        filtered = any("tau_syn" in node.fields for node in nodes.values())
        if unit and not filtered and min(short.values()) > given * given:
            remedy += f"; if norse wrote it, --dt {given * given:g} computes what norse does"
        raise GraphError(
            *(
                Problem(
                    f"node {name!r} has a time constant of {tau:g} s, below dt = {given:g} s"
                    f": its decay would be negative{_norse(tau) if unit else ''}",
                    where,
                    remedy,
                )
                for name, tau in short.items()
            )
        )
    return float(given)


def _unknown(nodes: Mapping[str, Node], where: str) -> Problem:
    readings = candidates(nodes)
    listed = "; ".join(f"{v:g} s ({why})" if v else why for v, why in readings)
    certain = [v for v, _ in readings if v]
    low = min(_taus(nodes).values(), default=NORSE_DT)
    step = NORSE_DT if low > NORSE_DT else 10.0 ** np.floor(np.log10(0.999 * low))
    example = f"--dt {certain[0] if certain else step:g}"
    return Problem(
        "the file does not state its time step" + (f"; it suggests {listed}" if listed else ""),
        where=where,
        remedy=f"give the step in seconds that it was trained with: {example}",
    )
