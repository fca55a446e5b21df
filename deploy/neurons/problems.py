"""What makes a NIR neuron impossible to run: parameters, and combinations without a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...errors import Problem
from ..formats import THRESHOLD

# Metadata key -> parameters of which Lava's model has one value for a whole population.
_UNIFORM = {
    "negative_threshold": ("v_threshold",),
    "threshold_step": ("tau", "tau_mem", "tau_syn", "v_threshold"),
    "resonator_period": ("tau", "v_threshold"),
}
_MODEL_NAMES = {
    "negative_threshold": "ternary LIF",
    "threshold_step": "adaptive-threshold LIF",
    "resonator_period": "resonate-and-fire",
}
_TAUS = ("tau", "tau_syn", "tau_mem", "threshold_tau", "refractory_tau")


def neuron_problems(
    name: str, node: Any, dt: float, graph_reset: str = "zero"
) -> list[Problem]:
    """What makes a NIR neuron impossible to run at that dt, in a graph of that reset mode."""
    where = f"node {name} ({type(node).__name__})"
    wishes = dict(getattr(node, "metadata", None) or {})
    found = [
        *_time_constants(node, wishes, dt),
        *_reset(node, str(wishes.get("reset", graph_reset))),
        *_thresholds(node),
        *_combinations(node, wishes, dt, graph_reset),
    ]
    return [Problem(what, where, remedy) for what, remedy in found]


def _time_constants(
    node: Any, wishes: Mapping[str, Any], dt: float
) -> Iterator[tuple[str, str]]:
    for field in _TAUS:
        tau = getattr(node, field, wishes.get(field))
        if tau is None:
            continue
        smallest = float(np.min(tau))
        if smallest < dt * (1 - 1e-9):
            yield (
                f"{field} = {smallest:g} s is shorter than the time step dt = {dt:g} s: "
                "a forward Euler step would overshoot",
                f"use a dt of at most {smallest:g} s, or check the unit of {field}",
            )


def _reset(node: Any, reset: str) -> Iterator[tuple[str, str]]:
    if reset not in ("zero", "subtract"):
        yield f"reset {reset!r} is unknown", "use zero or subtract"
    v_reset = getattr(node, "v_reset", None)
    if v_reset is None or not np.any(v_reset):
        return
    over = np.asarray(v_reset) >= np.asarray(node.v_threshold)
    if over.any():
        index = tuple(int(i) for i in np.argwhere(over)[0])
        yield (
            f"v_reset = {float(np.asarray(v_reset)[index]):g} is not below v_threshold = "
            f"{float(np.asarray(node.v_threshold)[index]):g}: a neuron that has spiked would "
            "spike at every step",
            "use a v_reset below the threshold",
        )
    if reset == "subtract":
        yield (
            "reset by subtraction and a v_reset other than 0 exclude each other",
            "drop one of them",
        )


def _thresholds(node: Any) -> Iterator[tuple[str, str]]:
    for field in ("v_threshold", "threshold"):
        threshold = getattr(node, field, None)
        if threshold is not None and np.any(np.asarray(threshold) < 0):
            yield (
                f"{field} = {float(np.min(threshold)):g} is negative; the register holds "
                f"{THRESHOLD.minimum} to {THRESHOLD.maximum}",
                "train with thresholds of at least 0",
            )


def _combinations(
    node: Any, wishes: Mapping[str, Any], dt: float, graph_reset: str
) -> Iterator[tuple[str, str]]:
    models = [key for key in _UNIFORM if key in wishes]
    if len(models) > 1:
        yield (
            f"{' and '.join(models)} name two neuron models at once",
            "keep the metadata of one of them",
        )
    for key in models:
        title = _MODEL_NAMES[key]
        if not hasattr(node, "v_threshold"):
            yield f"{key} needs a spiking neuron", "use a LIF, CubaLIF or IF node"
            continue
        mixed = [
            field
            for field in (*_UNIFORM[key], key)
            if np.ptp(np.asarray(getattr(node, field, wishes.get(field, 0)), np.float64)) > 0
        ]
        if mixed:
            yield (
                f"a {title} population has one {', one '.join(mixed)} for all its neurons",
                "use one value, or split the population",
            )
        lost = [k for k in ("refractory", "reset_interval") if k in wishes]
        # The membrane of the other two models is not reset at all, whatever the graph says.
        resets = graph_reset if key == "negative_threshold" else "zero"
        soft = str(wishes.get("reset", resets)) == "subtract"
        lost += ["reset by subtraction"] if soft else []
        lost += ["v_reset"] if np.any(getattr(node, "v_reset", 0)) else []
        if lost:
            yield f"a {title} neuron has no {', no '.join(lost)}", "drop it"
    if "resonator_period" in wishes and not hasattr(node, "tau"):
        yield "a resonate-and-fire neuron needs a tau", "use a LIF node"
    period = np.asarray(wishes.get("refractory", 0.0), np.float64)
    if np.ptp(period) > 0:
        yield "the refractory period is not the same for all neurons", "use one value"
    steps = float(np.max(period)) / dt
    if abs(steps - round(steps)) > 1e-3:
        yield (
            f"a refractory period of {float(np.max(period)):g} s is {steps:.4g} steps of "
            f"{dt:g} s; it must be a whole number",
            f"use {round(steps) * dt:g} s",
        )
