"""`slipway export`, also installed as `nirexport`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import Problem, UsageError
from . import options
from .desk import Desk, Result
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb("Write the NIR graph to this file.", writes="file", required=True)
def export(
    desk: Desk,
    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="State dict of the trained model; or the recipe of a student that comes "
            "trained with slipway, which needs neither --model nor --sample-shape."
        ),
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="Who builds the model: module:factory.")
    ] = None,
    sample_shape: Annotated[
        list[str] | None,
        typer.Option(
            help="Sizes of one sample without batch and time, e.g. 1,48,48. Once per tensor "
            "that forward takes, in its order.",
        ),
    ] = None,
    calibrate: options.Calibrate = None,
    steps: options.Steps = None,
    dt: options.Dt = None,
    readout: Annotated[
        Literal["last", "mean", "count"] | None,
        typer.Option(help="What is read: last or mean membrane, or spike count."),
    ] = None,
    input_encoding: Annotated[
        Literal["current", "spikes"] | None,
        typer.Option(help="What the input carries: values at each step, or spikes."),
    ] = None,
) -> Result:
    """Turn a trained checkpoint into a NIR graph."""
    shapes = tuple(options.shape(text) for text in sample_shape or ())
    options.positive(dt, "--dt")
    assert desk.output is not None  # -o is required
    comes_trained = _comes_trained(checkpoint)
    if not comes_trained:
        _require(checkpoint, model, shapes)
    elif model is not None:
        raise UsageError(f"{checkpoint} comes with slipway, and --model builds another network")

    from ..converters.checkpoint import fill_model, load_model
    from ..converters.export import export as export_graph
    from ..converters.write import write_graph
    from .graphs import describe_graph, show_graph

    samples = None
    if calibrate is not None:
        from ..deploy.data import load_data

        samples = load_data(calibrate).x
    if comes_trained:
        from ..models import shipped

        name = str(checkpoint)
        network = fill_model(shipped.build(name), shipped.folder(name) / "student.pt")
        shapes = shapes or (tuple(shipped.facts(name)["sample_shape"]),)
    else:
        assert model is not None
        network = load_model(checkpoint, model)
    graph = export_graph(
        network,
        shapes[0] if len(shapes) == 1 else shapes,
        steps=steps,
        dt=dt,
        readout=readout,
        input_encoding=input_encoding,
        calibration=samples,
    )
    write_graph(graph, desk.output)
    facts = {**describe_graph(graph), "file": str(desk.output)}

    def show(console: Console) -> None:
        show_graph(console, facts)
        console.print(f"NIR graph: {desk.output}")

    return Result(facts, show)


def _comes_trained(checkpoint: Path) -> bool:
    """Whether this is no file, but the name of a student that comes with slipway."""
    if checkpoint.exists():
        return False
    from ..models.shipped import names

    return str(checkpoint) in names()


def _require(checkpoint: Path, model: str | None, shapes: tuple[Any, ...]) -> None:
    missing = [
        Problem(f"{option} is missing", f"export {checkpoint}", remedy)
        for option, given, remedy in (
            ("--model", model, "say who builds the model: --model mypkg.nets:Student"),
            ("--sample-shape", shapes, "give the sizes of one sample, e.g. 1,48,48"),
        )
        if not given
    ]
    if missing:
        raise UsageError(*missing)
