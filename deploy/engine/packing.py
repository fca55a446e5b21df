"""The table of neuron models: which kernel steps them, and how it takes their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..neurons.adaptive_lif import AdaptiveLif
from ..neurons.arithmetic import DECAY_UNITY, STATE_LIMIT, STATE_SHIFT, clears
from ..neurons.cuba_lif import CubaLif
from ..neurons.first_spike import FirstSpike
from ..neurons.models import Neuron
from ..neurons.resonator import NUDGE, Resonator
from ..neurons.sigma_delta import SigmaDelta
from ..neurons.ternary_lif import TernaryLif
from . import neuron_kernels as kernels

Array = npt.NDArray[Any]
Options: TypeAlias = tuple[int, ...]

UNLIMITED = 2**62
"""A ceiling that nothing reaches."""
NARROW = 2**31 - 1
"""What a sum of 32 bits reaches."""


@dataclass(frozen=True, slots=True)
class Update:
    """How the neurons of one population are stepped.

    Attributes:
        kernel: the options' type, which chooses the loop in neuron_kernels.py.
        rows: its parameters, each (n,) or (1,).
        options: step t = 1, 2, ... -> its options.
        narrow: whether rows and arithmetic are of 32 bits.
    """

    kernel: type
    rows: tuple[Any, ...]
    options: Callable[[int], Options]
    narrow: bool = False


def _kept(decay: Array, fixed: bool) -> Array:
    """What a state keeps of itself in a step: a fraction, or in 1/4096."""
    return DECAY_UNITY - decay if fixed else 1 - decay


def _shifted(values: Array, fixed: bool, bits: int = STATE_SHIFT) -> Array:
    return values.astype(np.int64) << bits if fixed else values


def _membrane(neuron: CubaLif | TernaryLif | AdaptiveLif, fixed: bool) -> tuple[Array, ...]:
    """What u keeps, what v keeps, and the bias."""
    return (
        _kept(neuron.current_decay + fixed, fixed),
        _kept(neuron.voltage_decay, fixed),
        _shifted(neuron.bias_mantissa, fixed, neuron.bias_exponent),
    )


def _cuba_lif(neuron: CubaLif, fixed: bool, arriving: float) -> Update:
    after = neuron.reset_voltage if neuron.reset == "value" else np.zeros(1)
    rows = (*_membrane(neuron, fixed), _shifted(neuron.threshold, fixed), after)
    onset, interval = neuron.onset, neuron.reset_interval
    subtract, refractory = neuron.reset == "subtract", neuron.refractory
    if fixed and not refractory and _holds(rows, arriving):
        keeps = bool(np.any(rows[0]))
        return Update(
            kernels.CubaLifNarrow,
            rows,
            lambda t: (clears(t, onset, interval), subtract, keeps),
            narrow=True,
        )
    return Update(
        kernels.CubaLifWide,
        rows,
        lambda t: (clears(t, onset, interval), subtract, refractory),
    )


def _holds(rows: tuple[Array, ...], arriving: float) -> bool:
    """Whether u, and v before it is clipped, stay within 32 bits whatever arrives.

    ``|u| <= k / 4096 |u| + 64 a`` ends at ``64 a * 4096 / (4096 - k)``; of v there are 24
    bits before current and bias are added, and a spike takes away at most one threshold.
    """
    kept, _, bias, threshold, _ = (np.abs(row.astype(np.float64)).max() for row in rows)
    if kept >= DECAY_UNITY:
        return False
    current = arriving * 2**STATE_SHIFT * DECAY_UNITY / (DECAY_UNITY - kept)
    return bool(current + bias + threshold + STATE_LIMIT <= NARROW)


def _ternary_lif(neuron: TernaryLif, fixed: bool, arriving: float) -> Update:
    thresholds = neuron.threshold_high, neuron.threshold_low
    rows = (*_membrane(neuron, fixed), *(_shifted(each, fixed) for each in thresholds))
    return Update(kernels.TernaryLifKernel, rows, lambda t: ())


def _adaptive_lif(neuron: AdaptiveLif, fixed: bool, arriving: float) -> Update:
    current, voltage, bias = _membrane(neuron, fixed)
    rows = (
        current,
        voltage,
        _kept(neuron.threshold_decay, fixed),
        _kept(neuron.refractory_decay, fixed),
        bias,
        _shifted(neuron.threshold, fixed),
        _shifted(neuron.threshold_step, fixed),
    )
    return Update(kernels.AdaptiveLifKernel, rows, lambda t: ())


def _sigma_delta(neuron: SigmaDelta, fixed: bool, arriving: float) -> Update:
    none = np.array([UNLIMITED if fixed else np.inf])
    rows = neuron.bias, neuron.threshold, none if neuron.ceiling is None else neuron.ceiling
    constant = neuron.accumulate, neuron.activation == "relu"
    exponents = neuron.state_exponent, neuron.input_exponent
    kernel = kernels.SigmaDeltaExact if neuron.exact else kernels.SigmaDeltaLossy
    return Update(kernel, rows, lambda t: (*constant, *exponents, t >= neuron.onset))


def _resonator(neuron: Resonator, fixed: bool, arriving: float) -> Update:
    threshold = _shifted(neuron.threshold, fixed, neuron.state_exponent)
    rows = neuron.cosine, neuron.sine, threshold, threshold - (1 if fixed else NUDGE)
    options = neuron.reset != "none", neuron.state_exponent
    return Update(kernels.ResonatorKernel, rows, lambda t: options)


def _first_spike(neuron: FirstSpike, fixed: bool, arriving: float) -> Update:
    last = neuron.fire + neuron.ticks
    return Update(
        kernels.FirstSpikeKernel,
        (neuron.slope, neuron.threshold),
        lambda t: (t < min(neuron.fire, last), neuron.fire <= t < last),
    )


UPDATES: dict[type, Callable[[Any, bool, float], Update]] = {
    CubaLif: _cuba_lif,
    TernaryLif: _ternary_lif,
    AdaptiveLif: _adaptive_lif,
    SigmaDelta: _sigma_delta,
    Resonator: _resonator,
    FirstSpike: _first_spike,
}
"""Parameters, whether the precision is `fixed`, bound on what arrives -> Update."""


def update_of(neuron: Neuron, fixed: bool, arriving: float) -> Update:
    """How those neurons are stepped, where at most `arriving` arrives in a step."""
    return UPDATES[type(neuron)](neuron, fixed, arriving)
