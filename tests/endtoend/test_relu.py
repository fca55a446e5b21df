"""A ReLU network trained on real digits keeps its accuracy as rates of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from slipway.converters.export import export
from slipway.deploy.compile import compile_graph
from slipway.deploy.lava import probe
from slipway.deploy.run import run
from slipway.deploy.verify import verify
from torch import nn

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def digits() -> tuple[Array, Array]:
    pictures = load_digits()
    return (pictures.images[:, None] / 16).astype(np.float32), pictures.target


@pytest.fixture(scope="module")
def network(digits: tuple[Array, Array]) -> nn.Module:
    """Convolutions, batch norm, pooling, dropout, dense layers: trained in seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1)),
        *(nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)),
    )
    x, y = (torch.from_numpy(each[:1400]) for each in digits)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(12):
        order = torch.randperm(len(x))
        for rows in (order[i : i + 64] for i in range(0, len(x), 64)):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    torch.set_num_threads(threads)
    return model.eval()


# reset, code, steps -> most accuracy that may be lost, least share of equal predictions
CODES = {
    ("zero", "rate", 32): (0.025, 0.95),
    ("subtract", "rate", 32): (0.01, 0.97),
    ("zero", "sigma-delta", None): (0.0, 0.995),
    ("zero", "ttfs", 16): (0.005, 0.985),
}


@pytest.mark.parametrize("choice", CODES)
def test_every_code_keeps_the_accuracy(
    network: nn.Module, digits: tuple[Array, Array], choice: tuple[str, Any, int | None]
) -> None:
    x, y = digits
    reset, code, steps = choice
    with torch.no_grad():
        wanted = network(torch.from_numpy(x[1400:])).argmax(dim=1).numpy()
    before = float(np.mean(wanted == y[1400:]))
    graph = export(network, (1, 8, 8), calibration=x[:256])
    graph.metadata["reset"] = reset
    program = compile_graph(graph, calibration=x[:256], steps=steps, code=code)
    result = run(program, x[1400:], y[1400:])
    lost, equal = CODES[choice]
    assert before > 0.9
    assert result.accuracy is not None
    assert result.accuracy >= before - lost
    assert float(np.mean(result.predictions == wanted)) > equal
    if probe().lava_usable:
        assert verify(program, x[1400:1402], engines=("fast", "lava")).equal


def test_one_spike_and_changes_cost_less_than_rates(
    network: nn.Module, digits: tuple[Array, Array]
) -> None:
    x, _ = digits
    graph = export(network, (1, 8, 8), calibration=x[:256])
    synops = {}
    for code, steps in (("rate", 32), ("sigma-delta", None), ("ttfs", 16)):
        program = compile_graph(graph, calibration=x[:256], steps=steps, code=code)  # type: ignore[arg-type]
        counts = run(program, x[1400:1420]).as_json()["projections"]
        synops[code] = sum(entry["synops"] for entry in counts.values())
    assert synops["sigma-delta"] < synops["rate"] / 4
    assert synops["ttfs"] < synops["rate"] / 4
