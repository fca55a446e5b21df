"""The networks are the ones that the speed is claimed for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.benchmarks.networks import RATE_BAND, Network, rates, spikes
from slipway.benchmarks.students import digits, mini_resemotenet, pictures
from slipway.deploy.engine import Engine
from slipway.deploy.neurons.cuba_lif import CubaLif

# norse compiles with torch.jit, which torch would rather not have.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# Network -> shape of the input, shapes of the layers
SHAPES = {
    "a": ((784,), [(512,), (512,), (10,)]),
    "b": ((2, 34, 34), [(16, 17, 17), (32, 9, 9), (10,)]),
    "c": (
        (1, 64, 64),
        [(32, 64, 64), (64, 32, 32), (64, 32, 32), (128, 16, 16), (128, 8, 8), (10,)],
    ),
    "d": ((700,), [(256,), (20,)]),
}


@pytest.mark.parametrize("key", SHAPES)
def test_layers_decays_and_weights(built: dict[str, Network], key: str) -> None:
    program = built[key].program
    shape, layers = SHAPES[key]
    assert program.inputs[0].shape == shape
    assert [p.shape for p in program.populations] == layers
    for population in program.populations:
        assert isinstance(population.neuron, CubaLif)
        assert population.neuron.current_decay.tolist() == [4095]
        assert population.neuron.voltage_decay.tolist() == [400]
        assert not population.neuron.bias_mantissa.any()
    for projection in program.projections:
        weight, form = projection.synapse.weight, projection.synapse.format
        least, most = (-16, 16) if projection.source == projection.target else (-64, 66)
        assert (weight.min(), weight.max()) == (least, most) or weight.size < 1000
        assert form is not None
        assert form.mantissa.holds(weight)
        assert form.exponent == 0


def test_only_d_has_a_loop(built: dict[str, Network]) -> None:
    looped = {
        key: [p.synapse.weight.shape for p in each.program.projections if p.source == p.target]
        for key, each in built.items()
    }
    assert looped == {"a": [], "b": [], "c": [], "d": [(256, 256)]}


@pytest.mark.parametrize("key", SHAPES)
def test_every_layer_fires_at_three_to_ten_per_cent(
    built: dict[str, Network], key: str
) -> None:
    network = built[key]
    trace = Engine(network.program).run(network.stimulus(4, network.steps))
    found = rates(network.program, trace, network.steps)
    assert found.pop("input") == pytest.approx(0.1, rel=0.05)
    low, high = RATE_BAND
    assert {name: rate for name, rate in found.items() if not low <= rate <= high} == {}


def test_a_sample_is_the_same_in_small_and_large_data_sets() -> None:
    many = spikes(50_000, 100, 2)  # made in several pieces
    assert np.array_equal(spikes(50_000, 3, 2), many[:3])
    assert many.dtype == np.uint8
    assert many.mean() == pytest.approx(0.1, rel=0.01)
    assert not np.array_equal(many[0], many[99])


def test_the_faces_have_the_layers_of_the_student() -> None:
    from slipway.models.students.mini_resemotenet import Student

    def weights(model: Any) -> list[tuple[int, ...]]:
        return sorted(tuple(p.shape) for p in model.parameters() if p.ndim > 1)

    assert weights(mini_resemotenet()) == weights(Student())


def test_pictures_have_the_faces_shape_and_are_smooth() -> None:
    x = pictures(3)
    assert x.shape == (3, 1, 48, 48)
    assert 0 <= x.min() < 0.2 < 0.8 < x.max() <= 1
    assert np.abs(np.diff(x, axis=-1)).max() < 0.15


def test_the_demo_s_student_is_taken_where_it_is(tmp_path: Path) -> None:
    """And trained where it is not: a fresh clone has none."""
    program, sample = digits(tmp_path, demo=tmp_path)
    assert (tmp_path / "student.slip").is_file()
    again, _ = digits(tmp_path / "nowhere", demo=tmp_path)
    assert [p.shape for p in again.populations] == [(16, 8, 8), (32, 4, 4), (10,)]
    assert not (tmp_path / "nowhere").exists()
    stimulus = sample(400, program.steps)  # more than there are pictures
    frames = stimulus.values[program.inputs[0].name]
    assert frames.shape == (400, 64)
    assert np.array_equal(frames[360:], frames[:40])
