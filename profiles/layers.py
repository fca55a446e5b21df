"""The tables of the report: a row a population, a row a projection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from .costs import CostModel
from .counts import Counts
from .terms import Band, Estimate, total

Priced: TypeAlias = Sequence[tuple[CostModel, Estimate]]


def _share(part: Band, whole: Band) -> float:
    return part.nominal / whole.nominal if whole.nominal else 0.0


def layer_rows(run: Mapping[str, Any], counts: Counts, priced: Priced) -> list[dict[str, Any]]:
    """A row a population: its neurons and all that reaches it.

    `energy` by model: neuron energy plus synapse energy of the incoming projections, joule per
    inference; `share` is the part of the dynamic energy. Shares sum to 1.
    """
    rows = []
    for layer in counts.layers:
        entry = run["populations"][layer.name]
        incoming = counts.into(layer.name)
        energy = {}
        for model, found in priced:
            parts = [found.populations[layer.name]]
            parts += [found.projections[stream.name] for stream in incoming]
            whole = total(parts)
            energy[model.name] = {**whole.as_json(), "share": _share(whole, found.dynamic)}
        rows.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "shape": entry.get("shape"),
                "neurons": layer.neurons,
                "spikes": layer.spikes,
                "spikes_per_sample": entry.get("spikes_per_sample"),
                "neuron_updates": layer.updates,
                "active_updates_bounds": list(layer.active),
                "saturated": entry.get("saturated"),
                "graded": layer.graded,
                "spiking": layer.spiking,
                "rate": layer.spikes / layer.updates if layer.updates else 0.0,
                "projections": [stream.name for stream in incoming],
                "synapses": sum(stream.synapses for stream in incoming),
                "synops": sum(stream.synops for stream in incoming),
                "synops_all": sum(stream.synops_all for stream in incoming),
                "energy": energy,
            }
        )
    return rows


def projection_rows(
    run: Mapping[str, Any], counts: Counts, priced: Priced
) -> list[dict[str, Any]]:
    """A row a projection, with its synapse energy."""
    rows = []
    for stream in counts.streams:
        entry = run["projections"][stream.name]
        energy = {
            model.name: {
                **found.projections[stream.name].as_json(),
                "share": _share(found.projections[stream.name], found.dynamic),
            }
            for model, found in priced
        }
        extra = {
            key: entry.get(key) for key in ("kind", "delay", "folded", "synops_per_sample")
        }
        rows.append({**asdict(stream), **extra, "energy": energy})
    return rows
