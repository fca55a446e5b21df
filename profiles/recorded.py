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


def _array(entry: Any, where: str) -> Array:
    """An array of run.json. Raises FileError that names it."""
    try:
        return unpack(entry)
    except (AttributeError, ValueError) as error:
        raise FileError(f"is no array: {error}", where=where, remedy=_REMEDY) from error


def recorded_of(run: Mapping[str, Any], sample: int = 0) -> dict[str, Any] | None:
    """What happened in each step of the samples that the run recorded; None if it has none.

    Keys: samples, steps; `rates`, by population the spikes per neuron in each step, mean over
    the recorded samples, `neurons` of the population's neurons seen (all, or those of the
    raster); `busiest`, in each step synops of the busiest core and mean over cores, and which
    core it is, again means over samples; `raster`, of one sample: by population the neurons
    shown and (step, row) of each spike.

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
    packed = _array(entry["spikes"], where)
    shown = len(entry["neurons"])
    if packed.shape != (samples, steps, -(-shown // 8)) or packed.dtype != np.uint8:
        raise FileError(
            f"has shape {packed.shape}, expected {(samples, steps, -(-shown // 8))}",
            where=where,
            remedy=_REMEDY,
        )
    return np.unpackbits(packed, axis=-1, count=shown)


def _rates(run: Mapping[str, Any], rasters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Spikes per neuron in each step, from all neurons where their cores hold no others."""
    whole = _counted_by_core(run)
    found = []
    for name, (neurons, bits) in rasters.items():
        size = run["populations"].get(name, {}).get("neurons")
        if not size:
            continue
        if name in whole and len(neurons) < size:
            rates, seen = whole[name] / size, size
        else:
            rates, seen = bits.mean(axis=(0, 2)), len(neurons)
        found.append({"name": name, "neurons": seen, "of": size, "rates": rates.tolist()})
    return found


def _counted_by_core(run: Mapping[str, Any]) -> dict[str, Array]:
    """Spikes in each step, mean over samples, of populations that share no core."""
    cores = (run.get("placement") or {}).get("cores") or []
    entry = run["profile"]["arrays"].get("spikes")
    if not cores or entry is None:
        return {}
    spikes = _array(entry, "profile.arrays.spikes").mean(axis=0)
    homes: dict[str, list[int]] = {}
    mixed: set[str] = set()
    for index, core in enumerate(cores):
        for name in core["populations"]:
            homes.setdefault(name, []).append(index)
        if len(core["populations"]) > 1:
            mixed |= set(core["populations"])
    return {
        name: spikes[:, own].sum(axis=1) for name, own in homes.items() if name not in mixed
    }


def _busiest(profile: Mapping[str, Any]) -> dict[str, list[float]] | None:
    """Synops of the busiest core and of the mean core in each step, mean over samples."""
    entry = profile["arrays"].get("syn_ops")
    if entry is None or 0 in entry["shape"]:
        return None
    synops = _array(entry, "profile.arrays.syn_ops").mean(axis=0, dtype=np.float64)
    return {
        "syn_ops": synops.max(axis=1).tolist(),
        "mean_syn_ops": synops.mean(axis=1).tolist(),
        "core": synops.argmax(axis=1).tolist(),
    }


__all__ = ["recorded_of"]
