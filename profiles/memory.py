"""Pricing by memory, arithmetic and addressing, as Lemaire et al. 2022 (arXiv 2210.13107) do.

E = E_mem + E_ops + E_addr. An access to a memory of M byte costs c(M): straight lines from 0
through the points of the model, constant beyond the last. Words are 32 bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, prod

from .costs import CostModel
from .counts import Counts, Layer, Stream
from .terms import Band, Estimate, Term, assemble, total, weakest

WORD_BYTES = 4
# A queue of 1000 messages of one word.
QUEUE_BYTES = 4000
NOTHING = Band(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Work:
    """What the messages of one projection cause, totals over all samples.

    Attributes:
        operations: accumulates, or multiply-accumulates of graded messages.
        fan_out: synapses that they reach by address: reads of weights, and reads and writes of
            potentials. A strided convolution reaches more than it updates.
        messages: read from the queue.
        multiplications: of addresses.
    """

    operations: float
    fan_out: float
    messages: float
    multiplications: float


def work_of(stream: Stream) -> Work:
    """The work of a projection.

    Dense: operations = fan-out = S x N_out. Convolution: operations = S x C_out / groups x
    prod(ceil(K / stride)), fan-out the same without stride, and 2 S multiplications of
    addresses. S: messages. Without geometry: the synops of all synapses.
    """
    sent = stream.messages
    found = stream.geometry
    if stream.form != "convolution" or sent is None or "kernel" not in found:
        conv = stream.form == "convolution" and sent is not None
        return Work(
            stream.synops_all, stream.synops_all, sent or 0, 2 * (sent or 0) if conv else 0
        )
    channels = found["output_shape"][0] / found["groups"]
    kernel, stride = found["kernel"], _pair(found["stride"])
    reach = channels * prod(ceil(k / s) for k, s in zip(kernel, stride, strict=True))
    return Work(sent * reach, sent * channels * prod(kernel), sent, 2 * sent)


def _pair(value: int | list[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else value


def access(model: CostModel, size: float) -> Band:
    """Energy of one access to a memory of that many bytes, joule."""
    points = sorted((c for c in model.constants.values() if c.bytes), key=lambda c: c.bytes)
    before, first = 0, NOTHING
    for point in points:
        if size <= point.bytes:
            part = (size - before) / (point.bytes - before)
            return total((first.scaled(1 - part), point.price.scaled(part)))
        before, first = point.bytes, point.price
    return first


def price(counts: Counts, model: CostModel) -> Estimate:
    """Memory, arithmetic and addressing of an inference.

    synapse: operations, addresses, reads of messages and weights, potentials read and
    written for them. neuron: leaks, and the potential read and written at every step; a
    reset, one accumulate, for every spike. axon_out: spikes written to the queue.
    """
    add, multiply = (model.constants[name].price for name in ("add", "multiply"))
    both = total((add, multiply))
    queue = access(model, QUEUE_BYTES)
    scale = 1 / counts.samples
    size = {layer.name: layer.neurons * WORD_BYTES for layer in counts.layers}
    split: dict[str, list[Band]] = {"memory": [], "operations": [], "addressing": []}
    projections = {}
    for stream in counts.streams:
        work, potential = work_of(stream), access(model, size[stream.target])
        weights = access(model, stream.weights * WORD_BYTES)
        biases = _outputs(counts, stream) * counts.samples if stream.bias else 0
        parts = {
            "memory": (
                weights.scaled((work.fan_out + biases) * scale),
                potential.scaled(2 * work.fan_out * scale),
                queue.scaled(work.messages * scale),
            ),
            "operations": (
                (both if stream.graded else add).scaled(work.operations * scale),
                add.scaled(biases * scale),
            ),
            "addressing": (
                add.scaled(work.fan_out * scale),
                both.scaled(work.multiplications * scale),
            ),
        }
        for key, bands in parts.items():
            split[key] += bands
        projections[stream.name] = {"synapse": total(b for v in parts.values() for b in v)}
    populations = {}
    for layer in counts.layers:
        states = access(model, size[layer.name]).scaled(2 * layer.updates * scale)
        leaks = _leaks(layer, model)
        arithmetic = [
            add.scaled(leaks["accumulate"] * layer.updates * scale),
            both.scaled(leaks["multiply_accumulate"] * layer.updates * scale),
            add.scaled(layer.spikes * scale),
        ]
        written = queue.scaled(layer.spikes * scale)
        split["memory"] += [states, written]
        split["operations"] += arithmetic
        populations[layer.name] = {
            "neuron": total((states, *arithmetic)),
            "axon_out": written,
        }
    grade = weakest(c.evidence for c in model.constants.values())
    parts_of = (*projections.values(), *populations.values())
    terms = {
        key: Term(total(p[key] for p in parts_of if key in p), grade)
        for key in ("synapse", "neuron", "axon_out")
    }
    return assemble(
        model=model.name,
        terms=terms,
        unpriced=model.unpriced,
        latency=None,
        no_latency=f"{model.name} prices no time",
        populations=populations,
        projections=projections,
        used=model.constants,
        assumptions=(*model.assumptions, *_missing(counts.streams)),
        details={key: total(bands) for key, bands in split.items()},
    )


def _outputs(counts: Counts, stream: Stream) -> int:
    return next(layer.neurons for layer in counts.layers if layer.name == stream.target)


def _leaks(layer: Layer, model: CostModel) -> dict[str, int]:
    table = model.neuron_operations
    return dict(table.get(layer.kind, table["default"]))


def _missing(streams: Iterable[Stream]) -> list[str]:
    texts = []
    lacking = [
        s.name for s in streams if s.form == "convolution" and "kernel" not in s.geometry
    ]
    if lacking:
        texts.append(
            f"The run states no kernel of {', '.join(lacking)}: their operations and addresses "
            "are counted by synapses."
        )
    silent = [s.name for s in streams if s.messages is None]
    if silent:
        texts.append(
            f"The run does not state the messages into {', '.join(silent)}: reading them from "
            "the queue is not priced."
        )
    return texts
