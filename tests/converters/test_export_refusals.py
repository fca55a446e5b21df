"""What cannot be exported is named, with path, reason and remedy; all of it at once."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable
from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import torch
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.module.leaky_integrator_box import LIBoxCell
from norse.torch.module.lif_box import LIFBoxCell
from slipway.converters.export import export
from slipway.errors import (
    DataError,
    GraphError,
    MissingDependency,
    ModelError,
    SlipwayError,
    UnsupportedNode,
    UsageError,
)
from torch import nn

from .nets import Rates, digits


class Does(nn.Module):
    """A model whose forward is a function of its layers and the input."""

    def __init__(self, forward: Callable[..., Any], **layers: nn.Module) -> None:
        super().__init__()
        self.does = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Any) -> Any:
        return self.does(self, x)


class Spikes(Does):
    """The same with a state."""

    def forward(self, x: Any, state: Any = None) -> Any:
        return self.does(self, x, state)


def refused(
    kind: type[SlipwayError], model: Any, shape: tuple[int, ...], **options: Any
) -> str:
    with pytest.raises(SlipwayError) as caught:
        export(model, shape, **options)
    assert type(caught.value) is kind, caught.value
    assert all(p.where and p.remedy for p in caught.value.problems), caught.value
    return str(caught.value)


def test_all_unsupported_layers_at_once_with_path() -> None:
    model = nn.Sequential()
    model.add_module("features", nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2)))
    model.add_module("act", nn.Sigmoid())
    model.add_module("flat", nn.Flatten())
    model.add_module("norm", nn.LayerNorm(8))
    text = refused(UnsupportedNode, model, (1, 6, 6))
    assert "features.1 (MaxPool2d) is not supported: it takes the maximum of currents" in text
    assert (
        "to do: move the pool behind the spiking layer or ReLU, or train with AvgPool2d" in text
    )
    assert "act (Sigmoid) is not supported: no NIR neuron computes it" in text
    assert "norm (LayerNorm) is not supported: its statistics depend on the input" in text


def halve(z: Any, v: Any, reset: Any, th: Any) -> Any:
    """A user's own reset."""
    return v - z * v / 2


def reset_subtract(z: Any, v: Any, reset: Any, th: Any) -> Any:
    """Has the name of norse's, and does something else."""
    return v - 2 * z * th


CONV = {"a": nn.Conv2d(2, 2, 3, padding=1), "b": nn.Conv2d(2, 2, 1)}
F = nn.functional


@pytest.mark.parametrize(
    ("model", "shape", "text"),
    [
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), (1, 5, 5), "'reflect' has no"),
        (nn.Conv2d(1, 1, (2, 3)), (1, 6, 6), "zero taps cannot make this one square"),
        (
            nn.AvgPool2d(2, ceil_mode=True),
            (1, 5, 5),
            "hangs over the border: (1, 5, 5) becomes (1, 3, 3)",
        ),
        (nn.AvgPool1d(2, ceil_mode=True), (1, 5), "over the border: (1, 5) becomes (1, 3)"),
        (
            nn.AvgPool1d(2, padding=1, count_include_pad=False),
            (1, 4),
            "with count_include_pad=False the border has a divisor of its own",
        ),
        (nn.AdaptiveAvgPool2d(2), (1, 5, 4), "(5, 4) to (2, 2) has windows of unequal"),
        (nn.Flatten(0), (3, 4), "changes the batch axis: 2 samples become shape (24,)"),
        (nn.Linear(3, 3), (2, 3), "a linear layer on 2 axes (2, 3) has no NIR node"),
        (nn.BatchNorm2d(2), (2, 3, 3), "does not come right after a convolution or linear"),
        (
            nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)),
            (2,),
            "this batch norm keeps no running statistics",
        ),
        (
            Does(lambda m, x: torch.cat([m.a(x), m.b(x)], 2), **CONV),
            (2, 4, 4),
            "cat() concatenates along axis 2 of ('batch', 2, 8, 4): NIR has no concatenation",
        ),
        (
            Does(lambda m, x: torch.concat((m.a(x), m.b(x)), dim=-1), **CONV),
            (2, 4, 4),
            "concatenates along axis -1 of ('batch', 2, 4, 8)",
        ),
        (Does(lambda m, x: torch.cat([m.a(x), m.b(x)]), **CONV), (2, 4, 4), "along axis 0 of"),
        (
            Does(lambda m, x: torch.cat(m.a(x).chunk(2, 1), 1), **CONV),
            (2, 4, 4),
            "cat() concatenates something else than signals",
        ),
        (
            Does(lambda m, x: torch.cat([x, x], 1)),
            (1, 2, 2, 2),
            "concatenates along axis 1 of ('batch', 2, 2, 2, 2)",
        ),
        (
            Does(lambda m, x: torch.stack([m.a(x), m.b(x)], 1), **CONV),
            (2, 4, 4),
            "stack() is not supported: it makes a new axis",
        ),
        (Does(lambda m, x: m.a(x) * 2, **CONV), (2, 4, 4), "mul() is not supported: NIR"),
        (Does(lambda m, x: m.a(x) - x, **CONV), (2, 4, 4), "NIR has no difference node"),
        (Does(lambda m, x: m.a(x)[:, 0], **CONV), (2, 4, 4), "NIR cannot cut a signal"),
        (Does(lambda m, x: m.a(x) + 1, **CONV), (2, 4, 4), "something else than two signals"),
        (Does(lambda m, x: torch.add(m.a(x), x, alpha=2), **CONV), (2, 4, 4), "something else"),
        (
            Does(lambda m, x: m.a(x) + F.avg_pool2d(x, 4), **CONV),
            (2, 4, 4),
            "adds different shapes: (2, 4, 4) and (2, 1, 1)",
        ),
        (Does(lambda m, x: x.transpose(1, 2)), (2, 4), "transpose() is not supported"),
        (Does(lambda m, x: x.reshape(x.size(0), 4, 2)), (2, 4), "reshaping (2, 4) to (4, 2)"),
        (Does(lambda m, x: F.max_pool2d(x, 2)), (2, 4, 4), "the maximum of currents or sums"),
        (Does(lambda m, x: torch.max_pool1d(x, 2)), (2, 4), "the maximum of currents or sums"),
        (nn.MaxPool2d(2, dilation=2), (2, 4, 4), "is not supported: dilation has no NIR"),
        (nn.MaxPool1d(2, ceil_mode=True), (2, 5), "(2, 5) becomes (2, 3)"),
        (nn.MaxPool2d(2, ceil_mode=True), (2, 5, 5), "over the border: (2, 5, 5) becomes"),
        (
            Does(lambda m, x: F.max_pool2d(x, 2, return_indices=True)[0]),
            (2, 4, 4),
            "NIR cannot pass indices on",
        ),
        (nn.MaxPool2d(2, return_indices=True), (2, 4, 4), "NIR cannot pass indices on"),
        (nn.AdaptiveMaxPool2d(2), (2, 4, 4), "the maximum over windows of unequal size"),
        (Does(lambda m, x: F.adaptive_max_pool2d(x, 2)), (2, 4, 4), "over windows of unequal"),
        (nn.AdaptiveMaxPool1d(2), (2, 4), "the maximum over windows of unequal size"),
        (Does(lambda m, x: F.linear(x, m.a.weight), a=nn.Linear(4, 4)), (4,), "nn.Linear"),
        (Does(lambda m, x: F.dropout(x)), (4,), "dropout() is not supported"),
        (Does(lambda m, x: (m.a(x), (m.b(x),)), **CONV), (2, 4, 4), "made as output_1"),
        (Does(lambda m, x: {"y": m.a(x), "z": 3}, **CONV), (2, 4, 4), "a layer made as z"),
        (Does(lambda m, x: {}, **CONV), (2, 4, 4), "no tensor that a layer made"),
        (Does(lambda m, x: None, **CONV), (2, 4, 4), "no tensor that a layer made"),
        (
            Does(lambda m, x: {"a.b": m.a(x), "a_b": x}, **CONV),
            (2, 4, 4),
            "a_b would name two inputs or outputs",
        ),
        (
            Does(lambda m, x: {"input": m.a(x)}, **CONV),
            (2, 4, 4),
            "input would name two inputs or outputs",
        ),
        (Does(lambda m, x: torch.zeros(3) + x), (3,), "constant outside of a layer is not"),
    ],
)  # fmt: skip
def test_unsupported(model: nn.Module, shape: tuple[int, ...], text: str) -> None:
    assert text in refused(UnsupportedNode, model, shape)


def test_batch_norm_beside_another_consumer_is_named_either_way() -> None:
    first = Does(lambda m, x: operator.add(m.n(y := m.a(x)), y), n=nn.BatchNorm2d(2), **CONV)
    text = refused(UnsupportedNode, first, (2, 4, 4))
    assert "n (BatchNorm2d) cannot be folded: a is also used without it" in text

    def early(m: Any, x: Any) -> Any:
        y = m.a(x)
        return m.b(y) + m.n(y)

    text = refused(UnsupportedNode, Does(early, n=nn.BatchNorm2d(2), **CONV), (2, 4, 4))
    assert "this batch norm cannot be folded: a is also used without it" in text


def test_norse_modules_without_equivalent() -> None:
    text = refused(UnsupportedNode, norse.SequentialState(norse.LIFRecurrentCell(3, 3)), (3,))
    assert "0 (LIFRecurrentCell) is not supported: no equivalent in NIR is known here" in text
    text = refused(UnsupportedNode, norse.RecurrentSequential(nn.Linear(3, 3)), (3,))
    assert "the model (RecurrentSequential) is not supported: it is recurrent" in text
    text = refused(UnsupportedNode, norse.Lift(nn.Linear(3, 3)), (4, 3))
    assert "(Lift) is not supported: it runs a layer over time" in text


def test_cells_that_nir_cannot_state() -> None:
    own = LIFBoxCell(LIFBoxParameters(reset_method=halve))
    assert (
        "its reset halve cannot be written in NIR: known are norse's reset_value and "
        "reset_subtract"
    ) in refused(UnsupportedNode, own, (3,))
    named = LIFBoxCell(LIFBoxParameters(reset_method=reset_subtract))
    assert "its reset reset_subtract cannot" in refused(UnsupportedNode, named, (3,))
    random = norse.LIFCell(LIFParameters(method="logistic"))
    assert "its spikes are random (method 'logistic')" in refused(UnsupportedNode, random, (3,))
    still = LIFBoxCell(LIFBoxParameters(tau_mem_inv=torch.tensor(0.0)))
    assert "tau_mem_inv must be positive and finite, it is 0.0" in refused(
        UnsupportedNode, still, (3,)
    )
    odd = LIFBoxCell(LIFBoxParameters(v_reset=torch.zeros(2, 1, 3)))
    assert "v_reset of shape (2, 1, 3) does not fit the neurons (3,)" in refused(
        UnsupportedNode, odd, (3,)
    )


def test_cells_must_agree_on_dt() -> None:
    model = norse.SequentialState(LIFBoxCell(dt=0.001), LIBoxCell(dt=0.002))
    text = refused(ModelError, model, (3,))
    assert "the cells have different dt: 0 0.001 s, 1 0.002 s" in text


def test_relu_needs_calibration_and_says_how() -> None:
    text = refused(UsageError, Rates(), (2, 8, 8))
    assert "3 ReLU layers need calibration data" in text
    assert "--calibrate train.npz" in text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.zeros((5, 3)), "calibration data have shape (5, 3), expected (N, *(4,))"),
        (np.zeros((0, 4)), "calibration data are empty"),
        (np.array([[1, np.nan, 1, 1.0]]), "not finite, first at [0, 1]: nan"),
        (np.array([["a"] * 4]), "numbers are needed"),
        (np.zeros((5, 4)), "reaches 0.0 on all 5 calibration frames, so it has no scale"),
    ],
)
def test_calibration_data(x: Any, text: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU(), nn.Linear(4, 2))
    assert text in refused(DataError, model, (4,), calibration=x)


def test_relu_beside_spiking_cells() -> None:
    model = norse.SequentialState(nn.Linear(3, 3), LIFBoxCell(), nn.ReLU())
    text = refused(UnsupportedNode, model, (3,))
    assert "a ReLU beside spiking cells has no NIR equivalent" in text
    assert "where: 2" in text


def test_wrong_sample_shape_names_the_first_layer() -> None:
    text = refused(DataError, digits(), (3, 6, 6))
    assert "0 (Conv2d) cannot take what the sample shape (3, 6, 6) leads to" in text
    assert "expected (1, height, width), given (3, 6, 6)" in text
    text = refused(DataError, digits(), (1, 7, 7))
    assert "3 (Linear) cannot take" in text
    assert "expected (144,), given (196,)" in text
    # torch would run this unbatched, with the batch of the trial run as channels
    text = refused(DataError, nn.Conv2d(2, 2, 3), (6, 6))
    assert "expected (2, height, width), given (6, 6); ValueError: 2 axes instead of 3" in text
    text = refused(DataError, Does(lambda m, x: x.view(x.size(0), 7)), (3, 4))
    assert "view cannot take" in text


def test_weights_that_are_not_finite() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    with torch.no_grad():
        model.get_parameter("0.weight")[1, 2] = torch.nan
        model.get_parameter("1.bias")[0] = torch.inf
    text = refused(GraphError, model, (3,))
    assert "weight has 1 values that are not finite, the first at [1, 2]: nan" in text
    assert "where: 0 (Linear)" in text
    assert "bias has 1 values that are not finite, the first at [0]: inf" in text


def test_what_cannot_be_traced() -> None:
    branch = Does(lambda m, x: x if x.sum() > 0 else m.a(x), a=nn.Linear(3, 3))
    text = refused(ModelError, branch, (3,))
    assert "cannot be traced: TraceError: symbolically traced variables cannot be used" in text
    assert "test_export_refusals.py" in text
    assert "no if, loop or conversion to Python numbers" in text
    text = refused(ModelError, Does(lambda m, x: m.missing(x)), (3,))
    assert "cannot be traced: AttributeError" in text
    text = refused(ModelError, Does(lambda m, x: nn.Linear(3, 3)(x)), (3,))
    assert "forward calls a Linear that is no part of the model" in text
    assert "to do: create all layers in __init__" in text
    with pytest.raises(ModelError, match=r"expected a torch.nn.Module, got str"):
        export("model", (3,))  # type: ignore[arg-type]


def test_recurrence_and_lost_states_are_found_in_the_second_step() -> None:
    layers = {"fc": nn.Linear(3, 3), "rec": nn.Linear(3, 3), "cell": LIFBoxCell()}

    def recurrent(m: Any, x: Any, state: Any) -> Any:
        x = m.fc(x) if state is None else m.fc(x) + m.rec(state[0])
        z, s = m.cell(x, None if state is None else state[1])
        return z, (z, s)

    text = refused(ModelError, Spikes(recurrent, **layers), (3,))
    assert "the second time step computes something else than the first" in text
    assert "recurrent connections" in text

    def forgets(m: Any, x: Any, state: Any) -> Any:
        return m.cell(m.fc(x), None)

    text = refused(ModelError, Spikes(forgets, **layers), (3,))
    assert "the state that this neuron returns is not what it gets in the next step" in text
    assert "where: cell" in text

    def drops(m: Any, x: Any, state: Any) -> Any:
        return m.cell(m.fc(x), state)[0]

    text = refused(ModelError, Spikes(drops, **layers), (3,))
    assert "its forward does not return (output, state)" in text

    def twice(m: Any, x: Any, state: Any) -> Any:
        z, state = m.cell(m.fc(x), state)
        return m.cell(z, state)

    text = refused(ModelError, Spikes(twice, **layers), (3,))
    assert "this neuron is called more than once in one time step" in text
    assert "where: cell" in text

    def peeks(m: Any, x: Any, state: Any) -> Any:
        _, state = m.cell(m.fc(x), state)
        return m.rec(state.v), state

    text = refused(UnsupportedNode, Spikes(peeks, **layers), (3,))
    assert "uses the inner state or the whole result of cell" in text


def test_an_output_reads_one_population() -> None:
    def both(m: Any, x: Any, state: Any) -> Any:
        a, b = state or (None, None)
        y, a = m.one(x, a)
        z, b = m.two(x, b)
        return y + z, (a, b)

    text = refused(UnsupportedNode, Spikes(both, one=LIFBoxCell(), two=LIFBoxCell()), (3,))
    assert "the output is a sum of neurons; an output reads one population" in text


def test_a_model_without_layers_is_an_input_wired_to_the_output() -> None:
    graph = export(nn.Identity(), (3,))
    assert graph.edges == [("input", "output")]


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_torch(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "torch":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_torch)
    with pytest.raises(MissingDependency) as caught:
        export(nn.Identity(), (3,))
    assert "export needs torch, which is not installed" in str(caught.value)
    assert "pip install 'torch>=2.3'" in str(caught.value)
    assert caught.value.exit_code == 3
