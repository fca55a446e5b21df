"""Neurons as the fields of a .net file: parameters -> fields, or the reasons why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import BIAS_MANTISSA
from ..neurons.cuba_lif import NO_MEMORY, CubaLif
from ..neurons.models import model_of
from ..neurons.resonator import Resonator
from ..neurons.sigma_delta import SigmaDelta
from ..onset import spikes_early
from ..program import Population
from .neurons import (
    BIAS_EXPONENT,
    FULL_DECAY,
    SILENT,
    SPIKE_EXPONENT,
    STATE_EXPONENT,
)

Array = npt.NDArray[Any]

_SHIFT = SPIKE_EXPONENT + STATE_EXPONENT


@dataclass(slots=True)
class Written:
    """Fields of a layer that its neuron fills.

    Attributes:
        fields: key -> value.
        problems: (what is wrong, what to do).
        interval: steps after which it is cleared again and again, or 0.
        clears: it is cleared once, when its first input arrives.
        early: its bias makes it spike before that if it starts at 0, as in netx.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    interval: int = 0
    clears: bool = False
    early: bool = False

    def refuse(self, what: str, remedy: str) -> None:
        """Note why this neuron cannot be written."""
        self.problems.append((what, remedy))


def write_neuron(population: Population, *, first: bool) -> Written:
    """The fields `neuron/...` and `bias` of a population.

    Args:
        population: of a fixed Program.
        first: whether it takes the samples themselves.
    """
    neuron = population.neuron
    make = WRITERS.get(type(neuron))
    if make is None:
        title = model_of(neuron).title
        return Written(
            problems=[(f"netx has no {title} neurons", "keep the Program, or use LIF neurons")]
        )
    return make(population, neuron, first)


def _values(values: Array, population: Population) -> Any:
    """One number, or one per neuron in the shape in which netx takes it."""
    if np.all(values == values.flat[0]):
        return int(values.flat[0])
    return _array(values, population)


def _array(values: Array, population: Population) -> Array:
    """(n,), or of an image (C,) where channels are uniform, else (W, H, C)."""
    whole = np.broadcast_to(np.asarray(values, np.int64), (population.size,))
    if len(population.shape) != 3:
        return whole.copy()
    image = whole.reshape(population.shape)
    if np.all(image == image[:, :1, :1]):
        return image[:, 0, 0].copy()
    return np.ascontiguousarray(image.transpose(2, 1, 0))


def _cuba_lif(population: Population, neuron: CubaLif, first: bool) -> Written:
    made = Written()
    if neuron.reset != "zero":
        told = {"value": "to a value", "subtract": "by subtraction"}[neuron.reset]
        made.refuse(f"a reset {told}; netx's neurons reset to 0", "train with reset to zero")
    if neuron.refractory:
        made.refuse(
            f"a refractory period of {neuron.refractory} steps, which netx ignores",
            "train without a refractory period",
        )
    memoryless = neuron.reset_interval == 1 and bool(
        np.all(neuron.current_decay == NO_MEMORY) and not np.any(neuron.voltage_decay)
    )
    _clearing(made, population, neuron, memoryless)
    bias = np.asarray(neuron.bias_mantissa, np.int64) << neuron.bias_exponent
    _bias(made, population, bias, 1 << BIAS_EXPONENT)
    made.fields |= {
        "neuron/type": "CUBA",
        "neuron/iDecay": _values(neuron.current_decay + 1, population),
        "neuron/vDecay": FULL_DECAY
        if memoryless
        else _values(neuron.voltage_decay, population),
        "neuron/vThMant": _values(neuron.threshold, population),
        "neuron/refDelay": 1,
        "neuron/gradedSpike": False,
    }
    return made


def _bias(made: Written, population: Population, bias: Array, unit: int) -> None:
    """The field `bias`, in multiples of `unit`; none where it is 0."""
    if not bias.any():
        return
    odd = bias[bias % unit != 0]
    if odd.size:
        made.refuse(
            f"{odd.size} of {bias.size} biases are no multiples of {unit}, such as {odd[0]}; "
            f"the file holds whole numbers of {unit}",
            "choose biases that are whole numbers of weight units",
        )
    elif not BIAS_MANTISSA.holds(bias // unit):
        made.refuse(
            f"a bias of {int(np.abs(bias).max())}; the file holds {BIAS_MANTISSA.minimum} to "
            f"{BIAS_MANTISSA.maximum} times {unit}",
            "use smaller biases",
        )
    else:
        made.fields["bias"] = _array(bias // unit, population).astype(np.float32)


def _clearing(made: Written, population: Population, neuron: CubaLif, memoryless: bool) -> None:
    """What u and v start from, and when they are cleared: netx clears all layers or none."""
    onset = population.depth + 1
    interval = 0 if memoryless else neuron.reset_interval
    if interval:
        made.interval, onset = interval, onset % interval
    if neuron.onset not in ((onset,) if interval else (0, onset)) and not memoryless:
        made.refuse(
            f"u and v are cleared at step {neuron.onset}; netx can clear them at {onset}, when "
            "the first input arrives",
            "compile the network again",
        )
    made.clears = bool(neuron.onset) and not interval and not memoryless
    started = bool(np.any(neuron.initial_voltage))
    if started and not (made.clears or interval or memoryless):
        made.refuse(
            "a membrane that starts at another value than 0",
            "train with membranes that start at 0",
        )
    fresh = replace(neuron, initial_voltage=np.zeros(1, np.int64))
    made.early = spikes_early(replace(population, neuron=fresh), fixed=True)


def _sigma_delta(population: Population, neuron: SigmaDelta, first: bool) -> Written:
    made = Written()
    reads = bool(np.all(neuron.threshold == SILENT))
    if neuron.exact:
        made.refuse(
            "slipway's exact sigma-delta neurons; netx has Lava's, which lose low bits",
            "keep the Program; a Program read from a .net file without exact can be written",
        )
    if neuron.initial.any():
        made.refuse("a sum that starts at another value than 0", "train without that bias")
    if neuron.ceiling is not None or neuron.onset > 1:
        what = "a ceiling" if neuron.ceiling is not None else f"an onset at step {neuron.onset}"
        made.refuse(f"sigma-delta neurons with {what}", "keep the Program")
    wanted = ("identity", _SHIFT) if first else ("identity" if reads else "relu", 0)
    if (neuron.activation, neuron.input_exponent) != wanted or neuron.accumulate == first:
        made.refuse(
            f"a sigma-delta neuron with activation {neuron.activation}, an input shifted by "
            f"{neuron.input_exponent} and {'a' if neuron.accumulate else 'no'} sum",
            "in a .net the input layer encodes, the last one may sum up, all others are relu",
        )
    if neuron.state_exponent != STATE_EXPONENT:
        made.refuse(
            f"{neuron.state_exponent} low bits of the state; netx has {STATE_EXPONENT}",
            "keep the Program",
        )
    unit = 1 << _SHIFT
    threshold = np.zeros(1, np.int64) if reads else np.asarray(neuron.threshold)
    if np.any(threshold % unit) or np.any(threshold != threshold.flat[0]):
        made.refuse(
            f"thresholds of {int(threshold.min())} to {int(threshold.max())}; a layer of the "
            f"file holds one multiple of {unit}",
            "use one threshold for the layer",
        )
    _bias(made, population, np.asarray(neuron.bias, np.int64), unit)
    made.fields |= {
        "neuron/type": "SDNN",
        "neuron/activation": "relu",
        "neuron/vThMant": int(threshold.flat[0]) // unit,
    }
    if reads:
        made.fields["neuron/sigma_output"] = True
    return made


def _resonator(population: Population, neuron: Resonator, first: bool) -> Written:
    made = Written()
    if first:
        made.refuse(
            "resonate-and-fire neurons that take the samples themselves",
            "put a dense layer in front of them",
        )
    if neuron.state_exponent != STATE_EXPONENT:
        made.refuse(
            f"a state exponent of {neuron.state_exponent}; netx has {STATE_EXPONENT}",
            "compile the network again",
        )
    sine, cosine = _rotation(int(neuron.sine.flat[0]), int(neuron.cosine.flat[0]))
    kind = "RF_PHASE" if neuron.reset == "none" else "RF_IZHIKEVICH"
    made.fields |= {
        "neuron/type": kind,
        "neuron/sinDecay": sine,
        "neuron/cosDecay": cosine,
        "neuron/vThMant": int(neuron.threshold.flat[0]),
        "neuron/gradedSpike": False,
    }
    return made


def _rotation(sine: int, cosine: int) -> tuple[float, float]:
    """Sine and cosine that survive netx, which takes them for floats and cuts them off again.

    It computes period and decay from them, and Lava from these the integers, truncated: of
    a number that comes out a trifle too small, one is lost. A quarter more survives, and a
    reader that truncates sees the number itself.
    """
    return sine + float(np.sign(sine)) / 4, cosine + float(np.sign(cosine)) / 4


WRITERS: dict[type, Callable[[Population, Any, bool], Written]] = {
    CubaLif: _cuba_lif,
    SigmaDelta: _sigma_delta,
    Resonator: _resonator,
}
