"""The first samples of a run, step by step: rates over time, rasters, the busiest core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FileError, UsageError
from .profile import unpack

Array = npt.NDArray[Any]

_REMEDY = "make run.json anew with: slipway run PROGRAM.slip --data DATA.npz -o run.json"


def _array(entry: Any, where: str, shape: tuple[int, ...]) -> Array:
    """An array of run.json. Raises FileError that names it."""
    try:
        found = unpack(entry)
    except (AttributeError, TypeError, ValueError) as error:
        raise FileError(f"is no array: {error}", where=where, remedy=_REMEDY) from error
    if found.shape != shape:
        raise FileError(
            f"has shape {found.shape}, expected {shape}", where=where, remedy=_REMEDY
        )
    return found


def recorded_of(run: Mapping[str, Any], sample: int = 0) -> dict[str, Any] | None:
    """What happened in each step of the samples that the run recorded; None if it has none.

    Keys: samples, steps; `rates`, by population the spikes per neuron in each step, mean over
    `of_samples` of all samples, or of the recorded ones in an older run, `neurons` of the
    population's neurons seen (all, or those of the raster); `busiest`, in each step synops of
    the busiest core and mean over cores, and which core it is, again means over samples;
    `raster`, of one sample: by population the neurons shown and (step, row) of each spike.

    Raises:
        UsageError: the sample is not among those recorded.
        FileError: the arrays are malformed.
    """
    profile = run.get("profile")
    if not profile:
        if sample:
            raise UsageError(
                f"there is no raster of sample {sample}: the run recorded none",
                remedy="leave --sample out, or run anew with this version of slipway",
            )
        return None
    samples, steps = int(profile["samples"]), int(profile["steps"])
    if not 0 <= sample < samples:
        raise UsageError(
            f"sample {sample} was not recorded; the run has samples 0 to {samples - 1}",
            remedy="choose one of these with --sample",
        )
    rasters = {
        name: (entry["neurons"], _bits(name, entry, samples, steps))
        for name, entry in profile["rasters"].items()
    }
    return {
        "samples": samples,
        "sample": sample,
        "steps": steps,
        "rates": _rates(run, rasters),
        "busiest": _busiest(profile),
        "raster": [
            {
                "name": name,
                "neurons": list(neurons),
                "of": run["populations"][name]["neurons"],
                "spikes": np.argwhere(bits[sample]).tolist(),
            }
            for name, (neurons, bits) in rasters.items()
            if name in run["populations"]
        ],
    }


def _bits(name: str, entry: Mapping[str, Any], samples: int, steps: int) -> Array:
    """Spikes of the neurons shown: (samples, steps, neurons) of 0 and 1."""
    where = f"profile.rasters.{name}"
    shown = len(entry["neurons"])
    shape = (samples, steps, -(-shown // 8))
    packed = _array(entry["spikes"], where, shape).astype(np.uint8)
    return np.unpackbits(packed, axis=-1, count=shown)


def _rates(run: Mapping[str, Any], rasters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Spikes per neuron in each step.

    Of all samples; in an older run of those recorded, or of the neurons shown.
    """
    found = []
    counted = (run.get("by_step") or {}).get("populations", {})
    for name, (neurons, bits) in rasters.items():
        size = run["populations"].get(name, {}).get("neurons")
        if not size:
            continue
        entry = run["profile"]["rasters"][name].get("sent")
        samples = len(bits)
        if name in counted:
            samples, seen = run["samples"], size
            rates = np.array(counted[name]["spikes"]) / (samples * size)
        elif entry is None:
            rates, seen = bits.mean(axis=(0, 2)), len(neurons)
        else:
            sent = _array(entry, f"profile.rasters.{name}.sent", bits.shape[:2])
            rates, seen = sent.mean(axis=0) / size, size
        row = {"name": name, "neurons": seen, "of": size, "of_samples": samples}
        found.append({**row, "rates": rates.tolist()})
    return found


def _busiest(profile: Mapping[str, Any]) -> dict[str, list[float]] | None:
    """Synops of the busiest core and of the mean core in each step, mean over samples."""
    entry = profile["arrays"].get("syn_ops")
    shape = (profile["samples"], profile["steps"], profile["cores"])
    if entry is None or 0 in shape:
        return None
    synops = _array(entry, "profile.arrays.syn_ops", shape).mean(axis=0, dtype=np.float64)
    return {
        "syn_ops": synops.max(axis=1).tolist(),
        "mean_syn_ops": synops.mean(axis=1).tolist(),
        "core": synops.argmax(axis=1).tolist(),
    }


__all__ = ["recorded_of"]
