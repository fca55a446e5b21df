"""What a run did on its cores, as JSON values: placement, traffic, geometry of projections."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from .counts import Counts, columns_of
from .program import Program
from .routes import TRAFFIC, Routes, core_counts, link_loads, message_bytes
from .targets import load_target

Array = npt.NDArray[Any]


def placement_json(
    routes: Routes, counts: Counts, executed_steps: int, file: str | None = None
) -> dict[str, Any]:
    """What lies on each core, how full it is, and what it did; `links` with their load.

    Args:
        routes: the placed Program.
        counts: of all samples.
        executed_steps: of one sample.
        file: where the placement was read from.
    """
    placement, grid = routes.placement, routes.grid
    limits = load_target(placement.target).core
    did, links = core_counts(routes, counts.elements), link_loads(routes, counts.elements)
    updates = did.neurons * executed_steps * counts.samples
    cores = []
    for c in range(routes.cores):
        used = {name: int(values[c]) for name, values in placement.used.items()}
        shares = {name: value / limits[name].value for name, value in used.items()}
        binding = max(shares, key=lambda name: shares[name])
        cores.append(
            {
                "chip_idx": int(grid.chip[c]),
                "core_idx": int(grid.core[c]),
                "x": int(grid.x[c]),
                "y": int(grid.y[c]),
                "populations": {
                    name: count
                    for name, home in routes.homes.items()
                    if (count := int(np.count_nonzero(home == c)))
                },
                "used": used,
                "binding": binding,
                "utilisation": shares[binding],
                "syn_ops": int(did.syn_ops[c]),
                "syn_ops_all": int(did.syn_ops_all[c]),
                "neuron_updates": int(updates[c]),
                # On Loihi 2 two passes of microcode a neuron and step, and one a spike.
                "dendrite_updates": int(2 * updates[c] + did.spikes[c]),
                "spikes": int(did.spikes[c]),
                "axon_out": int(did.axon_out[c]),
                "spikes_in": int(did.spikes_in[c]),
            }
        )
    return {
        "target": placement.target,
        "method": placement.method,
        "seed": placement.seed,
        "seconds": placement.seconds,
        "file": file,
        "cores_used": routes.cores,
        "chips_used": len(np.unique(grid.chip)),
        "tiles_used": len(np.unique(grid.tile)),
        "mesh": asdict(routes.mesh),
        "limits": {
            name: {
                "limit": limits[name].value,
                "unit": limits[name].unit,
                "grade": limits[name].grade,
            }
            for name in placement.used
        },
        "cores": cores,
        "links": [
            {"from": [x, y], "to": [to_x, to_y], "messages": messages}
            for x, y, to_x, to_y, messages in zip(
                *(getattr(links, n).tolist() for n in ("x", "y", "to_x", "to_y", "messages")),
                strict=True,
            )
        ],
    }


def traffic_json(program: Program, counts: Counts, spread: Any) -> dict[str, Any]:
    """Messages, hops and bytes between chips: exact totals over all samples, and by source.

    Args:
        program: what ran.
        counts: of all samples.
        spread: values of each sample -> mean, standard deviation and extremes.
    """
    inside = [p.name for p in program.populations]
    sources = {name: _keys(counts.traffic[name].sum(axis=0)) for name in inside}
    samples = sum((counts.traffic[name] for name in inside), np.zeros((1, len(TRAFFIC))))
    totals = _keys(np.sum([list(s.values())[: len(TRAFFIC)] for s in sources.values()], axis=0))
    hops = TRAFFIC.index("hops_east_west")
    outputs = dict.fromkeys(o.population for o in program.outputs)
    chip_bytes = sum(
        message_bytes(program, name) * source["messages_other_chip"]
        for name, source in sources.items()
    )
    return {
        **totals,
        "chip_bytes": chip_bytes,
        "host_messages_in": sum(
            int(counts.traffic[i.name][:, 0].sum()) for i in program.inputs
        ),
        "host_messages_out": sum(int(counts.messages[name].sum()) for name in outputs),
        "sources": sources,
        "messages_per_sample": spread(samples[:, 0]),
        "hops_per_sample": spread(samples[:, hops:].sum(axis=1)),
    }


def _keys(values: Array) -> dict[str, int]:
    found = {name: int(value) for name, value in zip(TRAFFIC, values, strict=True)}
    return {**found, "hops": found["hops_east_west"] + found["hops_north_south"]}


def steps_json(program: Program, counts: Counts) -> dict[str, Any]:
    """What was counted in each step, of all samples together; they have `step_totals`.

    A message, and what it causes, counts in the step in which it is sent. `traffic` is of all
    populations, as in `traffic_json`.
    """
    found = columns_of(program, counts.step_totals)
    inside = [p.name for p in program.populations]
    traffic = {}
    if found.traffic:
        total = np.sum([found.traffic[name] for name in inside], axis=0)
        traffic = {name: total[:, k].tolist() for k, name in enumerate(TRAFFIC)}
    return {
        "inputs": {
            i.name: {"messages": found.messages[i.name].tolist()} for i in program.inputs
        },
        "populations": {name: {"spikes": found.messages[name].tolist()} for name in inside},
        "projections": {
            p.name: {
                "synops": found.synops[p.name].tolist(),
                "synops_all": found.synops_all[p.name].tolist(),
            }
            for p in program.projections
        },
        "traffic": traffic,
    }
