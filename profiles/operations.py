"""Pricing by arithmetic: accumulates and multiply-accumulates, without memory or time."""

from __future__ import annotations

from .costs import CostModel
from .counts import Counts
from .terms import Estimate, Term, assemble, total, weakest


def price(counts: Counts, model: CostModel) -> Estimate:
    """Counts times the prices of the model, per inference.

    A spike costs an accumulate a synapse, a graded message a multiply-accumulate; a neuron
    update costs what the model's table says for its kind.
    """
    add, message, state = (
        model.constants[name]
        for name in ("accumulate", "multiply_accumulate_message", "multiply_accumulate_state")
    )
    projections = {
        s.name: {
            "synapse": (message if s.graded else add).price.scaled(s.synops / counts.samples)
        }
        for s in counts.streams
    }
    table = model.neuron_operations
    populations = {}
    for layer in counts.layers:
        operations = table.get(layer.kind, table["default"])
        updates = layer.updates / counts.samples
        update = (
            add.price.scaled(updates * operations["accumulate"]),
            state.price.scaled(updates * operations["multiply_accumulate"]),
        )
        populations[layer.name] = {"neuron": total(update)}
    graded = any(s.graded for s in counts.streams)
    spiking = any(not s.graded for s in counts.streams)
    synapse = [c.evidence for c, is_used in ((add, spiking), (message, graded)) if is_used]
    terms = {
        "synapse": Term(total(p["synapse"] for p in projections.values()), weakest(synapse)),
        "neuron": Term(
            total(p["neuron"] for p in populations.values()),
            weakest((add.evidence, state.evidence)),
        ),
    }
    used = ["accumulate", "multiply_accumulate_state"]
    used += ["multiply_accumulate_message"] if graded else []
    return assemble(
        model=model.name,
        terms=terms,
        unpriced=model.unpriced,
        latency=None,
        no_latency=f"{model.name} prices arithmetic only: no chip, no time of an operation",
        populations=populations,
        projections=projections,
        used=used,
        assumptions=(*model.assumptions, *_kinds(counts, model)),
    )


def _kinds(counts: Counts, model: CostModel) -> list[str]:
    """What one update of each kind in the network was taken to cost."""
    texts = []
    for kind in dict.fromkeys(layer.kind for layer in counts.layers):
        known = kind in model.neuron_operations
        operations = model.neuron_operations[kind if known else "default"]
        adds, leaks = operations["accumulate"], operations["multiply_accumulate"]
        note = "" if known else " (not in the model's table: its default)"
        texts.append(
            f"Accumulates and multiply-accumulates of one update of a neuron, kind "
            f"{kind or 'not stated'}: {adds} and {leaks}{note}."
        )
    return texts
