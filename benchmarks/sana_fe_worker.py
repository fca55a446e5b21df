"""A placed network in SANA-FE, as a process of its own.

SANA-FE is under the GPL: nothing of slipway imports it, and this file imports nothing of
slipway. Usage, in an environment that holds sanafe and NumPy:
python sana_fe_worker.py JOB.npz RESULT.json
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import sanafe

SYNAPSES = {
    "dense": "loihi_dense_synapse",
    "sparse": "loihi_sparse_synapse",
    "convolution": "loihi_conv_synapse",
}


def build(job: Any) -> tuple[Any, Any]:
    """The architecture that SANA-FE ships for Loihi, and the network mapped to it."""
    architecture, network, groups = sanafe.load_loihi(), sanafe.Network(), {}
    kinds = {
        str(job[f"ends/{name}"][1]): str(job[f"kind/{name}"])
        for name in job["projections"].tolist()
    }
    for name in job["populations"].tolist():
        size = len(job[f"core/{name}"])
        group = network.create_neuron_group(
            name,
            size,
            model_attributes={
                "threshold": float(job[f"threshold/{name}"]),
                "leak_decay": 1.0,
                "reset": 0.0,
            },
            soma_hw_name="loihi_lif",
            default_dendrite_hw_name="loihi_dendrites",
            default_synapse_hw_name=SYNAPSES[kinds.get(name, "dense")],
        )
        groups[name] = group
        for neuron, bias, tile, core in zip(
            group,
            job[f"bias/{name}"].tolist(),
            job[f"tile/{name}"].tolist(),
            job[f"core/{name}"].tolist(),
            strict=True,
        ):
            neuron.set_attributes(model_attributes={"bias": bias})
            neuron.map_to_core(architecture.tiles[tile].cores[core])
    for name in job["projections"].tolist():
        source, target = job[f"ends/{name}"].tolist()
        pairs = job[f"pairs/{name}"].tolist()
        weights = job[f"weights/{name}"].tolist()
        groups[source].connect_neurons_sparse(
            groups[target], {"weight": weights}, [tuple(pair) for pair in pairs]
        )
    return architecture, network


def main(job_path: str, result_path: str) -> None:
    """Simulate the job and write energies, counts and the seconds of the simulation alone."""
    started = time.perf_counter()
    with np.load(job_path) as job:
        architecture, network = build(job)
        chip = sanafe.SpikingChip(architecture)
        chip.load(network)
        steps = int(job["steps"])
    loading = time.perf_counter() - started
    started = time.perf_counter()
    found = chip.sim(steps, timing_model="simple", perf_trace=True)
    seconds = time.perf_counter() - started
    trace = found.pop("perf_trace")
    result = {
        "loading": loading,
        "seconds": seconds,
        "energy": found["energy"],
        "fired": int(found["neurons_fired"]),
        "updated": int(found["neurons_updated"]),
        "messages": int(found["packets_sent"]),
        "synops": int(found["spikes"]),
        "hops": int(sum(trace["hops"])),
    }
    with open(result_path, "w", encoding="utf-8") as stream:
        json.dump(result, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
