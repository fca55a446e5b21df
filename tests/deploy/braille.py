"""The Braille networks of the NIR paper, and two kinds of input for them.

The networks were trained on a later recording, whose 12 taxels were delta-coded into 12 inputs.
Of the public one only four taxels move, and ON and OFF of four are eight channels. The twelve
are therefore three for each moving taxel: ON where its reading rose by a threshold since the
sample before, OFF where it fell by it, and FAST where it moved by twice the threshold either
way; the threshold is the median of its changes that are not 0.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from slipway.converters.read import read_graph

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SLIPWAY_DATA", ROOT.parent / "shared" / "data"))
NETWORKS = ("noDelay_bias_zero", "noDelay_noBias_subtract", "bias_zero_nested_valid")
MOVING, STEPS, DT = (1, 2, 6, 10), 76, 1e-4

Array = np.ndarray[Any, Any]


def network(name: str) -> Any:
    """The canonical graph, with the reset that its file's name tells."""
    graph = read_graph(DATA / "nir" / f"braille_{name}.nir", dt=DT)
    graph.metadata["input_encoding"] = "spikes"
    graph.metadata["steps"] = STEPS
    if name.endswith("subtract"):
        graph.metadata["reset"] = "subtract"
    return graph


def delta_coded() -> tuple[Array, Array]:
    """Samples to calibrate with and samples to test: repetitions 0 to 39 and 40 to 49."""
    with np.load(DATA / "braille" / "braille_letters_40hz.npz") as file:
        taxels = file["taxels"][:, :STEPS, MOVING].astype(int)
        repetition = file["repetition"]
    change = np.diff(taxels, axis=1, prepend=taxels[:, :1])
    known = change[repetition < 40]
    channels = []
    for taxel in range(len(MOVING)):
        size = np.abs(known[..., taxel])
        threshold = max(float(np.median(size[size > 0])), 1.0)
        moved = change[..., taxel]
        channels += [moved >= threshold, moved <= -threshold, abs(moved) >= 2 * threshold]
    x = np.stack(channels, axis=-1).astype(float)
    return x[repetition < 40][::9], x[repetition >= 40]


def random_spikes(rate: float) -> tuple[Array, Array]:
    """The same with independent spikes of that rate."""
    rng = np.random.default_rng(0)
    x = (rng.random((300, STEPS, 12)) < rate).astype(float)
    return x[:100], x[100:]
