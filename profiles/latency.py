"""Time of an inference where no placement is known: three stated scenarios."""

from __future__ import annotations

from math import ceil

from .costs import CostModel
from .counts import Counts, Layer
from .terms import Band, Latency

ASSUMPTIONS = (
    "Time is an estimate, the placement is not known yet. Nominal: each population on cores of "
    "its own, as few as {neurons} neurons a core allow, its work spread evenly over them. Low: "
    "all work balanced perfectly over these cores. High: the whole network on one core.",
    "Time of a core: synops plus neuron updates (nominal, high), or the longer of both (low). "
    "Counts are averaged over steps and samples, so bursts make a step longer than stated.",
    "Time of messages on the network, of input, output and host is not in the latency.",
)


def latency_of(counts: Counts, model: CostModel) -> Latency:
    """Steps times the busiest core's time plus the barrier.

    core time = synops x t_synop (+) neuron updates x t_neuron, (+) a sum or a maximum.
    """
    per_core = model.layout["neurons_per_core"]
    prices = {k: model.constants[f"time_{k}"].price for k in ("synop", "barrier")}
    active = model.constants["time_neuron_active"].price
    inactive = model.constants["time_neuron_inactive"].price
    per_step = 1 / (counts.samples * counts.steps)

    def work(layer: Layer) -> tuple[Band, Band]:
        synops = sum(stream.synops for stream in counts.into(layer.name))
        return (
            prices["synop"].scaled(synops * per_step),
            layer.priced(active, inactive).scaled(per_step),
        )

    cores = {layer.name: max(1, ceil(layer.neurons / per_core)) for layer in counts.layers}
    works = {layer.name: work(layer) for layer in counts.layers}
    nominal = {
        name: (synapse.nominal + neuron.nominal) / cores[name]
        for name, (synapse, neuron) in works.items()
    }
    busiest = max(nominal, key=lambda name: nominal[name])
    used = sum(cores.values())
    barrier = prices["barrier"]
    low = max(sum(s.low for s, _ in works.values()), sum(n.low for _, n in works.values()))
    step = Band(
        low / used + barrier.low,
        nominal[busiest] + barrier.nominal,
        sum(s.high + n.high for s, n in works.values()) + barrier.high,
    )
    parts = {
        "synapse": works[busiest][0].nominal / cores[busiest],
        "neuron": works[busiest][1].nominal / cores[busiest],
        "barrier": barrier.nominal,
    }
    binding = max(parts, key=lambda part: parts[part])
    return Latency(
        inference=step.scaled(counts.steps),
        step=step,
        cores=used,
        chips=ceil(used / model.layout["cores_per_chip"]),
        busiest=busiest,
        binding=binding,
        share=parts[binding] / step.nominal if step.nominal else 0.0,
    )
