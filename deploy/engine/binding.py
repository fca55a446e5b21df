"""The routines that a batch calls, and their arguments in memory, made when first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import overrun
from .counting import UNWEIGHTED, Elements, tally
from .layout import NOWHERE, Synapses
from .messages import Cells, Listing, Messages, fetch, prepare, rearrange
from .native import Arguments, Routine, compile_elsewhere
from .plan import Layer, Plan
from .population_kernels import Arriving, Calls, Neurons, Span, advance, collect, drive
from .synapse_kernels import ACCUMULATE, GATHER, SCATTER, Table, Values

Array = npt.NDArray[Any]
Call = tuple[int, int]
"""Addresses of a routine and of its arguments."""
Summed = tuple[Synapses, Table]
"""Synapses, and the one of their tables that serves."""

GROUP = 16
"""Steps that a tile of neurons goes through before the next tile."""
TILE = 2048
"""Neurons of a tile: with their parameters they stay in the first or second cache."""
WINDOWS = ("count", "last", "mean")
"""What outputs read, in the order of a population's windows."""


class Binding:
    """The calls of one batch.

    Args:
        plan: the network.
        messages: source -> what it sends.
        neurons: population -> its arrays.
        constant: population -> synapses from frames, and what they bring in every step.
        first: int64 (1,), the first step of a chunk.
    """

    def __init__(
        self,
        plan: Plan,
        messages: Mapping[str, Messages],
        neurons: Mapping[str, Neurons],
        constant: Mapping[str, list[tuple[Synapses, Array]]],
        first: Array,
    ) -> None:
        self.plan, self.messages, self.neurons = plan, messages, neurons
        self.constant, self.first = constant, first
        self.options: Mapping[str, Any] = {}
        self.turned: dict[int, Messages] = {}
        self.listings: dict[int, tuple[Listing, Values]] = {}
        self.scratch: dict[int, Array] = {}
        self.made: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def use(self, options: Mapping[str, Any]) -> None:
        """Population -> options of its model, from now on."""
        if options is not self.options:
            self.options = options
            self.made = {key: made for key, made in self.made.items() if key[0] is not advance}

    def foresee(self) -> None:
        """Have kernels compiled by two processes, where nothing has ever been compiled."""
        layers = self.plan.layers.values()
        several = [Arguments(*self._advancing(layer, None, None)) for layer in layers]
        if not compile_elsewhere(advance, several):
            return
        for layer in layers:  # meanwhile
            name, synapses = layer.population.name, layer.fused
            if synapses and synapses not in dict(self.constant[name]):
                summed = synapses, synapses.scatter or synapses.table
                self._calls(summed, self.neurons[name].total[0])
        nothing = np.zeros((0, 0, 0), np.uint64)
        drive(np.zeros((0, 2), np.int64), 0, 0, 1)
        tally(
            *(nothing, 0, 0, UNWEIGHTED.digits, np.zeros((0, 0), np.int64)),
            *(Elements(UNWEIGHTED), NOWHERE, np.zeros((0, 0), np.int32)),
        )

    def turning(self, synapses: Synapses) -> list[Call]:
        """Brings messages into the order that the synapses see; none where they have it."""
        if not synapses.taken.size:
            return []
        source, seen = self.messages[synapses.projection.source], self._seen(synapses)
        arguments = synapses.delay, source, synapses.taken, seen
        return [self._made(rearrange, (id(synapses),), lambda: arguments)]

    def collecting(self, summed: Summed, into: Array, origin: Array) -> list[Call]:
        """Adds what the synapses bring to into[:, t - origin]; the same two at every call."""
        synapses, table = summed
        size = into.shape[2] + overrun(synapses)
        if size not in self.scratch:
            self.scratch[size] = np.zeros(size, self.plan.number)
        total = self.scratch[size]

        def arguments() -> tuple[Any, ...]:
            span = Span(synapses.delay, synapses.lift, synapses.shift)
            calls, count = self._calls(summed, total), self._scratch(synapses)[0].count
            return span, calls, count, synapses.given, into, origin, total

        call = self._made(collect, (id(synapses), table.kind), arguments)
        return [*self.turning(synapses), call]

    def advancing(self, layer: Layer, summed: Summed | None, collected: Array | None) -> Call:
        """Takes a population through its steps.

        Args:
            layer: the population.
            summed: the synapses that are summed there.
            collected: what the others bring, always the same array; None: there are none.
        """
        kind = None if summed is None else summed[1].kind
        key = layer.population.name, kind, collected is None
        return self._made(advance, key, lambda: self._advancing(layer, summed, collected))

    def _advancing(
        self, layer: Layer, summed: Summed | None, collected: Array | None
    ) -> tuple[Any, ...]:
        """The arguments of that call."""
        name, neurons = layer.population.name, self.neurons[layer.population.name]
        calls, constant, arrives = Calls(), np.zeros((0, 0), self.plan.number), 0
        if summed is not None:
            calls = self._calls(summed, neurons.total[0])
        if len(layer.model.ports) == 1 and self.constant[name]:
            synapses, constant = self.constant[name][0]
            arrives = 2 + synapses.delay
        nothing = np.zeros((len(layer.model.ports), 0, 0, 0), self.plan.number)
        brought = nothing if collected is None else collected
        return (
            self._span(layer, summed, arrives),
            calls,
            Arriving(brought, constant, self.first),
            self.options[name],
            neurons,
            self.messages[name],
        )

    def _span(self, layer: Layer, summed: Summed | None, arrives: int) -> Span:
        delay = lift = shift = readouts = 0
        if summed is not None:
            delay, lift, shift = summed[0].delay, summed[0].lift, summed[0].shift
        for output in self.plan.program.outputs:
            if output.population == layer.population.name:
                readouts |= 1 << WINDOWS.index(output.readout)
        group = 1 if layer.loops else GROUP
        return Span(
            *(delay, lift, shift, group, tile(layer), arrives, readouts, layer.membrane)
        )

    def _calls(self, summed: Summed, total: Array) -> Calls:
        """The routines that sum synapses into `total`."""
        synapses, table = summed
        key = "synapses", id(synapses), table.kind, total.ctypes.data
        if key not in self.made:
            source, (listing, values) = self._seen(synapses), self._scratch(synapses)
            lists = Arguments(cells_of(table), source.bits, source.first, listing)
            sums = Arguments(table, listing, values, total)
            gets, fetching = Arguments(source, listing, values.listed), 0
            if values.listed.size:
                fetching = fetch.address(gets)
            calls = Calls(
                *(prepare.address(lists), lists.place),
                *(fetching, gets.place),
                *(ACCUMULATE[table.kind].address(sums), sums.place),
            )
            self.made[key] = (lists, gets, sums), calls
        found: Calls = self.made[key][1]
        return found

    def _made(
        self, routine: Routine, key: tuple[Any, ...], arguments: Callable[[], tuple[Any, ...]]
    ) -> Call:
        """The call with that key, made where there is none yet."""
        if (routine, *key) not in self.made:
            given = Arguments(*arguments())
            self.made[(routine, *key)] = given, (routine.address(given), given.place)
        found: Call = self.made[(routine, *key)][1]
        return found

    def _seen(self, synapses: Synapses) -> Messages:
        """The messages in the order that the synapses see."""
        source = self.messages[synapses.projection.source]
        if not synapses.taken.size:
            return source
        if id(synapses) not in self.turned:
            bits, values = np.zeros_like(source.bits), np.zeros_like(source.values)
            self.turned[id(synapses)] = Messages(bits, values, source.first)
        return self.turned[id(synapses)]

    def _scratch(self, synapses: Synapses) -> tuple[Listing, Values]:
        """For what the kernels list; the same for every call with these synapses."""
        if id(synapses) not in self.listings:
            source = self.messages[synapses.projection.source]
            size, kind = source.bits.shape[2] * 64, source.values.dtype
            weighted = kind != np.uint8
            listing = Listing(
                np.zeros(GROUP, np.int64),
                np.zeros((GROUP, size + 64), np.int32),
                np.zeros((GROUP, synapses.cells + 1), np.int32),
                np.zeros(size // 64 + 1, np.int32),
            )
            values = Values(
                np.zeros((GROUP, size + 64 if weighted else 0), kind),
                np.zeros(synapses.window + 64, np.int32),
                np.zeros(synapses.window + 64 if weighted else 0, kind),
            )
            self.listings[id(synapses)] = listing, values
        return self.listings[id(synapses)]


def cells_of(table: Table) -> Cells:
    """The cells by which the kernel of a table looks up messages."""
    channels, height, width, groups = (int(number) for number in table.geometry[:4])
    if table.kind == GATHER:
        return Cells(channels // groups, height * width * groups)
    return Cells(channels * width, height) if table.kind == SCATTER else Cells(0, 0)


def tile(layer: Layer) -> int:
    """Neurons of a tile: whole lines of a convolution's output, whole words of bits."""
    size, fused = layer.population.size, layer.fused
    if layer.loops or (fused is not None and fused.line == 0):
        return size
    unit = int(np.lcm(fused.line if fused is not None else 1, 64))
    return min(size, max(TILE // unit, 1) * unit)
