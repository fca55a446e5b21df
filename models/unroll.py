"""Run a one-step student over all its time steps, layer by layer, for training.

Stepwise, a network of L layers and T steps costs L x T small calls, repeats the first layer's
work although a still picture drives it alike at every step, and shows batch norm one step at a
time. Layer by layer, steps are folded into the batch: each convolution and each batch norm
sees all steps at once, and only the neurons walk through time. The student is traced by
torch.fx with the norse cells as leaves, so it is written once, as one step.
"""

from __future__ import annotations

from typing import Any

import torch
from norse.torch.module.leaky_integrator_box import LIBoxCell
from norse.torch.module.lif_box import LIFBoxCell
from norse.torch.module.snn import SNNCell
from torch import Tensor, fx, nn

from ..errors import ModelError, Problem


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, SNNCell) or super().is_leaf_module(m, module_qualified_name)


def _by_step(x: Tensor, steps: int) -> Tensor:
    """View (steps N, ...) as (steps, N, ...)."""
    return x.view(steps, -1, *x.shape[1:])


class LifSequence(torch.autograd.Function):
    """A LIF population over all steps, with a triangular surrogate gradient.

    Forward: v <- v + a (x_t - v); s_t = [v > threshold]; v <- v (1 - s_t), as norse's
    LIFBoxCell does it, rounding for rounding. Backward:
    ds/dv = max(0, 1 - |v - threshold| / w) / w; the reset is taken as constant.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, steps: int, constant: bool, a: float, threshold: float, w: float
    ) -> Tensor:
        """Spikes (steps N, ...) of x, (steps N, ...) or, if constant in time, (N, ...)."""
        currents = x.expand(steps, *x.shape) if constant else _by_step(x, steps)
        # Batches keep x's memory order, so that channels_last stays channels_last.
        first = currents[0]
        voltages = [torch.empty_like(first) for _ in range(steps)]
        spikes = torch.empty_like(x) if not constant else torch.cat([x] * steps)
        fired = _by_step(spikes, steps)
        rest = torch.zeros_like(first)
        for t, v in enumerate(voltages):
            torch.sub(currents[t], rest, out=v)
            v.mul_(a).add_(rest)
            torch.gt(v, threshold, out=fired[t])
            rest = v * (1.0 - fired[t])
        ctx.save_for_backward(spikes, *voltages)
        ctx.settings = (constant, a, threshold, w)
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient with respect to x; the settings have none."""
        spikes, *voltages = ctx.saved_tensors
        constant, a, threshold, w = ctx.settings
        fired = _by_step(spikes, len(voltages))
        outer = _by_step(grads[0], len(voltages))
        inner = torch.zeros_like(voltages[0])
        total = torch.zeros_like(inner) if constant else torch.empty_like(spikes)
        each = total if constant else _by_step(total, len(voltages))
        for t in range(len(voltages) - 1, -1, -1):
            slope = (voltages[t] - threshold).abs_().mul_(-1.0 / w).add_(1.0).clamp_(min=0.0)
            inner.mul_(1.0 - a).mul_(1.0 - fired[t])
            inner.add_(slope.mul_(outer[t]), alpha=1.0 / w)
            if constant:
                total.add_(inner, alpha=a)
            else:
                torch.mul(inner, a, out=each[t])
        return total, None, None, None, None, None


def _integrate(x: Tensor, steps: int, a: float) -> Tensor:
    """A leaky integrator over all steps: (steps N, ...) -> membranes (steps N, ...)."""
    currents = _by_step(x, steps)
    v = torch.zeros_like(currents[0])
    membranes = []
    for t in range(steps):
        v = v + a * (currents[t] - v)
        membranes.append(v)
    return torch.cat(membranes)


class Unrolled(fx.Interpreter):
    """A one-step student, run over all steps layer by layer; shares the student's weights."""

    def __init__(self, model: nn.Module, surrogate_width: float) -> None:
        """Trace the student; `surrogate_width` in units of the membrane."""
        graph = _Tracer().trace(model, concrete_args={"state": None})
        super().__init__(fx.GraphModule(model, graph))
        self._width = surrogate_width
        self._steps = 1
        self._samples = 0
        self._rates: dict[str, Tensor] = {}

    def sequence(self, frames: Tensor, steps: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Present each frame for `steps` steps.

        Args:
            frames: (N, ...), the input current of every step.
            steps: time steps, at least 1.

        Returns:
            The output at each step, (steps, N, ...), and each spiking layer's mean rate in
            spikes per neuron and step, differentiable.
        """
        self._steps, self._samples, self._rates = steps, frames.shape[0], {}
        output, _ = self.run(frames, None)
        return _by_step(output, steps), self._rates

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Cells walk through time; every other module sees time as part of the batch."""
        cell = self.fetch_attr(target)
        if not isinstance(cell, SNNCell):
            return super().call_module(target, args, kwargs)
        x = args[0]
        constant = x.shape[0] == self._samples and self._steps > 1
        a = float(cell.dt * cell.p.tau_mem_inv)
        if isinstance(cell, LIFBoxCell):
            settings = (self._steps, constant, a, float(cell.p.v_th), self._width)
            x = LifSequence.apply(x, *settings)  # type: ignore[no-untyped-call]
            self._rates[str(target)] = x.mean()
        elif isinstance(cell, LIBoxCell):
            x = _integrate(torch.cat([x] * self._steps) if constant else x, self._steps, a)
        else:
            raise ModelError(
                Problem(
                    f"slipway cannot train a {type(cell).__name__}",
                    f"module {target}",
                    "use LIFBoxCell for spikes and LIBoxCell for the readout",
                )
            )
        return x, None
