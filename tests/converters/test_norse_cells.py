"""norse's cells as NIR neurons: the same membrane and the same spikes at each step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import norse.torch as norse
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from norse.torch.functional.leaky_integrator import LIParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract
from norse.torch.module.leaky_integrator_box import LIBoxCell
from norse.torch.module.lif_box import LIFBoxCell
from slipway.converters.export import export
from slipway.converters.norse_cells import is_cell
from slipway.converters.read import read_graph
from slipway.converters.write import write_graph
from torch import nn

from .interpreter import Interpreter
from .nets import lif_box, run_torch

RNG = np.random.default_rng(0)


def run_nir(graph: nir.NIRGraph, frames: Any) -> Any:
    machine = Interpreter(graph)
    return np.stack([machine.step(frame) for frame in frames])


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["LIFBox", "LIF", "LIBox", "LI"]),
    seed=st.integers(0, 2**31),
    mem=st.floats(20, 900),
    syn=st.floats(20, 900),
    leak=st.floats(-0.5, 0.5),
)
def test_cells_equal_norses_step_functions(
    kind: str, seed: int, mem: float, syn: float, leak: float
) -> None:
    rng = np.random.default_rng(seed)
    fields = {"tau_mem_inv": torch.tensor(mem), "v_leak": torch.tensor(leak)}
    if kind in ("LIF", "LI"):
        fields["tau_syn_inv"] = torch.tensor(syn)
    if kind in ("LIF", "LIFBox"):
        # one threshold per neuron, broadcast like the rest
        fields["v_th"] = torch.from_numpy(rng.uniform(0.6, 1.0, 5).astype(np.float32))
        fields["v_reset"] = torch.tensor(-0.1)

    cell = {
        "LIFBox": lambda: LIFBoxCell(LIFBoxParameters(**fields)),
        "LIF": lambda: norse.LIFCell(LIFParameters(**fields)),
        "LIBox": lambda: LIBoxCell(LIBoxParameters(**fields)),
        "LI": lambda: norse.LICell(LIParameters(**fields)),
    }[kind]()
    assert is_cell(cell)
    frames = rng.normal(size=(60, 5)) * 3
    graph = export(cell, (5,))
    ours, wanted = run_nir(graph, frames), run_torch(cell, frames)
    if kind in ("LIF", "LIFBox"):
        # float32 against float64: a membrane within rounding of the threshold may differ
        assert (ours != wanted).mean() < 0.02
    else:
        np.testing.assert_allclose(ours, wanted, atol=1e-4, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), leak=st.floats(-0.2, 0.2), rest=st.floats(-1, 1))
def test_a_soft_reset_equals_norses(seed: int, leak: float, rest: float) -> None:
    """reset_subtract takes v_th off, whatever v_reset is."""

    rng = np.random.default_rng(seed)
    cell = LIFBoxCell(
        LIFBoxParameters(
            v_th=torch.from_numpy(rng.uniform(0.05, 0.3, 5).astype(np.float32)),
            v_leak=torch.tensor(leak),
            v_reset=torch.tensor(rest),
            reset_method=reset_subtract,
        )
    )
    graph = export(cell, (5,))
    (name,) = [n for n in graph.nodes if n not in ("input", "output")]
    assert graph.nodes[name].metadata == {"reset": "subtract"}
    assert graph.metadata["reset"] == "zero"
    assert not graph.nodes[name].v_reset.any()
    frames = rng.normal(size=(60, 5)) * 3
    assert (run_nir(graph, frames) != run_torch(cell, frames)).mean() < 0.02


def test_a_soft_reset_survives_the_file(tmp_path: Path) -> None:

    torch.manual_seed(0)
    soft = LIFBoxCell(LIFBoxParameters(v_th=torch.tensor(0.1), reset_method=reset_subtract))
    model = norse.SequentialState(nn.Linear(6, 8), soft, nn.Linear(8, 4), lif_box(0.1))
    write_graph(export(model, (6,)), tmp_path / "a.nir")
    graph = read_graph(tmp_path / "a.nir")
    frames = RNG.normal(size=(60, 6)) * 3
    wanted = run_torch(model, frames)
    assert wanted.sum() > 10
    np.testing.assert_array_equal(run_nir(graph, frames), wanted)
    hard = read_graph(tmp_path / "a.nir")
    hard.nodes["1"].metadata.clear()
    assert (run_nir(hard, frames) != wanted).any()  # the metadata matter
