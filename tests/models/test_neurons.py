"""The cells against the papers' equations, written out step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from slipway.models.blocks.chain import Chain
from slipway.models.blocks.neurons import (
    Lif,
    MembraneLif,
    Surrogate,
    seen_integrator,
    seen_lif,
    seen_membrane,
    transfer_lif,
)
from torch import Tensor, nn

DECAY, SEEN_THRESHOLD = 0.2, 0.3
TAU, TRANSFER_THRESHOLD = 2.0, 0.5


def currents(seed: int, *shape: int) -> Tensor:
    torch.manual_seed(seed)
    return (1.2 * torch.randn(shape, dtype=torch.float64)).requires_grad_()


def walk(cell: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and norse's membranes after the reset, of each step."""
    state, outputs, membranes = None, [], []
    for current in x:
        output, state = cell(current, state)
        outputs.append(output)
        membranes.append(state.v)
    return torch.stack(outputs), torch.stack(membranes)


def seen_by_hand(x: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], ...]:
    """m <- decay m (1 - s) + x; s = [m > threshold]: spikes, membranes before the reset."""
    m = s = np.zeros(x.shape[1:])
    spikes, membranes = [], []
    for current in x:
        m = m * DECAY * (1 - s) + current
        s = (m > SEEN_THRESHOLD).astype(float)
        spikes.append(s)
        membranes.append(m)
    return np.stack(spikes), np.stack(membranes)


def test_seens_neuron_step_by_step() -> None:
    x = currents(0, 50, 400)
    spikes, membranes = seen_by_hand(x.detach().numpy())
    found, after = walk(seen_lif(), x)
    assert 0.2 < spikes.mean() < 0.6
    np.testing.assert_array_equal(found.detach().numpy(), spikes)
    unit = seen_lif().unit
    kept = (after / unit).detach().numpy()
    np.testing.assert_allclose(kept, membranes * (1 - spikes), atol=1e-15, rtol=1e-14)
    read, _ = walk(seen_membrane(), x)
    np.testing.assert_allclose(read.detach().numpy(), membranes, atol=1e-15, rtol=1e-14)


def test_the_transfer_neuron_step_by_step_and_its_ties() -> None:
    x = currents(1, 50, 400).detach().numpy().astype(np.float32)
    x[:, :40] = np.round(4 * x[:, :40]) / 4  # quarters: membranes that meet 0.5 exactly
    m = np.zeros(400, np.float32)
    ties = {"fire": np.zeros(400, np.float32), "silent": np.zeros(400, np.float32)}
    cells = {"fire": transfer_lif(), "silent": transfer_lif(ties="silent")}
    states: dict[str, Any] = dict.fromkeys(cells)
    met = 0
    for current in x:
        for name, cell in cells.items():
            m = ties[name]
            m = m + (current - m) / np.float32(TAU)
            fired = m >= TRANSFER_THRESHOLD if name == "fire" else m > TRANSFER_THRESHOLD
            met += int((m == TRANSFER_THRESHOLD).sum())
            ties[name] = m * (1 - fired.astype(np.float32))
            found, states[name] = cell(torch.from_numpy(current), states[name])
            np.testing.assert_array_equal(found.detach().numpy(), fired.astype(np.float32))
            np.testing.assert_array_equal(states[name].v.detach().numpy(), ties[name])
    assert met > 20


def test_only_the_tie_itself_tells_the_two_rules_apart() -> None:
    below = float(np.nextafter(np.float32(0.5), np.float32(0)))
    above = float(np.nextafter(np.float32(0.5), np.float32(1)))
    x = 2 * torch.tensor([below, 0.5, above], dtype=torch.float32)  # v = x / 2 from rest
    fires, _ = transfer_lif()(x)
    silent, _ = transfer_lif(ties="silent")(x)
    assert fires.tolist() == [0.0, 1.0, 1.0]
    assert silent.tolist() == [0.0, 0.0, 1.0]


class Window(torch.autograd.Function):
    """SEEN's spike: gradient 1 where |m - threshold| < 0.5."""

    @staticmethod
    def forward(ctx: Any, m: Tensor) -> Tensor:
        ctx.save_for_backward(m)
        return (m > SEEN_THRESHOLD).to(m.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (m,) = ctx.saved_tensors
        slope: Tensor = ((m - SEEN_THRESHOLD).abs() < 0.5).to(m.dtype)
        return grads[0] * slope


class Ramp(torch.autograd.Function):
    """The transfer code's spike: gradient max(0, 2 - 4 |m - threshold|)."""

    @staticmethod
    def forward(ctx: Any, m: Tensor) -> Tensor:
        ctx.save_for_backward(m)
        return (m >= TRANSFER_THRESHOLD).to(m.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (m,) = ctx.saved_tensors
        slope: Tensor = (2 - 4 * (m - TRANSFER_THRESHOLD).abs()).clamp(min=0)
        return grads[0] * slope


def gradients(outputs: Tensor, x: Tensor) -> Tensor:
    torch.manual_seed(9)
    weights = torch.randn_like(outputs)
    (found,) = torch.autograd.grad((outputs * weights).sum(), x, retain_graph=True)
    return found


def test_gradients_are_those_of_the_papers_code() -> None:
    x = currents(2, 12, 100)
    m = s = torch.zeros(100, dtype=torch.float64)
    spikes, membranes = [], []
    for current in x:
        m = m * DECAY * (1 - s) + current
        s = Window.apply(m)  # type: ignore[no-untyped-call]
        spikes.append(s)
        membranes.append(m)
    torch.testing.assert_close(
        gradients(walk(seen_lif(), x)[0], x), gradients(torch.stack(spikes), x)
    )
    torch.testing.assert_close(
        gradients(walk(seen_membrane(), x)[0], x), gradients(torch.stack(membranes), x)
    )
    m, spikes = torch.zeros(100, dtype=torch.float64), []
    for current in x:
        m = m + (current - m) / TAU
        spikes.append(Ramp.apply(m))  # type: ignore[no-untyped-call]
        m = m * (1 - spikes[-1].detach())
    found = gradients(walk(transfer_lif(ties="silent"), x)[0], x)  # no ties in float64
    torch.testing.assert_close(found, gradients(torch.stack(spikes), x))
    assert float((found != 0).double().mean()) > 0.3


def test_the_integrator_is_seens_membrane_where_nothing_spikes() -> None:
    x = currents(3, 20, 50).detach()
    expected, m = [], torch.zeros(50, dtype=torch.float64)
    for current in x:
        m = DECAY * m + current
        expected.append(m)
    found, _ = walk(seen_integrator(), x)
    torch.testing.assert_close(found / (1 - DECAY), torch.stack(expected))


def test_surrogates_at_and_beyond_their_edges() -> None:
    at = torch.tensor([-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75])
    assert Surrogate("window", 0.5, 3.0).slope(at).tolist() == [0, 0, 3, 3, 3, 0, 0]
    assert Surrogate("triangle", 0.5, 2.0).slope(at).tolist() == [0, 0, 1, 2, 1, 0, 0]


def test_a_chain_keeps_its_states_apart_and_changes_none() -> None:
    chain = Chain(
        a=nn.Linear(3, 4), lif=seen_lif(), inner=Chain(b=nn.Linear(4, 2), last=transfer_lif())
    )
    x = 5 * torch.rand(6, 3)
    _, state = chain(x)
    kept = state[0].v.clone(), state[1][0].v.clone()
    second, after = chain(x, state)
    again, _ = chain(x, state)
    assert torch.equal(second, again)
    assert torch.equal(state[0].v, kept[0])
    assert torch.equal(state[1][0].v, kept[1])
    assert len(after) == 2
    assert set(chain.state_dict()) == {"a.weight", "a.bias", "inner.b.weight", "inner.b.bias"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_cells_keep_the_precision_of_their_input(dtype: torch.dtype) -> None:
    x = torch.rand(5, dtype=dtype)
    for cell in (seen_lif(), seen_membrane(), transfer_lif()):
        output, state = cell(x)
        kept = torch.float32 if dtype == torch.bfloat16 else dtype
        assert output.dtype == (kept if isinstance(cell, MembraneLif) else dtype)
        assert state.v.dtype == kept


def test_the_kinds_are_what_export_looks_at() -> None:
    from norse.torch.module.lif_box import LIFBoxCell
    from slipway.converters.norse_cells import is_cell, read_cell

    assert isinstance(transfer_lif(), LIFBoxCell)
    assert is_cell(seen_lif())
    assert not is_cell(seen_membrane())
    assert not isinstance(seen_membrane(), Lif)
    assert isinstance(seen_membrane(), MembraneLif)
    cell = read_cell(seen_lif(), (2,), 1e-3)
    assert cell.kind == "LIF"
    assert cell.parameters["tau"] == pytest.approx([1.25e-3] * 2)
    assert cell.parameters["v_threshold"] == pytest.approx([0.24] * 2)
    base = read_cell(transfer_lif(ties="silent"), (1,), 1e-3)
    assert base.parameters["tau"] == pytest.approx([2e-3])
    assert base.parameters["v_threshold"] == pytest.approx([0.5])


def test_mixed_precision_keeps_whole_membranes() -> None:
    torch.manual_seed(0)
    linear, cell = nn.Linear(20, 300), transfer_lif()
    frames = 3 * torch.rand(12, 8, 20)
    with torch.autocast("cpu", torch.bfloat16):
        currents = torch.stack([linear(frame) for frame in frames])
        spikes, membranes = walk(cell, currents)
    assert currents.dtype == spikes.dtype == torch.bfloat16
    whole, kept = walk(cell, currents.float())
    assert torch.equal(membranes, kept)
    assert torch.equal(spikes.float(), whole)
    assert 0.02 < float(whole.detach().mean()) < 0.9
