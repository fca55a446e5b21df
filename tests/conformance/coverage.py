"""What a set of networks covered: per neuron model, synapse kind and option, how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from slipway.deploy.lava.network import choose_convs, synapse_process
from slipway.deploy.lava.processes import process_of, uniform
from slipway.deploy.neurons.adaptive_lif import AdaptiveLif
from slipway.deploy.neurons.cuba_lif import CubaLif
from slipway.deploy.neurons.models import model_of
from slipway.deploy.neurons.resonator import Resonator
from slipway.deploy.neurons.sigma_delta import SigmaDelta
from slipway.deploy.program import Input, Population, Program, Projection
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.sparse import Sparse
from slipway.deploy.trace import Trace

from .synapses import DELAY_MAX


@dataclass
class Coverage:
    """Counts by label: parts of networks, and non-zero messages that they sent or carried."""

    parts: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)

    def add(self, program: Program, norm: Trace) -> None:
        """Count one network."""
        for population in program.populations:
            sent = int(norm.messages[population.name].sum())
            self._count(_neuron(population, program, norm), sent)
        convs = choose_convs(program, "conv")
        for projection in program.projections:
            carried = int(norm.messages[projection.source].sum())
            self._count(_projection(projection, program), carried)
            process = synapse_process(projection, convs)
            self._count(iter([f"process {process} (stock)"]), carried)
        self._count(_network(program), sum(int(m.sum()) for m in norm.messages.values()))

    def _count(self, labels: Iterator[str], messages: int) -> None:
        for label in labels:
            self.parts[label] += 1
            self.messages[label] += messages

    def merge(self, other: Coverage) -> None:
        """Add the counts of other networks."""
        self.parts.update(other.parts)
        self.messages.update(other.messages)

    def table(self) -> str:
        """One line a label."""
        width = max(map(len, self.parts), default=0)
        lines = [f"{'':{width}}  {'number':>8}  {'messages':>12}"]
        lines += [
            f"{label:{width}}  {self.parts[label]:8}  {self.messages[label]:12}"
            for label in sorted(self.parts)
        ]
        return "\n".join(lines)


def _neuron(population: Population, program: Program, norm: Trace) -> Iterator[str]:
    neuron: Any = population.neuron
    name = type(neuron).__name__
    process, whose = process_of(population, program.precision)
    yield f"neuron {name}"
    yield f"process {process} ({whose})"
    if norm.saturated[population.name].any():
        yield f"neuron {name}, saturated"
    if isinstance(neuron, CubaLif):
        yield f"neuron {name}, reset {neuron.reset}"
        options: dict[str, Any] = {
            "refractory": neuron.refractory,
            "reset interval": neuron.reset_interval,
            "onset": neuron.onset and not neuron.reset_interval,
            "refractory and subtract": neuron.refractory and neuron.reset == "subtract",
            "refractory and interval": neuron.refractory and neuron.reset_interval,
            "parameters per neuron": not uniform(neuron.threshold),
        }
    elif isinstance(neuron, SigmaDelta):
        kind = "neuron" if neuron.accumulate else "encoder"
        yield f"neuron {name}, {'exact' if neuron.exact else 'lossy'} {kind}"
        yield f"neuron {name}, {neuron.activation}"
        options = {
            "ceiling": neuron.ceiling is not None,
            "onset": neuron.onset,
            "initial sum": neuron.initial.any(),
        }
    elif isinstance(neuron, Resonator):
        yield f"neuron {name}, reset {neuron.reset}"
        ports = {p.port for p in program.into(population.name)}
        options = {"both ports": len(ports) == 2}
    elif isinstance(neuron, AdaptiveLif):
        options = {"bias per neuron": not uniform(neuron.bias_mantissa)}
    else:
        options = {}
    yield from (f"neuron {name}, {option}" for option, there in options.items() if there)


def _projection(projection: Projection, program: Program) -> Iterator[str]:
    synapse, source = projection.synapse, program.source(projection.source)
    name = type(synapse).__name__
    yield f"synapse {name}"
    options: dict[str, Any] = {
        "delay of the projection": projection.delay,
        "recurrent": projection.source == projection.target,
    }
    if isinstance(synapse, Sparse):
        options |= {
            "delays of its own": synapse.longest_delay,
            f"a delay of {DELAY_MAX}": synapse.longest_delay == DELAY_MAX,
        }
    if isinstance(synapse, Conv2d):
        channels = synapse.input_shape[0]
        options |= {
            "stride": max(synapse.stride) > 1,
            "padding": max(synapse.padding) > 0,
            "dilation": max(synapse.dilation) > 1,
            "groups": 1 < synapse.groups < channels,
            "depthwise": synapse.groups == channels > 1,
            "source of another shape": source.shape != synapse.input_shape,
            "target of another shape": program.population(projection.target).shape
            != synapse.output_shape,
        }
    yield from (f"synapse {name}, {option}" for option, there in options.items() if there)
    if synapse.format is not None:
        yield f"weights of {synapse.format.bits} bits"
        yield f"weights {synapse.format.sign_mode}"
        yield f"weights with exponent {synapse.format.exponent:+d}"
    if isinstance(source, Input):
        yield f"messages of a {'graded' if source.graded else 'spike'} input"
    else:
        yield f"messages {model_of(source.neuron).message}"
    if projection.port:
        yield f"port {projection.port}"


def _network(program: Program) -> Iterator[str]:
    yield f"network, {len(program.inputs)} inputs"
    yield f"network, {len(program.outputs)} outputs"
    for readout in {output.readout for output in program.outputs}:
        yield f"network, readout {readout}"
    if len({output.population for output in program.outputs}) < len(program.outputs):
        yield "network, two outputs of one population"
