"""`slipway compile`: a NIR graph to a program, with every approximation reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options
from .desk import Desk, Result
from .net_files import is_net, read_program, refuse_options
from .tables import cell, print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console

# What the compile report measures of each population, float against fixed, and short heads.
_ERRORS = {
    "rate_cosine": "rate cos",
    "raster_cosine": "raster cos",
    "best_lag": "lag",
    "first_difference_step": "differs at",
    "spikes_float": "float",
    "spikes_fixed": "fixed",
    "membrane_rms": "v rms",
}


@verb("Write the program to this file.", writes="file", required=True)
def compile(
    desk: Desk,
    graph: Annotated[Path, typer.Argument(help="A NIR graph, or a .net file.")],
    target: options.Target = "loihi2",
    calibrate: options.Calibrate = None,
    precision: Annotated[
        Literal["fixed", "float"],
        typer.Option(help="Integers as the hardware has them, or the graph's own numbers."),
    ] = "fixed",
    steps: options.Steps = None,
    dt: options.Dt = None,
    code: options.Code = "rate",
    weight_bits: options.WeightBits = None,
    reset: options.Reset = None,
    input_encoding: options.Encoding = None,
) -> Result:
    """Turn a NIR graph into a program for a target.

    In fixed point the integers are proven to stay in the range of the hardware.
    """
    options.positive(dt, "--dt")
    assert desk.output is not None  # -o is required

    from ..deploy.storage import save_program

    if is_net(graph):
        given = {
            "--calibrate": calibrate,
            "--precision": precision != "fixed",
            "--code": code != "rate",
            "--weight-bits": weight_bits,
            "--reset": reset,
            "--input-encoding": input_encoding,
        }
        refuse_options(graph, given)
        program = read_program(graph, target, steps, dt)
    else:
        from ..deploy.compile import compile_graph
        from .inputs import provenance, read_graph

        samples = None
        if calibrate is not None:
            from ..deploy.data import load_data

            samples = load_data(calibrate).x
        source = read_graph(graph, dt, reset, input_encoding)
        with desk.progress(f"compiling {graph} for {target}"):
            program = compile_graph(
                source,
                target=target,
                precision=precision,
                calibration=samples,
                steps=steps,
                code=code,
                weight_bits=weight_bits,
                provenance=provenance(graph=graph, calibration=calibrate),
            )
    save_program(program, desk.output)
    facts: dict[str, Any] = {
        "program": str(desk.output),
        "target": program.target,
        "precision": program.precision,
        "steps": program.steps,
        "dt_second": program.dt,
        "latency_steps": program.latency,
        "report": dict(program.report),
    }

    def show(console: Console) -> None:
        show_compile_report(console, facts["report"])
        console.print(
            f"program: {desk.output} ({precision}, {target}, {program.steps} steps, "
            f"latency {program.latency})"
        )

    return Result(facts, show)


def show_compile_report(console: Console, report: dict[str, Any]) -> None:
    """The compile report as tables, and its warnings. A `float` program has none."""
    populations = report.get("populations", {})
    projections = report.get("projections", {})
    if populations:
        heads = ("population", "kind", ">neurons", ">scale", ">threshold", ">|v| bound")
        rows = [_population(name, facts) for name, facts in populations.items()]
        print_table(console, heads, rows)
    errors = {name: f["error"] for name, f in populations.items() if f.get("error")}
    if errors:
        columns = ("population", *(f">{head}" for head in _ERRORS.values()), ">alone", ">clip")
        measured = [
            (
                name,
                *(error.get(key) for key in _ERRORS),
                (populations[name].get("added") or {}).get("raster_cosine"),
                populations[name].get("saturated"),
            )
            for name, error in errors.items()
        ]
        print_table(console, columns, measured)
    if projections:
        weights = [
            (
                f"{name} ({f['part']} part)" if f.get("part") else name,
                f.get("bits"),
                f.get("exponent"),
                f.get("sign_mode"),
                f.get("weight_error_relative"),
                f.get("weights_clipped"),
            )
            for name, f in projections.items()
        ]
        titles = ("projection", ">bits", ">exponent", "signs", ">weight error", ">clipped")
        print_table(console, titles, weights)
    for warning in report.get("warnings", ()):
        console.print(f"warning: {warning}", markup=False)


def _population(name: str, facts: dict[str, Any]) -> tuple[Any, ...]:
    bound = facts.get("bounds", {}).get("v")
    return (
        name,
        facts.get("kind"),
        facts.get("neurons"),
        facts.get("scale"),
        _range(facts.get("threshold")),
        None if bound is None else max(abs(value) for value in bound),
    )


def _range(pair: list[Any] | None) -> str:
    if not pair or None in pair:
        return "-"
    low, high = pair
    return cell(low) if low == high else f"{cell(low)}..{cell(high)}"
