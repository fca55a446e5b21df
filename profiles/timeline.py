"""The profiled samples step by step, for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .costs import CostModel
from .counts import counts_of
from .latency import steps_in


def timeline_of(run: Mapping[str, Any], model: CostModel) -> dict[str, Any] | None:
    """Time step by step, the mean over the profiled samples: JSON values, or None.

    Keys: `samples`; `seconds` {low, nominal, high} of each step; `busiest_core` of each step
    (index into placement.cores; the core that is the longest in most samples); `binding` part
    of each step (synapse, neuron, message, barrier); `parts`, the nominal seconds of each on
    the busiest core; `barrier_second`; `core_seconds`, the mean nominal time of each core.
    None: no time in the model, no profile in the run, or a placement for another device.

    Args:
        run: a checked run.json.
        model: the prices.
    """
    counts = counts_of(run).on(model.device)
    found = steps_in(counts, model) if model.timed and counts.profile else None
    if found is None:
        return None
    parts = {key: values.mean(axis=0) for key, values in found.parts.items()}
    order = list(parts)
    binding = np.argmax([parts[key] for key in order], axis=0)
    cores = [int(np.argmax(np.bincount(column))) for column in found.core.T]
    return {
        "samples": found.samples,
        "seconds": {
            "low": found.low.mean(axis=0).tolist(),
            "nominal": found.nominal.mean(axis=0).tolist(),
            "high": found.high.mean(axis=0).tolist(),
        },
        "busiest_core": cores,
        "binding": [order[n] for n in binding],
        "parts": {key: values.tolist() for key, values in parts.items()},
        "barrier_second": found.barrier.as_json(),
        "core_seconds": found.cores.mean(axis=(0, 1)).tolist(),
    }
