"""Fine-tuning in integers: what is trained is what the engine runs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from slipway.converters.export import export
from slipway.deploy.codes import CEILING, RESOLUTION
from slipway.deploy.compile import compile_graph
from slipway.deploy.formats import WeightFormat, sign_mode_of
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.program import Program
from slipway.deploy.quantise import exact_levels
from slipway.deploy.run import run
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.sparse import Sparse
from slipway.errors import DataError, FileError, ModelError, UsageError
from slipway.models import networks
from slipway.models.quantised import grid
from slipway.models.quantised.changes import Changes
from slipway.models.quantised.deployable import deployable, measure_scales
from slipway.models.training.checkpoint import weights_of
from slipway.models.training.reading import load
from slipway.models.training.run import train_recipe
from torch import Tensor, nn
from torch.nn import functional

Array = np.ndarray[Any, Any]
RECIPE = "mini-resemotenet-small"
ALONE = ("method.alpha=0.0", "baseline=false", "training.threads=1")
TINY = (*ALONE, "data.limit=128", "training.epochs=2", "quantise.epochs=2")
SAME = ("war", "uar", "f1", "loss", "confusion", "validation", "history", "best_epoch")


def train(folder: Path, *changes: str, **options: Any) -> dict[str, Any]:
    return train_recipe(RECIPE, folder, changes=changes, device="cpu", **options)


def metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def built(folder: Path) -> nn.Module:
    """The student as `slipway export --model student:build` makes it, with its weights."""
    spec = importlib.util.spec_from_file_location("student", folder / "student.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: nn.Module = module.build()
    made.load_state_dict(weights_of(folder))
    return made.eval()


def arrays(folder: Path, name: str) -> tuple[Array, Array]:
    with np.load(folder / f"{name}.npz") as file:
        return file["x"], file["y"]


def compiled(model: Any, x: Array, bits: int) -> Program:
    graph = export(model, model.sample_shape, calibration=x)
    return compile_graph(graph, calibration=x, code="sigma-delta", weight_bits=bits)


def answers(program: Program, x: Array) -> Array:
    """What the engine answers, in the network's own unit."""
    (found,) = run(program, x).counts.outputs.values()
    (output,) = program.outputs
    return np.asarray(found / program.population(output.population).scale)


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student in floating point."""
    folder = tmp_path_factory.mktemp("float")
    train(folder, *ALONE)
    return folder


def in_integers(model: nn.Module, x: Array, bits: int) -> Changes:
    made = deployable(model, [torch.from_numpy(x)])
    measure_scales(made, torch.from_numpy(x))
    return Changes(made, grid.values_of(x), tuple(x.shape[1:]), bits)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_torch_computes_what_the_engine_computes(floats: Path, bits: int) -> None:
    x, _ = arrays(floats, "calibrate")
    changes = in_integers(built(floats), x, bits)
    changes.snap()
    program = compiled(changes.network, x, bits)
    same_integers(changes, program)
    shown, _ = arrays(floats, "test")
    with torch.no_grad():
        ours = changes(torch.from_numpy(shown)).numpy()
    (output,) = program.outputs
    scale = float(program.population(output.population).scale[0])
    theirs = answers(program, shown)
    # Integer by integer: both are whole numbers over the same scale.
    assert np.array_equal(np.rint(ours * scale), np.rint(theirs * scale))
    assert np.abs(theirs).max() * scale > 1000


def same_integers(changes: Changes, program: Program) -> None:
    """Scales, weights, biases, thresholds and ceilings of every population."""
    assert program.inputs[0].scale == changes.values.scale
    for stage, integers in changes.integers():
        name = stage.name.replace(".", "_")
        population = program.population(name)
        assert float(population.scale[0]) == pytest.approx(integers.scale, rel=1e-12)
        neuron = population.neuron
        assert isinstance(neuron, SigmaDelta)
        bias = neuron.initial
        if integers.sender is not None:
            bias = neuron.bias
            assert neuron.ceiling is not None
            assert (neuron.state_exponent, neuron.threshold[0], neuron.ceiling[0]) == (
                integers.sender.exponent,
                integers.sender.threshold,
                integers.sender.ceiling,
            )
        layers: list[Any] = [changes.network.get_submodule(w.layer) for w in stage.ways]
        ours = sum(layer.bias.detach().double().numpy() for layer in layers)
        whole = np.rint(ours * integers.bias_ratio)
        assert np.array_equal(np.broadcast_to(bias, population.size), spread(whole, population))
        for way, layer, weights in zip(stage.ways, layers, integers.weights, strict=True):
            projection = into(program, name, way.source.replace(".", "_"))
            theirs = weights_in(projection)
            expected = weights.rounded(layer.weight.detach()).numpy()
            if isinstance(projection.synapse, Conv2d):  # a pool in its kernel repeats each tap
                times = theirs.shape[-1] // expected.shape[-1]
                expected = expected.repeat(times, axis=2).repeat(times, axis=3)
            assert np.array_equal(theirs, expected)


def weights_in(projection: Any) -> Array:
    """In units of the sum; a list of synapses as its matrix."""
    synapse, values = projection.synapse, projection.synapse.weight * 2.0**projection.exponent
    if isinstance(synapse, Sparse):
        matrix = np.zeros(synapse.shape)
        matrix[synapse.row, synapse.column] = values
        return matrix
    return np.asarray(values)


def into(program: Program, target: str, source: str) -> Any:
    """The projection between two populations, or from the population that pools the first."""
    (found,) = (
        each
        for each in program.into(target)
        if each.source == source or each.source.startswith(f"{source}_pool")
    )
    return found


def spread(values: Array, population: Any) -> Array:
    return np.repeat(values, population.size // len(values))


def test_a_gate_is_frozen_folded_and_trained_in_integers() -> None:
    torch.manual_seed(0)
    model = networks.build(
        "mini-resemotenet-c", channels=1, size=16, divisor=32, pooling="stride", classes=4
    )
    x = np.rint(255 * np.random.default_rng(0).random((32, 1, 16, 16))).astype(np.float32) / 255
    model(torch.from_numpy(x))
    changes = in_integers(model.eval(), x, 8)
    changes.snap()
    program = compiled(changes.network, x, 8)
    same_integers(changes, program)
    with torch.no_grad():
        ours = changes(torch.from_numpy(x)).numpy()
    assert answers(program, x) == pytest.approx(ours, rel=1e-6, abs=1e-6)
    empty = deployable(networks.build("mini-resemotenet-c", **_options(model)))
    empty.load_state_dict(changes.network.state_dict())


def _options(model: Any) -> dict[str, Any]:
    return {"channels": 1, "size": 16, "divisor": 32, "pooling": model.pooling, "classes": 4}


def test_the_gradient_reaches_all_weights_and_is_that_of_the_network(floats: Path) -> None:
    x, y = arrays(floats, "calibrate")
    changes = in_integers(built(floats), x, 8)
    pictures, labels = torch.from_numpy(x[:64]), torch.from_numpy(y[:64])
    found = []
    for forward in (changes, changes.network):
        loss = functional.cross_entropy(forward(pictures), labels)
        named = dict(changes.network.named_parameters())
        gradients = torch.autograd.grad(loss, list(named.values()))
        found.append(dict(zip(named, gradients, strict=True)))
    in_integer, in_float = found
    for name, gradient in in_integer.items():
        assert gradient.abs().max() > 0, name
        alike = functional.cosine_similarity(gradient.flatten(), in_float[name].flatten(), 0)
        assert alike > 0.9, name
        assert gradient.norm() == pytest.approx(float(in_float[name].norm()), rel=0.3), name


@pytest.mark.parametrize("bits", [1, 2, 4, 7, 8])
@pytest.mark.parametrize("ends", [(-1.0, 2.0), (0.0, 1.0), (-3.0, 0.0), (-1.0, -0.5)])
def test_formats_are_the_compilers(bits: int, ends: tuple[float, float]) -> None:
    if bits == 1 and ends[0] < 0 < ends[1]:
        with pytest.raises(UsageError, match="1 bit"):
            grid.weight_format(bits, *ends)
        return
    theirs = WeightFormat(bits, 0, sign_mode_of(np.array(ends)))
    ours = grid.weight_format(bits, *ends)
    expected = (theirs.unit, theirs.mantissa.minimum, theirs.mantissa.maximum, theirs.largest)
    assert (ours.unit, ours.low, ours.high, ours.largest) == expected


def test_constants_are_the_compilers() -> None:
    assert (1 / grid.GRID, grid.CEILING) == (RESOLUTION, CEILING)
    x = np.random.default_rng(0).integers(0, 17, 100) / 16
    for values in (x, x - 0.5, np.linspace(-1, 1, 999)):
        found = grid.values_of(values)
        largest = np.abs(values).max()
        levels = exact_levels(values / largest, 127 if values.min() < 0 else 255)
        assert found.scale == levels / largest
        assert (found.minimum, found.maximum) == (-levels if values.min() < 0 else 0, levels)
    with pytest.raises(DataError, match="all training samples are 0"):
        grid.values_of(np.zeros(3))


def test_fine_tuning_gives_back_what_few_bits_cost(floats: Path, tmp_path: Path) -> None:
    train(
        tmp_path, *ALONE, f"quantise.start={floats}", "quantise.weight_bits=4",
        "quantise.learning_rate=1e-3",
    )  # fmt: skip
    found = metrics(tmp_path)
    x, _ = arrays(tmp_path, "calibrate")
    shown, labels = arrays(tmp_path, "test")
    student = answers(compiled(built(tmp_path), x, 4), shown)
    # The engine gives the very loss that the training wrote down.
    loss = float(functional.cross_entropy(torch.from_numpy(student), torch.from_numpy(labels)))
    assert loss == pytest.approx(found["loss"], rel=1e-5)
    assert np.mean(student.argmax(axis=1) == labels) == pytest.approx(found["war"], abs=1e-6)
    # Without fine-tuning, with the compiler's own rounding, which looks at calibration data.
    rounded = answers(compiled(built(floats), x, 4), shown)
    before = float(
        functional.cross_entropy(torch.from_numpy(rounded), torch.from_numpy(labels))
    )
    exact = found["quantise"]["float"]["loss"]
    assert exact == pytest.approx(metrics(floats)["loss"], rel=1e-6)
    assert before > exact + 0.03
    assert loss - exact < 0.5 * (before - exact)
    assert found["quantise"]["rounded"]["war"] < found["war"]


def test_both_stages_cut_after_every_update_end_the_same(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(whole, *TINY)
    runs = 0
    while train(cut, *TINY, resume=True, max_seconds=1e-9)["ended"] == "time":
        runs += 1
        assert runs < 20
    assert runs >= 6
    for folder in ("", "float"):
        found, expected = metrics(cut / folder), metrics(whole / folder)
        assert found["resumed"] >= 2
        assert {key: found[key] for key in SAME} == {key: expected[key] for key in SAME}
        ours, theirs = weights_of(cut / folder), weights_of(whole / folder)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert metrics(cut)["quantise"] == metrics(whole)["quantise"] | {
        "start": str(cut / "float")
    }
    card = (cut / "model-card.md").read_text()
    assert "in integers, weights of 8 bits, --code sigma-delta" in card
    with pytest.raises(FileError, match="of another recipe, seed or data"):
        train(cut, *TINY, "quantise.weight_bits=4", resume=True)


@pytest.mark.parametrize(
    ("recipe", "changes", "words"),
    [
        (RECIPE, ("quantise.weight_bits=1",), "give a number from 2 to 8"),
        (RECIPE, ("quantise.code=rate",), "give one of sigma-delta"),
        (RECIPE, ("quantise.bits=4",), "there is no key 'bits'"),
        (RECIPE, ("quantise.start=out/c",), "has no baseline to go with it"),
        ("mskd-student-small", ("quantise.epochs=1",), "mskd-student sees frames"),
    ],
    ids=str,
)
def test_tables_that_cannot_be(recipe: str, changes: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(recipe, changes)
    assert words in str(caught.value)


def test_a_start_that_does_not_fit_is_refused(floats: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        train(tmp_path / "a", *TINY, f"quantise.start={tmp_path / 'gone'}")
    with pytest.raises(FileError, match="not those of the recipe's network"):
        train(tmp_path / "b", *TINY, f"quantise.start={floats}", "network.divisor=16")


class _Net(nn.Module):
    """Layers that have no integer form, and why."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.first, self.second = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        self.average, self.overlap = nn.AvgPool2d(2), nn.AvgPool2d(3, stride=1)
        self.norm, self.same, self.last = nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        if self.kind == "pool before relu":
            y = self.average(y)
        y = self.relu(y)
        if self.kind == "relu twice":
            y = self.relu(self.second(y))
        if self.kind == "max":
            y = self.pool(y)
        if self.kind == "overlap":
            y = self.overlap(y)
        if self.kind == "function":
            y = torch.sigmoid(y)
        if self.kind == "norm":
            y = self.norm(y)
        if self.kind == "shortcut":
            y = self.last(self.same(y) + y)
        made: Tensor = self.second(y)
        return made


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pool before relu", "AvgPool2d stands between a layer and its ReLU"),
        ("relu twice", "this ReLU is used twice"),
        ("max", "MaxPool2d has no integer form here"),
        ("overlap", "its windows are not side by side"),
        ("function", "sigmoid() has no integer form here"),
        ("norm", "this batch norm does not come right after"),
        ("shortcut", "has passed no convolution or linear layer"),
    ],
)
def test_layers_without_an_integer_form_are_named(kind: str, words: str) -> None:
    x = np.random.default_rng(0).random((4, 1, 12, 12)).astype(np.float32)
    with pytest.raises(ModelError) as caught:
        in_integers(_Net(kind), x, 8)
    assert words in str(caught.value)
    assert caught.value.problems[0].remedy


def test_a_relu_that_is_never_active_has_no_scale() -> None:
    first = nn.Conv2d(1, 1, 1, bias=False)
    torch.nn.init.constant_(first.weight, -9.0)
    model = nn.Sequential(first, nn.ReLU(), nn.Conv2d(1, 1, 1))
    with pytest.raises(DataError, match="the output of this ReLU reaches 0"):
        in_integers(model, np.ones((4, 1, 2, 2), np.float32), 8)
