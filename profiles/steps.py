"""Time of each step of the profiled samples, from the counts of each core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .costs import Constant, CostModel
from .counts import Counts
from .profile import Placed, Profile
from .quantities import CORE_TIME, PROJECTION
from .terms import Band

Array = npt.NDArray[Any]
PARTS = ("synapse", "neuron", "message")


@dataclass(frozen=True, slots=True)
class Steps:
    """Times of steps, means over the profiled samples, and what bounds them.

    Attributes:
        samples, steps: K and T.
        low, nominal, high: seconds of each step, (K, T): the busiest core and the barrier.
        core: index of the busiest core of each step, (K, T), by its nominal time.
        cores: nominal seconds of each core in each step, (K, T, cores).
        parts: nominal time of that core by part, (K, T) each; and of the barrier.
        barrier: seconds.
    """

    samples: int
    steps: int
    low: Array
    nominal: Array
    high: Array
    core: Array
    cores: Array
    parts: Mapping[str, Array]
    barrier: Band

    @property
    def band(self) -> Band:
        """Mean time of a step."""
        return Band(float(self.low.mean()), float(self.nominal.mean()), float(self.high.mean()))

    @property
    def busiest(self) -> int:
        """The core that is the busiest one for most of the time."""
        times = np.bincount(self.core.ravel(), weights=self.nominal.ravel())
        return int(np.argmax(times))

    @property
    def binding(self) -> str:
        """The part that takes most of the busiest core's steps."""
        means = {key: float(values.mean()) for key, values in self.parts.items()}
        return max(means, key=lambda key: means[key])

    @property
    def share(self) -> float:
        """Its share of the mean step."""
        whole = self.band.nominal
        return float(self.parts[self.binding].mean()) / whole if whole else 0.0


def steps_of(counts: Counts, model: CostModel, barrier: Band) -> Steps:
    """The time of every profiled step.

    core time = synops x t (+) neuron updates x t (+) messages x t, (+) a sum or a maximum;
    step time = the longest core time + barrier, at low the longer of the two.

    Args:
        counts: of a run with placement and profile.
        model: the prices.
        barrier: seconds of one barrier.
    """
    profile, placed = counts.profile, counts.placed
    assert profile is not None
    assert placed is not None
    low, nominal, high = (
        _parts(counts, profile, placed, model, end) for end in ("low", "value", "high")
    )
    shape = profile.syn_ops.shape
    least = np.maximum.reduce([np.broadcast_to(low[key], shape) for key in PARTS])
    most = np.broadcast_to(sum(high[key] for key in PARTS), shape)
    summed = model.core_time == "sum"
    wide = [np.broadcast_to(nominal[key], shape) for key in PARTS]
    times = np.sum(wide, axis=0) if summed else np.maximum.reduce(wide)
    core = np.argmax(times, axis=2)
    chosen = core[:, :, None]

    def at_core(values: Array) -> Array:
        return np.take_along_axis(values, chosen, axis=2)[:, :, 0]

    parts = {key: at_core(values) for key, values in zip(PARTS, wide, strict=True)}
    parts["barrier"] = np.full(core.shape, barrier.nominal)
    bottom = least.max(axis=2)
    # Models that take a maximum let the barrier overlap with the cores' work.
    bottom = bottom + barrier.low if summed else np.maximum(bottom, barrier.low)
    top = most.max(axis=2) + barrier.high
    return Steps(
        profile.samples,
        profile.steps,
        bottom,
        # Rounding must not push a nominal value out of its band.
        np.clip(at_core(times) + barrier.nominal, bottom, top),
        top,
        core,
        times,
        parts,
        barrier,
    )


def nominal_with(counts: Counts, model: CostModel) -> Callable[[str, float], float]:
    """Mean nominal time of the longest core of a step, with one constant at another value.

    As `steps_of`, for many values of many constants: what each counts is worked out once.

    Args:
        counts: of a run with placement and profile.
        model: the prices.
    """
    profile, placed = counts.profile, counts.placed
    assert profile is not None
    assert placed is not None
    base = _parts(counts, profile, placed, model, "value")

    def mean(name: str, value: float) -> float:
        constant = model.constants[name]
        key = CORE_TIME[constant.counts]
        one = replace(model, constants={name: replace(constant, value=1.0)})
        work = _parts(counts, profile, placed, one, "value")[key]
        parts = {**base, key: base[key] + (value - constant.value) * work}
        shape = profile.syn_ops.shape
        wide = [np.broadcast_to(parts[key], shape) for key in PARTS]
        times = sum(wide) if model.core_time == "sum" else np.maximum.reduce(wide)
        return float(np.max(times, axis=2).mean())

    return mean


def _parts(
    counts: Counts, profile: Profile, placed: Placed, model: CostModel, end: str
) -> dict[str, Array]:
    """Seconds of each core in each step, by part: arrays that broadcast to (K, T, cores)."""
    zero = np.zeros((1, 1, len(placed.populations)))
    found: dict[str, Array] = dict.fromkeys(PARTS, zero)
    constants = [c for c in model.constants.values() if c.unit == "second"]
    synapse = [c for c in constants if c.counts in PROJECTION]
    if synapse:
        found["synapse"] = profile.syn_ops * _synop_price(counts, placed, synapse, end)
    for constant in constants:
        price = float(getattr(constant, end))
        if CORE_TIME.get(constant.counts) == "message":
            sent = constant.counts == "messages"
            found["message"] = found["message"] + price * (
                profile.axon_out if sent else profile.spikes_in
            )
        elif constant.counts == "spikes":
            found["neuron"] = found["neuron"] + price * profile.spikes
        elif constant.counts == "dendrite_updates":
            neurons = np.array([sum(core.values()) for core in placed.populations])
            found["neuron"] = found["neuron"] + price * (2 * neurons + profile.spikes)
    found["neuron"] = found["neuron"] + _updates(counts, placed, constants, end)
    return found


def _synop_price(
    counts: Counts, placed: Placed, constants: Sequence[Constant], end: str
) -> Array:
    """Seconds per synop of each core: the mean over the projections into its populations."""
    prices = np.zeros(len(placed.populations))
    for n, core in enumerate(placed.populations):
        weight = time = 0.0
        for layer in counts.layers:
            share = core.get(layer.name, 0) / max(1, layer.neurons)
            for stream in counts.into(layer.name) if share else ():
                weight += share * stream.synops
                time += share * sum(
                    float(getattr(c, end)) * PROJECTION[c.counts](stream) for c in constants
                )
        prices[n] = time / weight if weight else 0.0
    return prices


def _updates(counts: Counts, placed: Placed, constants: Sequence[Constant], end: str) -> Array:
    """Seconds of the neuron updates of each core in one step, which every neuron has."""
    every, active, inactive, changing = (
        sum(float(getattr(c, end)) for c in constants if c.counts == f"neuron_updates{kind}")
        for kind in ("", "_active", "_inactive", "_changing")
    )
    if end == "value":
        price = {
            layer.name: every
            + inactive
            + (active - inactive) * layer.busy / max(1, layer.updates)
            + changing * layer.changing / max(1, layer.updates)
            for layer in counts.layers
        }
    else:
        ends = (every + inactive, every + inactive + changing, every + active + changing)
        extreme = min(ends) if end == "low" else max(ends)
        price = {layer.name: extreme for layer in counts.layers}
    return np.array(
        [sum(n * price[name] for name, n in core.items()) for core in placed.populations]
    )
