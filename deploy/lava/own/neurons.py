# mypy: allow-subclassing-any, allow-untyped-decorators
"""Neurons that stock Lava 0.10.0 lacks or breaks, as Processes with float and fixed models.

Use them as any Lava process: connect `a_in` and `s_out`, run with `Loihi2SimCfg` and select_tag
"fixed_pt" or "floating_pt". A parameter is a number or an array of the population's shape. On
Python >= 3.11 call `compatibility.import_lava()` first.

All of them know samples: with `sample_steps` = n the states start anew every n steps, and steps
are counted within the sample; with 0 a run is one sample. v is clipped to 24 bits; u and sigma
do not wrap as Lava's do: slipway proves that they stay within 24 bits.

Lava finds the models of a Process in its own file, which therefore holds all of them. It also
runs every file beside that one by itself: nothing here is imported relatively.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sdn.process import ActivationMode

_V_MAX = (1 << 23) - 1
_REAL = LavaPyType(np.ndarray, float)
_WHOLE = LavaPyType(np.ndarray, np.int32, precision=24)


def _leak(x: Any, d: Any) -> Any:
    """``x * (4096 - d) / 4096`` in whole numbers, towards zero."""
    kept = np.abs(x).astype(np.int64) * (4096 - d) // 4096
    return np.where(x < 0, -kept, kept)


class _Model(PyLoihiProcessModel):
    """One step of a neuron: receives, advances, sends; starts every sample anew."""

    states: tuple[str, ...] = ()

    def run_spk(self) -> None:
        """Run one step of Lava."""
        steps = self.proc_params["sample_steps"]
        t = (self.time_step - 1) % steps + 1 if steps else self.time_step
        if self.time_step == 1:
            self.initial = {name: getattr(self, name).copy() for name in self.states}
        elif t == 1:
            for name, values in self.initial.items():
                getattr(self, name)[...] = values
        self.s_out.send(self.advance(int(t), self.a_in.recv()))

    def advance(self, t: int, a: Any) -> Any:
        """Step t of the sample with the current a; returns the messages."""
        raise NotImplementedError


class GeneralLIF(AbstractProcess):
    """Leaky integrate-and-fire with a choice of reset, refractory period, and clearing.

    ::

        u[t] = u[t-1] * (1 - du) + a_in
        v[t] = v[t-1] * (1 - dv) + u[t] + bias     (held for refractory_period steps
        s_out = v[t] > vth                          after a spike, without spikes)
        v[t] = 0 | v_reset | v[t] - vth            at a spike: reset "zero" | "value" |
                                                   "subtract"

    Fixed point is that of Lava's LIF: du (plus 1) and dv in 1/4096, towards zero; a_in and vth
    shifted left by 6, bias is bias_mant << bias_exp, v is clipped to 24 bits. v_reset is in
    units of v. Floating point ignores bias_exp.

    u, v and rest are set to 0 before the update of the steps t with t % reset_interval ==
    reset_offset % reset_interval; with reset_interval 0 at step reset_offset alone, which is
    never where that is 0, too.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        u: Any = 0,
        v: Any = 0,
        du: Any = 0,
        dv: Any = 0,
        bias_mant: Any = 0,
        bias_exp: int = 0,
        vth: Any = 10,
        reset: str = "zero",
        v_reset: Any = 0,
        refractory_period: int = 0,
        reset_interval: int = 0,
        reset_offset: int = 0,
        sample_steps: int = 0,
        name: str | None = None,
    ) -> None:
        if reset not in ("zero", "value", "subtract"):
            raise ValueError(f"reset is 'zero', 'value' or 'subtract', not {reset!r}")
        super().__init__(
            shape=shape,
            reset=reset,
            refractory_period=refractory_period,
            reset_interval=reset_interval,
            reset_offset=reset_offset,
            sample_steps=sample_steps,
            name=name,
        )
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.u = Var(shape=shape, init=u)
        self.v = Var(shape=shape, init=v)
        self.rest = Var(shape=shape, init=0)
        self.du = Var(shape=shape, init=du)
        self.dv = Var(shape=shape, init=dv)
        self.bias_mant = Var(shape=shape, init=bias_mant)
        self.bias_exp = Var(shape=shape, init=bias_exp)
        self.vth = Var(shape=shape, init=vth)
        self.v_reset = Var(shape=shape, init=v_reset)


class _GeneralLIF(_Model):
    states = ("u", "v", "rest")
    rest = LavaPyType(np.ndarray, np.int32)

    def advance(self, t: int, a: Any) -> Any:
        """Clear, integrate, spike, reset, rest."""
        interval, offset = self.proc_params["reset_interval"], self.proc_params["reset_offset"]
        if t == offset if not interval else (t - offset) % interval == 0:
            for state in (self.u, self.v, self.rest):
                state[...] = 0
        awake, held = self.rest == 0, self.v.copy()
        level = self.integrate(a)
        self.v[~awake] = held[~awake]
        spikes = awake & (self.v > level)
        reset = self.proc_params["reset"]
        if reset == "subtract":
            self.v[spikes] -= level[spikes]
        else:
            self.v[spikes] = self.v_reset[spikes] if reset == "value" else 0
        self.rest[...] = np.maximum(self.rest - 1, 0)
        self.rest[spikes] = self.proc_params["refractory_period"]
        return spikes

    def integrate(self, a: Any) -> Any:
        """Advance u and v below the threshold; returns the threshold in units of v."""
        raise NotImplementedError


@implements(proc=GeneralLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyGeneralLIFModelFloat(_GeneralLIF):
    """GeneralLIF in floating point."""

    a_in = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, float)
    u = v = du = dv = bias_mant = bias_exp = vth = v_reset = _REAL

    def integrate(self, a: Any) -> Any:
        """``u (1 - du) + a ;  v (1 - dv) + u + bias``."""
        self.u[...] = self.u * (1 - self.du) + a
        self.v[...] = self.v * (1 - self.dv) + self.u + self.bias_mant
        return self.vth


@implements(proc=GeneralLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyGeneralLIFModelFixed(_GeneralLIF):
    """GeneralLIF in Loihi's integers."""

    a_in = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    u = v = du = dv = bias_mant = bias_exp = vth = v_reset = _WHOLE

    def integrate(self, a: Any) -> Any:
        """The same in whole numbers."""
        self.u[...] = _leak(self.u, self.du + 1) + 64 * a
        v = _leak(self.v, self.dv) + self.u + self.bias_mant * 2**self.bias_exp
        self.v[...] = np.clip(v, -_V_MAX, _V_MAX)
        return 64 * self.vth


class GeneralSigmaDelta(AbstractProcess):
    """Sigma-delta neuron or delta encoder without loss of low bits, with a bounded activation.

    ::

        sigma[t] = (sigma[t-1] if accumulate) + (a_in << spike_exp)
        x = sigma[t] + bias                         (act_mode RELU: between 0 and ceiling)
        exact:      d = x - sent
                    s_out = floor(d / 2**state_exp + 1/2) where |d| >= vth and t >= onset
                    sent += s_out << state_exp      (what the receivers have summed up)
        not exact:  d = x - activation + residue    (Lava's Delta and SigmaDelta: they lose the
                    f = d where |d| >= vth and t >= onset         low state_exp bits for ever)
                    residue = d - f ;  activation = x ;  s_out = f >> state_exp

    bias, vth and ceiling are in units of sigma: nothing scales them. Floating point knows no
    exponents.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        vth: Any,
        sigma: Any = 0,
        bias: Any = 0,
        ceiling: Any = None,
        act_mode: ActivationMode = ActivationMode.RELU,
        accumulate: bool = True,
        spike_exp: int = 0,
        state_exp: int = 0,
        exact: bool = True,
        onset: int = 0,
        sample_steps: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            shape=shape,
            bounded=ceiling is not None,
            act_mode=act_mode,
            accumulate=accumulate,
            spike_exp=spike_exp,
            state_exp=state_exp,
            exact=exact,
            onset=onset,
            sample_steps=sample_steps,
            name=name,
        )
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.vth = Var(shape=shape, init=vth)
        self.bias = Var(shape=shape, init=bias)
        self.ceiling = Var(shape=shape, init=0 if ceiling is None else ceiling)
        self.sigma = Var(shape=shape, init=sigma)
        self.sent = Var(shape=shape, init=0)
        self.activation = Var(shape=shape, init=0)
        self.residue = Var(shape=shape, init=0)


class _GeneralSigmaDelta(_Model):
    states = ("sigma", "sent", "activation", "residue")

    def activate(self, a: Any) -> Any:
        """Take up what arrives; returns the activation."""
        self.sigma[...] = self.sigma + a if self.proc_params["accumulate"] else a
        x = self.sigma + self.bias
        if self.proc_params["act_mode"] == ActivationMode.RELU:
            x[x < 0] = 0
            if self.proc_params["bounded"]:
                x = np.where(x > self.ceiling, self.ceiling, x)
        return x

    def differ(self, t: int, x: Any) -> tuple[Any, Any]:
        """The change since the last message, and where it is large enough to be sent."""
        if self.proc_params["exact"]:
            change = x - self.sent
        else:
            change = x - self.activation + self.residue
            self.activation[...] = x
        sends = np.abs(change) >= self.vth
        return change, sends if t >= self.proc_params["onset"] else np.zeros_like(sends)


@implements(proc=GeneralSigmaDelta, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyGeneralSigmaDeltaModelFloat(_GeneralSigmaDelta):
    """GeneralSigmaDelta in floating point."""

    a_in = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, float)
    vth = bias = ceiling = sigma = sent = activation = residue = _REAL

    def advance(self, t: int, a: Any) -> Any:
        """Send what changed."""
        change, sends = self.differ(t, self.activate(a))
        message = change * sends
        if self.proc_params["exact"]:
            self.sent += message
        else:
            self.residue[...] = change - message
        return message


@implements(proc=GeneralSigmaDelta, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyGeneralSigmaDeltaModelFixed(_GeneralSigmaDelta):
    """GeneralSigmaDelta in Loihi's integers."""

    a_in = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    vth = bias = ceiling = sigma = sent = activation = residue = _WHOLE

    def advance(self, t: int, a: Any) -> Any:
        """Send what changed, without its state_exp low bits."""
        unit = 2 ** self.proc_params["state_exp"]
        x = self.activate(a * 2 ** self.proc_params["spike_exp"])
        change, sends = self.differ(t, x)
        if self.proc_params["exact"]:
            message = (2 * change + unit) // (2 * unit) * sends
            self.sent += message * unit
        else:
            message = change // unit * sends
            self.residue[...] = np.where(sends, 0, change)
        return message


class FirstSpike(AbstractProcess):
    """Time to first spike: a ramp that crosses its threshold once, the earlier the larger.

    With steps t counted within the sample::

        u[t] = u[t-1] + a_in                     (no decay)
        t < fire:                    v += u
        fire <= t < fire + ticks:    v += slope ;  s_out = v > vth, once
        later:                       v is held

    All are in units of a_in: nothing is shifted. In fixed point v is clipped to 24 bits.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        v: Any = 0,
        slope: Any,
        vth: Any,
        fire: int,
        ticks: int,
        sample_steps: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            shape=shape, fire=fire, ticks=ticks, sample_steps=sample_steps, name=name
        )
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.u = Var(shape=shape, init=0)
        self.v = Var(shape=shape, init=v)
        self.spiked = Var(shape=shape, init=0)
        self.slope = Var(shape=shape, init=slope)
        self.vth = Var(shape=shape, init=vth)


class _FirstSpike(_Model):
    states = ("u", "v", "spiked")
    spiked = LavaPyType(np.ndarray, np.int32, precision=1)
    limit = np.inf

    def advance(self, t: int, a: Any) -> Any:
        """Collect, then rise."""
        ticks_passed = t - self.proc_params["fire"]
        self.u += a
        spikes = np.zeros(self.v.shape, bool)
        if ticks_passed < 0:
            self.v[...] = np.clip(self.v + self.u, -self.limit, self.limit)
        elif ticks_passed < self.proc_params["ticks"]:
            self.v[...] = np.clip(self.v + self.slope, -self.limit, self.limit)
            spikes = (self.v > self.vth) & (self.spiked == 0)
            self.spiked[spikes] = 1
        return spikes


@implements(proc=FirstSpike, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyFirstSpikeModelFloat(_FirstSpike):
    """FirstSpike in floating point."""

    a_in = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, float)
    u = v = slope = vth = _REAL


@implements(proc=FirstSpike, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFirstSpikeModelFixed(_FirstSpike):
    """FirstSpike in Loihi's integers."""

    a_in = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    u = v = slope = vth = _WHOLE
    limit = _V_MAX
