"""Counts of a network of which only the structure is known, as a run.json."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .tables import Tables

# Counts are per unit of work and need not be whole; run.json holds integers.
UNITS = 1000

WORKLOAD = ("steps", "rate", "active", "layers", "projections", "counts", "mapping")
COUNTS = (
    *("syn_ops", "neuron_updates", "dendrite_updates", "active_updates", "spikes", "axon_out"),
    "type",
)
LAYER = (
    *("name", "neurons", "copies", "on_chip", "kind", "spikes", "rate", "active"),
    *("neuron_updates", "destination_cores"),
)
PROJECTION = (
    *("source", "target", "type", "synapses", "fan_out", "zero_share", "synops", "graded"),
)
MAPPING = (
    *("chips", "tiles", "cores", "hops_east_west", "hops_north_south", "same_tile_share"),
    *("same_core_share", "busiest_core"),
)
BUSIEST = ("neurons", "syn_ops", "spikes", "axon_out", "spikes_in")
TYPES = ("dense", "sparse", "convolution")


def run_of(values: Mapping[str, Any], tables: Tables, device: str) -> dict[str, Any]:
    """The run that a `workload` describes; what is wrong is noted in `tables`.

    synops = spikes of the source x fan-out; fan-out = synapses / neurons of the source, without
    the share of weights that are zero. neuron updates = neurons x steps. messages = spikes x
    destination cores. A layer of c copies is c layers; so is a projection at either end of it.

    Args:
        values: the table `workload` of a row.
        tables: collects what is wrong.
        device: for which the mapping is.
    """
    table = dict(values)
    steps = tables.count(table, "workload", "steps", 1)
    tables.known(table, "workload", WORKLOAD)
    if "counts" in table:
        _from_counts(tables, table, steps)
    common: dict[str, Any] = {k: table[k] for k in ("rate", "active") if k in table}
    layers = {
        name: _layer(
            tables, {**_default(common, entry), **entry}, f"workload.layers.{name}", steps
        )
        for name, entry in _named(tables, table, "layers").items()
    }
    projections = {
        name: _projection(tables, entry, f"workload.projections.{name}", layers)
        for name, entry in _named(tables, table, "projections").items()
    }
    if not any(layer["on_chip"] for layer in layers.values()):
        tables.wrong("workload.layers", "has no layer on the chip")
    mapping = tables.entry("workload.mapping", table.get("mapping", {}))
    tables.known(mapping, "workload.mapping", MAPPING)
    run = _run(steps, layers, projections, mapping)
    if "cores" in mapping or "busiest_core" in mapping or "chips" in mapping:
        run |= _placed(tables, mapping, layers, device)
    return run


def _from_counts(tables: Tables, table: dict[str, Any], steps: int) -> None:
    """Put layers in the place of counters: one population that feeds itself."""
    key = "workload.counts"
    if "layers" in table or "projections" in table:
        tables.wrong("workload", "has both counts and layers: give one")
        return
    counts = tables.entry(key, table["counts"])
    tables.known(counts, key, COUNTS)
    synops, spikes = (
        tables.number(counts, key, "syn_ops"),
        tables.number(counts, key, "spikes", 0.0),
    )
    if "dendrite_updates" in counts and "neuron_updates" not in counts:
        # Loihi 2 counts two passes of microcode a neuron and step, and one a spike.
        updates = max(0.0, (tables.number(counts, key, "dendrite_updates") - spikes) / 2)
    else:
        updates = tables.number(counts, key, "neuron_updates")
    active = tables.number(counts, key, "active_updates", 0.0)
    for name, value in (("spikes", spikes), ("active_updates", active)):
        if value > updates:
            tables.wrong(f"{key}.{name}", f"are {value:g}, more than neuron_updates")
    form = tables.word(counts, "type", key, choices=TYPES) if "type" in counts else "dense"
    layer: dict[str, Any] = {
        **{"name": "network", "neurons": max(1, round(updates / steps))},
        **{"spikes": spikes, "neuron_updates": max(updates, spikes)},
    }
    if "active_updates" in counts and updates:
        layer["active"] = min(1.0, active / updates)
    if "axon_out" in counts:
        messages = tables.number(counts, key, "axon_out")
        layer["destination_cores"] = messages / spikes if spikes else 0
    wire = {"source": "network", "target": "network", "type": form, "synapses": 0}
    table["layers"] = [layer]
    table["projections"] = [{**wire, "synops": synops}]


def _named(tables: Tables, table: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """A list of tables as one of tables: layers by name, projections by source and target."""
    found: dict[str, dict[str, Any]] = {}
    entries = table.get(key, [])
    if not isinstance(entries, list) or (key == "layers" and not entries):
        tables.wrong(f"workload.{key}", "must be a list of tables [[workload." + key + "]]")
        return found
    for n, entry in enumerate(entries):
        place = f"workload.{key}[{n}]"
        values = tables.entry(place, entry)
        parts = ("name",) if key == "layers" else ("source", "target")
        name = "->".join(tables.word(values, part, place) for part in parts)
        if name in found:
            tables.wrong(place, f"is the second of the name {name}")
        found[name] = values
    return found


def _default(common: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for all layers that do not say otherwise."""
    return {k: v for k, v in common.items() if k != "rate" or "spikes" not in entry}


def _layer(tables: Tables, entry: dict[str, Any], key: str, steps: int) -> dict[str, Any]:
    tables.known(entry, key, LAYER)
    neurons = tables.count(entry, key, "neurons", 1)
    copies = tables.count(entry, key, "copies", 1) if "copies" in entry else 1
    updates: float = neurons * copies * steps
    if "neuron_updates" in entry:
        updates = tables.number(entry, key, "neuron_updates")
    given = [part for part in ("spikes", "rate") if part in entry]
    spikes = 0.0
    if len(given) > 1:
        tables.wrong(key, "has both spikes and rate: give one")
    elif given == ["spikes"]:
        spikes = tables.number(entry, key, "spikes") * copies
    elif given == ["rate"]:
        per_update = tables.number(entry, key, "rate")
        spikes = per_update * updates
        if per_update > 1:
            tables.wrong(
                f"{key}.rate", f"must be 0 to 1 spikes a neuron and step, is {per_update}"
            )
    else:
        tables.wrong(key, "needs spikes (of all neurons, per unit of work) or rate")
    if spikes > updates:
        tables.wrong(
            f"{key}.spikes", f"are {spikes:g}, more than neurons x steps = {updates:g}"
        )
    active = tables.number(entry, key, "active") if "active" in entry else None
    if active is not None and active > 1:
        tables.wrong(f"{key}.active", f"must be a share from 0 to 1, is {active}")
    on_chip = entry.get("on_chip", True)
    if not isinstance(on_chip, bool):
        tables.wrong(f"{key}.on_chip", f"must be true or false, is {on_chip!r}")
    cores = None
    if "destination_cores" in entry:
        cores = tables.number(entry, key, "destination_cores")
    kind = tables.word(entry, "kind", key) if "kind" in entry else "LIF"
    return {
        **{"neurons": neurons, "copies": copies, "spikes": spikes, "updates": updates},
        **{"active": active, "on_chip": on_chip is True, "cores": cores, "kind": kind},
    }


def _known(layers: Mapping[str, dict[str, Any]], name: Any) -> dict[str, Any] | None:
    return layers.get(name) if isinstance(name, str) else None


def _projection(
    tables: Tables, entry: dict[str, Any], key: str, layers: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    tables.known(entry, key, PROJECTION)
    source, target = (_known(layers, entry.get(end)) for end in ("source", "target"))
    for end, layer in (("source", source), ("target", target)):
        if layer is None and entry.get(end):
            tables.wrong(f"{key}.{end}", f"is {entry[end]!r}, which is no layer")
    if target is not None and not target["on_chip"]:
        tables.wrong(f"{key}.target", "is not on the chip")
    form = tables.word(entry, "type", key, choices=TYPES) if "type" in entry else "dense"
    nothing = {"neurons": 1, "copies": 1, "spikes": 0.0}
    source, target = source or nothing, target or nothing
    if "synapses" in entry and "fan_out" in entry:
        tables.wrong(key, "has both synapses and fan_out: give one")
    if "synapses" in entry:
        fan_out = tables.number(entry, key, "synapses") / source["neurons"]
    elif "fan_out" in entry:
        fan_out = tables.number(entry, key, "fan_out")
    elif form == "dense":
        fan_out = float(target["neurons"])
    else:
        tables.wrong(key, f"needs synapses or fan_out: it is {form}")
        fan_out = 0.0
    zeros = tables.number(entry, key, "zero_share", 0.0)
    if zeros > 1:
        tables.wrong(f"{key}.zero_share", f"must be a share from 0 to 1, is {zeros}")
    copies = max(source["copies"], target["copies"])
    synops_all = source["spikes"] / source["copies"] * fan_out * copies
    synops = synops_all * (1 - zeros)
    if "synops" in entry:
        synops = tables.number(entry, key, "synops")
        synops_all = max(synops, synops_all)
    graded = entry.get("graded", False)
    if not isinstance(graded, bool):
        tables.wrong(f"{key}.graded", f"must be true or false, is {graded!r}")
    synapses = source["neurons"] * fan_out * copies
    return {
        **{"source": entry.get("source", ""), "target": entry.get("target", "")},
        **{"kind": form, "graded": graded is True},
        **{"synapses": round(synapses * (1 - zeros)), "synapses_all": round(synapses)},
        **{"synops": round(synops * UNITS), "synops_all": round(synops_all * UNITS)},
    }


def _run(
    steps: int,
    layers: Mapping[str, dict[str, Any]],
    projections: Mapping[str, dict[str, Any]],
    mapping: Mapping[str, Any],
) -> dict[str, Any]:
    populations, inputs, sources = {}, {}, {}
    leaving = [entry["source"] for entry in projections.values()]
    for name, layer in layers.items():
        neurons, spikes = layer["neurons"] * layer["copies"], round(layer["spikes"] * UNITS)
        if not layer["on_chip"]:
            inputs[name] = {"neurons": neurons, "messages": spikes}
            continue
        populations[name] = {
            **{"kind": layer["kind"], "neurons": neurons, "spikes": spikes},
            "neuron_updates": round(layer["updates"] * UNITS),
        }
        if layer["active"] is not None:
            active = round(layer["active"] * layer["updates"] * UNITS)
            populations[name]["active_updates"] = active
        # What leaves no projection reaches no core.
        cores = layer["cores"] if spikes and name in leaving else 0
        if cores is not None:
            sources[name] = _messages(spikes * cores, mapping)
    return {
        **{"samples": UNITS, "steps": steps, "executed_steps": steps},
        **{"populations": populations, "inputs": inputs, "projections": dict(projections)},
        "traffic": {"sources": sources},
    }


def _messages(messages: float, mapping: Mapping[str, Any]) -> dict[str, int]:
    """Counts of one source's messages, by means per message where the row states them."""
    found = {"messages": round(messages)}
    for key, share in (
        *((key, mapping.get(key)) for key in ("hops_east_west", "hops_north_south")),
        *((f"messages_same_{k}", mapping.get(f"same_{k}_share")) for k in ("tile", "core")),
    ):
        if isinstance(share, (int, float)) or not messages:
            found[key] = round(messages * (share or 0))
    if {"hops_east_west", "hops_north_south"} <= set(found):
        found["hops"] = found["hops_east_west"] + found["hops_north_south"]
    return found


def _placed(
    tables: Tables,
    mapping: dict[str, Any],
    layers: Mapping[str, dict[str, Any]],
    device: str,
) -> dict[str, Any]:
    """Cores and chips; with the busiest core also the profile of one mean step."""
    key = "workload.mapping"
    chips = tables.count(mapping, key, "chips", 1) if "chips" in mapping else 1
    cores = tables.count(mapping, key, "cores", 1) if "cores" in mapping else 1
    tiles = tables.count(mapping, key, "tiles", 1) if "tiles" in mapping else -(-cores // 4)
    for part in ("hops_east_west", "hops_north_south", "same_tile_share", "same_core_share"):
        if part in mapping:
            tables.number(mapping, key, part)
    first = next((name for name, layer in layers.items() if layer["on_chip"]), "")
    busiest = mapping.get("busiest_core")
    values = dict.fromkeys(BUSIEST, 0.0)
    if busiest is not None:
        place = f"{key}.busiest_core"
        entry = tables.entry(place, busiest)
        tables.known(entry, place, BUSIEST)
        values |= {part: tables.number(entry, place, part) for part in BUSIEST if part in entry}
    found: dict[str, Any] = {
        "placement": {
            **{"target": device, "cores_used": cores, "tiles_used": tiles, "chips_used": chips},
            "cores": [
                {"chip_idx": 0, "core_idx": 0, "populations": {first: round(values["neurons"])}}
            ],
        }
    }
    if busiest is not None:
        found["profile"] = {
            **{"samples": 1, "steps": 1, "active_updates": {}, "neuron_updates": {}},
            "arrays": {
                part: _array(values[part])
                for part in ("syn_ops", "spikes", "axon_out", "spikes_in")
            },
        }
    return found


def _array(value: float) -> dict[str, Any]:
    data = zlib.compress(np.array([round(value)], "<i8").tobytes())
    text = base64.b64encode(data).decode("ascii")
    return {"shape": [1, 1, 1], "dtype": "int64", "data": text}
