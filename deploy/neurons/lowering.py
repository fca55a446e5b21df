"""NIR neurons to the discrete-time model, by forward Euler (nir-dialects: the declared norm).

LIF:     v <- v + dt/tau (v_leak - v + r x)
         so dv = dt/tau, gain = r dt/tau, bias = v_leak dt/tau
CubaLIF: i <- (1 - dt/tau_syn) i + w_in dt/tau_syn x ;  v <- v + dt/tau_mem (v_leak - v + r i)
         so u = r dt/tau_mem i, du = dt/tau_syn, gain = w_in r dt^2 / (tau_syn tau_mem)
IF:      v <- v + dt r x ;  so dv = 0, gain = r dt
LI, CubaLI: as LIF, CubaLIF with a threshold that is never reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import nir
import numpy as np
import numpy.typing as npt

from ...errors import Problem

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class NeuronSpec:
    """A NIR neuron in discrete time; arrays flat, one value per neuron.

    Attributes:
        kind: NIR type name.
        shape: neuron shape.
        gain: what one unit of input adds to u.
        current_decay, voltage_decay, bias, threshold: as in CubaLif, precision float.
        filters_current: u keeps a memory, so a constant input is not a constant bias.
    """

    kind: str
    shape: tuple[int, ...]
    gain: Array
    current_decay: Array
    voltage_decay: Array
    bias: Array
    threshold: Array
    filters_current: bool


def shape_of(node: Any) -> tuple[int, ...]:
    """Shape of a NIR neuron, from its parameters."""
    return tuple(int(n) for n in np.shape(node.tau_mem if hasattr(node, "tau_mem") else node.r))


def _flat(values: Any) -> Array:
    return np.asarray(values, np.float64).reshape(-1)


def _lif(node: Any, dt: float) -> NeuronSpec:
    rate = dt / _flat(node.tau)
    spiking = isinstance(node, nir.LIF)
    return NeuronSpec(
        kind=type(node).__name__,
        shape=shape_of(node),
        gain=_flat(node.r) * rate,
        current_decay=np.ones_like(rate),
        voltage_decay=rate,
        bias=_flat(node.v_leak) * rate,
        threshold=_flat(node.v_threshold) if spiking else np.full_like(rate, np.inf),
        filters_current=False,
    )


def _cuba(node: Any, dt: float) -> NeuronSpec:
    synapse, membrane = dt / _flat(node.tau_syn), dt / _flat(node.tau_mem)
    spiking = isinstance(node, nir.CubaLIF)
    return NeuronSpec(
        kind=type(node).__name__,
        shape=shape_of(node),
        gain=_flat(node.w_in) * synapse * _flat(node.r) * membrane,
        current_decay=synapse,
        voltage_decay=membrane,
        bias=_flat(node.v_leak) * membrane,
        threshold=_flat(node.v_threshold) if spiking else np.full_like(membrane, np.inf),
        filters_current=bool(np.any(synapse != 1)),
    )


def _if(node: Any, dt: float) -> NeuronSpec:
    gain = _flat(node.r) * dt
    return NeuronSpec(
        kind="IF",
        shape=shape_of(node),
        gain=gain,
        current_decay=np.ones_like(gain),
        voltage_decay=np.zeros_like(gain),
        bias=np.zeros_like(gain),
        threshold=_flat(node.v_threshold),
        filters_current=False,
    )


NEURONS: dict[type, Callable[[Any, float], NeuronSpec]] = {
    nir.IF: _if,
    nir.LIF: _lif,
    nir.CubaLIF: _cuba,
    nir.LI: _lif,
    nir.CubaLI: _cuba,
}


def readout_integrator(shape: tuple[int, ...]) -> NeuronSpec:
    """The non-leaky integrator that reads a last linear layer: v sums its output."""
    ones = np.ones(prod(shape))
    return NeuronSpec(
        "readout", shape, ones, ones, 0 * ones, 0 * ones, np.full_like(ones, np.inf), False
    )


def neuron_problems(name: str, node: Any, dt: float) -> list[Problem]:
    """What makes a NIR neuron impossible to run at that dt."""
    found: list[Problem] = []
    for field in ("tau", "tau_syn", "tau_mem"):
        tau = getattr(node, field, None)
        if tau is None:
            continue
        smallest = float(np.min(tau))
        if smallest < dt * (1 - 1e-9):
            found.append(
                Problem(
                    f"{field} = {smallest:g} s is shorter than the time step dt = {dt:g} s: "
                    "a forward Euler step would overshoot",
                    f"node {name} ({type(node).__name__})",
                    f"use a dt of at most {smallest:g} s, or check the unit of {field}",
                )
            )
    v_reset = getattr(node, "v_reset", None)
    if v_reset is not None and np.any(np.asarray(v_reset) != 0):
        first = next(float(value) for value in np.ravel(v_reset) if value)
        found.append(
            Problem(
                f"v_reset = {first:g}: the neuron model resets to 0",
                f"node {name} ({type(node).__name__})",
                "shift v_leak, v_threshold and v_reset so that v_reset is 0",
            )
        )
    threshold = getattr(node, "v_threshold", None)
    if threshold is not None and np.any(np.asarray(threshold) < 0):
        found.append(
            Problem(
                f"v_threshold = {float(np.min(threshold)):g} is negative; the register holds "
                "0 to 131071",
                f"node {name} ({type(node).__name__})",
                "train with thresholds of at least 0",
            )
        )
    return found
