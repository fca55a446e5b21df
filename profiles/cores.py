"""The network on the cores: capacity, balance and links, from the placement of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What a core does, and what it is called; the load of a core is each of these by itself.
LOADS = ("syn_ops", "neuron_updates", "axon_out", "spikes_in")


def placement_of(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Facts of the placement; None for a run without one.

    Keys beside those of run.json: `capacity`, a row a resource; `binding`, the resource that
    fills most cores first; `balance`, by kind of work the busiest core against the mean;
    `hottest_link`; `cores`, with per-inference means instead of totals in `load`.
    """
    placement = run.get("placement")
    if not placement:
        return None
    cores = list(placement["cores"])
    links = list(placement.get("links") or [])
    samples = run["samples"]
    keys = ("target", "method", "seed", "seconds", "file", "cores_used", "chips_used")
    return {
        **{key: placement.get(key) for key in (*keys, "tiles_used", "mesh")},
        "capacity": _capacity(placement.get("limits") or {}, cores),
        "binding": _binding(cores),
        "balance": {key: _balance(key, cores, samples) for key in LOADS},
        "hottest_link": _hottest(links, samples),
        "links": [{**link, "per_inference": link["messages"] / samples} for link in links],
        "cores": [_core(core, samples) for core in cores],
    }


def traffic_of(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Messages and hops: exact totals over all samples, and means per inference."""
    traffic = run.get("traffic")
    if not traffic:
        return None
    totals = {key: value for key, value in traffic.items() if isinstance(value, int)}
    means = {key: value / run["samples"] for key, value in totals.items()}
    return {**traffic, "per_inference": means}


def core_name(core: Mapping[str, Any], chips: int) -> str:
    """Where a core is, in words."""
    place = f"core {core['core_idx']}"
    return place if chips == 1 else f"chip {core['chip_idx']}, {place}"


def _core(core: Mapping[str, Any], samples: int) -> dict[str, Any]:
    load = {key: core[key] / samples for key in LOADS if isinstance(core.get(key), int)}
    return {**core, "load": load}


def _capacity(
    limits: Mapping[str, Any], cores: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Used and limit of each resource over the cores in use."""
    rows = []
    for name, entry in limits.items():
        used = [core["used"][name] for core in cores if name in core["used"]]
        if not used:
            continue
        limit, most = entry["limit"], max(used)
        fullest = next(core for core in cores if core["used"].get(name) == most)
        rows.append(
            {
                "resource": name,
                "unit": entry.get("unit"),
                "grade": entry.get("grade"),
                "limit": limit,
                "minimum": min(used),
                "mean": sum(used) / len(used),
                "maximum": most,
                "share": most / limit if limit else 0.0,
                "fullest": {"chip_idx": fullest["chip_idx"], "core_idx": fullest["core_idx"]},
                "binds": sum(core.get("binding") == name for core in cores),
            }
        )
    return rows


def _binding(cores: Sequence[Mapping[str, Any]]) -> str | None:
    """The resource that is the fullest on most cores."""
    names = [core["binding"] for core in cores if core.get("binding")]
    return max(dict.fromkeys(names), key=names.count) if names else None


def _balance(
    key: str, cores: Sequence[Mapping[str, Any]], samples: int
) -> dict[str, Any] | None:
    """The busiest core, the mean over cores in use, and their ratio."""
    loads = [core.get(key) for core in cores]
    if not loads or not all(isinstance(load, int) for load in loads):
        return None
    counts = [int(load or 0) for load in loads]
    mean, most = sum(counts) / len(counts), max(counts)
    busiest = cores[counts.index(most)]
    return {
        "busiest": {
            "chip_idx": busiest["chip_idx"],
            "core_idx": busiest["core_idx"],
            "populations": dict(busiest["populations"]),
        },
        "maximum_per_inference": most / samples,
        "mean_per_inference": mean / samples,
        "ratio": most / mean if mean else None,
    }


def _hottest(links: Sequence[Mapping[str, Any]], samples: int) -> dict[str, Any] | None:
    if not links:
        return None
    link = max(links, key=lambda entry: int(entry["messages"]))
    total = sum(entry["messages"] for entry in links)
    return {
        "from": link["from"],
        "to": link["to"],
        "messages": link["messages"],
        "per_inference": link["messages"] / samples,
        "share": link["messages"] / total if total else 0.0,
    }


__all__ = ["LOADS", "core_name", "placement_of", "traffic_of"]
