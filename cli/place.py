"""`slipway place`: which core of the target holds which neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import Problem, UsageError
from . import options
from .desk import Desk, Result
from .tables import percent, print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console

    from ..deploy.placement import Placement
    from ..deploy.program import Program
    from ..deploy.targets import Target


@verb("Write the placement to this file, for `slipway run --placement`.", writes="file")
def place(
    desk: Desk,
    program: Annotated[Path, typer.Argument(help="A compiled program.")],
    target: Annotated[
        str | None, typer.Option(help="Another target than the program was compiled for.")
    ] = None,
    rates: Annotated[
        Path | None,
        typer.Option(help="run.json of this program: its spikes weigh messages and loads."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help=".npz of samples: the first ones are run for the rates."),
    ] = None,
    cores: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many cores; else as many as naive takes."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the search.")] = 0,
    method: Annotated[
        Literal["place", "naive"],
        typer.Option(help="place: few hops, balanced cores; naive: equal parts, as Lava's."),
    ] = "place",
    memory: options.Memory = "1GiB",
) -> Result:
    """Say which core of the target holds which neurons.

    Keeps every limit of the target's cores. Without --rates or --data all elements are taken
    to send equally often.
    """
    if rates is not None and data is not None:
        raise UsageError("--rates and --data exclude each other", remedy="give one of them")
    if cores is not None and method == "naive":
        raise UsageError(
            "the naive splitter takes as many cores as it needs", remedy="leave --cores out"
        )
    limit = options.size(memory, "--memory")

    from ..deploy.placement import naive, save_placement
    from ..deploy.placement import place as find_place
    from ..deploy.placement.metrics import metrics
    from ..deploy.storage import load_program
    from ..deploy.targets import load_target

    compiled = load_program(program)
    chip = load_target(target or compiled.target)
    known = _known(compiled, rates, data, limit)
    with desk.progress(f"placing {compiled_size(compiled)} neurons on {chip.title}"):
        found = (
            naive(compiled, chip)
            if method == "naive"
            else find_place(compiled, chip, rates=known, seed=seed, cores=cores)
        )
    if desk.output is not None:
        save_placement(found, desk.output)
    facts = {
        "target": found.target,
        "method": found.method,
        "seed": found.seed,
        "seconds": found.seconds,
        "rates": "run" if rates else "data" if data else "assumed",
        "metrics": asdict(metrics(compiled, found, chip, known)),
        "limits": {name: asdict(limit) for name, limit in chip.core.items()},
        "cores": _cores(found, chip),
    }
    return Result(facts, lambda console: _show(console, facts))


def compiled_size(program: Program) -> int:
    """Neurons of all populations."""
    return sum(p.size for p in program.populations)


def _known(
    program: Program, rates: Path | None, data: Path | None, memory: int
) -> dict[str, Any] | None:
    """Messages of each element per inference, from a run, from samples, or None."""
    if data is not None:
        from ..deploy.data import load_data
        from ..deploy.profile import observe

        seen = observe(program, load_data(data), memory)
        if seen is None:
            raise UsageError(
                f"one sample of {data} does not fit into --memory", remedy="allow more memory"
            )
        return dict(seen.rates)
    return None if rates is None else _from_run(program, rates)


def _from_run(program: Program, path: Path) -> dict[str, Any]:
    """Mean rates of the populations; run.json does not hold those of single elements."""
    import numpy as np

    from ..profiles.run_file import load_run

    run = load_run(path)
    known = {
        name: np.full(entry["neurons"], entry["spikes"] / run["samples"] / entry["neurons"])
        for name, entry in run["populations"].items()
    }
    sizes = {p.name: p.size for p in program.populations}
    wrong = [
        Problem(
            f"{known[name].size if name in known else 'no'} neurons; the program has {size}",
            f"{path}, population {name}",
            "give the run.json of this program",
        )
        for name, size in sizes.items()
        if name not in known or known[name].size != size
    ]
    if wrong:
        raise UsageError(*wrong)
    return {name: known[name] for name in sizes}


def _cores(found: Placement, chip: Target) -> list[dict[str, Any]]:
    """Each core: where it lies, what it holds, what it uses and what binds it."""
    import numpy as np

    from ..deploy.placement.geometry import chip_of, tile_of

    x, y = tile_of(chip.mesh, found.cores)
    held: list[dict[str, int]] = [{} for _ in found.cores]
    for name, of in found.core_of.items():
        cores, counts = np.unique(np.searchsorted(found.cores, of), return_counts=True)
        for core, count in zip(cores.tolist(), counts.tolist(), strict=True):
            held[core][name] = count
    rows = []
    for i, core in enumerate(found.cores.tolist()):
        used = {name: int(amounts[i]) for name, amounts in found.used.items()}
        shares = {name: amount / chip.core[name].value for name, amount in used.items()}
        binding = max(shares, key=lambda name: shares[name])
        rows.append(
            {
                "chip_idx": int(chip_of(chip.mesh, core)),
                "core_idx": core % chip.mesh.cores_per_chip,
                "x": int(x[i]),
                "y": int(y[i]),
                "populations": held[i],
                "used": used,
                "binding": binding,
                "utilisation": shares[binding],
            }
        )
    return rows


SHOWN = 40
"""Cores in the table; all are in --json."""


def _show(console: Console, facts: Mapping[str, Any]) -> None:
    limits, cores, m = facts["limits"], facts["cores"], facts["metrics"]
    rows = [
        (
            f"{core['chip_idx']}:{core['core_idx']}",
            f"{core['x']}, {core['y']}",
            ", ".join(f"{name} {count}" for name, count in core["populations"].items()),
            *(core["used"][name] for name in limits),
            core["binding"].replace("_", " "),
            percent(core["utilisation"]),
        )
        for core in cores[:SHOWN]
    ]
    used = tuple(f">{name.replace('_', ' ')}" for name in limits)
    print_table(console, ("core", "tile", "populations", *used, "binds", ">utilisation"), rows)
    if len(cores) > SHOWN:
        console.print(f"and {len(cores) - SHOWN} more cores: --json shows all of them")
    summary = [
        (name.replace("_", " "), limit["value"], *map(percent, m["utilisation"][name]))
        for name, limit in limits.items()
    ]
    print_table(console, ("resource", ">limit", ">mean", ">least", ">most"), summary)
    console.print(
        f"{facts['method']} on {facts['target']}: {m['cores']} cores of {m['tiles']} tiles and "
        f"{m['chips']} chips, in {facts['seconds']:.2f} s"
    )
    source = {
        "run": "rates of the populations in the run",
        "data": "rates of the first samples",
        "assumed": "assumed rates: every element sends in a tenth of the steps",
    }[facts["rates"]]
    console.print(
        f"per inference, {source}: {m['messages']:,.0f} messages "
        f"({percent(_share(m['same_core'], m['messages']))} within a core), "
        f"{m['hops']:,.0f} hops, busiest link {m['busiest_link']:,.0f}, "
        f"{m['other_chip']:,.0f} to another chip"
    )
    console.print(
        f"busiest core: {m['busiest_core']:,.0f} synaptic operations and updates, "
        f"{m['imbalance']:.2f} times the mean"
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
