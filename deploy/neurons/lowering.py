"""NIR neurons to the discrete-time models, by forward Euler (nir-dialects: the declared norm).

LIF:     v <- v + dt/tau (v_leak - v + r x)
         so dv = dt/tau, gain = r dt/tau, bias = v_leak dt/tau
CubaLIF: i <- (1 - dt/tau_syn) i + w_in dt/tau_syn x ;  v <- v + dt/tau_mem (v_leak - v + r i)
         so u = r dt/tau_mem i, du = dt/tau_syn, gain = w_in r dt^2 / (tau_syn tau_mem)
IF:      v <- v + dt r x ;  so dv = 0, gain = r dt
LI, CubaLI, I: as LIF, CubaLIF, IF with a threshold that is never reached.
Threshold: s = x > threshold: an IF whose state is cleared before every step.

What NIR cannot say stands in a node's metadata, see converters/node_metadata.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import nir
import numpy as np
import numpy.typing as npt

from .adaptive_lif import AdaptiveLif
from .cuba_lif import CubaLif
from .first_spike import FirstSpike
from .models import Neuron
from .resonator import Resonator
from .sigma_delta import SigmaDelta
from .ternary_lif import TernaryLif

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class NeuronSpec:
    """A NIR neuron in discrete time; arrays flat, one value per neuron.

    Attributes:
        kind: NIR type name.
        shape: neuron shape.
        gain: what one unit of input adds to u.
        bias: what the neuron adds to v at every step by itself (its v_leak).
        neuron: parameters at precision `float`, without bias, from v = 0.
        filters_current: u keeps a memory, so a constant input is not a constant bias.
        pools: the neuron is the OR of a max-pool over spikes.
        pools_rates: and these spikes stand for the values of a ReLU.
        bias_gain: factor on biases beside `gain`.
    """

    kind: str
    shape: tuple[int, ...]
    gain: Array
    bias: Array
    neuron: Neuron
    filters_current: bool = False
    pools: bool = False
    pools_rates: bool = False
    bias_gain: float = 1.0

    @property
    def spiking(self) -> bool:
        """Whether it can send spikes."""
        if isinstance(self.neuron, CubaLif | SigmaDelta | FirstSpike):
            return bool(np.all(np.isfinite(self.neuron.threshold)))
        return True

    @property
    def takes_bias(self) -> bool:
        """Whether a bias can be a parameter; else a neuron that always spikes carries it.

        Only some models can keep it from acting before the first input arrives.
        """
        if isinstance(self.neuron, CubaLif):
            return not self.neuron.reset_interval
        return isinstance(self.neuron, SigmaDelta | FirstSpike)


def shape_of(node: Any) -> tuple[int, ...]:
    """Shape of a NIR neuron, from its parameters."""
    for field in ("tau_mem", "r", "threshold"):
        if hasattr(node, field):
            return tuple(int(n) for n in np.shape(getattr(node, field)))
    raise TypeError(f"{type(node).__name__} is no neuron")


def _flat(values: Any) -> Array:
    return np.asarray(values, np.float64).reshape(-1)


def _spec(
    node: Any,
    gain: Array,
    *,
    current_decay: Array,
    voltage_decay: Array,
    bias: Array,
    threshold: Array,
) -> NeuronSpec:
    neuron = CubaLif(
        current_decay=current_decay,
        voltage_decay=voltage_decay,
        bias_mantissa=np.zeros_like(bias),
        threshold=threshold,
        initial_voltage=np.zeros_like(bias),
        reset_voltage=np.zeros(1),
    )
    v_reset = getattr(node, "v_reset", None)
    if v_reset is not None and np.any(v_reset):
        neuron = replace(neuron, reset="value", reset_voltage=_flat(v_reset))
    filters = bool(np.any(current_decay != 1))
    return NeuronSpec(type(node).__name__, shape_of(node), gain, bias, neuron, filters)


def _threshold(node: Any, like: Array) -> Array:
    known = getattr(node, "v_threshold", None)
    return np.full_like(like, np.inf) if known is None else _flat(known)


def _lif(node: Any, dt: float) -> NeuronSpec:
    rate = dt / _flat(node.tau)
    return _spec(
        node,
        _flat(node.r) * rate,
        current_decay=np.ones_like(rate),
        voltage_decay=rate,
        bias=_flat(node.v_leak) * rate,
        threshold=_threshold(node, rate),
    )


def _cuba(node: Any, dt: float) -> NeuronSpec:
    synapse, membrane = dt / _flat(node.tau_syn), dt / _flat(node.tau_mem)
    return _spec(
        node,
        _flat(node.w_in) * synapse * _flat(node.r) * membrane,
        current_decay=synapse,
        voltage_decay=membrane,
        bias=_flat(node.v_leak) * membrane,
        threshold=_threshold(node, membrane),
    )


def _if(node: Any, dt: float) -> NeuronSpec:
    gain = _flat(node.r) * dt
    return _spec(
        node,
        gain,
        current_decay=np.ones_like(gain),
        voltage_decay=np.zeros_like(gain),
        bias=np.zeros_like(gain),
        threshold=_threshold(node, gain),
    )


def _comparator(node: Any, dt: float) -> NeuronSpec:
    threshold = _flat(node.threshold)
    ones = np.ones_like(threshold)
    spec = _spec(
        node,
        ones,
        current_decay=ones,
        voltage_decay=0 * ones,
        bias=0 * ones,
        threshold=threshold,
    )
    assert isinstance(spec.neuron, CubaLif)
    return replace(spec, neuron=replace(spec.neuron, reset_interval=1))


NEURONS: dict[type, Callable[[Any, float], NeuronSpec]] = {
    nir.IF: _if,
    nir.I: _if,
    nir.LIF: _lif,
    nir.CubaLIF: _cuba,
    nir.LI: _lif,
    nir.CubaLI: _cuba,
    nir.Threshold: _comparator,
}


def neuron_spec(node: Any, dt: float, reset: str) -> NeuronSpec:
    """A NIR neuron and its metadata in discrete time; `reset` is the graph's."""
    spec = NEURONS[type(node)](node, dt)
    wishes = dict(getattr(node, "metadata", None) or {})
    neuron = spec.neuron
    assert isinstance(neuron, CubaLif)
    if "negative_threshold" in wishes:
        return replace(spec, neuron=_ternary(neuron, wishes))
    if "threshold_step" in wishes:
        return replace(spec, neuron=_adaptive(neuron, wishes, dt))
    if "resonator_period" in wishes:
        return replace(spec, neuron=_resonator(neuron, wishes, dt))
    if spec.spiking and str(wishes.get("reset", reset)) == "subtract":
        neuron = replace(neuron, reset="subtract", reset_voltage=np.zeros(1))
    if "refractory" in wishes:
        period = round(float(np.max(wishes["refractory"])) / dt)
        neuron = replace(neuron, refractory=period)
    if "reset_interval" in wishes:
        interval, offset = wishes["reset_interval"], wishes.get("reset_offset", 0)
        neuron = replace(neuron, reset_interval=int(interval), onset=int(offset))
    return replace(
        spec,
        neuron=neuron,
        pools=str(wishes.get("pooling", "")) == "max",
        pools_rates=str(wishes.get("pooling_of", "")) == "rates",
    )


def _one(values: Any) -> Array:
    """One value for all neurons; neuron_problems has refused anything else."""
    return _flat(values)[:1].copy()


def _ternary(neuron: CubaLif, wishes: Mapping[str, Any]) -> TernaryLif:
    return TernaryLif(
        current_decay=neuron.current_decay,
        voltage_decay=neuron.voltage_decay,
        bias_mantissa=np.zeros(1),
        threshold_high=_one(neuron.threshold),
        threshold_low=_one(wishes["negative_threshold"]),
        initial_voltage=np.zeros(1),
    )


def _adaptive(neuron: CubaLif, wishes: Mapping[str, Any], dt: float) -> AdaptiveLif:
    return AdaptiveLif(
        current_decay=_one(neuron.current_decay),
        voltage_decay=_one(neuron.voltage_decay),
        threshold_decay=dt / _one(wishes["threshold_tau"]),
        refractory_decay=dt / _one(wishes["refractory_tau"]),
        threshold=_one(neuron.threshold),
        threshold_step=_one(wishes["threshold_step"]),
        bias_mantissa=np.zeros(1),
    )


def _resonator(neuron: CubaLif, wishes: Mapping[str, Any], dt: float) -> Resonator:
    left, angle = 1 - neuron.voltage_decay, 2 * np.pi * dt / _one(wishes["resonator_period"])
    return Resonator(
        cosine=_one(left) * np.cos(angle),
        sine=_one(left) * np.sin(angle),
        threshold=_one(neuron.threshold),
        reset="izhikevich"
        if str(wishes.get("resonator_reset", "none")) == "izhikevich"
        else "none",
    )


def readout_integrator(shape: tuple[int, ...]) -> NeuronSpec:
    """The non-leaky integrator that reads a last linear layer: v sums its output."""
    ones = np.ones(prod(shape))
    never, zeros = np.inf * ones, 0 * ones
    neuron = CubaLif(ones, zeros, zeros, never, zeros, reset_voltage=np.zeros(1))
    return NeuronSpec("readout", shape, ones, 0 * ones, neuron)
