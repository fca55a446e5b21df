"""A batch of samples on its way through the steps, on the device.

All arrays over time are (steps, samples, n), channels last. Those of messages have the steps
that the projections look back to in front of the steps that are being evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch

from ..neurons.cuba_lif import CubaLif
from ..neurons.models import model_of
from ..program import Input, Output, Population, Program
from .counting import Counting
from .neurons import MESSAGE_TYPES, Activity, SteppedNeurons, Tensor
from .plan import Component, channels_last, components, history, taped
from .synapses import Synapses, apply_shift, prepare

Keep = Callable[[str, int, Tensor, list[Tensor]], None]
"""Population, first step, its messages and its states (samples, steps, n), channels first."""


class Neurons(Protocol):
    """How a population is stepped."""

    def fresh(self, samples: int) -> list[Tensor]:
        """States before step 1, each (samples, n)."""

    def advance(self, states: list[Tensor], activity: Activity) -> None:
        """Take the steps, change the states and fill what the activity holds."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A Program on its device; holds no state of a sample.

    Attributes:
        program, device: what runs, and where.
        order: components in the order of their evaluation.
        neurons: population -> how it is stepped.
        into: (population, port) -> what arrives there.
    """

    program: Program
    device: torch.device
    order: tuple[Component, ...]
    neurons: Mapping[str, Neurons]
    into: Mapping[tuple[str, str], tuple[Synapses, ...]]

    @property
    def kinds(self) -> dict[str, str]:
        """Projection -> how its sums are computed."""
        return {s.projection: s.kind for group in self.into.values() for s in group}


def prepare_program(program: Program, device: torch.device, fused: bool) -> Prepared:
    """Weights and parameters on the device; `fused`: CubaLif by Triton.

    Raises:
        UsageError: weights whose sums 32 bits may not hold.
    """
    synapses = [s for p in program.projections for s in prepare(program, p, device)]
    into = {
        (p.name, port): tuple(s for s in synapses if (s.target, s.port) == (p.name, port))
        for p in program.populations
        for port in model_of(p.neuron).ports
    }
    neurons = {p.name: _neurons(p, device, fused) for p in program.populations}
    return Prepared(program, device, tuple(components(program)), neurons, into)


def _neurons(population: Population, device: torch.device, fused: bool) -> Neurons:
    order = channels_last(population.shape)
    if fused and isinstance(population.neuron, CubaLif):
        from .fused import FusedNeurons

        return FusedNeurons(population, order, device)
    return SteppedNeurons(population, order, device)


def to_last(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(..., n) of C, H, W -> (..., n) of H, W, C."""
    return _swapped(values, shape[0]) if len(shape) > 1 else values


def to_first(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(..., n) of H, W, C -> (..., n) of C, H, W."""
    return _swapped(values, prod(shape[1:])) if len(shape) > 1 else values


def _swapped(values: Tensor, rows: int) -> Tensor:
    """The last axis, seen as a matrix of so many rows, transposed."""
    lead, n = values.shape[:-1], values.shape[-1]
    return values.view(*lead, rows, n // rows).transpose(-1, -2).flatten(-2)


def _from(group: Sequence[Synapses], members: Collection[str], inside: bool) -> list[Synapses]:
    """Those that come from the members of a component, or from elsewhere."""
    return [s for s in group if (s.source in members) == inside]


class Batch:
    """Some samples; `run` takes them through all steps."""

    def __init__(
        self,
        prepared: Prepared,
        values: Mapping[str, Tensor],
        presented: int,
        scratch: int,
        keep: Keep | None = None,
        counting: Mapping[str, Counting] | None = None,
    ) -> None:
        """Take encoded samples.

        Args:
            prepared: what runs.
            values: input -> (samples, n) frames or (samples, presented, n) over time, channels
                first, on the device: int8 for spikes, int32 for values.
            presented: steps for which the samples are presented.
            scratch: bytes that one projection may take while it is evaluated.
            keep: takes what every population did; None: nobody wants to know.
            counting: source -> what takes the messages of each step.
        """
        self.prepared, self.values, self.presented = prepared, values, presented
        self.scratch, self.keep, self.counting = scratch, keep, counting or {}
        self.program, self.samples = prepared.program, len(next(iter(values.values())))
        sources: list[Input | Population] = [*self.program.inputs, *self.program.populations]
        self.sources = {source.name: source for source in sources}
        self.taped = taped(self.program, keep is not None)
        self.states = {n: each.fresh(self.samples) for n, each in prepared.neurons.items()}
        self.counts, self.saturated, self.outputs = {}, {}, {}
        for population in self.program.populations:
            self.counts[population.name] = self._zeros(torch.int32, population.size)
            self.saturated[population.name] = self._zeros(torch.int64)
        for output in self.program.outputs:
            size = self.sources[output.population].size
            self.outputs[output.name] = self._zeros(torch.int64, size)
        self.backs = {name: history(self.program, name) for name in self.sources}
        self.sent: dict[str, Tensor] = {}
        self.tails: dict[str, Tensor] = {}
        self.frames = {
            (s.projection, s.delay): s.shifted(self._frame(s.source), scratch)
            for group in prepared.into.values()
            for s in group
            if self._is_frame(s.source)
        }
        """What a frame's messages sum up to, which is the same at every step."""

    def run(self, steps: int, at_once: int) -> None:
        """Take all steps, so many at once."""
        for name, values in self.values.items():
            if name in self.counting:
                messages = values.count_nonzero(0).expand(
                    *((self.presented, -1) if self._is_frame(name) else (-1, -1))
                )
                self.counting[name].add_steps(1, messages)
        for first in range(1, steps + 1, at_once):
            length = min(at_once, steps + 1 - first)
            self.tails = {
                name: room[len(room) - self.backs[name] :].clone()
                for name, room in self.sent.items()
            }
            self.sent.clear()  # before there are those of the next steps
            self.sent = {
                name: self._room(source, first, length)
                for name, source in self.sources.items()
                if not self._is_frame(name)
            }
            for component in self.prepared.order:
                self._evaluate(component, first, length)

    def messages(self) -> dict[str, Tensor]:
        """Messages other than 0 of every source, int32 (samples, n), channels first."""
        found = {}
        for name, source in self.sources.items():
            if name not in self.values:
                found[name] = to_first(self.counts[name], source.shape)
            elif self._is_frame(name):
                found[name] = (self.values[name] != 0).int() * self.presented
            else:
                found[name] = (self.values[name] != 0).sum(1, dtype=torch.int32)
        return found

    def read(self) -> dict[str, Tensor]:
        """What every output reads, int64 (samples, n), channels first."""
        return {
            o.name: to_first(self.outputs[o.name], self.sources[o.population].shape)
            for o in self.program.outputs
        }

    def _zeros(self, kind: torch.dtype, *size: int) -> Tensor:
        return torch.zeros((self.samples, *size), dtype=kind, device=self.prepared.device)

    def _is_frame(self, name: str) -> bool:
        return name in self.values and self.values[name].ndim == 2

    def _frame(self, name: str) -> Tensor:
        return to_last(self.values[name], self.sources[name].shape)

    def _room(self, source: Input | Population, first: int, steps: int) -> Tensor:
        """Messages of the steps looked back to, and room for those to come; inputs: filled."""
        back, tail = self.backs[source.name], self.tails.get(source.name)
        if isinstance(source, Input):
            kind = torch.int32 if source.graded else torch.int8
        else:
            kind = MESSAGE_TYPES[model_of(source.neuron).message]
        shape = (back + steps, self.samples, source.size)
        room = torch.empty(shape, dtype=kind, device=self.prepared.device)
        room[:back] = 0 if tail is None else tail
        if isinstance(source, Input):
            given = self.values[source.name][:, first - 1 : first - 1 + steps]
            there = given.shape[1]
            room[back : back + there] = to_last(given.transpose(0, 1), source.shape)
            room[back + there :] = 0
        return room

    def _evaluate(self, component: Component, first: int, steps: int) -> None:
        """All steps of the populations of a component."""
        tapes = {name: self._tape(name, steps) for name in component.populations}
        into = {k: v for k, v in self.prepared.into.items() if k[0] in tapes}
        whole = slice(0, steps)
        if component.block is None:
            (name,) = component.populations
            arriving = [self._arriving(name, group, first, whole) for group in into.values()]
            self._step(name, first, whole, tapes[name], arriving)
        else:
            outer = {
                key: apply_shift(
                    *self._arriving(key[0], _from(group, tapes, False), first, whole)
                )
                for key, group in into.items()
            }
            inner = {key: _from(group, tapes, True) for key, group in into.items()}
            for start in range(0, steps, component.block):
                block = slice(start, min(start + component.block, steps))
                for name in component.populations:
                    arriving = [
                        self._arriving(name, group, first, block, outer[key][block])
                        for key, group in inner.items()
                        if key[0] == name
                    ]
                    self._step(name, first, block, tapes[name], arriving)
        for name in component.populations:
            self._look(name, first, tapes[name])

    def _arriving(
        self,
        target: str,
        group: Sequence[Synapses],
        first: int,
        block: slice,
        total: Tensor | None = None,
    ) -> tuple[Tensor, int]:
        """What arrives in a block of the steps from `first` on, added to `total`; its shift."""
        start, stop = block.start, block.stop
        for s in group:
            if self._is_frame(s.source):
                if total is None:
                    total = self._nothing(stop - start, target)
                begin = max(s.delay + 1 - first, start) - start
                end = min(s.delay + 1 + self.presented - first, stop) - start
                if begin < end:
                    total[begin:end] += self.frames[s.projection, s.delay]
                continue
            back = self.backs[s.source] - s.delay
            messages = self.sent[s.source][back + start : back + stop].flatten(0, 1)
            sums = s.sums(messages, self.scratch).view(stop - start, self.samples, -1)
            if total is None and len(group) == 1:
                return sums, s.shift
            sums = apply_shift(sums, s.shift)
            total = sums if total is None else total.add_(sums)
        if total is None:
            total = self._nothing(stop - start, target)
        return total, 0

    def _nothing(self, steps: int, name: str) -> Tensor:
        shape = (steps, self.samples, self.sources[name].size)
        return torch.zeros(shape, dtype=torch.int32, device=self.prepared.device)

    def _step(
        self,
        name: str,
        first: int,
        block: slice,
        tape: list[Tensor],
        arriving: list[tuple[Tensor, int]],
    ) -> None:
        """Some steps of one population."""
        shift = 0
        if len(arriving) == 1:
            shift = arriving[0][1]
        else:
            arriving = [(apply_shift(*each), 0) for each in arriving]
        back = self.backs[name]
        activity = Activity(
            first + block.start,
            tuple(sums for sums, _ in arriving),
            shift,
            self.sent[name][back + block.start : back + block.stop],
            self.counts[name],
            self.saturated[name],
            tuple(states[block] for states in tape),
        )
        self.prepared.neurons[name].advance(self.states[name], activity)

    def _look(self, name: str, first: int, tape: list[Tensor]) -> None:
        """What outputs and the recording want of the steps from `first` on."""
        sent = self.sent[name][self.backs[name] :]
        for output in self.program.outputs:
            if output.population == name:
                self._read(output, first, sent, tape)
        shape = self.sources[name].shape
        if name in self.counting:
            self.counting[name].add_steps(first, to_first(sent.count_nonzero(1), shape))
        if self.keep:
            found = [to_first(each.transpose(0, 1), shape) for each in (sent, *tape)]
            self.keep(name, first, found[0], found[1:])

    def _read(self, output: Output, first: int, sent: Tensor, tape: list[Tensor]) -> None:
        begin, end = self.program.window(output, self.presented)
        window = slice(max(begin - first, 0), max(end + 1 - first, 0))
        neuron = self.program.population(output.population).neuron
        model, total = model_of(neuron), self.outputs[output.name]
        if output.readout == "count":
            total += sent[window].sum(0, dtype=torch.int64)
            return
        membrane = tape[model.states(neuron).index(model.membrane)][window]
        if output.readout == "mean":
            total += membrane.sum(0, dtype=torch.int64)
        elif len(membrane):
            total.copy_(membrane[-1])

    def _tape(self, name: str, steps: int) -> list[Tensor]:
        if name not in self.taped:
            return []
        shape = (steps, self.samples, self.sources[name].size)
        device = self.prepared.device
        return [torch.empty(shape, dtype=torch.int32, device=device) for _ in self.states[name]]
