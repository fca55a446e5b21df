"""run.json values of networks on cores, of any size: what the report must be able to show."""

from __future__ import annotations

import base64
import zlib
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from .runs import compile_report, population, projection, spread

Array = npt.NDArray[Any]

MESH = {"cores_per_chip": 128, "cores_per_tile": 4, "columns": 8, "rows": 4, "chip_columns": 4}
LIMITS = {
    "neurons": {"limit": 1024, "unit": "neurons", "grade": "primary"},
    "input_axons": {"limit": 4096, "unit": "axons", "grade": "primary"},
    "output_axons": {"limit": 4096, "unit": "axons", "grade": "primary"},
    "synaptic_memory": {"limit": 1_048_576, "unit": "bit", "grade": "secondary quote"},
}
COUNTED = ("syn_ops", "spikes", "axon_out", "spikes_in")


def packed(values: Array) -> dict[str, Any]:
    """An array as it stands in run.json."""
    little = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
    data = base64.b64encode(zlib.compress(little.tobytes())).decode()
    return {"shape": list(values.shape), "dtype": values.dtype.name, "data": data}


def network(
    layers: int = 4,
    *,
    neurons: int = 1500,
    rate: float = 0.03,
    samples: int = 200,
    steps: int = 16,
    recorded: int = 3,
    per_core: int = 200,
    name: str = "layer",
    labels: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """Layers one after the other, each on cores of its own, filled chip by chip."""
    rng = np.random.default_rng(seed)
    names = [f"{name}_{n}" for n in range(layers)]
    executed = steps + layers
    sizes = {n: max(1, int(neurons * 0.8**i)) for i, n in enumerate(names)}
    cores = _cores(sizes, per_core)
    arrays = {key: np.zeros((recorded, executed, len(cores)), np.int32) for key in COUNTED}
    rasters, spikes, active = {}, {}, {}
    for depth, (layer, size) in enumerate(sizes.items()):
        own = [i for i, core in enumerate(cores) if layer in core["populations"]]
        level = rate * (0.5 + rng.random()) * np.clip(np.arange(executed) - depth, 0, 3) / 3
        for index in own:
            held = cores[index]["populations"][layer]
            fired = rng.binomial(held, level, (recorded, executed))
            arrays["spikes"][..., index] = fired
            arrays["axon_out"][..., index] = fired * 2
            arrays["syn_ops"][..., index] = rng.poisson(40 * level * size, fired.shape)
            arrays["spikes_in"][..., index] = rng.poisson(level * size, fired.shape)
        shown = np.unique(np.linspace(0, size - 1, min(size, 64)).astype(int))
        bits = rng.random((recorded, executed, len(shown))) < level[:, None]
        rasters[layer] = {
            "neurons": shown.tolist(),
            "spikes": packed(np.packbits(bits, -1)),
            "sent": packed(arrays["spikes"][..., own].sum(axis=2, dtype=np.int32)),
        }
        spikes[layer] = int(arrays["spikes"][..., own].sum()) * samples // recorded
        active[layer] = min(size * executed * recorded, 3 * int(spikes[layer]) + size)
    for index, core in enumerate(cores):
        totals = {k: int(arrays[k][..., index].sum()) * samples // recorded for k in COUNTED}
        updates = sum(core["populations"].values()) * executed * samples
        core |= totals | {
            "syn_ops_all": totals["syn_ops"] + totals["syn_ops"] // 9,
            "neuron_updates": updates,
            "dendrite_updates": 2 * updates + totals["spikes"],
        }
    run = _run(names, sizes, spikes, cores, samples, steps, executed, labels)
    run["placement"] = _placement(cores, rng)
    run["traffic"] = _traffic(run, cores, samples)
    run["profile"] = {
        "samples": recorded,
        "steps": executed,
        "cores": len(cores),
        "active_updates": active,
        "neuron_updates": {k: n * executed * recorded for k, n in sizes.items()},
        "arrays": {key: packed(values) for key, values in arrays.items()},
        "rasters": rasters,
    }
    return run


def _cores(sizes: dict[str, int], per_core: int) -> list[dict[str, Any]]:
    cores: list[dict[str, Any]] = []
    for layer, size in sizes.items():
        for part in range(ceil(size / per_core)):
            number = len(cores)
            chip, core = divmod(number, MESH["cores_per_chip"])
            tile = core // MESH["cores_per_tile"]
            held = min(per_core, size - part * per_core)
            used = {
                "neurons": held,
                "input_axons": 40 + 3 * held,
                "output_axons": 2 * held,
                "synaptic_memory": 4000 * held,
            }
            shares = {k: used[k] / LIMITS[k]["limit"] for k in used}  # type: ignore[operator]
            binding = max(shares, key=lambda k: shares[k])
            cores.append(
                {
                    "chip_idx": chip,
                    "core_idx": core,
                    "x": tile % MESH["columns"]
                    + MESH["columns"] * (chip % MESH["chip_columns"]),
                    "y": tile // MESH["columns"]
                    + MESH["rows"] * (chip // MESH["chip_columns"]),
                    "populations": {layer: held},
                    "used": used,
                    "binding": binding,
                    "utilisation": shares[binding],
                }
            )
    return cores


def _run(
    names: list[str],
    sizes: dict[str, int],
    spikes: dict[str, int],
    cores: list[dict[str, Any]],
    samples: int,
    steps: int,
    executed: int,
    labels: bool,
) -> dict[str, Any]:
    populations = {
        n: population("LIF", (sizes[n],), spikes[n], samples, executed) for n in names
    }
    projections = {}
    for source, target in zip(["input", *names], names, strict=False):
        synops = sum(c["syn_ops"] for c in cores if target in c["populations"])
        entry = projection(source, target, "Dense", 9000, synops, samples, False)
        projections[f"{source}->{target}"] = entry
    truth = [n % 10 for n in range(samples)]
    return {
        "format": 1,
        "engine": "fast",
        "precision": "fixed",
        "target": "loihi2",
        "samples": samples,
        "steps": steps,
        "executed_steps": executed,
        "latency_steps": executed - steps,
        "dt_second": 0.001,
        "accuracy": 0.912 if labels else None,
        "predictions": truth,
        "labels": truth if labels else None,
        "clipped": 0,
        "inputs": {
            "input": {"shape": [800], "graded": False, "neurons": 800, "messages": 90 * samples}
        },
        "outputs": {
            "output": {"population": names[-1], "readout": "count", "predictions": truth}
        },
        "populations": populations,
        "projections": projections,
        "seconds": 2.0,
        "sample_steps_per_second": 1000.0,
        "compile": compile_report(names, list(projections)),
        "provenance": {
            "slipway": "0.1.0",
            "python": "3.11.9",
            "command": "slipway run net.slip --data test.npz -o run.json",
            "program": {"file": "net.slip", "sha256": "a3" * 32},
            "data": {"file": "test.npz", "sha256": "5f" * 32},
        },
    }


def _placement(cores: list[dict[str, Any]], rng: np.random.Generator) -> dict[str, Any]:
    tiles = sorted({(c["x"], c["y"]) for c in cores})
    links = [
        {"from": [x, y], "to": [x + dx, y + dy], "messages": int(rng.integers(1, 90_000))}
        for x, y in tiles
        for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1))
        if (x + dx, y + dy) in tiles
    ]
    return {
        "target": "loihi2",
        "method": "search",
        "seed": 0,
        "seconds": 0.4,
        "file": None,
        "cores_used": len(cores),
        "chips_used": len({c["chip_idx"] for c in cores}),
        "tiles_used": len(tiles),
        "mesh": dict(MESH),
        "limits": {key: dict(limit) for key, limit in LIMITS.items()},
        "cores": cores,
        "links": links,
    }


def _traffic(run: dict[str, Any], cores: list[dict[str, Any]], samples: int) -> dict[str, Any]:
    sources = {}
    for name, entry in run["populations"].items():
        own = sum(c["axon_out"] for c in cores if name in c["populations"])
        sources[name] = {
            "messages": own,
            "messages_same_core": own // 10,
            "messages_same_tile": own // 5,
            "messages_other_chip": 0,
            "chip_bytes": 0,
            "hops": 2 * own,
            "hops_east_west": own + own // 2,
            "hops_north_south": own - own // 2,
        }
        assert entry["spikes"] >= 0
    keys = next(iter(sources.values()))
    totals = {key: sum(s[key] for s in sources.values()) for key in keys}
    return {
        **totals,
        "host_messages_in": 3 * run["inputs"]["input"]["messages"],
        "host_messages_out": 0,
        "sources": sources,
        "messages_per_sample": spread(totals["messages"], samples),
        "hops_per_sample": spread(totals["hops"], samples),
    }
