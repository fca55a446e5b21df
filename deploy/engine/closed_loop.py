"""One step at a time, for closed loops: what comes out may decide what goes in next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import DataError
from .batch import Batch
from .binding import WINDOWS
from .plan import Plan

Array = npt.NDArray[Any]


class ClosedLoop:
    """Samples that take a step when they are told to; all arrays are made once.

    Args:
        plan: the network.
        samples: how many run side by side.
    """

    def __init__(self, plan: Plan, samples: int) -> None:
        self.plan, self.samples = plan, samples
        self.batch = Batch(plan, samples, 1)
        self.given = {
            name: np.zeros((samples, 1, spec.size), plan.message_type(name))
            for name, spec in plan.inputs.items()
        }
        # One row of options, which is written anew where a step has others.
        self.rows = {
            name: np.array([layer.update.options(1)], np.int64).reshape(1, -1)
            for name, layer in plan.layers.items()
        }
        self.options = {n: plan.layers[n].update.kernel(row) for n, row in self.rows.items()}
        self.outputs = {
            o.name: np.zeros((samples, plan.sizes[o.population]), plan.wide)
            for o in plan.program.outputs
        }
        self.window = {o.population: (1, 2**62) for o in plan.program.outputs}
        self.reset()

    def reset(self) -> None:
        """Back to the state before step 1."""
        self.t = 1
        self.batch.begin(2**62, self.window, self.options)

    def step(self, messages: Mapping[str, Array]) -> dict[str, Array]:
        """See `Engine.step`."""
        for name, given in self.given.items():
            values = np.asarray(messages[name])
            given[:, 0] = values.reshape(self.samples, -1)
        for name, layer in self.plan.layers.items():
            self.rows[name][0] = layer.update.options(self.t)
        batch = self.batch
        for neurons in batch.neurons.values():
            neurons.windows[:] = 0
        batch.feed(self.given, self.t)
        for component in self.plan.components:
            batch.advance(component, self.t + 1)
        for output in self.plan.program.outputs:
            window = batch.neurons[output.population].windows
            first = self.plan.orders[output.population].first
            place = WINDOWS.index(output.readout)
            if isinstance(first, slice):
                self.outputs[output.name][:] = window[place]
            else:
                np.take(window[place], first, axis=1, out=self.outputs[output.name])
        self.t += 1
        return self.outputs


def named(plan: Plan, messages: Mapping[str, Array] | Array) -> tuple[dict[str, Array], int]:
    """The messages of each input, and of how many samples they are.

    Raises:
        DataError: an input is missing, or has another shape.
    """
    names = list(plan.inputs)
    given = dict(messages) if isinstance(messages, Mapping) else {names[0]: messages}
    if set(given) != set(names):
        raise DataError(
            f"a step takes messages for {', '.join(names)}; given are {', '.join(given)}",
            where="inputs",
            remedy="give a mapping from the name of each input to its messages",
        )
    samples = set()
    for name, values in given.items():
        array, size = np.asarray(values), plan.sizes[name]
        if (
            array.size == 0
            or array.size % size
            or array.shape
            not in (
                (size,),
                (array.size // size, size),
                plan.inputs[name].shape,
                (array.size // size, *plan.inputs[name].shape),
            )
        ):
            raise DataError(
                f"the messages have shape {array.shape}; the input has {size} elements of "
                f"shape {plan.inputs[name].shape}",
                where=f"input {name}",
                remedy="give one step: (n,) for one sample or (B, n) for several",
            )
        samples.add(array.size // size)
    if len(samples) > 1:
        raise DataError(
            f"the inputs are of unequal numbers of samples: {sorted(samples)}",
            where="inputs",
            remedy="give all inputs for the same samples",
        )
    return given, samples.pop()
