"""The papers' students, small and with random weights, through export, compile and engine."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from slipway.converters.export import export
from slipway.deploy.compile import compile_graph
from slipway.deploy.run import run
from slipway.errors import ModelError, UnsupportedNode
from torch import nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # norse 1.1.0 uses torch.jit.script, now deprecated
    from slipway.models.sequence import run_sequence
    from slipway.models.students.mskd import MskdStudent
    from slipway.models.students.resemotenet_abc import deployable_c
    from slipway.models.students.spiking_resnet import SpikingResNet18
    from slipway.models.students.vgg_snn import VggSnn
    from slipway.models.teachers.resemotenet import ResEmoteNet, fold_gates, freeze_gates

Array = np.ndarray[Any, Any]


def settle(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """Let batch norm learn the mean and variance of these data, and nothing else."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over all that was seen
    with torch.no_grad():
        for _ in range(4):
            model(x) if x.ndim == 4 else run_sequence(model, x)
    return model.eval()


def relu_network(pooling: Any, squeeze: Any) -> tuple[ResEmoteNet, Array]:
    torch.manual_seed(0)
    x = np.random.default_rng(0).random((48, 1, 16, 16)).astype(np.float32)
    model = ResEmoteNet(
        channels=1, size=16, divisor=32, pooling=pooling, squeeze=squeeze, dropout=(0, 0)
    )
    settle(model, torch.from_numpy(x))
    return model, x


def agreement(program: Any, x: Array, wanted: Array) -> tuple[float, float]:
    """Share of equal predictions, and correlation of outputs, without each one's mean."""
    result = run(program, x)
    (found,) = result.counts.outputs.values()
    equal = float(np.mean(result.predictions == wanted.argmax(axis=1)))
    centred = [(a - a.mean(axis=0)).ravel() for a in (found, wanted)]
    return equal, float(np.corrcoef(*centred)[0, 1])


@pytest.mark.parametrize("pooling", ["average", "stride"])
def test_resemotenet_deploys_as_rates_and_as_changes(pooling: Any) -> None:
    model, x = relu_network(pooling, "none")
    with torch.no_grad():
        wanted = model(torch.from_numpy(x)).numpy()
    graph = export(model, (1, 16, 16), calibration=x)
    changes = compile_graph(graph, calibration=x, code="sigma-delta")
    equal, correlation = agreement(changes, x, wanted)
    assert equal >= 0.95
    assert correlation > 0.99
    graph.metadata["reset"] = "subtract"
    rates = compile_graph(graph, calibration=x, steps=64, code="rate")
    equal, correlation = agreement(rates, x, wanted)
    assert equal >= 0.8
    assert correlation > 0.6


def test_a_gate_that_is_frozen_and_folded_deploys() -> None:
    model, x = relu_network("average", "sigmoid")
    pictures = torch.from_numpy(x)
    frozen = freeze_gates(model, [pictures])
    with torch.no_grad():
        wanted = frozen(pictures).numpy()
    with pytest.raises(UnsupportedNode, match=r"product|get_attr|layer"):
        export(frozen, (1, 16, 16), calibration=x)
    graph = export(fold_gates(frozen), (1, 16, 16), calibration=x)
    program = compile_graph(graph, calibration=x, code="sigma-delta")
    equal, correlation = agreement(program, x, wanted)
    assert equal >= 0.95
    assert correlation > 0.99


@pytest.mark.parametrize(
    ("pooling", "squeeze", "reason"),
    [("average", "sigmoid", "product"), ("average", "hard-sigmoid", "product")],
)
def test_a_gate_that_depends_on_the_input_is_refused(
    pooling: Any, squeeze: Any, reason: str
) -> None:
    model, x = relu_network(pooling, squeeze)
    with pytest.raises(UnsupportedNode, match=reason) as caught:
        export(model, (1, 16, 16), calibration=x)
    assert any(problem.where.startswith("se") for problem in caught.value.problems)


def test_the_papers_max_pool_has_no_exact_rate_or_change() -> None:
    model, x = relu_network("max", "none")
    graph = export(model, (1, 16, 16), calibration=x)
    for code in ("rate", "sigma-delta"):
        with pytest.raises(UnsupportedNode, match="max-pool"):
            compile_graph(graph, calibration=x, code=code)


SPIKING: dict[str, Any] = {
    "mskd": lambda: MskdStudent(
        size=24, inputs=1, channels=(6, 8, 10), hidden=12, norm="batch"
    ),
    "vgg": lambda: VggSnn(size=16, divisor=16, classes=5, time_steps=4),
    "resnet18-post": lambda: SpikingResNet18(
        activation="post", size=16, width=4, classes=5, time_steps=4
    ),
}


@pytest.mark.parametrize("name", SPIKING)
def test_a_spiking_student_deploys_spike_by_spike(name: str) -> None:
    torch.manual_seed(0)
    model = SPIKING[name]()
    shape = model.sample_shape
    x = 3 * np.random.default_rng(1).random((24, 4, *shape)).astype(np.float32)
    frames = torch.from_numpy(x).transpose(0, 1)
    settle(model, frames)
    with torch.no_grad():
        done = run_sequence(model, frames)
    assert min(float(rate) for rate in done.rates.values()) > 0.01
    wanted = done.output.mean(dim=0).numpy()
    graph = export(model, shape)
    assert graph.metadata["steps"] == 4
    program = compile_graph(graph, calibration=x, precision="float")
    equal, correlation = agreement(program, x, wanted)
    assert equal == 1.0
    assert correlation > 0.999999
    rasters = run(program, x, record=True).trace.rasters
    for path, rate in done.rates.items():
        population = program.population(path.replace(".", "_"))
        window = slice(population.depth, population.depth + 4)  # what the student saw
        found = rasters[population.name].s[:, window]
        assert found.mean() == pytest.approx(float(rate), rel=1e-6)
    # With random weights one early spike more or less changes all that follows, so each layer
    # is judged by what it adds to the divergence by itself.
    report = compile_graph(graph, calibration=x).report["populations"]
    added = {
        name: report[name]["added"]["raster_cosine"] for name in report if name != "output"
    }
    assert len(added) >= len(done.rates)
    assert min(added.values()) > 0.98


def test_what_no_chip_reads_out_is_refused() -> None:
    model = MskdStudent(
        size=24, inputs=1, channels=(2, 2, 2), hidden=4, readout="membrane"
    ).eval()
    with pytest.raises(ModelError) as caught:
        export(model, (1, 24, 24))
    assert [problem.where for problem in caught.value.problems] == ["layers.output"]
    pre = SpikingResNet18(size=16, width=2, classes=5).eval()
    with pytest.raises(UnsupportedNode, match="batch norm cannot be folded"):
        export(pre, (2, 16, 16))


def test_nirexport_takes_c_by_its_factory(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = deployable_c()
    x = np.random.default_rng(0).random((16, 1, 48, 48)).astype(np.float32)
    settle(model, torch.from_numpy(x))
    torch.save(model.state_dict(), tmp_path / "c.pt")
    np.savez(tmp_path / "c.npz", x=x)
    command = "export c.pt --model slipway.models.students.resemotenet_abc:deployable_c"
    command += " --sample-shape 1,48,48 --calibrate c.npz --steps 16 -o c.nir"
    done = subprocess.run(
        [sys.executable, "-m", "slipway.cli", *command.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    graph = nir.read(tmp_path / "c.nir")
    neurons = [n for n in graph.nodes.values() if isinstance(n, nir.IF)]
    assert sum(node.v_threshold.size for node in neurons) == 35_168
