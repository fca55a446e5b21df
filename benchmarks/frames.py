"""Sigma-delta on correlated frames: synaptic operations beside the dense network's, and bits.

    python -m slipway.benchmarks.frames out/students/mini-resemotenet-c-cpu

Films of FER2013's test faces before a camera that rests, pans or zooms, SIMULATED, with and
without camera noise; 48x48, one frame a step. Counted: synaptic operations of the compiled
program. Compared: every activation of every layer and every output, frame by frame, with the
quantised network evaluated from nothing, densely, by torch (`quantised`). Needs a folder that
`make student STUDENT=c-sigma-delta` made.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from slipway.cli.tables import print_table
from slipway.converters.checkpoint import load_model
from slipway.converters.read import read_graph
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.lava import probe
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.program import Program
from slipway.deploy.run import run
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.verify import verify
from slipway.files import write_text
from slipway.models.events.camera import grey_of, light_of
from slipway.models.events.motion import Window, film

from .student_table import fill

Array = npt.NDArray[Any]

RESULTS = Path(__file__).parent / "frames.json"
DOCS = Path(__file__).parent.parent / "docs" / "students.md"
BEGIN, END = "<!-- frames: begin -->", "<!-- frames: end -->"
FRAMES, FACES = 24, 8
MARGIN = 4.0
"""Pixels of a picture on each side that the camera does not see at rest: room for motion."""
NOISE = 2.0
"""Standard deviation of the camera's noise where there is some, grey values: assumed."""
MOTIONS: dict[str, dict[str, float]] = {
    "camera at rest": {},
    "pan, 0.1 pixel a frame": {"pan": 0.1},
    "pan, 0.3 pixel a frame": {"pan": 0.3},
    "zoom, 0.5 % a frame": {"zoom": 0.005},
}


def filmed(picture: Array, frames: int, *, pan: float = 0.0, zoom: float = 0.0) -> Array:
    """A picture before a moving camera, uint8 (frames, H, W).

    Args:
        picture: uint8 (H, W).
        frames: how many.
        pan: pixels of the sensor to the right from frame to frame; the middle of the film
            shows the middle of the picture.
        zoom: share by which what is seen shrinks from frame to frame.
    """
    light, size = light_of(picture), picture.shape[0]
    seen = []
    for k in range(frames):
        width = (size - 2 * MARGIN) * (1 - zoom) ** k
        edge = (size - width) / 2
        shift = np.array([pan * (k - (frames - 1) / 2)])
        path = (np.zeros(1), shift, np.zeros(1))
        seen.append(film(light, path, (size, size), Window(edge, edge, width, width))[0])
    return grey_of(np.stack(seen))


def noisy(films: Array, deviation: float, seed: int = 0) -> Array:
    """With independent Gaussian noise in each pixel and frame, rounded to whole grey values."""
    noise = np.random.default_rng(seed).normal(0.0, deviation, films.shape)
    return np.clip(np.rint(films + noise), 0, 255).astype(np.uint8)


def quantised(program: Program, frames: Array) -> dict[str, Array]:
    """Activations of the quantised network for single frames, without any memory of others.

    x = clip(2^i sum_j 2^e_j W_j q_j + bias, 0, ceiling), q = floor(x / 2^e + 1/2), from the
    integers of a sigma-delta program; of populations that are read, x. By torch's own
    convolution, in float64, which holds these integers exactly.

    Args:
        program: compiled with --code sigma-delta.
        frames: (F, n), the values of the input in integers.
    """
    import torch

    sent: dict[str, Array] = {program.inputs[0].name: frames.astype(np.int64)}
    for population in program.populations:
        neuron = population.neuron
        assert isinstance(neuron, SigmaDelta)
        total = np.zeros((len(frames), population.size))
        for projection in program.into(population.name):
            x = torch.from_numpy(sent[projection.source].astype(np.float64))
            synapse = projection.synapse
            weight = torch.from_numpy(np.asarray(synapse.weight, np.float64))
            if isinstance(synapse, Conv2d):
                y = torch.nn.functional.conv2d(
                    x.reshape(-1, *synapse.input_shape),
                    weight,
                    stride=synapse.stride,
                    padding=synapse.padding,
                    dilation=synapse.dilation,
                    groups=synapse.groups,
                ).flatten(1)
            else:
                y = x @ weight.T
            total += 2.0**projection.exponent * y.numpy()
        x_now = total.astype(np.int64) << neuron.input_exponent
        x_now = x_now + neuron.initial + neuron.bias
        if neuron.activation == "relu":
            x_now = np.clip(x_now, 0, neuron.ceiling)
            half = 1 << neuron.state_exponent >> 1
            x_now = (x_now + half) >> neuron.state_exponent
        sent[population.name] = x_now
    return sent


def difference(program: Program, films: Array) -> dict[str, int]:
    """Largest difference to the quantised network over all frames, in grid steps.

    Args:
        program: compiled with --code sigma-delta.
        films: float (N, T, ...), the network's own input.

    Returns:
        activations: of all populations; outputs: of those that are read, whose grid step is
        1; values: how many were compared.
    """
    presented = films.shape[1]
    found = {"activations": 0, "outputs": 0, "values": 0}
    read = {output.population for output in program.outputs}
    for one in films:
        stimulus, _ = encode(program, one[None])
        (changes,) = stimulus.values.values()
        wanted = quantised(program, changes[0].astype(np.int64).cumsum(axis=0))
        rasters = run(program, one[None], record=True).trace.rasters
        for population in program.populations:
            neuron, raster = population.neuron, rasters[population.name]
            assert isinstance(neuron, SigmaDelta)
            seen = slice(population.depth, population.depth + presented)
            kind = "outputs" if population.name in read else "activations"
            if kind == "outputs":
                got = raster.states["sigma"][0, seen] + neuron.bias
            else:
                got = raster.states["sent"][0, seen] >> neuron.state_exponent
            gap = np.abs(got - wanted[population.name])
            found[kind] = max(found[kind], int(gap.max()))
            found["values"] += gap.size
    return found


def operations(program: Program, films: Array) -> dict[str, float]:
    """Synaptic operations of a frame: of the first, of each later one, and on average."""
    frames = films.shape[1]
    whole, first = (
        sum(int(run(program, x).synops(p.name).sum()) for p in program.projections) / len(films)
        for x in (films, films[:, :1])
    )
    return {
        "first": first,
        "later": (whole - first) / (frames - 1),
        "mean": whole / frames,
    }


def synapses_of(program: Program) -> int:
    """Multiply-accumulates of the dense network that are not with zeros of a padding."""
    return sum(int(p.synapse.fan_out(False).sum()) for p in program.projections)


def measure(program: Program, films: Array, macs: int) -> dict[str, Any]:
    """Operations, their share of the dense network's, and what differs."""
    counted = operations(program, films)
    return {
        "synops": counted,
        "times_fewer": macs / counted["mean"],
        "times_fewer_without_padding": synapses_of(program) / counted["mean"],
        "times_fewer_later": macs / counted["later"] if counted["later"] else None,
        "difference_in_grid_steps": difference(program, films),
    }


def main(folder: Path, frames: int = FRAMES, faces: int = FACES) -> dict[str, Any]:
    """All motions, with and without noise; the result as JSON values."""
    from slipway.models.counting import layers_of  # brings torch and norse

    with np.load(folder / "calibrate.npz") as held:
        calibration = held["x"]
    with np.load(folder / "test.npz") as held:
        pictures = np.rint(held["x"][:faces, 0] * 255).astype(np.uint8)
    program = compile_graph(
        read_graph(folder / "student.nir"),
        calibration=calibration,
        code="sigma-delta",
        steps=frames,
    )
    sys.path.insert(0, str(folder))
    layers = layers_of(
        load_model(folder / "student.pt", "student:build"), calibration.shape[1:]
    )
    macs = sum(layer.macs for layer in layers)
    rows = []
    for name, motion in MOTIONS.items():
        still = np.stack([filmed(picture, frames, **motion) for picture in pictures])
        for noise in (0.0, NOISE):
            films = _seen(noisy(still, noise) if noise else still)
            _say(f"{name}, noise {noise:g}")
            rows.append({"motion": name, "noise": noise, **measure(program, films, macs)})
    result = {
        "format": 1,
        "simulated": True,
        "student": json.loads((folder / "metrics.json").read_text("utf-8"))["recipe"],
        "frames": frames,
        "films": len(pictures),
        "macs": macs,
        "macs_without_padding": synapses_of(program),
        "rows": rows,
    }
    if probe().lava_usable:
        _say("Lava, one film of 4 frames")
        checked = verify(program, films[:1, :4], engines=("reference", "fast", "lava"))
        result["lava"] = {
            "compared": sum(checked.compared.values()),
            "mismatches": sum(checked.mismatches.values()),
        }
    return result


def _seen(films: Array) -> Array:
    """Grey values (N, T, H, W) as the network sees them, (N, T, 1, H, W)."""
    return (films[:, :, None] / np.float32(255)).astype(np.float32)


def show(result: Mapping[str, Any]) -> None:
    """The table."""
    rows = [
        (
            row["motion"],
            f"{row['noise']:g}",
            f"{row['synops']['first']:,.0f}",
            f"{row['synops']['later']:,.0f}",
            f"{row['times_fewer']:.2f}",
            "-" if row["times_fewer_later"] is None else f"{row['times_fewer_later']:.2f}",
            row["difference_in_grid_steps"]["activations"],
            row["difference_in_grid_steps"]["outputs"],
        )
        for row in result["rows"]
    ]
    columns = (
        "SIMULATED film",
        ">noise",
        ">synops, first",
        ">later frames",
        ">fewer than MACs",
        ">later",
        ">activations",
        ">outputs",
    )
    console = Console(width=120, highlight=False)
    print_table(console, columns, rows)
    console.print(
        f"{result['films']} films of {result['frames']} frames; the dense network: "
        f"{result['macs']:,} multiply-accumulates a frame. Activations, outputs: largest "
        "difference to the quantised network, in grid steps."
    )


def markdown(result: Mapping[str, Any]) -> str:
    """The table for docs/students.md."""
    heads = (
        "film, simulated",
        "noise",
        "synops of the first frame",
        "of a later one",
        "the dense network's MACs / synops, whole film",
        "later frames",
        "whole film, MACs without padding",
        "largest difference in grid steps",
    )
    lines = [heads, ("---", *("---:" for _ in heads[1:]))]
    for row in result["rows"]:
        found, counted = row["difference_in_grid_steps"], row["synops"]
        later = row["times_fewer_later"]
        lines.append(
            (
                row["motion"],
                f"{row['noise']:g}",
                f"{counted['first']:,.0f}",
                f"{counted['later']:,.0f}",
                f"{row['times_fewer']:.2f}",
                "-" if later is None else f"{later:.2f}",
                f"{row['times_fewer_without_padding']:.2f}",
                str(max(found["activations"], found["outputs"])),
            )
        )
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with student.pt, student.nir, *.npz")
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--faces", type=int, default=FACES)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    outcome = main(given.folder, given.frames, given.faces)
    write_text(given.output, json.dumps(outcome, indent=2) + "\n")
    if given.output == RESULTS:
        fill(DOCS, BEGIN, END, markdown(outcome))
    show(outcome)
