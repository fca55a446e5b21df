"""The fast executor: batches of samples, event-driven synapses, one fused neuron update."""

from __future__ import annotations

from .execute import Engine, execute

__all__ = ["Engine", "execute"]
