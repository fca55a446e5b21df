"""Squeeze-and-excitation, frozen and folded: what is folded computes what was frozen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from slipway.errors import UsageError
from slipway.models.blocks.squeeze import FrozenGate, SqueezeExcitation
from slipway.models.teachers.resemotenet import ResEmoteNet, fold_gates, freeze_gates
from torch import nn


def network(squeeze: Any, size: int = 48) -> ResEmoteNet:
    """A small network whose gates differ between channels and between pictures."""
    torch.manual_seed(0)
    model = ResEmoteNet(channels=1, size=size, divisor=4, squeeze=squeeze)
    with torch.no_grad():
        for layer in model.se.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(6.0)
        for _ in range(5):
            model(torch.rand(8, 1, size, size))
    return model.eval()


@pytest.mark.parametrize("gate", ["sigmoid", "hard-sigmoid"])
def test_the_gate_is_its_equation(gate: Any) -> None:
    torch.manual_seed(1)
    layer = SqueezeExcitation(32, gate).double()
    linear: list[Any] = [layer.fc[0], layer.fc[2]]
    x = torch.randn(3, 32, 5, 7, dtype=torch.float64)
    first, second = (each.weight.detach().numpy() for each in linear)
    assert first.shape == (2, 32)
    first, second = first.copy(), second.copy()
    hidden = np.maximum(x.numpy().mean(axis=(2, 3)) @ first.T, 0)
    raw = 30 * hidden @ second.T
    with torch.no_grad():
        linear[1].weight.mul_(30.0)
        found = layer(x).numpy()
    hard = np.clip(raw / 6 + 0.5, 0, 1)
    factor = 1 / (1 + np.exp(-raw)) if gate == "sigmoid" else hard
    np.testing.assert_allclose(found, x.numpy() * factor[:, :, None, None])
    assert factor.std() > 0.05


@pytest.mark.parametrize("squeeze", ["sigmoid", "hard-sigmoid"])
def test_frozen_is_the_mean_and_folding_changes_nothing(squeeze: Any) -> None:
    model = network(squeeze)
    batches = [torch.rand(5, 1, 48, 48), torch.rand(3, 1, 48, 48) ** 3]
    seen: list[torch.Tensor] = []
    assert isinstance(model.se, SqueezeExcitation)
    hook = model.se.register_forward_hook(
        lambda layer, inputs, output: seen.append(layer.gate(inputs[0]))
    )
    with torch.no_grad():
        before = [model(batch) for batch in batches]
    hook.remove()
    gates = torch.cat(seen)
    assert float(gates.std(dim=0).max()) > 1e-3  # it does depend on the picture

    frozen = freeze_gates(model, batches)
    assert frozen.squeeze == "frozen"
    assert isinstance(frozen.se, FrozenGate)
    torch.testing.assert_close(frozen.se.factor, gates.mean(dim=0), rtol=1e-5, atol=1e-6)

    folded = fold_gates(frozen)
    assert isinstance(folded.se, nn.Identity)
    for size in (48, 40, 33):  # even and odd maps, borders
        x = torch.rand(4, 1, size, size)
        with torch.no_grad():
            constant, found = frozen.double()(x.double()), folded.double()(x.double())
        torch.testing.assert_close(found, constant, rtol=1e-6, atol=1e-7)
    with torch.no_grad():
        assert all(
            torch.equal(model(batch), old) for batch, old in zip(batches, before, strict=True)
        )
        assert not torch.allclose(frozen.float()(batches[0]), before[0], atol=1e-6)


def test_a_folded_network_loads_into_one_without_gate() -> None:
    folded = fold_gates(freeze_gates(network("sigmoid"), [torch.rand(4, 1, 48, 48)]))
    plain = ResEmoteNet(channels=1, size=48, divisor=4, squeeze="none")
    plain.load_state_dict(folded.state_dict())
    x = torch.rand(2, 1, 48, 48)
    with torch.no_grad():
        assert torch.equal(plain.eval()(x), folded(x))


def test_freezing_does_not_train_and_keeps_the_model() -> None:
    model = network("sigmoid").train()
    old = {name: value.clone() for name, value in model.state_dict().items()}
    frozen = freeze_gates(model, [torch.rand(4, 1, 48, 48)])
    assert model.training
    assert not frozen.training
    assert all(torch.equal(old[name], value) for name, value in model.state_dict().items())


def test_what_cannot_be_frozen_or_folded() -> None:
    with pytest.raises(UsageError, match="no gate to freeze: squeeze is 'none'"):
        freeze_gates(network("none"), [torch.rand(1, 1, 48, 48)])
    with pytest.raises(UsageError, match="no pictures"):
        freeze_gates(network("sigmoid"), [])
    with pytest.raises(UsageError, match=r"only a constant gate(.|\n)*freeze_gates"):
        fold_gates(network("sigmoid"))
