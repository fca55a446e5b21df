"""Time of an inference: from the profile of a placed run, else three stated scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil

from .costs import Constant, CostModel
from .counts import Activity, Counts, Layer
from .quantities import POPULATION, PROJECTION
from .steps import Steps, nominal_with, steps_of
from .terms import Band, Latency, total

SCENARIOS = (
    "Time is an estimate, the placement is not known yet. Nominal: each population on cores of "
    "its own, as few as {neurons} neurons a core allow, its work spread evenly over them. Low: "
    "all work balanced perfectly over these cores. High: the whole network on one core.",
    "Time of a core: {nominal} (nominal), the sum (high), or the longer of them (low). "
    "Counts are averaged over steps and samples, so bursts make a step longer than stated.",
    "Time of messages on the network, of input, output and host is not in the latency.",
)
PROFILED = (
    "Time is an estimate from the placement and from the counts of {samples} samples, core by "
    "core and step by step: the busiest core of each step, plus the barrier of {where}.",
    "Time of a core: {nominal} (nominal), the sum (high), or the longest of them (low).",
    "Time of messages on their way through the network, of input, output and host is not in "
    "the latency.",
)
NOMINAL = {
    "sum": "the sum of synops, neuron updates and messages",
    "maximum": "the longest of synops, neuron updates and messages",
}


def latency_of(counts: Counts, model: CostModel) -> Latency:
    """Steps times the busiest core's time plus the barrier.

    core time = synops x t (+) neuron updates x t (+) messages x t; (+) is a sum or a maximum:
    low takes the maximum, high the sum, nominal what the model says.
    """
    return _profiled(counts, model) if counts.profile else _scenarios(counts, model)


def has_chip_barrier(model: CostModel) -> bool:
    """Whether the model prices the barrier of several chips apart."""
    return any(c.chips for c in model.constants.values())


def barrier(model: CostModel, tiles: int | None, chips: int) -> Band:
    """Time of one barrier, by the points of the model with straight lines between them.

    Args:
        model: the prices.
        tiles: in use; None: not known, then from the fewest to the most, nominal the middle.
        chips: in use; several take the points by chips, where the model has such.
    """
    points = [c for c in model.constants.values() if c.counts == "steps"]
    by_chips = sorted((c for c in points if c.chips), key=lambda c: c.chips)
    by_tiles = sorted((c for c in points if c.tiles), key=lambda c: c.tiles)
    if chips > 1 and by_chips:
        return _between([(c.chips, c.price) for c in by_chips], chips)
    if not by_tiles:
        return Band(0.0, 0.0, 0.0)
    if tiles is not None:
        return _between([(c.tiles, c.price) for c in by_tiles], tiles)
    first, last = by_tiles[0].price, by_tiles[-1].price
    return Band(first.low, (first.nominal + last.nominal) / 2, last.high)


def _between(points: Sequence[tuple[int, Band]], x: int) -> Band:
    if x <= points[0][0]:
        return points[0][1]
    for (x0, first), (x1, last) in pairwise(points):
        if x < x1:
            part = (x - x0) / (x1 - x0)
            return total((first.scaled(1 - part), last.scaled(part)))
    return points[-1][1]


def steps_in(counts: Counts, model: CostModel) -> Steps:
    """The time of every step of the profile, with the barrier of the placement."""
    placed = counts.placed
    assert placed is not None  # a profile without placement is not read
    return steps_of(counts, model, barrier(model, placed.tiles, placed.chips))


def step_with(counts: Counts, model: CostModel) -> Callable[[str, float], float]:
    """Nominal time of a step of a placed run, with one constant of time at another value."""
    placed = counts.placed
    assert placed is not None
    longest = nominal_with(counts, model)
    cores = steps_in(counts, model).band.nominal
    wait = barrier(model, placed.tiles, placed.chips).nominal

    def step(name: str, value: float) -> float:
        constant = model.constants[name]
        if constant.counts != "steps":
            return longest(name, value) + wait
        fixed = {**model.constants, name: replace(constant, value=value)}
        other = barrier(replace(model, constants=fixed), placed.tiles, placed.chips)
        return cores - wait + other.nominal

    return step


def _profiled(counts: Counts, model: CostModel) -> Latency:
    placed, timed = counts.placed, steps_in(counts, model)
    assert placed is not None
    chips, tiles = placed.chips, placed.tiles
    several = chips > 1 and has_chip_barrier(model)
    where = f"{chips} chips" if several else f"{tiles} {'tile' if tiles == 1 else 'tiles'}"
    steps = timed.band
    texts = [
        text.format(samples=timed.samples, where=where, nominal=NOMINAL[model.core_time])
        for text in PROFILED
    ]
    return Latency(
        inference=steps.scaled(counts.steps),
        step=steps,
        cores=placed.cores,
        chips=chips,
        tiles=tiles,
        busiest=", ".join(placed.populations[timed.busiest]),
        binding=timed.binding,
        share=timed.share,
        placed=True,
        basis=tuple(texts),
        busiest_core=placed.addresses[timed.busiest],
    )


def _scenarios(counts: Counts, model: CostModel) -> Latency:
    per_core = model.layout["neurons_per_core"]
    per_step = 1 / (counts.samples * counts.steps)
    works = {layer.name: _work(counts, model, layer, per_step) for layer in counts.layers}
    cores = {layer.name: max(1, ceil(layer.neurons / per_core)) for layer in counts.layers}
    used = sum(cores.values())
    chips = ceil(used / model.layout["cores_per_chip"])
    combine = sum if model.core_time == "sum" else max
    nominal = {
        name: combine(part.nominal for part in parts.values()) / cores[name]
        for name, parts in works.items()
    }
    busiest = max(nominal, key=lambda name: nominal[name])
    wait = barrier(model, None, chips)
    low = max(sum(parts[key].low for parts in works.values()) for key in ("synapse", "neuron"))
    step = Band(
        low / used + wait.low,
        nominal[busiest] + wait.nominal,
        sum(part.high for parts in works.values() for part in parts.values()) + wait.high,
    )
    shares = {key: band.nominal / cores[busiest] for key, band in works[busiest].items()}
    shares["barrier"] = wait.nominal
    binding = max(shares, key=lambda key: shares[key])
    texts = [
        text.format(neurons=per_core, nominal=NOMINAL[model.core_time]) for text in SCENARIOS
    ]
    return Latency(
        inference=step.scaled(counts.steps),
        step=step,
        cores=used,
        chips=chips,
        busiest=busiest,
        binding=binding,
        share=shares[binding] / step.nominal if step.nominal else 0.0,
        basis=tuple(texts),
    )


def _work(counts: Counts, model: CostModel, layer: Layer, per_step: float) -> dict[str, Band]:
    """Time of one step if one core did all of a population's work."""
    timed = [c for c in model.constants.values() if c.unit == "second"]
    synapse = [c for c in timed if c.counts in PROJECTION]
    neuron = [c for c in timed if c.counts in POPULATION]
    into = counts.into(layer.name)
    return {
        "synapse": total(
            c.price.scaled(PROJECTION[c.counts](stream) * per_step)
            for c in synapse
            for stream in into
        ),
        "neuron": layer.over_activity(
            lambda activity: _updates(neuron, layer, activity)
        ).scaled(per_step),
    }


def _updates(constants: Iterable[Constant], layer: Layer, activity: Activity) -> Band:
    return total(c.price.scaled(POPULATION[c.counts](layer, activity)) for c in constants)
