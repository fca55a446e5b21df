"""The neurons of a .net file: type -> parameters of slipway's models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import BIAS_MANTISSA, DECAY, STATE, THRESHOLD, IntegerFormat
from ..neurons.adaptive_lif import AdaptiveLif
from ..neurons.cuba_lif import NO_MEMORY, STATE_SHIFT, CubaLif
from ..neurons.models import Neuron
from ..neurons.resonator import Resonator
from ..neurons.sigma_delta import SigmaDelta
from .fields import Fields

Array = npt.NDArray[Any]

UNIT = 64
"""slayer's fixed point: weights, thresholds and biases of 1.0 are 64."""
BIAS_EXPONENT = 6
SPIKE_EXPONENT = 6
"""Of sigma-delta messages: a whole number of the file is a message of 64 times it."""
STATE_EXPONENT = 6
LARGEST_BIAS = IntegerFormat("bias of a sigma-delta neuron", -(2**17), 2**17 - 1)
FULL_DECAY = DECAY.maximum + 1
"""iDecay, vDecay of a state without memory; the register of u holds one less."""
SILENT = np.array([2**31 - 1])
"""Threshold of a sigma-delta neuron that is only read."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a neuron needs to know beside its own fields.

    Attributes:
        shape: of the population.
        depth: of the population.
        first: whether it is the input layer.
        last: whether it is the last layer that computes.
        reset_interval: 0, or steps after which u and v are cleared.
        exact: sigma-delta neurons without Lava's loss of low bits.
    """

    shape: tuple[int, ...]
    depth: int
    first: bool
    last: bool
    reset_interval: int
    exact: bool


def read_neuron(fields: Fields, setting: Setting) -> tuple[Neuron, str]:
    """Parameters and kind of a layer's population; problems go to `fields`."""
    if "neuron" not in fields:
        return _integrator(fields, setting), "readout"
    kind = fields.text("neuron/type")
    for prefix, make in NEURONS.items():
        if kind == prefix or (prefix.endswith("_") and kind.startswith(prefix)):
            _common(fields, kind)
            return make(fields, setting)
    reason, remedy = REFUSED.get(
        kind.partition("_")[0], ("is not known", "use one of " + ", ".join(KINDS))
    )
    fields.refuse("neuron/type", f"neurons of type {kind!r}: {reason}", remedy)
    return _nothing(), kind


def _nothing() -> CubaLif:
    """Stands for a neuron that was refused."""
    zero = np.zeros(1, np.int64)
    return CubaLif(zero, zero, zero, zero, zero)


def _common(fields: Fields, kind: str) -> None:
    """Fields of every type that netx does not look at, or looks at wrongly."""
    if fields.flag("neuron/gradedSpike"):
        fields.refuse(
            "neuron/gradedSpike",
            f"{kind} neurons with graded spikes; netx sends spikes of 0 and 1 all the same",
            "train with graded_spike=False, or with SDNN neurons",
        )
    bits = fields.integers("neuron/messageBits")
    if bits is not None and kind != "SDNN" and bits.any():
        fields.refuse(
            "neuron/messageBits",
            f"{kind} neurons with {int(bits.flat[0])} message bits: they send spikes",
            "leave the field out; netx cannot read it either",
        )
    for key in ("neuron/weight_exp", "neuron/wgtExp"):
        exponent = fields.numbers(key)
        if exponent is not None and exponent.any():
            fields.refuse(
                key,
                f"a weight exponent of {float(exponent.flat[0]):g}: netx ignores it, and "
                "slayer's own normalisation divides by it",
                "fold it into the weights, or train without WgtScaleBatchNorm",
            )


def _bias(fields: Fields, setting: Setting, limits: IntegerFormat) -> Array:
    return fields.spread("bias", setting.shape, limits)


def _integrator(fields: Fields, setting: Setting) -> CubaLif:
    """A layer without neuron: netx sums its currents up in u and copies them into v.

    The same sum in v, with registers that exist: no memory in u, no leak in v.
    """
    if not setting.last:
        fields.refuse(
            "neuron",
            "the layer has no neuron, so it never spikes, and a layer follows it",
            "export the layer with its neuron",
        )
    never = np.array([THRESHOLD.maximum])
    zero = np.zeros(1, np.int64)
    bias = _bias(fields, setting, BIAS_MANTISSA)
    interval = setting.reset_interval
    return CubaLif(
        np.array([NO_MEMORY]),
        zero,
        bias,
        never,
        zero,
        BIAS_EXPONENT,
        _onset(setting.depth, bias, interval),
        reset_interval=interval,
    )


def _onset(depth: int, bias: Array, interval: int) -> int:
    """Step whose update begins from cleared states: the first at which input can arrive.

    Only a bias makes that needed; with an interval it is every step congruent to it.
    """
    if interval:
        return (depth + 1) % interval
    return depth + 1 if bias.any() else 0


def _cuba(fields: Fields, setting: Setting) -> tuple[Neuron, str]:
    u_decay = IntegerFormat("decay of u", 1, FULL_DECAY)
    v_decay = IntegerFormat("decay of v", 0, FULL_DECAY)
    shape = setting.shape
    current = fields.spread("neuron/iDecay", shape, u_decay, None)
    voltage = fields.spread("neuron/vDecay", shape, v_decay, None)
    threshold = fields.spread("neuron/vThMant", shape, THRESHOLD, None)
    bias = _bias(fields, setting, BIAS_MANTISSA)
    interval = setting.reset_interval
    if np.any(voltage == FULL_DECAY):
        # No register holds 4096. Without memory in u either, clearing both at every step is
        # the same.
        if np.all(voltage == FULL_DECAY) and np.all(current == FULL_DECAY):
            voltage, interval = np.zeros(1, np.int64), 1
        else:
            fields.refuse(
                "neuron/vDecay",
                f"a membrane without memory (vDecay {FULL_DECAY}) behind a current with one: "
                f"the register holds {DECAY.minimum} to {DECAY.maximum}",
                f"use a vDecay of at most {DECAY.maximum}, or an iDecay of {FULL_DECAY}",
            )
    reads = bool(np.all(threshold == THRESHOLD.maximum))
    early = np.zeros(1, np.int64)
    if bias.any():
        # The membrane starts so low that its bias cannot make it spike before its onset.
        low = np.minimum(32 * (threshold << STATE_SHIFT), STATE.maximum)
        early = np.where(bias > 0, -low, 0)
    neuron = CubaLif(
        current_decay=np.maximum(current - 1, 0),
        voltage_decay=voltage,
        bias_mantissa=bias,
        threshold=threshold,
        initial_voltage=early,
        bias_exponent=BIAS_EXPONENT,
        onset=_onset(setting.depth, bias, interval),
        refractory=_refractory(fields, reads),
        reset_interval=interval,
    )
    return neuron, _kind(neuron, reads)


def _kind(neuron: CubaLif, reads: bool) -> str:
    """The NIR node that such a neuron would have come from."""
    if np.any(neuron.current_decay != NO_MEMORY):
        return "CubaLI" if reads else "CubaLIF"
    if np.any(neuron.voltage_decay) or neuron.reset_interval == 1:
        return "LI" if reads else "LIF"
    return "readout" if reads else "IF"


def _refractory(fields: Fields, reads: bool) -> int:
    """Loihi's refDelay of 1 is no refractory period: the step after a spike is a usual one."""
    delay = fields.integers("neuron/refDelay", IntegerFormat("refractory delay", 1, 63))
    if delay is None:
        return 0
    if np.any(delay != delay.flat[0]):
        fields.refuse(
            "neuron/refDelay",
            "neurons of a layer with unequal refractory delays",
            "train with one refractory delay in a layer",
        )
    return 0 if reads else int(delay.flat[0]) - 1


def _one(fields: Fields, key: str, limits: IntegerFormat) -> Array:
    """The one value for all neurons that these models have."""
    values = fields.integers(key, limits)
    if values is None:
        if key not in fields:
            fields.refuse(key, "the field is missing", "write the file again")
        return np.full(1, limits.minimum, np.int64)
    if np.any(values != values.flat[0]):
        fields.refuse(
            key,
            f"{np.unique(values).size} different values in a layer; Lava's model has one",
            "train with shared_param=True",
        )
    return values.reshape(-1)[:1].copy()


def _adaptive(fields: Fields, setting: Setting) -> tuple[Neuron, str]:
    _refuse_reset(fields, setting, "ALIF")
    if fields.integers("neuron/refDelay") is not None and _refractory(fields, False):
        fields.refuse(
            "neuron/refDelay",
            "ALIF neurons with a refractory delay beside their refractory state",
            "train with a refractory delay of 1",
        )
    step = IntegerFormat("threshold step", 0, THRESHOLD.maximum)
    neuron = AdaptiveLif(
        current_decay=_one(fields, "neuron/iDecay", IntegerFormat("decay of i", 1, FULL_DECAY))
        - 1,
        voltage_decay=_one(fields, "neuron/vDecay", DECAY),
        threshold_decay=_one(fields, "neuron/thDecay", DECAY),
        refractory_decay=_one(fields, "neuron/refDecay", DECAY),
        threshold=_one(fields, "neuron/vThMant", THRESHOLD),
        threshold_step=_one(fields, "neuron/vThStep", step),
        bias_mantissa=_bias(fields, setting, BIAS_MANTISSA),
        bias_exponent=BIAS_EXPONENT,
    )
    return neuron, "ALIF"


def _refuse_reset(fields: Fields, setting: Setting, kind: str) -> None:
    if setting.reset_interval:
        fields.refuse(
            "neuron/type",
            f"{kind} neurons cannot be cleared every {setting.reset_interval} steps; netx "
            "ignores the wish",
            "read the file without reset_interval and present one sample a run",
        )


def _sigma_delta(fields: Fields, setting: Setting) -> tuple[Neuron, str]:
    _refuse_reset(fields, setting, "SDNN")
    activation = fields.text("neuron/activation") or "relu"
    if activation != "relu" and not setting.first:
        fields.refuse(
            "neuron/activation",
            f"the activation {activation!r}; netx would compute relu",
            "train with torch.nn.functional.relu",
        )
    limits = IntegerFormat("threshold of a sigma-delta neuron", 0, 2**17 - 1)
    threshold = fields.spread("neuron/vThMant", setting.shape, limits, None)
    shift = SPIKE_EXPONENT + STATE_EXPONENT
    if setting.first:
        return (
            SigmaDelta(
                np.zeros(1, np.int64),
                threshold << shift,
                activation="identity",
                accumulate=False,
                state_exponent=STATE_EXPONENT,
                input_exponent=shift,
                exact=setting.exact,
            ),
            "encoder",
        )
    bias = _bias(fields, setting, LARGEST_BIAS) << shift
    if not fields.flag("neuron/sigma_output"):
        return (
            SigmaDelta(
                bias,
                threshold << shift,
                state_exponent=STATE_EXPONENT,
                exact=setting.exact,
            ),
            "sigma-delta",
        )
    if not setting.last:
        fields.refuse(
            "neuron/sigma_output",
            "a layer that sums up and is read, and a layer follows it",
            "set it in the last layer only",
        )
    if bias.any():
        fields.refuse(
            "bias",
            "a bias behind the last sum; netx stops with a TypeError",
            "train the output layer without bias",
        )
    neuron = SigmaDelta(
        np.zeros(1, np.int64),
        SILENT,
        activation="identity",
        state_exponent=STATE_EXPONENT,
        exact=setting.exact,
    )
    return neuron, "sigma"


def _resonator(fields: Fields, setting: Setting) -> tuple[Neuron, str]:
    kind = fields.text("neuron/type")
    _refuse_reset(fields, setting, kind)
    if setting.first:
        fields.refuse(
            "neuron/type",
            f"{kind} neurons as the input layer: netx stops with an AttributeError",
            "put a complex dense layer in front of them",
        )
    if "bias" in fields and np.any(fields.numbers("bias")):
        fields.refuse(
            "bias",
            "a bias of resonate-and-fire neurons; netx ignores it",
            "train without a bias, or with neurons of type CUBA",
        )
    neuron = Resonator(
        cosine=_rotation(fields, "neuron/cosDecay"),
        sine=_rotation(fields, "neuron/sinDecay"),
        threshold=_one(fields, "neuron/vThMant", THRESHOLD),
        reset="none" if "PHASE" in kind else "izhikevich",
        state_exponent=STATE_EXPONENT,
    )
    return neuron, kind


def _rotation(fields: Fields, key: str) -> Array:
    """In 1/4096; fractions are cut off towards zero, as Lava's RF does it."""
    values = fields.numbers(key)
    if values is None or not values.size:
        if key not in fields:
            fields.refuse(key, "the field is missing", "write the file again")
        return np.zeros(1, np.int64)
    whole = np.trunc(values).astype(np.int64).reshape(-1)
    if np.any(np.abs(whole) > FULL_DECAY):
        most = int(np.abs(whole).max())
        fields.refuse(
            key,
            f"{most} of {FULL_DECAY}: the oscillation would grow",
            "train with a decay between 0 and 1",
        )
    if np.any(whole != whole[0]):
        fields.refuse(
            key,
            f"{np.unique(whole).size} different values in a layer; Lava's model has one",
            "train with shared_param=True",
        )
    return whole[:1].copy()


NEURONS: dict[str, Callable[[Fields, Setting], tuple[Neuron, str]]] = {
    "CUBA": _cuba,
    "LOIHI": _cuba,
    "SDNN": _sigma_delta,
    "ALIF": _adaptive,
    "RF": _resonator,
    "RF_": _resonator,
}
"""Type of a file -> reader; a key that ends with "_" stands for all that begin so."""

KINDS = ("CUBA", "LOIHI", "SDNN", "ALIF", "RF", "RF_PHASE", "RF_IZHIKEVICH")

REFUSED: dict[str, tuple[str, str]] = {
    "ADRF": (
        "resonators with an adaptive threshold, which netx leaves out and Lava does not have",
        "train with neurons of type RF",
    ),
}
