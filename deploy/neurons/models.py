"""The table of neuron models: how each type of parameters is stepped, read and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from . import adaptive_lif, cuba_lif, first_spike, resonator, sigma_delta, ternary_lif
from .adaptive_lif import AdaptiveLif
from .arithmetic import STATE_LIMIT, States
from .cuba_lif import CubaLif
from .first_spike import FirstSpike
from .resonator import Resonator
from .sigma_delta import SigmaDelta
from .ternary_lif import TernaryLif

Array = npt.NDArray[Any]
Step = Callable[[Any, int, States, tuple[Array, ...]], tuple[States, Array]]
Neuron: TypeAlias = CubaLif | TernaryLif | AdaptiveLif | SigmaDelta | Resonator | FirstSpike


@dataclass(frozen=True, slots=True)
class NeuronModel:
    """What the executors need to know of a type of neuron.

    Attributes:
        title: for people.
        states: parameters -> names of the states, in the order of `fresh` and of the steps.
        membrane: the state that an output reads.
        clipped: states that are clipped to 24 bits; a value at the limit counts as saturated.
        message: "spike" (0, 1), "ternary" (-1, 0, 1) or "graded" (whole numbers).
        fresh: parameters, (samples, n), dtype -> states before step 1.
        step_fixed, step_float: parameters, step, states, one current per port -> states,
            messages.
        ports: names of the inputs of a neuron.
    """

    title: str
    states: Callable[[Any], tuple[str, ...]]
    membrane: str
    clipped: tuple[str, ...]
    message: Literal["spike", "ternary", "graded"]
    fresh: Callable[[Any, tuple[int, int], Any], States]
    step_fixed: Step
    step_float: Step
    ports: tuple[str, ...] = ("",)

    def saturated(self, neuron: Any, state: States) -> Array:
        """How many clipped states of each sample stand at their limit, int64 (samples,)."""
        count = np.zeros(len(state[0]), np.int64)
        for name, values in zip(self.states(neuron), state, strict=True):
            if name in self.clipped:
                count += (np.abs(values) == STATE_LIMIT - 1).sum(axis=1)
        return count


def _always(*names: str) -> Callable[[Any], tuple[str, ...]]:
    return lambda neuron: names


MODELS: dict[type, NeuronModel] = {
    CubaLif: NeuronModel(
        "leaky integrate-and-fire",
        cuba_lif.states,
        "v",
        ("v",),
        "spike",
        cuba_lif.fresh,
        cuba_lif.step_fixed,
        cuba_lif.step_float,
    ),
    TernaryLif: NeuronModel(
        "ternary leaky integrate-and-fire",
        _always("u", "v"),
        "v",
        ("v",),
        "ternary",
        ternary_lif.fresh,
        ternary_lif.step_fixed,
        ternary_lif.step_float,
    ),
    AdaptiveLif: NeuronModel(
        "adaptive-threshold leaky integrate-and-fire",
        _always("u", "v", "theta", "r"),
        "v",
        ("v",),
        "spike",
        adaptive_lif.fresh,
        adaptive_lif.step_fixed,
        adaptive_lif.step_float,
    ),
    SigmaDelta: NeuronModel(
        "sigma-delta",
        sigma_delta.states,
        "sigma",
        (),
        "graded",
        sigma_delta.fresh,
        sigma_delta.step_fixed,
        sigma_delta.step_float,
    ),
    Resonator: NeuronModel(
        "resonate-and-fire",
        _always("real", "imaginary"),
        "imaginary",
        ("real", "imaginary"),
        "spike",
        resonator.fresh,
        resonator.step_fixed,
        resonator.step_float,
        ports=("real", "imaginary"),
    ),
    FirstSpike: NeuronModel(
        "time to first spike",
        _always("u", "v", "spiked"),
        "v",
        ("v",),
        "spike",
        first_spike.fresh,
        first_spike.step_fixed,
        first_spike.step_float,
    ),
}


def model_of(neuron: Neuron) -> NeuronModel:
    """The row of the table for these parameters."""
    return MODELS[type(neuron)]
