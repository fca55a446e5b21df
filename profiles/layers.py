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
    """A row a population: its neurons, the messages that they send, and all that reaches them.

    `energy` by model, joule per inference: low, nominal, high; `terms`, its nominal parts by
    term of the breakdown; `share`, the part of the dynamic energy. With `elsewhere` the shares
    sum to 1. `messages` and `hops` are totals over all samples, null without a placement.
    """
    sources = (run.get("traffic") or {}).get("sources") or {}
    rows = []
    for layer in counts.layers:
        entry = run["populations"][layer.name]
        incoming = counts.into(layer.name)
        energy = {
            model.name: _energy(found, [layer.name, *(stream.name for stream in incoming)])
            for model, found in priced
        }
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
                "messages": sources.get(layer.name, {}).get("messages"),
                "hops": sources.get(layer.name, {}).get("hops"),
                "synapses": sum(stream.synapses for stream in incoming),
                "synops": sum(stream.synops for stream in incoming),
                "synops_all": sum(stream.synops_all for stream in incoming),
                "energy": energy,
            }
        )
    return rows


def _energy(found: Estimate, names: Sequence[str]) -> dict[str, Any]:
    """What populations and projections of these names cost together."""
    parts = [found.parts.get(name, {}) for name in names]
    terms = dict.fromkeys(term for part in parts for term in part)
    split = {term: total(part[term] for part in parts if term in part) for term in terms}
    whole = total(split.values())
    return {
        **whole.as_json(),
        "terms": {term: band.nominal for term, band in split.items()},
        "share": _share(whole, found.dynamic),
    }


def elsewhere(counts: Counts, priced: Priced) -> dict[str, Any]:
    """Dynamic energy that belongs to no layer, by model: what inputs and the network cost."""
    layered = {layer.name for layer in counts.layers}
    streams = {stream.name for stream in counts.streams if stream.target in layered}
    found = {}
    for model, priced_by in priced:
        bands = [
            band
            for name, part in priced_by.parts.items()
            if name not in layered | streams
            for band in part.values()
        ]
        whole = total([*bands, *priced_by.network.values()])
        found[model.name] = {**whole.as_json(), "share": _share(whole, priced_by.dynamic)}
    return found


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
