"""Sigma-delta on films: the quantised network's bits in every frame, for fewer operations."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from slipway.benchmarks.frames import difference, filmed, noisy, operations, quantised
from slipway.converters.export import export
from slipway.deploy import compile as compiling
from slipway.deploy.compile import compile_graph
from slipway.deploy.data import encode
from slipway.deploy.lava import probe
from slipway.deploy.pools import with_pools
from slipway.deploy.program import Program
from slipway.deploy.run import run
from slipway.deploy.verify import verify

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # norse 1.1.0 uses torch.jit.script, now deprecated
    from slipway.models.counting import layers_of
    from slipway.models.quantised.changes import Changes
    from slipway.models.quantised.deployable import deployable, measure_scales
    from slipway.models.quantised.grid import values_of
    from slipway.models.teachers.resemotenet import ResEmoteNet

Array = np.ndarray[Any, Any]
FRAMES, SIZE = 6, 24


def pictures(count: int) -> Array:
    """Smooth random pictures, uint8 (count, SIZE, SIZE)."""
    coarse = np.random.default_rng(0).random((count, 6, 6))
    place = np.linspace(0, 5, SIZE)
    left = np.minimum(place.astype(int), 4)
    weight = np.zeros((SIZE, 6))
    weight[np.arange(SIZE), left] = 1 - (place - left)
    weight[np.arange(SIZE), left + 1] = place - left
    return np.asarray(255 * (weight @ coarse @ weight.T), np.uint8)


@pytest.fixture(scope="module")
def student() -> tuple[Any, Program, Program, int]:
    """NIR graph; program without and with populations that pool; MACs of the dense network."""
    torch.manual_seed(0)
    model = ResEmoteNet(
        channels=1, size=SIZE, divisor=32, pooling="average", squeeze="none", dropout=(0, 0)
    )
    x = (pictures(48)[:, None] / np.float32(255)).astype(np.float32)
    model.train()
    with torch.no_grad():
        for _ in range(30):
            model(torch.from_numpy(x))
    made = deployable(model.eval())
    measure_scales(made, torch.from_numpy(x))
    changes = Changes(made, values_of(x), (1, SIZE, SIZE), 8)
    changes.snap()
    graph = export(made, (1, SIZE, SIZE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "with_pools", lambda program: program)
        folded = compile_graph(graph, calibration=x, code="sigma-delta", steps=FRAMES)
    pooled = compile_graph(graph, calibration=x, code="sigma-delta", steps=FRAMES)
    macs = sum(layer.macs for layer in layers_of(model, (1, SIZE, SIZE)))
    return graph, folded, pooled, macs


def films(pan: float, noise: float = 0.0) -> Array:
    made = np.stack([filmed(each, FRAMES, pan=pan) for each in pictures(3)])
    seen = noisy(made, noise) if noise else made
    return (seen[:, :, None] / np.float32(255)).astype(np.float32)


@pytest.mark.parametrize(("pan", "noise"), [(0.0, 0.0), (0.1, 0.0), (0.5, 3.0)])
def test_each_frame_is_the_quantised_networks(
    student: tuple[Any, Program, Program, int], pan: float, noise: float
) -> None:
    _, folded, pooled, _ = student
    x = films(pan, noise)
    for program in (folded, pooled):
        found = difference(program, x)
        assert (found["activations"], found["outputs"]) == (0, 0)
        assert found["values"] == x.shape[0] * FRAMES * sum(p.size for p in program.populations)


def test_a_film_costs_less_than_the_dense_network(
    student: tuple[Any, Program, Program, int],
) -> None:
    _, _, pooled, macs = student
    still, slow, fast = (operations(pooled, films(pan)) for pan in (0.0, 0.1, 1.0))
    assert still["later"] == 0
    assert 0 < slow["later"] < fast["later"] <= 1.2 * fast["first"]
    assert macs / slow["mean"] > 1.5


def test_the_quantised_network_sees_what_is_asked(
    student: tuple[Any, Program, Program, int],
) -> None:
    """The comparison can fail: another frame has other activations."""
    _, _, pooled, _ = student
    stimulus, _ = encode(pooled, films(0.5)[:1])
    (changes,) = stimulus.values.values()
    frames = changes[0].astype(np.int64).cumsum(axis=0)
    found = quantised(pooled, frames)
    for population in pooled.populations[:3]:
        assert (found[population.name][0] != found[population.name][1]).any()


def test_pools_of_their_own_change_no_bit_and_save_operations(
    student: tuple[Any, Program, Program, int],
) -> None:
    _, folded, pooled, _ = student
    made = [p for p in pooled.populations if p.kind == "pool"]
    assert [p.name for p in made] == ["relu1_pool2", "relu2_pool2", "relu3_pool2"]
    assert with_pools(pooled) is pooled
    assert pooled.latency == folded.latency + 3
    x = films(0.2)
    one, other = run(folded, x), run(pooled, x)
    for name, output in one.counts.outputs.items():
        np.testing.assert_array_equal(output, other.counts.outputs[name])
    spent = [
        sum(int(each.synops(p.name).sum()) for p in program.projections)
        for program, each in ((folded, one), (pooled, other))
    ]
    assert spent[1] < 0.7 * spent[0]
    engines = ("reference", "fast", "lava") if probe().lava_usable else ("reference", "fast")
    checked = verify(pooled, x[:1, :3], engines=engines)
    assert checked.equal
