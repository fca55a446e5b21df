"""Which Lava process each population becomes, and what Lava cannot take. Imports no Lava."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import Problem
from ..formats import IntegerFormat
from ..neurons.adaptive_lif import AdaptiveLif
from ..neurons.cuba_lif import CubaLif
from ..neurons.first_spike import FirstSpike
from ..neurons.models import model_of
from ..neurons.resonator import Resonator
from ..neurons.sigma_delta import SigmaDelta
from ..neurons.ternary_lif import TernaryLif
from ..program import Population, Precision, Program, Projection
from ..synapses.sparse import Sparse

Array = npt.NDArray[Any]

OWN = ("GeneralLIF", "GeneralSigmaDelta", "FirstSpike")
"""Processes of `deploy/lava/own`; all others are Lava's."""

# Process -> state of the Program -> the process's name for it, where they differ.
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "ATRLIF": {"u": "i"},
    "RF": {"imaginary": "imag"},
    "RF_IZ": {"imaginary": "imag"},
    # Lava's Delta keeps no sum: what arrives is the activation.
    "Delta": {"sigma": "act", "activation": "act"},
    "SigmaDelta": {"activation": "act"},
}

# Parameters of which Lava has one for a whole population.
_ONE_VALUE: Mapping[type, tuple[str, ...]] = {
    TernaryLif: ("threshold_high", "threshold_low"),
    AdaptiveLif: (
        "current_decay",
        "voltage_decay",
        "threshold_decay",
        "refractory_decay",
        "threshold",
        "threshold_step",
    ),
    Resonator: ("cosine", "sine", "threshold"),
}


def uniform(parameter: Array) -> bool:
    """Whether all neurons have the same value."""
    return bool(np.all(parameter == parameter.flat[0]))


def _cuba_lif(neuron: CubaLif, precision: Precision) -> str:
    clearing = bool(neuron.onset or neuron.reset_interval)
    if neuron.reset != "zero":
        return "GeneralLIF"
    if not neuron.refractory:
        return "LIFReset" if clearing else "LIF"
    # Stock LIFRefractory: floating point only, one dv, and a neuron at rest would spike on and
    # on if its threshold were below 0.
    takes = uniform(neuron.voltage_decay) and float(neuron.threshold.min()) >= 0
    stock = precision == "float" and not clearing and takes
    return "LIFRefractory" if stock else "GeneralLIF"


def _sigma_delta(neuron: SigmaDelta, precision: Precision) -> str:
    plain = neuron.ceiling is None and neuron.onset <= 1 and uniform(neuron.threshold)
    if neuron.exact or not plain:
        return "GeneralSigmaDelta"
    shift = neuron.input_exponent if precision == "fixed" else 0
    if neuron.accumulate:
        # Only stock Delta shifts what arrives.
        return "SigmaDelta" if not shift else "GeneralSigmaDelta"
    spike_exp = shift - (neuron.state_exponent if precision == "fixed" else 0)
    passes = neuron.activation == "identity" and not np.any(neuron.bias)
    return "Delta" if passes and spike_exp >= 0 else "GeneralSigmaDelta"


PROCESSES: dict[type, Callable[[Any, Precision], str]] = {
    CubaLif: _cuba_lif,
    TernaryLif: lambda neuron, precision: "TernaryLIF",
    AdaptiveLif: lambda neuron, precision: "ATRLIF",
    SigmaDelta: _sigma_delta,
    Resonator: lambda neuron, precision: "RF" if neuron.reset == "none" else "RF_IZ",
    FirstSpike: lambda neuron, precision: "FirstSpike",
}
"""Type of neuron -> name of the Lava process that computes it."""


def process_of(population: Population, precision: Precision) -> tuple[str, str]:
    """Name of the population's Lava process, and "stock" or "own model"."""
    name = PROCESSES[type(population.neuron)](population.neuron, precision)
    return name, "own model" if name in OWN else "stock"


def states_of(population: Population, precision: Precision) -> dict[str, str]:
    """State of the Program -> attribute of the population's ProcessModel."""
    renamed = _RENAMED.get(process_of(population, precision)[0], {})
    names = model_of(population.neuron).states(population.neuron)
    return {name: renamed.get(name, name) for name in names}


def problems_of(program: Program) -> list[Problem]:
    """What Lava's processes cannot take of this Program, or would change in silence."""
    found: list[Problem] = []
    for population in program.populations:
        found += _problems_of_population(population)
    for projection in program.projections:
        found += _problems_of_projection(projection)
    return found


def _problems_of_population(population: Population) -> list[Problem]:
    neuron, where = population.neuron, f"population {population.name}"
    title = model_of(neuron).title
    found = [
        Problem(
            f"{name} differs between neurons ({np.min(values):g} to {np.max(values):g}); Lava "
            f"has one value of it for a population of {title} neurons",
            where,
            "split the population, or use the fast engine",
        )
        for name in _ONE_VALUE.get(type(neuron), ())
        if not uniform(values := getattr(neuron, name))
    ]
    if isinstance(neuron, TernaryLif) and not found:
        low, high = neuron.threshold_low.flat[0], neuron.threshold_high.flat[0]
        if low > high:
            found.append(
                Problem(
                    f"the lower threshold {low:g} lies above the upper one {high:g}",
                    where,
                    "exchange them",
                )
            )
    return found


def _problems_of_projection(projection: Projection) -> list[Problem]:
    synapse, where = projection.synapse, f"projection {projection.name}"
    found = []
    if isinstance(synapse, Sparse):
        pairs = synapse.row.astype(np.int64) * synapse.in_size + synapse.column
        double = len(pairs) - len(np.unique(pairs))
        if double:
            found.append(
                Problem(
                    f"{double} synapses share source and target with another one; Lava has "
                    "one weight and one delay for each pair",
                    where,
                    "add their weights up where the delays agree, or use the fast engine",
                )
            )
    form = synapse.format
    if form is not None and not form.mantissa.holds(synapse.weight):
        count = int(synapse.weight.size - _held(form.mantissa, synapse.weight).sum())
        found.append(
            Problem(
                f"{count} weights are no multiples of {form.unit} from "
                f"{form.mantissa.minimum} to {form.mantissa.maximum}: Lava would truncate them",
                where,
                "compile the network again",
            )
        )
    return found


def _held(form: IntegerFormat, values: Array) -> Array:
    held: Array = (values >= form.minimum) & (values <= form.maximum)
    held &= values % form.unit == 0
    return held
