"""Files that others wrote: each loads as what it is, or is refused for the right reason."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from slipway.converters.read import read_graph
from slipway.converters.shapes import graph_shapes
from slipway.converters.write import write_graph
from slipway.errors import GraphError, SlipwayError, UsageError
from slipway.tests.converters.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("SLIPWAY_DATA", ROOT.parent / "shared" / "data")) / "nir"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no NIR files in {FOLDER}; set SLIPWAY_DATA"
)

# file -> dt in seconds, nodes after flattening, shape of the output
LOADS = {
    "braille_bias_zero_nested_valid.nir": (1e-4, 7, (7,)),
    "braille_noDelay_bias_zero.nir": (1e-4, 7, (7,)),
    "braille_noDelay_noBias_subtract.nir": (1e-4, 7, (7,)),
    "cnn_sinabs.nir": (1.0, 15, (10,)),
    "lif_norse.nir": (1e-4, 4, (1,)),
    "two_lif_neurons.nir": (1e-4, 6, (1,)),
}
REFUSED = {
    "lif_norse_0d_params.nir": "only the Input's shape (1000,) says how many neurons it has",
    "spyx_shd.nir": "node 'LIF' (LIF): tau must be positive: -201.819",
}
# what is said when the user gives no dt
ASKS = {
    "braille_bias_zero_nested_valid.nir": "it suggests 0.0001 s (tau / r",
    "braille_noDelay_bias_zero.nir": "it suggests 0.0001 s (tau / r",
    "braille_noDelay_noBias_subtract.nir": "it suggests 0.0001 s (tau / r",
    "cnn_sinabs.nir": "it suggests 1 s (IF nodes with r = 1 and no time constant: v += x",
    "lif_norse.nir": "r = 1 and tau in seconds: any dt below 0.0025 s",
    "two_lif_neurons.nir": "r = 1 and tau in seconds: any dt below 0.01 s",
}


def test_every_file_is_covered() -> None:
    assert {path.name for path in FOLDER.glob("*.nir")} == {*LOADS, *REFUSED}


@pytest.mark.parametrize("name", LOADS)
def test_loads(name: str, tmp_path: Path) -> None:
    dt, count, shape = LOADS[name]
    graph = read_graph(FOLDER / name, dt=dt)
    assert len(graph.nodes) == count
    shapes, problems = graph_shapes(graph)
    assert not problems
    assert shapes["output" if "output" in shapes else "out"][0] == shape
    for node in graph.nodes.values():
        for value in vars(node).values():
            if isinstance(value, np.ndarray):
                assert value.dtype.kind in "fi"
                assert np.isfinite(value).all()
    # what we write of it is read again without a dt, and is the same
    write_graph(graph, tmp_path / name)
    again = read_graph(tmp_path / name)
    assert set(again.edges) == set(graph.edges)
    assert again.metadata == graph.metadata


@pytest.mark.parametrize("name", LOADS)
def test_asks_for_dt(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_graph(FOLDER / name)
    assert ASKS[name] in str(caught.value)
    assert f"--dt {0.001 if 'lif' in name else LOADS[name][0]:g}" in str(caught.value)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(GraphError) as caught:
        read_graph(FOLDER / name, dt=1e-4)
    assert REFUSED[name] in str(caught.value)


def test_spyx_weights_are_transposed_too(tmp_path: Path) -> None:
    """Behind the negative time constants, the shapes along the edges do not fit either."""
    path = tmp_path / "spyx.nir"
    path.write_bytes((FOLDER / "spyx_shd.nir").read_bytes())
    with h5py.File(path, "a") as file:
        for name in ("LIF", "LIF_1", "LI"):
            file[f"node/nodes/{name}/tau"][...] = 10.0
    with pytest.raises(GraphError) as caught:
        read_graph(path, dt=1)
    text = str(caught.value)
    assert (
        "input sends (128,), but linear (Linear) takes (64,); is the weight transposed?" in text
    )
    assert "but linear_2 (Linear) takes (20,); is the weight transposed?" in text


def test_the_reference_neuron_spikes_when_norse_says() -> None:
    """tau 2.5 ms, r 1, threshold 0.1, dt 0.1 ms: Euler with hard reset."""
    table = np.loadtxt(FOLDER / "lif_norse.csv", delimiter=",")
    machine = Interpreter(read_graph(FOLDER / "lif_norse.nir", dt=1e-4))
    spikes, voltages = [], []
    for value in table[:, 0]:
        spikes.append(machine.step(np.array([value]))[0])
        voltages.append(machine.v["1"][0])
    assert np.flatnonzero(spikes).tolist() == np.flatnonzero(table[:, 2]).tolist()
    assert sum(spikes) == 4
    np.testing.assert_allclose(voltages, table[:, 1], atol=2.5e-8)


def test_damaged_real_files(tmp_path: Path) -> None:
    content = (FOLDER / "cnn_sinabs.nir").read_bytes()
    path = tmp_path / "part.nir"
    for part in (0.01, 0.3, 0.99):
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(SlipwayError, match="damaged"):
            read_graph(path, dt=1)
