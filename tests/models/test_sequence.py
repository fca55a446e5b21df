"""Layer by layer and step by step are one computation; what is watched is what happened."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from slipway.errors import UsageError
from slipway.models.sequence import OverTime, run_sequence
from slipway.models.students.mskd import MskdStudent
from slipway.models.students.spiking_resnet import SpikingResNet18
from slipway.models.students.transfer import TransferPair
from slipway.models.students.vgg_snn import VggSnn
from slipway.models.unroll import Unrolled
from torch import Tensor, nn

NETWORKS: dict[str, Any] = {
    "mskd": lambda: MskdStudent(
        size=24, inputs=2, channels=(6, 8, 10), hidden=9, norm="batch", readout="membrane"
    ),
    "vgg": lambda: VggSnn(size=16, divisor=16, classes=5),
    "pre": lambda: SpikingResNet18(size=16, width=4, classes=5),
    "post": lambda: SpikingResNet18(activation="post", size=16, width=4, classes=5),
}


def settled(name: str) -> tuple[nn.Module, Tensor]:
    """A network whose batch norms know the data, with the data, (T, N, ...)."""
    torch.manual_seed(0)
    model: nn.Module = NETWORKS[name]()
    x = 3 * torch.rand(3, 4, *model.sample_shape)  # type: ignore[misc]
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over all that was seen
    with torch.no_grad():
        for _ in range(4):
            run_sequence(model, x)
    return model.eval(), x


@pytest.mark.parametrize("name", NETWORKS)
def test_both_orders_agree(name: str) -> None:
    model, x = settled(name)
    cells = [n for n, m in model.named_modules() if type(m).__name__ in ("Lif", "MembraneLif")]
    by_layer = run_sequence(model, x, watch=cells)
    by_step = run_sequence(model, x, order="step", watch=cells)
    torch.testing.assert_close(by_layer.output, by_step.output, rtol=1e-4, atol=1e-5)
    assert set(by_layer.rates) == set(by_step.rates)
    assert min(float(rate.detach()) for rate in by_layer.rates.values()) > 0.005
    assert set(by_layer.membranes) == set(cells)
    for cell in cells:
        torch.testing.assert_close(
            by_layer.membranes[cell], by_step.membranes[cell], rtol=1e-4, atol=1e-4
        )
    torch.testing.assert_close(
        torch.stack(list(by_layer.rates.values())),
        torch.stack([by_step.rates[cell] for cell in by_layer.rates]),
    )


@pytest.mark.parametrize("name", ["vgg", "post"])
def test_the_compiled_walk_of_still_pictures_agrees(name: str) -> None:
    model, x = settled(name)
    with torch.no_grad():
        plain = run_sequence(model, x[:1].expand(3, *x.shape[1:]))
        outputs, rates = Unrolled(model, 0.5).sequence(x[0], 3)
    torch.testing.assert_close(outputs, plain.output, rtol=1e-4, atol=1e-4)
    assert set(rates) == set(plain.rates)


def test_both_orders_have_the_same_gradient() -> None:
    model, x = settled("vgg")
    found = []
    for order in ("layer", "step"):
        model.zero_grad()
        run_sequence(model, x, order=order).output.square().mean().backward()  # type: ignore[no-untyped-call]
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert len(found[0]) == len(found[1]) == 26
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_made_once_it_follows_the_weights_and_its_copies_have_their_own() -> None:
    student, x = settled("vgg")
    assert isinstance(student, VggSnn)
    pair = TransferPair(student)
    run = OverTime(student)
    with torch.no_grad():
        before, twin = run(x).output, copy.deepcopy(pair)
        student.features.get_submodule("conv1").weight.mul_(3.0)  # type: ignore[operator]
        after, theirs = run(x).output, twin(x, x).event_logits
        assert not torch.equal(before, after)
        assert torch.equal(after, run_sequence(student, x).output)
        assert torch.equal(theirs, before)
        assert torch.equal(pair(x, x).event_logits, after)
        student.double()
        assert run(x.double()).output.dtype == torch.float64
    assert set(pair.state_dict()) == {
        "coefficients",
        *(f"student.{n}" for n in student.state_dict()),
    }


def test_batch_norm_learns_from_all_steps_or_from_each() -> None:
    torch.manual_seed(0)
    x = torch.rand(3, 4, 2, 16, 16) * torch.tensor([1.0, 2.0, 8.0]).view(3, 1, 1, 1, 1)
    counted = {}
    for order in ("layer", "step"):
        model = VggSnn(size=16, divisor=16, classes=5)
        run_sequence(model, x, order=order)
        norm = model.features.get_submodule("bn1")
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.num_batches_tracked is not None
        counted[order] = int(norm.num_batches_tracked)
    assert counted == {"layer": 1, "step": 3}


def test_membranes_are_after_the_reset_and_in_the_papers_unit() -> None:
    torch.manual_seed(0)
    model = MskdStudent(size=24, inputs=1, channels=(4, 4, 4), hidden=4)
    x = 20 * torch.rand(2, 3, 1, 24, 24)
    watched = run_sequence(model, x, watch=["layers.lif1"]).membranes["layers.lif1"]
    conv = model.layers.get_submodule("conv1")
    m = torch.zeros(())
    for t in range(2):
        m = 0.2 * m + conv(x[t])
        m = m * (m <= 0.3)
        torch.testing.assert_close(watched[t], m, rtol=1e-4, atol=1e-4)
    assert float((watched == 0).float().mean()) > 0.05


def test_what_cannot_be_watched_is_named() -> None:
    with pytest.raises(UsageError, match="order is 'time'"):
        OverTime(nn.Linear(1, 1), "time")  # type: ignore[arg-type]
    model = VggSnn(size=16, divisor=16, classes=5)
    with pytest.raises(UsageError, match=r"no neuron at 'lif9'(.|\n)*no time steps"):
        run_sequence(model, torch.rand(0, 1, 2, 16, 16), watch=["lif9"])
