"""run.json values with placement, traffic and profile, counted by brute force.

Spikes and weights are drawn; every count is then summed from them synapse by synapse and
message by message, so that all of them agree with each other as those of a real run do.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from .runs import faces, projection, spread

Array = npt.NDArray[Any]

LIMITS: dict[str, dict[str, Any]] = {
    "neurons": {"limit": 1024, "unit": "neurons", "grade": "secondary quote"},
    "synaptic_memory": {"limit": 1_048_576, "unit": "bit", "grade": "primary"},
    "input_axons": {"limit": 4096, "unit": "axons", "grade": "primary"},
    "output_axons": {"limit": 4096, "unit": "axons", "grade": "primary"},
}
COUNTED = (
    *("messages", "messages_same_core", "messages_same_tile", "messages_other_chip"),
    *("chip_bytes", "hops", "hops_east_west", "hops_north_south"),
)


def packed(array: Array) -> dict[str, Any]:
    """An array as run.json holds it: little-endian bytes, zlib, base64."""
    kind = array.dtype.newbyteorder("<")
    data = base64.b64encode(zlib.compress(array.astype(kind).tobytes())).decode("ascii")
    return {"shape": list(array.shape), "dtype": array.dtype.name, "data": data}


def placed(
    *,
    samples: int = 6,
    recorded: int = 3,
    presented: int = 5,
    rate: float = 0.2,
    graded_input: bool = True,
    seed: int = 0,
    cores_per_tile: int = 2,
    cores_per_chip: int = 4,
    chip_columns: int = 2,
    target: str = "loihi1",
) -> dict[str, Any]:
    """A convolution and two dense layers on eight small cores of two chips.

    Args:
        samples, recorded: of which the first `recorded` are in the profile.
        presented: steps that a sample is presented; 3 more are executed.
        rate: spikes per neuron and step; 0: a silent network.
        graded_input: frames of values, not of spikes.
        seed: of weights and spikes.
        cores_per_tile, cores_per_chip, chip_columns: of the mesh; a chip is 2 x 2 tiles.
        target: name of the target.
    """
    rng = np.random.default_rng(seed)
    steps = presented + 3
    sizes = {"frames": 72, "conv1": 144, "hidden": 48, "classes": 5}
    shapes = {"conv1": (4, 6, 6), "hidden": (48,), "classes": (5,)}
    kinds = {"conv1": "LIF", "hidden": "CubaLIF", "classes": "readout"}
    core_of = {
        "conv1": np.repeat([0, 1, 2, 5], 36),
        "hidden": np.repeat([3, 4], 24),
        "classes": np.full(5, 6),
    }
    core_of["hidden"][-4:] = 1  # two populations share a core
    stored = {
        ("frames", "conv1"): _neighbours(),
        ("conv1", "hidden"): np.ones((48, 144), bool),
        ("hidden", "classes"): np.ones((5, 48), bool),
    }
    weights = {key: mask & (rng.random(mask.shape) > 0.1) for key, mask in stored.items()}
    sent = {
        name: rng.random((samples, steps, n)) < rate * (name != "classes")
        for name, n in sizes.items()
    }
    sent["frames"][:, presented:] = False
    cores = sorted({int(c) for where in core_of.values() for c in where})
    mesh = _Mesh(cores_per_tile, cores_per_chip, chip_columns)

    run = faces(samples=samples)
    run.update(target=target, steps=presented, executed_steps=steps, latency_steps=3)
    run["inputs"] = {
        "frames": {
            "shape": [2, 6, 6],
            "graded": graded_input,
            "neurons": 72,
            "messages": int(sent["frames"].sum()),
        }
    }
    run["populations"] = {
        name: {
            "kind": kinds[name],
            "shape": list(shapes[name]),
            "neurons": sizes[name],
            "spikes": int(sent[name].sum()),
            "spikes_per_sample": _spread(sent[name].sum(axis=(1, 2))),
            "neuron_updates": sizes[name] * steps * samples,
            "saturated": 0,
        }
        for name in kinds
    }
    run["projections"] = {}
    for (source, into), mask in stored.items():
        fan, fan_all = weights[source, into].sum(0), mask.sum(0)
        synops = (sent[source] * fan).sum(axis=(1, 2))
        graded = source == "frames" and graded_input
        kind = "Conv2d" if source == "frames" else "Dense"
        entry = projection(source, into, kind, int(fan.sum()), 0, samples, graded)
        entry.update(
            synapses_all=int(mask.sum()),
            weights=72 if source == "frames" else int(mask.sum()),
            synops=int(synops.sum()),
            synops_all=int((sent[source] * fan_all).sum()),
            synops_per_sample=_spread(synops),
            weight_bits=8,
            bias=False,
            geometry=_geometry(source, mask),
        )
        run["projections"][f"{source}->{into}"] = entry

    traffic = {
        name: _sources(name, sent, weights, core_of, mesh, graded_input) for name in sizes
    }
    per_core = _per_core(sent, weights, core_of, cores, traffic, steps, samples)
    run["traffic"] = _totals(traffic, samples)
    active = _active(sent, weights, kinds)
    run["placement"] = _placement(run, core_of, cores, mesh, per_core, traffic)
    over_steps = {name: {"spikes": sent[name].sum(axis=(0, 2)).tolist()} for name in kinds}
    run["by_step"] = {"populations": over_steps, "traffic": {"messages": [0] * steps}}
    run["profile"] = {
        "samples": recorded,
        "steps": steps,
        "cores": len(cores),
        "active_updates": {k: int(v[:recorded].sum()) for k, v in active.items()},
        # No states here: some of the updates that are not active are said to be at rest.
        "resting_updates": {
            k: (sizes[k] * steps * recorded - int(v[:recorded].sum())) // 3
            for k, v in active.items()
        },
        "neuron_updates": {k: sizes[k] * steps * recorded for k in kinds},
        "arrays": {
            key: packed(per_core[key][:recorded].astype(np.int32))
            for key in ("syn_ops", "spikes", "axon_out", "spikes_in")
        },
        "rasters": {name: _raster(sent[name][:recorded]) for name in kinds},
    }
    return run


class _Mesh:
    """Where a core lies: chips of 2 x 2 tiles, in rows of chips."""

    def __init__(self, per_tile: int, per_chip: int, chip_columns: int) -> None:
        self.per_tile, self.per_chip, self.chip_columns = per_tile, per_chip, chip_columns

    def chip(self, core: int) -> int:
        return core // self.per_chip

    def xy(self, core: int) -> tuple[int, int]:
        chip, tile = self.chip(core), core % self.per_chip // self.per_tile
        across, down = chip % self.chip_columns, chip // self.chip_columns
        return 2 * across + tile % 2, 2 * down + tile // 2


def _neighbours() -> Array:
    """Which of 2 x 6 x 6 pixels reach which of 4 x 6 x 6 neurons by a 3 x 3 kernel."""
    mask = np.zeros((4, 6, 6, 2, 6, 6), bool)
    for y in range(6):
        for x in range(6):
            mask[:, y, x, :, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = True
    return mask.reshape(144, 72)


def _geometry(source: str, mask: Array) -> dict[str, Any]:
    if source != "frames":
        return {
            "type": "dense",
            "input_shape": [mask.shape[1]],
            "output_shape": [mask.shape[0]],
        }
    square = {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1}
    shapes = {"input_shape": [2, 6, 6], "output_shape": [4, 6, 6]}
    return {"type": "convolution", **shapes, "kernel": [3, 3], **square}


def _spread(values: Array) -> dict[str, float]:
    if not len(values):
        return spread(0, 1)
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
    }


def _sources(
    name: str,
    sent: dict[str, Array],
    weights: dict[tuple[str, str], Array],
    core_of: dict[str, Array],
    mesh: _Mesh,
    graded_input: bool,
) -> dict[str, Any]:
    """Messages of one source, one by one: totals by sample, by link, by core and step."""
    samples, steps, n = sent[name].shape
    found = {key: np.zeros(samples, np.int64) for key in COUNTED}
    links: dict[tuple[tuple[int, int], tuple[int, int]], int] = {}
    out: dict[int, Array] = {}
    into: dict[int, Array] = {}
    host = np.zeros(samples, np.int64)
    size = 12 if name == "frames" and graded_input else 4
    for i in range(n):
        reached: set[int] = set()
        for (source, target), weight in weights.items():
            if source == name:
                reached |= {int(c) for c in core_of[target][weight[:, i]]}
        when = sent[name][:, :, i].astype(np.int64)
        count = when.sum(axis=1)
        for core in sorted(reached):
            into[core] = into.get(core, np.zeros((samples, steps), np.int64)) + when
            if name == "frames":
                host += count
                continue
            home = int(core_of[name][i])
            out[home] = out.get(home, np.zeros((samples, steps), np.int64)) + when
            (x0, y0), (x1, y1) = mesh.xy(home), mesh.xy(core)
            found["messages"] += count
            found["hops_east_west"] += abs(x1 - x0) * count
            found["hops_north_south"] += abs(y1 - y0) * count
            found["hops"] += (abs(x1 - x0) + abs(y1 - y0)) * count
            found["messages_same_core"] += (home == core) * count
            found["messages_same_tile"] += (home != core and (x0, y0) == (x1, y1)) * count
            if mesh.chip(home) != mesh.chip(core):
                found["messages_other_chip"] += count
                found["chip_bytes"] += size * count
            here = (x0, y0)
            while here != (x1, y1):
                x, y = here
                there = (
                    (x + (x1 > x) - (x1 < x), y) if x != x1 else (x, y + (y1 > y) - (y1 < y))
                )
                links[here, there] = links.get((here, there), 0) + int(count.sum())
                here = there
    return {"counts": found, "links": links, "out": out, "into": into, "host": host}


def _totals(traffic: dict[str, Any], samples: int) -> dict[str, Any]:
    sums = {
        key: np.sum([t["counts"][key] for t in traffic.values()], axis=0) for key in COUNTED
    }
    return {
        **{key: int(values.sum()) for key, values in sums.items()},
        "host_messages_in": int(traffic["frames"]["host"].sum()),
        "host_messages_out": 0,
        "sources": {
            name: {key: int(t["counts"][key].sum()) for key in COUNTED}
            for name, t in traffic.items()
        },
        "messages_per_sample": _spread(sums["messages"]),
        "hops_per_sample": _spread(sums["hops"]),
    }


def _per_core(
    sent: dict[str, Array],
    weights: dict[tuple[str, str], Array],
    core_of: dict[str, Array],
    cores: list[int],
    traffic: dict[str, Any],
    steps: int,
    samples: int,
) -> dict[str, Array]:
    """Counts by sample, step and core."""
    shape = (samples, steps, len(cores))
    found = {
        k: np.zeros(shape, np.int64) for k in ("syn_ops", "spikes", "axon_out", "spikes_in")
    }
    for c, core in enumerate(cores):
        for (source, into), weight in weights.items():
            fan = weight[core_of[into] == core].sum(axis=0)
            found["syn_ops"][:, :, c] += (sent[source] * fan).sum(axis=2)
        for name, where in core_of.items():
            found["spikes"][:, :, c] += sent[name][:, :, where == core].sum(axis=2)
        for t in traffic.values():
            found["axon_out"][:, :, c] += t["out"].get(core, 0)
            found["spikes_in"][:, :, c] += t["into"].get(core, 0)
    return found


def _active(
    sent: dict[str, Array], weights: dict[tuple[str, str], Array], kinds: dict[str, str]
) -> dict[str, Array]:
    """Neuron updates with a spike or a synaptic operation, by sample."""
    found = {}
    for name in kinds:
        busy = sent[name].copy()
        for (source, into), weight in weights.items():
            if into == name:
                busy |= sent[source].astype(np.int64) @ weight.T.astype(np.int64) > 0
        found[name] = busy.sum(axis=(1, 2))
    return found


def _placement(
    run: dict[str, Any],
    core_of: dict[str, Array],
    cores: list[int],
    mesh: _Mesh,
    per_core: dict[str, Array],
    traffic: dict[str, Any],
) -> dict[str, Any]:
    steps, samples = run["executed_steps"], run["samples"]
    entries = []
    for c, core in enumerate(cores):
        neurons = {k: int((w == core).sum()) for k, w in core_of.items() if (w == core).any()}
        x, y = mesh.xy(core)
        updates = sum(neurons.values()) * steps * samples
        totals = {key: int(values[:, :, c].sum()) for key, values in per_core.items()}
        used = {
            "neurons": sum(neurons.values()),
            "synaptic_memory": 2048 * (c + 1),
            "input_axons": 64 + c,
            "output_axons": 32 + c,
        }
        shares = {key: used[key] / LIMITS[key]["limit"] for key in used}
        binding = max(shares, key=lambda key: shares[key])
        entries.append(
            {
                "chip_idx": mesh.chip(core),
                "core_idx": core % mesh.per_chip,
                "x": x,
                "y": y,
                "populations": neurons,
                "used": used,
                "binding": binding,
                "utilisation": shares[binding],
                **totals,
                "syn_ops_all": totals["syn_ops"] * 10 // 9,
                "neuron_updates": updates,
                "dendrite_updates": 2 * updates + totals["spikes"],
            }
        )
    links: dict[Any, int] = {}
    for t in traffic.values():
        for link, count in t["links"].items():
            links[link] = links.get(link, 0) + count
    return {
        "target": run["target"],
        "method": "local search",
        "seed": 0,
        "seconds": 0.12,
        "file": None,
        "cores_used": len(cores),
        "chips_used": len({mesh.chip(core) for core in cores}),
        "tiles_used": len({mesh.xy(core) for core in cores}),
        "mesh": {
            "cores_per_chip": mesh.per_chip,
            "cores_per_tile": mesh.per_tile,
            "columns": 2,
            "rows": 2,
            "chip_columns": mesh.chip_columns,
        },
        "limits": {name: dict(entry) for name, entry in LIMITS.items()},
        "cores": entries,
        "links": [
            {"from": list(start), "to": list(end), "messages": count}
            for (start, end), count in sorted(links.items())
            if count
        ],
    }


def _raster(spikes: Array) -> dict[str, Any]:
    n = spikes.shape[2]
    shown = sorted({int(i) for i in np.linspace(0, n - 1, min(n, 64))})
    return {
        "neurons": shown,
        "spikes": packed(np.packbits(spikes[:, :, shown], axis=-1).astype(np.uint8)),
    }
