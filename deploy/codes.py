"""Neural codes: what the integrate-and-fire nodes of a converted ReLU network become.

An IF node with threshold theta and gain r dt stands for ``relu(r dt x) / theta``: as a rate of
spikes ("rate", the graph as it is), as graded changes ("sigma-delta"), or as the earliness of
one spike ("ttfs"). A following Scale node brings the value back to the activation's own unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from ..errors import Problem, UnsupportedNode
from .linear import Chain, longest_delay
from .neurons.cuba_lif import CubaLif
from .neurons.first_spike import FirstSpike
from .neurons.lowering import NeuronSpec
from .neurons.sigma_delta import SigmaDelta

Code: TypeAlias = Literal["rate", "sigma-delta", "ttfs"]
Path: TypeAlias = tuple[str, str, Chain]

RESOLUTION = 1 / 255
"""Sigma-delta: step of the grid of activations, in units of the activation's scale."""
CEILING = 2.0
"""Sigma-delta: largest activation, in units of the activation's scale (a measured maximum)."""
NEVER = 2**30
"""A step that no sample reaches."""


@dataclass(frozen=True, slots=True)
class Coding:
    """What a code makes of the neurons.

    Attributes:
        specs: population -> what it is under this code.
        spans: population -> steps between the arrival of its input and its answer; 0 if absent.
        input_gain: population -> factor on what arrives straight from an input; 1 if absent.
    """

    specs: dict[str, NeuronSpec]
    spans: dict[str, int] = field(default_factory=dict)
    input_gain: dict[str, float] = field(default_factory=dict)


def rate(
    specs: Mapping[str, NeuronSpec], paths: Sequence[Path], inputs: frozenset[str], ticks: int
) -> Coding:
    """The graph as it is. Raises UnsupportedNode for a max-pool over rates of spikes."""
    problems = [
        Problem(
            "a max-pool over rates has no exact form: the OR of spike trains is their union, "
            "not the fastest of them",
            f"node {name} ({spec.kind})",
            "use --code ttfs, or train with average pooling or a stride",
        )
        for name, spec in specs.items()
        if spec.pools_rates
    ]
    if problems:
        raise UnsupportedNode(*problems)
    return Coding(dict(specs))


def sigma_delta(
    specs: Mapping[str, NeuronSpec], paths: Sequence[Path], inputs: frozenset[str], ticks: int
) -> Coding:
    """Each IF sends what changed of its activation; a readout sums up, its bias once."""
    _require_relu(specs, paths, "sigma-delta", pools=False)
    coded = {}
    for name, spec in specs.items():
        if spec.kind == "readout":  # it sums up and never sends
            silent = SigmaDelta(np.zeros(1), np.full(1, np.inf), "identity")
            coded[name] = replace(spec, neuron=silent)
            continue
        assert isinstance(spec.neuron, CubaLif)
        neuron = SigmaDelta(
            bias=np.zeros(1),
            threshold=np.full(1, RESOLUTION / 2),
            ceiling=np.full(1, CEILING),
        )
        theta = spec.neuron.threshold
        coded[name] = replace(spec, gain=spec.gain / theta, bias=0 * theta, neuron=neuron)
    return Coding(coded)


def first_spike(
    specs: Mapping[str, NeuronSpec], paths: Sequence[Path], inputs: frozenset[str], ticks: int
) -> Coding:
    """Each IF spikes at most once, within `ticks` steps, the earlier the larger.

    A population that sees spikes collects them for `ticks` steps; one that sees an input alone
    collects it in one, and its weights are `ticks` times as large. Membranes are therefore in
    units of ``ticks * activation``.
    """
    _require_relu(specs, paths, "ttfs", pools=True)
    coded, spans, gains = {}, {}, {}
    for name, spec in specs.items():
        assert isinstance(spec.neuron, CubaLif)
        if spec.pools:  # the earliest spike of a window, and no other
            coded[name] = replace(spec, neuron=replace(spec.neuron, refractory=ticks + 1))
            continue
        sources = {begin for begin, end, _ in paths if end == name}
        collect = 1 if sources <= inputs else ticks
        if collect == 1:
            gains[name] = float(ticks)
        theta = spec.neuron.threshold
        if spec.kind == "readout":
            neuron = FirstSpike(np.zeros(1), np.zeros(1), np.full(1, np.inf), NEVER, 0)
            spans[name] = collect - 1
        else:
            neuron = FirstSpike(np.zeros(1), theta, theta * (ticks + 0.5), 0, ticks)
            spans[name] = collect
        coded[name] = replace(spec, neuron=neuron, bias_gain=float(ticks))
    return Coding(coded, spans, gains)


CODES: dict[str, Callable[..., Coding]] = {
    "rate": rate,
    "sigma-delta": sigma_delta,
    "ttfs": first_spike,
}


def _require_relu(
    specs: Mapping[str, NeuronSpec], paths: Sequence[Path], code: str, *, pools: bool
) -> None:
    """Raises UnsupportedNode for neurons that stand for no ReLU, all at once."""
    problems = []
    order = list(specs)
    remedy = "--code rate runs the graph with the dynamics it was trained with"
    for name, spec in specs.items():
        where = f"node {name} ({spec.kind})"
        if spec.kind not in ("IF", "readout"):
            problems.append(
                Problem(f"--code {code} needs IF nodes, which stand for ReLUs", where, remedy)
            )
        elif spec.pools and not pools:
            problems.append(
                Problem(
                    f"a max-pool has no exact form under --code {code}: the largest of several "
                    "changes is not the change of the largest",
                    where,
                    "use --code ttfs, or train with average pooling or a stride",
                )
            )
        elif not _plain(spec):
            problems.append(
                Problem(
                    f"--code {code} knows no refractory period, v_reset or periodic reset",
                    where,
                    remedy,
                )
            )
    delayed = [" -> ".join(chain.nodes) for _, _, chain in paths if longest_delay(chain)]
    if delayed:
        what = f"--code {code} decides itself when a message arrives: no Delay nodes"
        problems.append(Problem(what, "; ".join(delayed), remedy))
    loops = [name for name in order if _reaches(name, name, paths)]
    if loops:
        problems.append(
            Problem(
                f"--code {code} cannot run loops",
                " -> ".join(loops),
                remedy,
            )
        )
    if problems:
        raise UnsupportedNode(*problems)


def _plain(spec: NeuronSpec) -> bool:
    neuron = spec.neuron
    return (
        isinstance(neuron, CubaLif)
        and neuron.reset != "value"
        and not neuron.refractory
        and not neuron.reset_interval
    )


def _reaches(start: str, goal: str, paths: Sequence[Path]) -> bool:
    """Whether a way of at least one path leads from start to goal."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        current = waiting.pop()
        for begin, end, _ in paths:
            if begin == current and end not in seen:
                if end == goal:
                    return True
                seen.add(end)
                waiting.append(end)
    return False
