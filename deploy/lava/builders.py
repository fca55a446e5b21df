"""Each neuron model of a Program as a Lava process, stock or slipway's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.adaptive_lif import AdaptiveLif
from ..neurons.arithmetic import DECAY_UNITY
from ..neurons.cuba_lif import CubaLif
from ..neurons.first_spike import FirstSpike
from ..neurons.resonator import DECAY_BITS, Resonator
from ..neurons.sigma_delta import SigmaDelta
from ..neurons.ternary_lif import TernaryLif
from ..program import Population
from .models import to_lava
from .processes import process_of, uniform

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Making:
    """A process to be made.

    Attributes:
        lava: what `import_lava` returned.
        population: what the process computes.
        process: its name.
        shape: the population's shape in Lava.
        period: executed steps of one sample.
        fixed: whether the Program is in integers.
    """

    lava: SimpleNamespace
    population: Population
    process: str
    shape: Shape
    period: int
    fixed: bool

    @property
    def neuron(self) -> Any:
        """The parameters."""
        return self.population.neuron

    @property
    def common(self) -> dict[str, Any]:
        """Arguments of most processes."""
        return {"shape": self.shape, "name": self.population.name}

    def value(self, parameter: Array) -> Any:
        """One number where all neurons share it."""
        if uniform(parameter):
            first = parameter.flat[0]
            return int(first) if self.fixed else float(first)
        wide = np.int64 if self.fixed else np.float64
        return np.ascontiguousarray(to_lava(parameter.astype(wide), self.shape))

    def fraction(self, decay: Array) -> float:
        """A decay as a fraction: exact, and never an int, which would overflow in Lava."""
        return float(decay.flat[0]) / (DECAY_UNITY if self.fixed else 1)

    def leak(self) -> dict[str, Any]:
        """What the processes of the LIF family share."""
        neuron = self.neuron
        return {
            **self.common,
            "v": self.value(neuron.initial_voltage),
            "du": self.value(neuron.current_decay),
            "dv": self.value(neuron.voltage_decay),
            "bias_mant": self.value(neuron.bias_mantissa),
            "bias_exp": neuron.bias_exponent,
        }


def _cuba_lif(to: _Making) -> Any:
    neuron: CubaLif = to.neuron
    arguments = to.leak() | {"vth": to.value(neuron.threshold)}
    # Lava clears where time % interval == offset % interval: here once a sample, or more often.
    clearing = {
        "reset_interval": neuron.reset_interval or max(to.period, neuron.onset),
        "reset_offset": neuron.onset,
    }
    if to.process == "LIF":
        return to.lava.LIF(**arguments)
    if to.process == "LIFReset":
        return to.lava.LIFReset(**arguments, **clearing)
    if to.process == "LIFRefractory":
        return to.lava.LIFRefractory(**arguments, refractory_period=neuron.refractory)
    return to.lava.GeneralLIF(
        **arguments,
        reset=neuron.reset,
        v_reset=to.value(neuron.reset_voltage),
        refractory_period=neuron.refractory,
        reset_interval=neuron.reset_interval,
        reset_offset=neuron.onset,
        sample_steps=to.period,
    )


def _ternary_lif(to: _Making) -> Any:
    neuron: TernaryLif = to.neuron
    return to.lava.TernaryLIF(
        **to.leak(),
        vth_hi=to.value(neuron.threshold_high),
        vth_lo=to.value(neuron.threshold_low),
    )


def _adaptive_lif(to: _Making) -> Any:
    neuron: AdaptiveLif = to.neuron
    return to.lava.ATRLIF(
        **to.common,
        delta_i=to.fraction(neuron.current_decay),
        delta_v=to.fraction(neuron.voltage_decay),
        delta_theta=to.fraction(neuron.threshold_decay),
        delta_r=to.fraction(neuron.refractory_decay),
        theta=to.value(neuron.threshold),
        theta_0=to.value(neuron.threshold),
        theta_step=to.value(neuron.threshold_step),
        bias_mant=to.value(neuron.bias_mantissa),
        bias_exp=neuron.bias_exponent,
    )


def _sigma_delta(to: _Making) -> Any:
    neuron: SigmaDelta = to.neuron
    modes = to.lava.ActivationMode
    mode = modes.RELU if neuron.activation == "relu" else modes.UNIT
    state_exp = neuron.state_exponent if to.fixed else 0
    input_exp = neuron.input_exponent if to.fixed else 0
    if to.process == "GeneralSigmaDelta":
        return to.lava.GeneralSigmaDelta(
            **to.common,
            vth=to.value(neuron.threshold),
            sigma=to.value(neuron.initial),
            bias=to.value(neuron.bias),
            ceiling=None if neuron.ceiling is None else to.value(neuron.ceiling),
            act_mode=mode,
            accumulate=neuron.accumulate,
            spike_exp=input_exp,
            state_exp=state_exp,
            exact=neuron.exact,
            onset=neuron.onset,
            sample_steps=to.period,
        )
    if to.process == "Delta":
        process = to.lava.Delta(
            shape=to.shape, vth=0, spike_exp=input_exp - state_exp, state_exp=state_exp
        )
    else:
        process = to.lava.SigmaDelta(
            **to.common, vth=0, act_mode=mode, spike_exp=0, state_exp=state_exp
        )
        process.bias.init = to.value(neuron.bias)
        process.sigma.init = to.value(neuron.initial)
    # The constructors would scale it, and lose what is no multiple of that scale.
    process.vth.init = to.value(neuron.threshold)
    return process


def _resonator(to: _Making) -> Any:
    neuron: Resonator = to.neuron
    make = to.lava.RF if to.process == "RF" else to.lava.RF_IZ
    process = make(
        shape=to.shape,
        period=1.0,
        alpha=0.0,
        state_exp=neuron.state_exponent if to.fixed else 0,
        decay_bits=DECAY_BITS if to.fixed else 0,
        vth=to.value(neuron.threshold),
        name=to.population.name,
    )
    # The integers themselves: a period and a decay would be rounded once more.
    process.cos_decay.init = to.value(neuron.cosine)
    process.sin_decay.init = to.value(neuron.sine)
    return process


def _first_spike(to: _Making) -> Any:
    neuron: FirstSpike = to.neuron
    return to.lava.FirstSpike(
        **to.common,
        v=to.value(neuron.initial_voltage),
        slope=to.value(neuron.slope),
        vth=to.value(neuron.threshold),
        fire=neuron.fire,
        ticks=neuron.ticks,
        sample_steps=to.period,
    )


BUILDERS: dict[type, Callable[[_Making], Any]] = {
    CubaLif: _cuba_lif,
    TernaryLif: _ternary_lif,
    AdaptiveLif: _adaptive_lif,
    SigmaDelta: _sigma_delta,
    Resonator: _resonator,
    FirstSpike: _first_spike,
}
"""Type of neuron -> what makes its Lava process."""


def neuron_process(
    lava: SimpleNamespace, population: Population, shape: Shape, period: int, fixed: bool
) -> Any:
    """The process of a population.

    Args:
        lava: what `import_lava` returned.
        population: see `processes.process_of` for the process it becomes.
        shape: the population's shape in Lava.
        period: executed steps of one sample.
        fixed: whether the Program is in integers.
    """
    process, _ = process_of(population, "fixed" if fixed else "float")
    make = BUILDERS[type(population.neuron)]
    return make(_Making(lava, population, process, shape, period, fixed))
