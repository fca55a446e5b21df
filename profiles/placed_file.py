"""What must be true of placement, traffic, steps and profile of a run.json that has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from .profile import ARRAYS, unpack

_PLACEMENT = ("cores_used", "chips_used", "tiles_used")
_MESH = ("cores_per_chip", "cores_per_tile", "columns", "rows", "chip_columns")
_CORE = ("chip_idx", "core_idx", "x", "y")
_TRAFFIC = ("messages", "hops", "host_messages_in", "host_messages_out")
_ENDS = ("from", "to")


def wrong_placement(run: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with these keys; an older run, or one without cores, lacks them.

    Args:
        run: the content of a run.json.
    """
    wrong: list[str] = []
    placement = _table(run, "placement", "placement", wrong)
    cores = _cores(placement, run, wrong) if placement else 0
    traffic = _table(run, "traffic", "traffic", wrong)
    if traffic:
        _integers(traffic, "traffic.", [key for key in _TRAFFIC if key in traffic], wrong)
        sources = _table(traffic, "sources", "traffic.sources", wrong)
        for name in sources:
            entry = _table(sources, name, f"traffic.sources.{name}", wrong)
            _integers(entry, f"traffic.sources.{name}.", list(entry), wrong)
    _by_step(run, wrong)
    profile = _table(run, "profile", "profile", wrong)
    if profile and not placement:
        wrong.append("profile is there without placement")
    elif profile:
        _profile(profile, cores, wrong)
    return wrong


def wrong_geometry(projections: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with shapes and weights of projections.

    An older run lacks them.
    """
    wrong: list[str] = []
    for name, entry in projections.items():
        key = f"projections.{name}"
        for part, least in (("weights", 0), ("weight_bits", 1)):
            if entry.get(part) is not None:
                _integers(entry, f"{key}.", (part,), wrong, least)
        geometry = _table(entry, "geometry", f"{key}.geometry", wrong)
        lengths: dict[str, tuple[int, ...]]
        lengths = {part: (1, 2, 3) for part in ("input_shape", "output_shape")}
        if geometry.get("type") == "convolution":
            lengths = {part: (3,) for part in lengths}
            lengths |= {part: (2,) for part in ("kernel", "stride")}
            _integers(geometry, f"{key}.geometry.", ("groups",), wrong, 1)
            if isinstance(geometry.get("stride"), int):
                del lengths["stride"]
                _integers(geometry, f"{key}.geometry.", ("stride",), wrong, 1)
        for part, allowed in (lengths if geometry else {}).items():
            found = geometry.get(part)
            if not (
                isinstance(found, list)
                and all(_integer(n) and n > 0 for n in found)
                and len(found) in allowed
            ):
                wrong.append(f"{key}.geometry.{part} must be a shape, is {found!r:.60}")
    return wrong


def _by_step(run: Mapping[str, Any], wrong: list[str]) -> None:
    """Each a list of whole numbers, one of each step."""
    by_step = _table(run, "by_step", "by_step", wrong)
    for kind in by_step:
        entries = _table(by_step, kind, f"by_step.{kind}", wrong)
        tables = {"": entries} if kind == "traffic" else entries
        for name, entry in tables.items():
            key = f"by_step.{kind}.{name}".rstrip(".")
            for what, values in (entry if isinstance(entry, Mapping) else {}).items():
                whole = isinstance(values, list) and all(map(_integer, values))
                if not whole or len(values) != run.get("executed_steps"):
                    wrong.append(f"{key}.{what} must have a whole number of each step")


def _cores(placement: Mapping[str, Any], run: Mapping[str, Any], wrong: list[str]) -> int:
    """How many cores there are, each of them looked at."""
    _integers(placement, "placement.", _PLACEMENT, wrong, least=1)
    if not isinstance(placement.get("target"), str):
        wrong.append("placement.target is missing")
    mesh = _table(placement, "mesh", "placement.mesh", wrong)
    _integers(mesh, "placement.mesh.", [key for key in _MESH if key in mesh], wrong)
    limits = _table(placement, "limits", "placement.limits", wrong)
    for name in limits:
        entry = _table(limits, name, f"placement.limits.{name}", wrong)
        if not _number(entry.get("limit")):
            wrong.append(f"placement.limits.{name}.limit must be a number")
    cores = placement.get("cores")
    if not isinstance(cores, list) or not cores:
        wrong.append("placement.cores must be a list of cores, with one at least")
        return 0
    held: dict[str, int] = {}
    for n, core in enumerate(cores):
        key = f"placement.cores[{n}]"
        if not isinstance(core, Mapping):
            wrong.append(f"{key} must be a table, is {core!r:.60}")
            continue
        _integers(core, f"{key}.", _CORE, wrong)
        inside = _table(core, "populations", f"{key}.populations", wrong)
        if not inside:
            wrong.append(f"{key}.populations is missing")
        _integers(inside, f"{key}.populations.", list(inside), wrong)
        for name, neurons in inside.items():
            held[name] = held.get(name, 0) + (neurons if _integer(neurons) else 0)
        used = _table(core, "used", f"{key}.used", wrong)
        wrong += [f"{key}.used.{k} must be a number" for k, v in used.items() if not _number(v)]
    populations = run.get("populations")
    if not wrong and isinstance(populations, Mapping):
        for name, neurons in held.items():
            known = populations.get(name)
            whole = known.get("neurons") if isinstance(known, Mapping) else None
            if whole != neurons:
                wrong.append(
                    f"placement.cores hold {neurons} neurons of {name}, which has {whole}"
                )
    _links(placement, wrong)
    return len(cores)


def _links(placement: Mapping[str, Any], wrong: list[str]) -> None:
    links = placement.get("links") or []
    if not isinstance(links, list):
        wrong.append("placement.links must be a list")
        return
    for n, link in enumerate(links):
        tiles = isinstance(link, Mapping) and all(
            isinstance(link.get(end), list)
            and len(link[end]) == 2
            and all(map(_integer, link[end]))
            for end in _ENDS
        )
        if not tiles or not _integer(link.get("messages")):
            wrong.append(f"placement.links[{n}] must have from, to and messages")


def _profile(profile: Mapping[str, Any], cores: int, wrong: list[str]) -> None:
    before = len(wrong)
    _integers(profile, "profile.", ("samples", "steps"), wrong)
    for key in ("active_updates", "resting_updates", "neuron_updates"):
        updates = _table(profile, key, f"profile.{key}", wrong)
        _integers(updates, f"profile.{key}.", list(updates), wrong)
    _table(profile, "rasters", "profile.rasters", wrong)
    arrays = _table(profile, "arrays", "profile.arrays", wrong)
    if len(wrong) > before or not cores:
        return
    shape = [profile["samples"], profile["steps"], cores]
    if profile["steps"] < 1:
        wrong.append("profile.steps must be an integer from 1, is 0")
    for key in ARRAYS:
        entry = arrays.get(key)
        if not isinstance(entry, Mapping):
            wrong.append(f"profile.arrays.{key} is missing")
            continue
        if entry.get("shape") != shape:
            wrong.append(
                f"profile.arrays.{key} has shape {entry.get('shape')!r:.60}; {shape} are "
                "samples, steps and cores"
            )
            continue
        try:
            unpack(entry)
        except ValueError as error:
            wrong.append(f"profile.arrays.{key} is damaged: {error}")


def _table(
    values: Mapping[str, Any], key: str, name: str, wrong: list[str]
) -> Mapping[str, Any]:
    found = values.get(key)
    if found is None:
        return {}
    if isinstance(found, Mapping):
        return found
    wrong.append(f"{name} must be a table, is {found!r:.60}")
    return {}


def _integers(
    values: Mapping[str, Any],
    prefix: str,
    keys: Sequence[str],
    wrong: list[str],
    least: int = 0,
) -> None:
    for key in keys:
        found = values.get(key)
        if not _integer(found) or found < least:
            wrong.append(f"{prefix}{key} must be an integer from {least}, is {found!r:.60}")


def _integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
