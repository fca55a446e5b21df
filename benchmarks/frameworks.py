"""What snnTorch, SpikingJelly and norse compute on a CPU, in float32.

Each framework brings its neurons, stepped singly or, where it can, over a whole sequence. The
layers between them are torch's own in all three, see passes.py. All neurons here are
``v = (1 - leak) v + current``, fire above 1 and start again at 0.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor


class Cell(Protocol):
    """Neurons of one layer on their way through the steps."""

    def step(self, current: Tensor) -> Tensor:
        """Spikes (N, *shape) of the next step."""

    def sequence(self, currents: Tensor) -> Tensor:
        """Spikes (T, N, *shape) of all steps, from a fresh state."""


class _SnnTorch:
    def __init__(self, leak: float) -> None:
        snntorch: Any = importlib.import_module("snntorch")
        # Without a surrogate gradient the forward pass is a comparison.
        self.neuron = snntorch.Leaky(
            beta=1 - leak, threshold=1.0, reset_mechanism="zero", surrogate_disable=True
        )
        self.membrane: Tensor | None = None

    def step(self, current: Tensor) -> Tensor:
        before = torch.zeros_like(current) if self.membrane is None else self.membrane
        spikes: Tensor
        spikes, self.membrane = self.neuron(current, before)
        return spikes

    def sequence(self, currents: Tensor) -> Tensor:
        return torch.stack([self.step(current) for current in currents])


class _SpikingJelly:
    def __init__(self, leak: float) -> None:
        neuron: Any = importlib.import_module("spikingjelly.activation_based.neuron")
        self.node = neuron.IFNode()
        if leak:
            self.node = neuron.LIFNode(tau=1 / leak, decay_input=False)
        self.node.eval()

    def step(self, current: Tensor) -> Tensor:
        self.node.step_mode = "s"
        spikes: Tensor = self.node(current)
        return spikes

    def sequence(self, currents: Tensor) -> Tensor:
        self.node.step_mode = "m"
        spikes: Tensor = self.node(currents)
        return spikes


class _Norse:
    def __init__(self, leak: float) -> None:
        box: Any = importlib.import_module("norse.torch.functional.lif_box")
        iaf: Any = importlib.import_module("norse.torch.functional.iaf")
        if leak:
            # The box neuron scales its input by dt / tau, so its v is ours times the leak.
            self.advance, self.fresh = box.lif_box_feed_forward_step, box.LIFBoxFeedForwardState
            rate = torch.as_tensor(leak / 1e-3)
            p = box.LIFBoxParameters(
                tau_mem_inv=rate, v_th=torch.as_tensor(leak), method="heaviside"
            )
        else:
            self.advance, self.fresh = iaf.iaf_feed_forward_step, iaf.IAFFeedForwardState
            p = iaf.IAFParameters(method="heaviside")
        self.options: dict[str, Any] = {"p": p, "dt": 1e-3}
        self.state: Any = None

    def step(self, current: Tensor) -> Tensor:
        if self.state is None:
            self.state = self.fresh(v=torch.zeros_like(current))
        spikes: Tensor
        spikes, self.state = self.advance(current, self.state, **self.options)
        return spikes

    def sequence(self, currents: Tensor) -> Tensor:
        return torch.stack([self.step(current) for current in currents])


FRAMEWORKS: dict[str, Callable[[float], Cell]] = {
    "snntorch": _SnnTorch,
    "spikingjelly": _SpikingJelly,
    "norse": _Norse,
}
"""Distribution -> a leak as a fraction -> neurons."""
