from __future__ import annotations

import importlib
from typing import Any

import norse.torch
import numpy as np
import pytest
import torch
from norse.torch.functional.lif_box import LIFBoxFeedForwardState
from slipway.errors import ModelError, UsageError
from slipway.models import STUDENTS, student
from slipway.models.cells import li, lif
from slipway.models.evaluate import evaluate
from slipway.models.unroll import LifSequence, Unrolled
from torch import Tensor, nn


class Step(torch.autograd.Function):
    """The spike and its triangular surrogate gradient, as plain torch operations."""

    @staticmethod
    def forward(ctx: Any, above: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(above)
        ctx.width = width
        return (above > 0).float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (above,) = ctx.saved_tensors
        slope = (1.0 - above.abs() / ctx.width).clamp(min=0.0) / ctx.width
        return grads[0] * slope, None


def plain_lif(x: Tensor, steps: int, constant: bool, a: float, threshold: float) -> Tensor:
    v = torch.zeros(())
    spikes = []
    for t in range(steps):
        drive = x if constant else x.view(steps, -1, *x.shape[1:])[t]
        v = v + a * (drive - v)
        spikes.append(Step.apply(v - threshold, 0.5))  # type: ignore[no-untyped-call]
        v = v * (1.0 - spikes[-1].detach())
    return torch.cat(spikes)


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_the_walk_and_its_gradient_are_the_plain_ones(
    constant: bool, order: torch.memory_format
) -> None:
    torch.manual_seed(0)
    x = (2.0 * torch.randn(6, 5, 17, 30)).to(memory_format=order)
    ours, plain = x.clone().requires_grad_(), x.clone().requires_grad_()
    spikes = LifSequence.apply(ours, 3, constant, 0.4, 0.5, 0.5)  # type: ignore[no-untyped-call]
    expected = plain_lif(plain, 3, constant, 0.4, 0.5)
    assert 0.05 < float(spikes.detach().mean()) < 0.5
    assert torch.equal(spikes, expected)
    weight = torch.randn_like(expected)
    (spikes * weight).sum().backward()
    (expected * weight).sum().backward()  # type: ignore[no-untyped-call]
    assert ours.grad is not None
    assert plain.grad is not None
    torch.testing.assert_close(ours.grad, plain.grad)


def test_a_cell_in_any_other_memory_order_works() -> None:
    x = torch.randn(3, 8, 4).transpose(1, 2).requires_grad_()
    spikes = LifSequence.apply(x, 3, False, 0.4, 0.1, 0.5)  # type: ignore[no-untyped-call]
    assert torch.equal(spikes, plain_lif(x.detach(), 3, False, 0.4, 0.1))
    spikes.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("name", STUDENTS)
def test_unrolled_is_step_by_step(name: str) -> None:
    torch.manual_seed(3)
    model = student(name).Student().eval()
    x = torch.rand(5, *model.sample_shape)
    with torch.no_grad():
        outputs, rates = Unrolled(model, 0.5).sequence(x, 3)
        state, stepped = None, []
        for _ in range(3):
            output, state = model(x, state)
            stepped.append(output)
    torch.testing.assert_close(outputs, torch.stack(stepped), rtol=1e-4, atol=1e-5)
    counted = evaluate(model, x.numpy(), steps=3).rates
    assert {k: pytest.approx(float(v), abs=2e-3) for k, v in rates.items()} == counted


@pytest.mark.parametrize("name", STUDENTS)
def test_a_student_keeps_the_contract(name: str) -> None:
    module = student(name)
    model = module.Student().eval()
    assert module.RECIPE.curriculum[-1][1] == model.time_steps
    assert model.readout == "mean"  # the outputs of a linear layer, added over time
    assert model.input_encoding == "current"
    x = torch.rand(2, *model.sample_shape)
    with torch.no_grad():
        output, state = model(x)
        again, state = model(x, state)
    assert output.shape == again.shape
    assert output.shape[0] == 2
    assert isinstance(state, tuple)
    cells = [m for m in model.modules() if isinstance(m, norse.torch.LIFBoxCell)]
    assert len(state) == len(cells)
    for cell in cells:
        assert 0.1 <= float(cell.dt * cell.p.tau_mem_inv) <= 0.6
        assert float(cell.p.v_th) > 0.0


def test_our_lif_is_norse_lif() -> None:
    cell = lif(0.4, 0.5)
    state = LIFBoxFeedForwardState(torch.tensor([0.0, 0.4, 0.5]))
    spikes, after = cell(torch.tensor([1.0, 0.5, 0.5]), state)
    assert spikes.tolist() == [0.0, 0.0, 0.0]  # at the threshold is not above it
    assert after.v.tolist() == pytest.approx([0.4, 0.44, 0.5])
    spikes, after = cell(torch.tensor([1.0, 0.9, 0.6]), after)
    assert spikes.tolist() == [1.0, 1.0, 1.0]
    assert after.v.tolist() == [0.0, 0.0, 0.0]


class Foreign(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = norse.torch.LIFCell()

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        x, state = self.cell(x, state)
        return x, state


def test_a_cell_that_cannot_be_trained_is_named() -> None:
    with pytest.raises(ModelError, match="slipway cannot train a LIFCell") as caught:
        Unrolled(Foreign(), 0.5).sequence(torch.rand(2, 3), 2)
    assert "module cell" in str(caught.value)
    assert "use LIFBoxCell for spikes" in str(caught.value)


class Alone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = li(0.5)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        x, state = self.cell(x, state)
        return x, state


@pytest.mark.parametrize(("readout", "value"), [("last", 0.875), ("mean", 2.125 / 3)])
def test_readouts_of_a_membrane(readout: str, value: float) -> None:
    answers = evaluate(Alone(), np.array([[1.0, 2.0]], np.float32), steps=3, readout=readout)
    np.testing.assert_allclose(answers.outputs, [[value, 2 * value]], rtol=1e-6)
    assert answers.predictions.tolist() == [1]


def test_a_count_of_spikes() -> None:
    class Spiking(Alone):
        def __init__(self) -> None:
            super().__init__()
            self.cell = lif(0.5, 0.6)

    x = np.array([[2.0, 1.0, 0.5], [0.0, 1.0, 0.5]], np.float32)
    answers = evaluate(Spiking(), x, steps=4, readout="count", batch=1)
    np.testing.assert_array_equal(answers.outputs, [[4, 2, 0], [0, 2, 0]])
    assert answers.rates == {"cell": 8 / 24}
    assert answers.spikes_per_sample == {"cell": 4.0}


def test_all_bad_arguments_of_evaluate_are_told_at_once() -> None:
    with pytest.raises(UsageError, match="unknown readout 'max'") as caught:
        evaluate(Alone(), np.zeros((0, 2), np.float32), steps=0, readout="max")
    assert "steps is 0" in str(caught.value)
    assert "there are no samples in x" in str(caught.value)


def test_students_are_imported_on_first_use() -> None:
    for path in STUDENTS.values():
        module = importlib.import_module(path)
        assert issubclass(module.Student, nn.Module)
