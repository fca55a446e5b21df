"""Run a one-step student over all its time steps, layer by layer, for training.

Stepwise, a network of L layers and T steps costs L x T small calls, repeats the first layer's
work although a still picture drives it alike at every step, and shows batch norm one step at a
time. Layer by layer, steps are folded into the batch: each convolution and each batch norm
sees all steps at once, and only the neurons walk through time. The student is traced by
torch.fx with the norse cells as leaves, so it is written once, as one step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from norse.torch.module.leaky_integrator_box import LIBoxCell
from norse.torch.module.lif_box import LIFBoxCell
from norse.torch.module.snn import SNNCell
from torch import Tensor, fx, nn
from torch.nn import functional

from ..errors import ModelError, Problem
from . import kernels


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
        samples = x.shape[0] * steps if constant else x.shape[0]
        stride = 0 if constant else x.numel() // steps
        x = x if _is_dense(x) else x.contiguous()
        spikes = torch.empty_strided((samples, *x.shape[1:]), x.stride())
        voltages = torch.empty(spikes.numel())
        numbers = np.float32(a), np.float32(threshold)
        kernels.forward(_flat(x), stride, steps, *numbers, voltages.numpy(), _flat(spikes))
        ctx.save_for_backward(voltages)
        ctx.settings = (steps, *numbers, np.float32(w), stride)
        ctx.shape, ctx.order = x.shape, x.stride()
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient with respect to x; the settings have none."""
        (voltages,) = ctx.saved_tensors
        grad = grads[0]
        if grad.stride() != ctx.order:
            grad = torch.empty_strided(grad.shape, ctx.order).copy_(grad)
        total = torch.empty_strided(ctx.shape, ctx.order).zero_()
        kernels.backward(_flat(grad), voltages.numpy(), *ctx.settings, _flat(total))
        return total, None, None, None, None, None


def _is_dense(x: Tensor) -> bool:
    """Whether samples follow each other without gaps, each in any order of its axes."""
    ordered = x.is_contiguous() or (
        x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    )
    return ordered and x.dtype == torch.float32


def _flat(x: Tensor) -> Any:
    """Memory of a dense tensor as a numpy array, in the order in which it lies."""
    return x.detach().as_strided((x.numel(),), (1,)).numpy()


def _twin(x: Tensor, a: float, threshold: float) -> Tensor:
    """Rate of a LIF neuron under a constant current, roughly: at x = threshold / a it is 1.

    Not clipped at 1, which a rate cannot exceed: clipped twins of many layers hardly learn.
    """
    return functional.relu(a / threshold * x)


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
            steps: time steps; 0: the rate twin, which is the same network without time, with
                the mean rate of each neuron in place of its spikes.

        Returns:
            The output at each step, (steps, N, ...), for the twin (1, N, ...); and each spiking
            layer's mean rate in spikes per neuron and step, differentiable, none for the twin.
        """
        self._steps, self._samples, self._rates = steps, frames.shape[0], {}
        output, _ = self.run(frames, None)
        return _by_step(output, max(steps, 1)), self._rates

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Cells walk through time; every other module sees time as part of the batch."""
        cell = self.fetch_attr(target)
        if not isinstance(cell, SNNCell):
            return super().call_module(target, args, kwargs)
        x = args[0]
        a = float(cell.dt * cell.p.tau_mem_inv)
        constant = x.shape[0] == self._samples and self._steps > 1
        if isinstance(cell, LIFBoxCell) and self._steps == 0:
            x = _twin(x, a, float(cell.p.v_th))
        elif isinstance(cell, LIFBoxCell):
            settings = (self._steps, constant, a, float(cell.p.v_th), self._width)
            x = LifSequence.apply(x, *settings)  # type: ignore[no-untyped-call]
            self._rates[str(target)] = x.mean()
        elif isinstance(cell, LIBoxCell):
            x = torch.cat([x] * self._steps) if constant else x
            x = _integrate(x, self._steps, a) if self._steps else x
        else:
            raise ModelError(
                Problem(
                    f"slipway cannot train a {type(cell).__name__}",
                    f"module {target}",
                    "use LIFBoxCell for spikes and LIBoxCell for the readout",
                )
            )
        return x, None
