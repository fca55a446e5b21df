"""norse cells in the terms that slipway's students are written in.

norse integrates tau dv/dt = v_leak - v + x by forward Euler, so what a step does is told by one
number, the step fraction a = dt / tau: v <- v + a (x - v). These functions take that number.
"""

from __future__ import annotations

import torch
from norse.torch.functional.leaky_integrator_box import LIBoxParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.module.leaky_integrator_box import LIBoxCell
from norse.torch.module.lif_box import LIFBoxCell

DT = 0.001
"""Time step of every student, second (norse's own default)."""


def lif(step_fraction: float, threshold: float) -> LIFBoxCell:
    """Leaky integrate-and-fire: v <- v + a (x - v); spike and v <- 0 where v > threshold.

    Args:
        step_fraction: a = dt / tau, between 0 and 1, no unit.
        threshold: in the unit of the membrane.
    """
    parameters = LIFBoxParameters(
        tau_mem_inv=torch.as_tensor(step_fraction / DT), v_th=torch.as_tensor(threshold)
    )
    return LIFBoxCell(parameters, dt=DT)


def li(step_fraction: float) -> LIBoxCell:
    """Leaky integrator, the readout: v <- v + a (x - v); the output is v itself."""
    return LIBoxCell(LIBoxParameters(tau_mem_inv=torch.as_tensor(step_fraction / DT)), dt=DT)
