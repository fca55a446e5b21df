"""`slipway run`: a program over a data set on one engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from . import options
from .desk import Desk, Result
from .outputs import json_text
from .tables import percent, print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb(writes="file")
def run(
    desk: Desk,
    program: Annotated[Path, typer.Argument(help="A compiled program.")],
    data: options.Data,
    engine: Annotated[
        str, typer.Option(help="fast, reference (plain NumPy) or lava (Lava's simulator).")
    ] = "fast",
    device: Annotated[
        str, typer.Option(help="cpu; or, for the fast engine, a GPU: cuda, cuda:1.")
    ] = "cpu",
    samples: options.Samples = None,
    placement: Annotated[
        Path | None,
        typer.Option(help="Cores by `slipway place`; else placed by the first samples."),
    ] = None,
    memory: options.Memory = "1GiB",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the unfinished run kept beside -o.")
    ] = False,
    timeout: options.Timeout = None,
) -> Result:
    """Run a program over a data set on one engine.

    Counts every spike and every synaptic operation. Data of any size are read section by
    section; with -o, finished sections are kept until the result is written.
    """
    options.positive(timeout, "--timeout")
    limit = options.size(memory, "--memory")
    if resume and desk.output is None:
        raise UsageError(
            "--resume needs -o: the unfinished run is kept beside its output",
            remedy="give the -o that the run was started with",
        )

    from ..deploy.data import load_data
    from ..deploy.partial import folder_of, identity_of, open_partial
    from ..deploy.placed import placed
    from ..deploy.run import run as run_program
    from ..deploy.storage import load_program
    from ..files import write_text
    from .inputs import provenance

    compiled = load_program(program)
    given = load_data(data).first(samples)
    total, partial = given.samples, None
    with desk.progress(f"running {total} samples on {engine}") as move:
        origin = provenance(program=program, data=data, placement=placement)
        layout = placed(compiled, given, placement, limit)
        if layout.unplaced:
            desk.note(f"counted without cores: {layout.unplaced}")
        if desk.output is not None:
            identity = identity_of(origin, engine, total, layout.fingerprint)
            folder, command = folder_of(desk.output), origin["command"]
            partial = open_partial(folder, identity, command, resume=resume)
        if resume and partial:
            desk.note(
                f"going on after {partial.samples} of {total} samples"
                if partial.samples
                else "there is nothing to go on with: starting anew"
            )
        try:
            done = run_program(
                compiled,
                given,
                engine=engine,
                device=device,
                memory=limit,
                timeout=timeout,
                progress=lambda count: move(count / total, f"{count}/{total}"),
                provenance=origin,
                partial=partial,
                routes=layout.routes,
                profile=layout.profile,
            )
        except BaseException:
            if partial and partial.samples:
                desk.note(f"{partial.samples} of {total} samples are kept: go on with --resume")
            raise
    facts = {**done.as_json(), "unplaced": layout.unplaced or None}
    if partial and desk.output is not None:
        write_text(desk.output, json_text(facts) + "\n")
        partial.remove()
    return Result(facts, lambda console: show_run(console, facts))


def show_run(console: Console, facts: dict[str, Any]) -> None:
    """Counts by population and projection, accuracy and speed."""
    samples = facts["samples"]
    populations = [
        (
            name,
            f["kind"],
            f["neurons"],
            f["spikes"] / samples,
            f["spikes"] / (f["neurons"] * samples * facts["executed_steps"]),
            f["saturated"],
        )
        for name, f in facts["populations"].items()
    ]
    heads = ("population", "kind", ">neurons", ">spikes/sample", ">spikes/neuron/step")
    print_table(console, (*heads, ">saturated"), populations)
    projections = [
        (
            name,
            f["kind"],
            f["synapses"],
            f["synops"] / samples,
            f["delay"],
            _shares(f.get("kernels", {})),
        )
        for name, f in facts["projections"].items()
    ]
    columns = ("projection", "kind", ">synapses", ">synops/sample", ">delay", "kernels")
    print_table(console, columns, projections)
    console.print(
        f"{samples} samples, {facts['steps']} steps each, engine {facts['engine']}, "
        f"{facts['precision']}, accuracy {percent(facts['accuracy'])}, "
        f"{facts['seconds']:.2f} s, {facts['sample_steps_per_second']:,.0f} sample-steps/s"
    )
    clipped = facts["clipped"]
    if clipped:
        console.print(f"warning: {clipped:,} input values were clipped to the legal range")


def _shares(kernels: dict[str, int]) -> str:
    """How many of the steps each kind of kernel served."""
    total = sum(kernels.values())
    return ", ".join(f"{kind} {served / total:.0%}" for kind, served in kernels.items()) or "-"
