"""Sigma-delta neurons: what changed is sent, as a graded message.

Source of the lossy form: lava-nc 0.10.0, `lava/proc/sdn/models.py`, `PyDeltaModelFixed`,
`PySigmaDeltaModelFixed`: it takes the residue before the shift, so that the low
`state_exponent` bits of every message are lost for ever and the receiver drifts. The exact form
is slipway's own: the sender keeps what the receivers have got.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arithmetic import States

Array = npt.NDArray[Any]


def _zero() -> Array:
    return np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class SigmaDelta:
    """Parameters.

    With e = state_exponent, 0 at `float`::

        sigma = (sigma if accumulate else 0) + (a << input_exponent)
        x = min(relu(sigma + bias), ceiling), or sigma + bias where the activation is "identity"

        exact:  d = x - sent                    (sent: what the receivers have summed up)
                m = round(d / 2**e) where |d| >= threshold, else 0        (halves round up)
                sent += m << e
        lossy:  d = x - act + residue           (Lava's Delta and SigmaDelta)
                fired = d where |d| >= threshold, else 0
                residue = d - fired ;  act = x ;  m = fired >> e          (floor)

    Nothing is sent before step `onset`: the bias of a deep population would else send its
    change before the first input can have arrived.

    Attributes:
        bias, threshold: arrays (n,) or (1,), in units of sigma.
        ceiling: largest activation of "relu", array (n,) or (1,), or None: it bounds what the
            receivers can sum up.
        activation: of sigma + bias.
        accumulate: False for the delta encoder, whose input is the value itself.
        state_exponent: bits of the state below those of a message.
        input_exponent: left shift of what arrives.
        exact: slipway's own model; False replays stock Lava.
        initial: sigma before step 1, array (n,) or (1,): the bias of a population that is only
            read.
        onset: first step in which a message may be sent.
    """

    bias: Array
    threshold: Array
    activation: Literal["relu", "identity"] = "relu"
    accumulate: bool = True
    state_exponent: int = 0
    input_exponent: int = 0
    exact: bool = True
    onset: int = 0
    ceiling: Array | None = None
    initial: Array = field(default_factory=_zero)


def states(neuron: SigmaDelta) -> tuple[str, ...]:
    """Names of the states."""
    return ("sigma", "sent") if neuron.exact else ("sigma", "activation", "residue")


def fresh(neuron: SigmaDelta, shape: tuple[int, int], dtype: Any) -> States:
    """States before step 1, arrays (samples, n)."""
    sigma = np.broadcast_to(neuron.initial, shape).astype(dtype)
    return (sigma, *(np.zeros(shape, dtype) for _ in states(neuron)[1:]))


def step_fixed(
    neuron: SigmaDelta, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the integer norm: new states, messages (int64)."""
    (sigma, *others), (a,) = state, currents
    sigma, x = _activation(neuron, sigma, a << neuron.input_exponent)
    e = neuron.state_exponent
    if neuron.exact:
        (sent,) = others
        change = x - sent
        rounded = (change + (1 << e >> 1)) >> e
        messages = _where(neuron, t, change, rounded)
        return (sigma, sent + (messages << e)), messages
    activation, residue = others
    change = x - activation + residue
    fired = _where(neuron, t, change, change)
    return (sigma, x, change - fired), fired >> e


def step_float(
    neuron: SigmaDelta, t: int, state: States, currents: tuple[Array, ...]
) -> tuple[States, Array]:
    """One step of the float model: new states, messages (float64)."""
    (sigma, *others), (a,) = state, currents
    sigma, x = _activation(neuron, sigma, a)
    if neuron.exact:
        (sent,) = others
        messages = _where(neuron, t, x - sent, x - sent)
        return (sigma, sent + messages), messages
    activation, residue = others
    change = x - activation + residue
    fired = _where(neuron, t, change, change)
    return (sigma, x, change - fired), fired


def _activation(neuron: SigmaDelta, sigma: Array, a: Array) -> tuple[Array, Array]:
    sigma = sigma + a if neuron.accumulate else a
    x = sigma + neuron.bias
    if neuron.activation == "relu":
        x = np.clip(x, 0, neuron.ceiling)
    return sigma, x


def _where(neuron: SigmaDelta, t: int, change: Array, message: Array) -> Array:
    sends = (np.abs(change) >= neuron.threshold) & (t >= neuron.onset)
    return np.where(sends, message, np.zeros_like(message))
