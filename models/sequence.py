"""A one-step spiking network over all its time steps, on any device, with membranes.

Two ways with equal results once batch norm is fixed. Layer by layer, steps are part of the
batch, each layer is called once, and batch norm learns from all steps at once; step by step,
batch norm learns from one step at a time. models/unroll.py is the first way for still pictures
on CPUs, compiled.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from norse.torch.module.lif_box import LIFBoxCell
from norse.torch.module.snn import SNNCell
from torch import Tensor, fx, nn

from ..errors import Problem, UsageError

Order: TypeAlias = Literal["layer", "step"]


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a network did over T steps.

    Attributes:
        output: of each step, (T, N, ...).
        membranes: of the cells asked for, after the reset, in the paper's unit, (T, N, ...).
        rates: spikes per neuron and step of each spiking cell, differentiable, no axes.
    """

    output: Tensor
    membranes: dict[str, Tensor] = field(default_factory=dict)
    rates: dict[str, Tensor] = field(default_factory=dict)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, SNNCell) or super().is_leaf_module(m, module_qualified_name)


class _ByLayer(fx.Interpreter):
    def __init__(self, model: nn.Module) -> None:
        graph = _Tracer().trace(model, concrete_args={"state": None})
        super().__init__(fx.GraphModule(model, graph))
        self.watch: Collection[str] = ()
        self.steps = 0
        self.membranes: dict[str, Tensor] = {}
        self.rates: dict[str, Tensor] = {}

    def sequence(self, frames: Tensor, watch: Collection[str]) -> Sequence:
        self.watch, self.steps, self.membranes, self.rates = watch, len(frames), {}, {}
        output, _ = self.run(frames.flatten(0, 1), None)
        done = Sequence(output.unflatten(0, (self.steps, -1)), self.membranes, self.rates)
        self.membranes, self.rates = {}, {}  # they are the caller's
        return done

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        cell = self.fetch_attr(target)
        if not isinstance(cell, SNNCell):
            return super().call_module(target, args, kwargs)
        after: list[Tensor] | None = [] if target in self.watch else None
        result = walk(cell, args[0].unflatten(0, (self.steps, -1)), after)
        if after is not None:
            self.membranes[str(target)] = torch.stack(after)
        if _spikes(cell):
            self.rates[str(target)] = result.mean()
        return result.flatten(0, 1), None


def walk(cell: nn.Module, x: Tensor, after: list[Tensor] | None = None) -> Tensor:
    """One cell over all steps: (T, N, ...) -> its outputs; `after` collects membranes."""
    state, outputs = None, []
    for current in x:
        output, state = cell(current, state)
        outputs.append(output)
        if after is not None:
            after.append(_membrane(cell, state))
    return torch.stack(outputs)


def _membrane(cell: Any, state: Any) -> Tensor:
    membrane: Tensor = state.v / getattr(cell, "unit", 1.0)
    return membrane


def _spikes(cell: nn.Module) -> bool:
    return isinstance(cell, LIFBoxCell)


class OverTime:
    """A one-step network as a function of all its steps; shares the network's weights.

    Made once and called often: making it traces the network, 20 to 50 ms for the students.
    Layers that are replaced later are not seen.
    """

    def __init__(self, model: nn.Module, order: Order = "layer") -> None:
        """Trace a network.

        Args:
            model: one step, forward(x, state=None) -> (output, state).
            order: "layer" by layer, or "step" by step.

        Raises:
            UsageError: there is no such order.
        """
        if order not in ("layer", "step"):
            raise UsageError(f"order is {order!r}", remedy="give layer or step")
        self._model = model
        self._layers = _ByLayer(model) if order == "layer" else None

    def __call__(self, frames: Tensor, watch: Collection[str] = ()) -> Sequence:
        """Run over all steps, from the initial state.

        Args:
            frames: (T, N, ...), the input of each step.
            watch: paths of cells whose membranes are wanted.

        Raises:
            UsageError: the network has no such cells, or there are no steps.
        """
        named = self._model.named_modules()
        cells = {name: m for name, m in named if isinstance(m, SNNCell)}
        problems = [
            Problem(f"there is no neuron at {name!r}", "watch", f"one of {', '.join(cells)}")
            for name in watch
            if name not in cells
        ]
        if len(frames) == 0:
            problems.append(Problem("there are no time steps in the frames"))
        if problems:
            raise UsageError(*problems)
        if self._layers is not None:
            return self._layers.sequence(frames, watch)
        return _by_step(self._model, frames, cells, watch)


def run_sequence(
    model: nn.Module, frames: Tensor, *, order: Order = "layer", watch: Collection[str] = ()
) -> Sequence:
    """Run a network over all steps once; see OverTime."""
    return OverTime(model, order)(frames, watch)


def _by_step(
    model: nn.Module, frames: Tensor, cells: dict[str, nn.Module], watch: Collection[str]
) -> Sequence:
    after: dict[str, list[Tensor]] = {name: [] for name in watch}
    spikes: dict[str, list[Tensor]] = {n: [] for n, cell in cells.items() if _spikes(cell)}

    def listen(name: str) -> Any:
        def hear(cell: nn.Module, inputs: Any, result: Any) -> None:
            if name in after:
                after[name].append(_membrane(cell, result[1]))
            if name in spikes:
                spikes[name].append(result[0].mean())

        return hear

    hooks = [cell.register_forward_hook(listen(name)) for name, cell in cells.items()]
    try:
        state, outputs = None, []
        for x in frames:
            output, state = model(x, state)
            outputs.append(output)
    finally:
        for hook in hooks:
            hook.remove()
    return Sequence(
        torch.stack(outputs),
        {name: torch.stack(values) for name, values in after.items()},
        {name: torch.stack(values).mean() for name, values in spikes.items()},
    )
