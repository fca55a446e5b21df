"""The neuron models step by step in torch, int64 on any device: the reference's own equations.

Parameters are those of the model's dataclass, its arrays as tensors in the order of the
population, channels last. The equations and their sources stand with the models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from ..neurons.adaptive_lif import AdaptiveLif
from ..neurons.arithmetic import DECAY_UNITY, STATE_LIMIT, STATE_SHIFT, clears
from ..neurons.cuba_lif import CubaLif
from ..neurons.first_spike import FirstSpike
from ..neurons.models import Neuron, NeuronModel, model_of
from ..neurons.resonator import DECAY_BITS, Resonator
from ..neurons.sigma_delta import SigmaDelta
from ..neurons.ternary_lif import TernaryLif
from ..program import Population

Tensor = torch.Tensor
States: TypeAlias = tuple[Tensor, ...]
Step = Callable[[Any, int, States, tuple[Tensor, ...]], tuple[States, Tensor]]
Array = npt.NDArray[Any]

LIMIT = STATE_LIMIT - 1
MESSAGE_TYPES = {"spike": torch.int8, "ternary": torch.int8, "graded": torch.int32}
"""What holds a message of each kind."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What one population does in some consecutive steps of some samples.

    Attributes:
        first: the first of these steps, counted from 1.
        arriving: for each port sums (steps, samples, n), int32.
        shift: these sums still need: left, or where negative right.
        sent: (steps, samples, n), to be filled with the messages.
        counts: int32 (samples, n), to be added to: messages other than 0.
        saturated: int64 (samples,), to be added to: clipped states at their limit.
        tape: for each state int32 (steps, samples, n), to be filled; empty: not wanted.
    """

    first: int
    arriving: tuple[Tensor, ...]
    shift: int
    sent: Tensor
    counts: Tensor
    saturated: Tensor
    tape: tuple[Tensor, ...]


class SteppedNeurons:
    """A population that takes one step after the other."""

    state_bytes = 8

    def __init__(self, population: Population, order: Array, device: torch.device) -> None:
        self.model: NeuronModel = model_of(population.neuron)
        self.neuron = placed(population.neuron, order, device)
        self.step = STEPS[type(population.neuron)]
        self.start = initial(population, order, device)
        names = self.model.states(population.neuron)
        self.clipped = [i for i, name in enumerate(names) if name in self.model.clipped]

    def fresh(self, samples: int) -> list[Tensor]:
        """States before step 1, each (samples, n)."""
        return [values.expand(samples, -1).clone() for values in self.start]

    def advance(self, states: list[Tensor], activity: Activity) -> None:
        """Take the steps, change the states and fill what the activity holds."""
        left, right = max(activity.shift, 0), max(-activity.shift, 0)
        for k in range(len(activity.sent)):
            currents = tuple((a[k].long() << left) >> right for a in activity.arriving)
            found, messages = self.step(
                self.neuron, activity.first + k, tuple(states), currents
            )
            states[:] = found
            activity.sent[k] = messages
            for tape, state in zip(activity.tape, states, strict=False):
                tape[k] = state
            for index in self.clipped:
                activity.saturated.add_((states[index].abs() == LIMIT).sum(1))
        activity.counts.add_((activity.sent != 0).sum(0, dtype=torch.int32))


def initial(population: Population, order: Array, device: torch.device) -> list[Tensor]:
    """States before step 1, each int64 (1, n)."""
    model = model_of(population.neuron)
    shape = (1, population.size)
    states = model.fresh(population.neuron, shape, np.dtype(np.int64))
    return [torch.from_numpy(s[:, order].astype(np.int64)).to(device) for s in states]


def placed(neuron: Neuron, order: Array, device: torch.device) -> Any:
    """The same parameters with tensors for arrays, those of each neuron in that order."""
    changed: dict[str, Any] = {}
    for name in (field.name for field in fields(neuron)):
        value = getattr(neuron, name)
        if isinstance(value, np.ndarray):
            values = value[order] if len(value) == len(order) else value
            changed[name] = torch.from_numpy(values.astype(np.int64)).to(device)
    return replace(neuron, **changed)


def _towards_zero(product: Tensor, bits: int) -> Tensor:
    return product.sign() * (product.abs() >> bits)


def _decay(state: Tensor, by: Tensor) -> Tensor:
    return _towards_zero(state * (DECAY_UNITY - by), 12)


def _clip(state: Tensor) -> Tensor:
    return state.clamp(-LIMIT, LIMIT)


def _membrane(neuron: Any, u: Tensor, v: Tensor, a: Tensor) -> States:
    """What every leaky integrator holds before it spikes: u, v."""
    u = _decay(u, neuron.current_decay + 1) + (a << STATE_SHIFT)
    bias = neuron.bias_mantissa << neuron.bias_exponent
    return u, _clip(_decay(v, neuron.voltage_decay) + u + bias)


def cuba_lif(neuron: Any, t: int, state: States, currents: States) -> tuple[States, Tensor]:
    """One step of CubaLif."""
    if clears(t, neuron.onset, neuron.reset_interval):
        state = tuple(torch.zeros_like(values) for values in state)
    (u, before, *rest), (a,) = state, currents
    u, v = _membrane(neuron, u, before, a)
    threshold = neuron.threshold << STATE_SHIFT
    spikes = v > threshold
    if rest:
        held = rest[0] > 0
        v, spikes = torch.where(held, before, v), spikes & ~held
        rest = [torch.where(spikes, neuron.refractory, (rest[0] - 1).clamp(min=0))]
    if neuron.reset == "subtract":
        after = v - threshold
    else:
        after = neuron.reset_voltage if neuron.reset == "value" else torch.zeros_like(v)
    return (u, torch.where(spikes, after, v), *rest), spikes


def ternary_lif(neuron: Any, t: int, state: States, currents: States) -> tuple[States, Tensor]:
    """One step of TernaryLif."""
    u, v = _membrane(neuron, *state, *currents)
    high, low = neuron.threshold_high << STATE_SHIFT, neuron.threshold_low << STATE_SHIFT
    messages = (v > high).long() - (v < low).long()
    return (u, torch.where(messages != 0, 0, v)), messages


def adaptive_lif(neuron: Any, t: int, state: States, currents: States) -> tuple[States, Tensor]:
    """One step of AdaptiveLif."""
    i, v, theta, r = state
    i, v = _membrane(neuron, i, v, *currents)
    resting = neuron.threshold << STATE_SHIFT
    theta = _decay(theta - resting, neuron.threshold_decay) + resting
    r = _decay(r, neuron.refractory_decay)
    spikes = v - r >= theta
    step = neuron.threshold_step << STATE_SHIFT
    after = torch.where(spikes, r + 2 * theta, r)
    return (i, v, torch.where(spikes, theta + step, theta), after), spikes


def sigma_delta(neuron: Any, t: int, state: States, currents: States) -> tuple[States, Tensor]:
    """One step of SigmaDelta, exact or lossy."""
    (sigma, *others), (a,) = state, currents
    a = a << neuron.input_exponent
    sigma = sigma + a if neuron.accumulate else a
    x = sigma + neuron.bias
    if neuron.activation == "relu":
        x = x.clamp(min=0)
        x = x if neuron.ceiling is None else torch.minimum(x, neuron.ceiling)
    e = neuron.state_exponent
    if neuron.exact:
        change = x - others[0]
        messages = _fired(neuron, t, change, (change + (1 << e >> 1)) >> e)
        return (sigma, others[0] + (messages << e)), messages
    activation, residue = others
    change = x - activation + residue
    fired = _fired(neuron, t, change, change)
    return (sigma, x, change - fired), fired >> e


def _fired(neuron: Any, t: int, change: Tensor, message: Tensor) -> Tensor:
    if t < neuron.onset:
        return torch.zeros_like(message)
    return torch.where(change.abs() >= neuron.threshold, message, 0)


def resonator(neuron: Any, t: int, state: States, currents: States) -> tuple[States, Tensor]:
    """One step of Resonator."""
    (real, before), e = state, neuron.state_exponent
    cosine, sine = neuron.cosine, neuron.sine

    def scaled(factor: Tensor, part: Tensor) -> Tensor:
        return _towards_zero(factor * part, DECAY_BITS)

    x = _clip(scaled(cosine, real) - scaled(sine, before) + (currents[0] << e))
    y = _clip(scaled(sine, real) + scaled(cosine, before) + (currents[1] << e))
    threshold = neuron.threshold << e
    if neuron.reset == "none":
        return (x, y), (x >= threshold) & (y >= 0) & (before < 0)
    spikes = y >= threshold
    return (torch.where(spikes, 0, x), torch.where(spikes, threshold - 1, y)), spikes


def first_spike(neuron: Any, t: int, state: States, currents: States) -> tuple[States, Tensor]:
    """One step of FirstSpike."""
    (u, v, spiked), (a,) = state, currents
    u = u + a
    none = torch.zeros_like(u, dtype=torch.bool)
    if t >= neuron.fire + neuron.ticks:
        return (u, v, spiked), none
    if t < neuron.fire:
        return (u, _clip(v + u), spiked), none
    v = _clip(v + neuron.slope)
    spikes = (v > neuron.threshold) & (spiked == 0)
    return (u, v, spiked | spikes), spikes


STEPS: dict[type, Step] = {
    CubaLif: cuba_lif,
    TernaryLif: ternary_lif,
    AdaptiveLif: adaptive_lif,
    SigmaDelta: sigma_delta,
    Resonator: resonator,
    FirstSpike: first_spike,
}
"""Parameters -> one step of the integer norm."""
