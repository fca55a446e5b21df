"""Pricing by events, as on Loihi: synops, neuron updates, static power over the latency."""

from __future__ import annotations

from .costs import TIMES, CostModel
from .counts import Counts
from .latency import ASSUMPTIONS, latency_of
from .terms import Estimate, Latency, Term, assemble, total, weakest


def price(counts: Counts, model: CostModel) -> Estimate:
    """Counts times the prices of the model, per inference.

    synapse = synops (weights other than zero) x price; neuron = updates x a price between
    inactive and active; static = power x latency x chips.
    """
    synop, active, inactive = (
        model.constants[name] for name in ("synop", "neuron_active", "neuron_inactive")
    )
    per_inference = 1 / counts.samples
    projections = {s.name: synop.price.scaled(s.synops * per_inference) for s in counts.streams}
    populations = {
        layer.name: layer.priced(active.price, inactive.price).scaled(per_inference)
        for layer in counts.layers
    }
    terms = {
        "synapse": Term(total(projections.values()), synop.evidence),
        "neuron": Term(
            total(populations.values()), weakest((active.evidence, inactive.evidence))
        ),
    }
    used = ["synop", "neuron_active", "neuron_inactive"]
    assumptions = [_activity(counts)]
    latency = latency_of(counts, model) if model.timed else None
    if latency is not None:
        used += TIMES
        assumptions += _placement(model, latency)
        if "static_power" in model.constants:
            used.append("static_power")
            power = model.constants["static_power"]
            energy = power.price.times(latency.inference).scaled(latency.chips)
            # The latency rests on an assumed placement: never better than derived.
            terms["static"] = Term(energy, weakest((power.evidence, "derived")))
    return assemble(
        model=model.name,
        terms=terms,
        unpriced=model.unpriced,
        latency=latency,
        no_latency=f"{model.name} prices no time",
        populations=populations,
        projections=projections,
        used=used,
        assumptions=(*model.assumptions, *assumptions),
    )


def _activity(counts: Counts) -> str:
    least = sum(layer.active[0] for layer in counts.layers)
    most = sum(layer.active[1] for layer in counts.layers)
    updates = sum(layer.updates for layer in counts.layers)
    if least == most:
        return f"Neuron updates: {least:,} of {updates:,} are active, as counted."
    return (
        "Neuron updates are active if the neuron spikes or receives input. Only bounds are "
        f"counted: {least:,} to {most:,} of {updates:,} (spikes; spikes plus incoming synops). "
        "Nominal is the middle of these bounds; low has all updates inactive, high all active."
    )


def _placement(model: CostModel, latency: Latency) -> list[str]:
    texts = [text.format(neurons=model.layout["neurons_per_core"]) for text in ASSUMPTIONS]
    texts.append(
        f"Static power of {latency.chips} whole {'chip' if latency.chips == 1 else 'chips'} "
        "from the first to the last step of an inference: no idle time between inferences, "
        "no share of a chip taken off."
    )
    return texts
