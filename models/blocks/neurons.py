"""The papers' spiking neurons as cells of norse, with the papers' surrogate gradients.

norse's boxed cell does, with the step fraction a = dt / tau::

    v <- v + a (x - v);   s = [v > v_th];   v <- v (1 - s)

SEEN's neuron, m <- decay m (1 - s) + x with s = [m > thr], is that cell with a = 1 - decay and
v = a m: threshold a thr, and everything that is measured on the membrane times a. The neuron
of the transfer code, m <- m + (x - m) / tau, is that cell with a = 1 / tau and v = m.
Sources: students.md 1.1 and 3.1 of the reference; norse 1.1.0, functional/lif_box.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from norse.torch.functional.leaky_integrator_box import LIBoxParameters, LIBoxState
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters
from norse.torch.module.leaky_integrator_box import LIBoxCell
from norse.torch.module.lif_box import LIFBoxCell
from norse.torch.module.snn import SNNCell
from torch import Tensor

from ..cells import DT

Ties: TypeAlias = Literal["silent", "fire"]


@dataclass(frozen=True, slots=True)
class Surrogate:
    """What stands for the derivative of the spike, ds/dv, at a distance from the threshold.

    Attributes:
        shape: "window": `height` where |v - v_th| < half_width, else 0. "triangle":
            height * max(0, 1 - |v - v_th| / half_width).
        half_width: in the unit of the membrane.
        height: one over the unit of the membrane.
    """

    shape: Literal["window", "triangle"]
    half_width: float
    height: float

    def slope(self, above: Tensor) -> Tensor:
        """The derivative at v - v_th."""
        distance = above.abs()
        if self.shape == "window":
            return self.height * (distance < self.half_width).to(above.dtype)
        return self.height * (1.0 - distance / self.half_width).clamp(min=0.0)


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, above: Tensor, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(above)
        ctx.surrogate = surrogate
        return (above > 0).to(above.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (above,) = ctx.saved_tensors
        return grads[0] * ctx.surrogate.slope(above), None


def _step(
    x: Tensor, state: Any, p: Any, dt: float, surrogate: Surrogate, detach_reset: bool
) -> tuple[Tensor, Any]:
    """As norse's lif_box_feed_forward_step, with a surrogate of our own."""
    v = _integrate(x, state, p, dt)
    s: Tensor = _Spike.apply(v - p.v_th, surrogate)  # type: ignore[no-untyped-call]
    reset = s.detach() if detach_reset else s
    state = LIFBoxFeedForwardState(v=p.reset_method(reset, v, p.v_reset, p.v_th))
    return s.to(x.dtype), state


def _integrate(x: Tensor, state: Any, p: Any, dt: float) -> Tensor:
    """The membrane before its reset, never in half precision: 8 bits are no membrane."""
    x = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    v: Tensor = state.v + dt * p.tau_mem_inv * (x + p.v_leak - state.v)
    return v


class Lif(LIFBoxCell):  # type: ignore[misc]
    """Leaky integrate-and-fire: v <- v + a (x - v); spike and v <- 0 where v > v_th.

    Export and the engine know it as norse's LIFBoxCell; only the gradient is our own.
    """

    def __init__(
        self,
        step_fraction: float,
        threshold: float,
        surrogate: Surrogate,
        *,
        unit: float = 1.0,
        ties: Ties = "silent",
        detach_reset: bool = False,
    ) -> None:
        """Make a cell.

        Args:
            step_fraction: a = dt / tau, between 0 and 1.
            threshold: in norse's unit of the membrane, as all that follows.
            surrogate: stands for ds/dv.
            unit: norse's membrane is the paper's times this.
            ties: whether a membrane that meets the threshold exactly fires. norse does not:
                "fire" lowers the threshold to the float32 number before it, which is the same
                rule, v >= threshold, for all float32 membranes.
            detach_reset: the reset is a constant for the gradient.
        """
        if ties == "fire":
            threshold = float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))
        super().__init__(_parameters(step_fraction, threshold), dt=DT)
        self.activation = partial(_step, surrogate=surrogate, detach_reset=detach_reset)
        self.state_fallback = _at_rest
        self.surrogate, self.unit, self.ties = surrogate, unit, ties


class MembraneLif(SNNCell):  # type: ignore[misc]
    """A Lif that returns its membrane before the reset, in the paper's unit, not its spikes.

    SEEN reads its last layer so. NIR has no such output: export refuses it.
    """

    def __init__(self, step_fraction: float, threshold: float, surrogate: Surrogate) -> None:
        """As a Lif; the membrane is divided by step_fraction."""
        parameters = _parameters(step_fraction, threshold)
        activation = partial(_membrane_step, surrogate=surrogate, unit=step_fraction)
        super().__init__(activation, _at_rest, parameters, dt=DT)
        self.unit = step_fraction


def _membrane_step(
    x: Tensor, state: Any, p: Any, dt: float, surrogate: Surrogate, unit: float
) -> tuple[Tensor, Any]:
    v = _integrate(x, state, p, dt)
    _, state = _step(x, state, p, dt, surrogate, detach_reset=False)
    return v / unit, state


def _at_rest(x: Tensor) -> Any:
    """State before the first step; norse's own lies on the CPU and asks for a gradient."""
    return LIFBoxFeedForwardState(v=torch.zeros((), device=x.device))


def _li_at_rest(x: Tensor) -> Any:
    return LIBoxState(v=torch.zeros((), device=x.device))


def _parameters(step_fraction: float, threshold: float) -> Any:
    return LIFBoxParameters(tau_mem_inv=_exact(step_fraction / DT), v_th=_exact(threshold))


def _exact(number: float) -> Tensor:
    """A constant that does not change the precision of what it meets (0 axes)."""
    return torch.as_tensor(number, dtype=torch.float64)


def seen_lif(decay: float = 0.2, threshold: float = 0.3) -> Lif:
    """SEEN's neuron: m <- decay m (1 - s) + x; s = [m > threshold].

    Gradient: ds/dm = 1 where |m - threshold| < 0.5; the reset's gradient is kept. norse's v is
    (1 - decay) m, so the window is (1 - decay) / 2 wide and 1 / (1 - decay) high.
    """
    a = 1.0 - decay
    return Lif(a, a * threshold, _seen_surrogate(a), unit=a)


def seen_membrane(decay: float = 0.2, threshold: float = 0.3) -> MembraneLif:
    """SEEN's last neuron: :func:`seen_lif`, of which the membrane before the reset is read."""
    a = 1.0 - decay
    return MembraneLif(a, a * threshold, _seen_surrogate(a))


def _seen_surrogate(a: float) -> Surrogate:
    return Surrogate("window", a * 0.5, 1.0 / a)


def seen_integrator(decay: float = 0.2) -> LIBoxCell:
    """A readout that never spikes: v <- decay v + (1 - decay) x; the output is v.

    With m for SEEN's membrane v is (1 - decay) m, as long as that neuron would not spike.
    """
    cell = LIBoxCell(LIBoxParameters(tau_mem_inv=_exact((1.0 - decay) / DT)), dt=DT)
    cell.state_fallback = _li_at_rest
    return cell


def transfer_lif(tau: float = 2.0, threshold: float = 0.5, ties: Ties = "fire") -> Lif:
    """The transfer code's neuron: m <- m + (x - m) / tau; s = [m >= threshold].

    Gradient: ds/dm = max(0, 2 - 4 |m - threshold|); the reset is a constant for it. Deployed,
    a membrane that meets the integer threshold exactly is silent, whatever `ties` says:
    students.md 6.2.
    """
    return Lif(
        1.0 / tau, threshold, Surrogate("triangle", 0.5, 2.0), ties=ties, detach_reset=True
    )
