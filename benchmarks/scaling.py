"""How the engine's time grows with samples, steps, neurons and input density, each by itself.

On network a, a multilayer perceptron. Its neurons grow in a single hidden layer, so that its
synapses grow as they do. Where the density of the input changes, the thresholds are found
again, so that the layers behind go on firing at the same rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from slipway.deploy.counts import fan_outs
from slipway.deploy.engine import Engine
from slipway.deploy.program import Program
from slipway.deploy.trace import Stimulus

from .measure import engine_call
from .networks import INPUT_RATE, calibrated, dense_layers, spikes
from .timing import Contender, in_turns

Array = npt.NDArray[Any]

REPETITIONS = 15
_SIZES = (784, 512, 512, 10)


@dataclass(frozen=True, slots=True)
class Sweep:
    """One quantity that is varied, and what the others are.

    Attributes:
        title: for the plot, with what is held fixed.
        values: of the quantity.
        case: value -> Program and stimulus.
    """

    title: str
    values: tuple[float, ...]
    case: Callable[[float], tuple[Program, Stimulus]]


def _stimulus(program: Program, samples: int, steps: int, rate: float = INPUT_RATE) -> Stimulus:
    values = spikes(program.inputs[0].size, samples, steps, rate)
    return Stimulus({program.inputs[0].name: values}, steps)


def sweeps(samples: int = 1024, steps: int = 32) -> dict[str, Sweep]:
    """What is varied. Samples and steps of the data set scale all of it."""
    longest = 16 * steps
    mlp = calibrated((784,), dense_layers(_SIZES), steps, longest)

    def of_samples(value: float) -> tuple[Program, Stimulus]:
        return mlp, _stimulus(mlp, int(value), steps)

    def of_steps(value: float) -> tuple[Program, Stimulus]:
        return mlp, _stimulus(mlp, samples // 2, int(value))

    def of_neurons(value: float) -> tuple[Program, Stimulus]:
        program = calibrated((784,), dense_layers((784, int(value), 10)), steps)
        return program, _stimulus(program, samples, steps)

    def of_density(value: float) -> tuple[Program, Stimulus]:
        program = calibrated((784,), dense_layers(_SIZES), steps, input_rate=value)
        return program, _stimulus(program, samples, steps, value)

    half = samples // 2
    return {
        "samples": Sweep(
            f"samples of {steps} steps", tuple(half * n for n in (1, 2, 4, 8, 16)), of_samples
        ),
        "steps": Sweep(
            f"steps of {half} samples",
            tuple(steps * n // 2 for n in (1, 2, 4, 8, 16)),
            of_steps,
        ),
        "neurons": Sweep(
            f"hidden neurons, {samples} samples of {steps} steps",
            (128, 256, 512, 1024, 2048),
            of_neurons,
        ),
        "density": Sweep(
            f"share of inputs that spike, {samples} samples of {steps} steps",
            (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
            of_density,
        ),
    }


def measure(
    chosen: Mapping[str, Sweep],
    repetitions: int = REPETITIONS,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Each sweep as JSON values: title, values, milliseconds, and the line that fits them."""
    result = {}
    for name, sweep in chosen.items():
        progress(f"scaling with {name}")
        result[name] = _measure(sweep, repetitions)
    return result


def _measure(sweep: Sweep, repetitions: int) -> dict[str, Any]:
    contenders: dict[str, Contender] = {}
    for value in sweep.values:
        program, stimulus = sweep.case(value)
        contenders[str(value)] = call = engine_call(
            Engine(program), stimulus, fan_outs(program)
        )
        call()
    times = in_turns(contenders, repetitions)
    # What disturbs a long run more often than a short one is not growth.
    seconds = np.array([each.fastest for each in times.values()])
    return {
        "title": sweep.title,
        "values": list(sweep.values),
        "milliseconds": (1e3 * seconds).tolist(),
        "spread": [each.spread for each in times.values()],
        **fit(sweep.values, 1e3 * seconds),
    }


def fit(values: Sequence[float], milliseconds: Array) -> dict[str, Any]:
    """The line ``intercept + slope * value`` with the least relative errors.

    Returns:
        `slope` and `intercept` in milliseconds, and `largest_deviation`: the largest distance
        of a time from the line, as a share of the line there.
    """
    x = np.asarray(values, np.float64)
    design = np.stack([np.ones_like(x), x], axis=1) / milliseconds[:, None]
    (intercept, slope), *_ = np.linalg.lstsq(design, np.ones_like(x), rcond=None)
    line = intercept + slope * x
    return {
        "slope": float(slope),
        "intercept": float(intercept),
        "largest_deviation": float(np.max(np.abs(milliseconds - line) / line)),
    }
