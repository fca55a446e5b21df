"""`slipway export`, also installed as `nirexport`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import options
from .desk import Desk, Result
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb("Write the NIR graph to this file.", writes="file", required=True)
def export(
    desk: Desk,
    checkpoint: Annotated[Path, typer.Argument(help="State dict of the trained model.")],
    model: Annotated[
        str, typer.Option("--model", help="Who builds the model: module:factory.")
    ],
    sample_shape: Annotated[
        list[str],
        typer.Option(
            help="Sizes of one sample without batch and time, e.g. 1,48,48. Once per tensor "
            "that forward takes, in its order.",
        ),
    ],
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
    shapes = tuple(options.shape(text) for text in sample_shape)
    options.positive(dt, "--dt")
    assert desk.output is not None  # -o is required

    from ..converters.checkpoint import load_model
    from ..converters.export import export as export_graph
    from ..converters.write import write_graph
    from .graphs import describe_graph, show_graph

    samples = None
    if calibrate is not None:
        from ..deploy.data import load_data

        samples = load_data(calibrate).x
    graph = export_graph(
        load_model(checkpoint, model),
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
