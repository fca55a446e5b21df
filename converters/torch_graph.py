"""From the traced step to nodes and edges."""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
import torch
from torch import fx, nn

from ..errors import GraphError, ModelError, Problem, UnsupportedNode, UsageError
from .calibrate import activation_scales, frames_of
from .concatenation import place
from .network import SPIKING, Network, Signal
from .norse_cells import REFUSED, CellError, norse_class, read_cell
from .torch_call import Call
from .torch_modules import (
    ADDITIONS,
    CONCATENATIONS,
    FUNCTIONS,
    hint,
    is_relu,
    module_handler,
    own_scale,
    uncalibrated_problem,
)
from .torch_outputs import CellOutput, State, connect_outputs, fields_of, output_names
from .torch_trace import (
    BATCH,
    OneStep,
    cell_of,
    evaluate,
    evaluating,
    like_model,
    path_of,
    trace,
)


@dataclass(frozen=True, slots=True)
class Traced:
    """What :func:`build` found: the network, dt in seconds, further graph metadata."""

    network: Network
    dt: float
    metadata: dict[str, str | int | float]


class _Fields:
    """A named tuple, which only the model's return value may be."""


class _Constant:
    """A size or shape, which the trial run has already turned into numbers."""


def build(
    model: nn.Module,
    inputs: dict[str, tuple[int, ...]],
    spiking: set[str],
    dt: float | None,
    calibration: Any,
    percentile: float,
) -> Traced:
    """Trace, calibrate and translate a model.

    Args:
        model: the user's module.
        inputs: shape of each, in the order of forward's arguments.
        spiking: names of the inputs that carry spikes.
        dt: seconds a step, where the user gave it.
        calibration: frames, or frames by input name.
        percentile: of a ReLU's output, becomes its scale.
    """
    with evaluating(model):
        root, graph = trace(model, tuple(inputs))
        shapes: dict[fx.Node, tuple[int, ...] | None] = {}

        def observe(node: fx.Node, value: Any) -> None:
            shapes[node] = tuple(value.shape) if isinstance(value, torch.Tensor) else None

        probe = {
            name: like_model(model, torch.zeros((BATCH, *shape)))
            for name, shape in inputs.items()
        }
        evaluate(root, graph, probe, observe)
        cells = {n: c for n in graph.nodes if (c := cell_of(root, n)) is not None}
        relus = [n for n in graph.nodes if is_relu(root, n.op, n.target)]
        measured = [n for n in relus if not _has_scale(root, n)]
        seconds = _dt(dt, {path_of(n) or type(c).__name__: c for n, c in cells.items()})
        if cells and relus:
            raise UnsupportedNode(*(_mixed(n) for n in relus))
        scales: dict[str, float] = {}
        if measured and calibration is not None:
            frames = frames_of(calibration, inputs)
            scales = activation_scales(root, graph, measured, frames, percentile)
        translator = _Translator(root, shapes, scales, seconds)
        translator.run(graph, inputs, spiking)
    net = translator.net
    if net.uncalibrated and not net.unsupported and not net.invalid:
        raise UsageError(uncalibrated_problem(net.uncalibrated))
    loose = sorted(net.reserved - {end for _, end in net.edges})
    if loose and not net.unsupported:
        what = f"no node is connected to the output {', '.join(loose)}"
        raise GraphError(what, where=type(model).__name__)
    return Traced(net, seconds, translator.metadata)


def _has_scale(root: nn.Module, node: fx.Node) -> bool:
    called = node.op == "call_module"
    return called and own_scale(root.get_submodule(str(node.target))) is not None


def _mixed(node: fx.Node) -> Problem:
    return Problem(
        "a ReLU beside spiking cells has no NIR equivalent: it would act at each step, an IF "
        "neuron acts on the rate",
        where=path_of(node) or node.name,
        remedy="put a spiking cell there",
    )


def _dt(dt: float | None, cells: dict[str, Any]) -> float:
    """The step in seconds that argument and cells agree on."""
    if dt is not None and not (np.isfinite(dt) and dt > 0):
        raise UsageError(f"dt must be positive, it is {dt}", remedy="give seconds: --dt 0.001")
    found = {path: float(cell.dt) for path, cell in cells.items()}
    values = sorted(set(found.values()))
    if len(values) > 1:
        listed = ", ".join(f"{path} {value:g} s" for path, value in found.items())
        raise ModelError(
            f"the cells have different dt: {listed}",
            where="dt",
            remedy="build all cells with the same dt",
        )
    if values and dt is not None and not np.isclose(dt, values[0], rtol=1e-9, atol=0):
        raise UsageError(
            f"dt {dt:g} s contradicts the cells of the model, which step {values[0]:g} s",
            where="dt",
            remedy="leave --dt out: another step would change what was trained",
        )
    return float(values[0] if values else (1e-3 if dt is None else dt))


class _Translator:
    """Walks the trace once; `values` says what each traced node is."""

    def __init__(
        self,
        root: OneStep,
        shapes: dict[fx.Node, tuple[int, ...] | None],
        scales: dict[str, float],
        dt: float,
    ) -> None:
        self.root, self.shapes, self.scales, self.dt = root, shapes, scales, dt
        self.net = Network()
        self.metadata: dict[str, str | int | float] = {}
        self.values: dict[fx.Node, Any] = {}

    def run(
        self, graph: fx.Graph, inputs: dict[str, tuple[int, ...]], spiking: set[str]
    ) -> None:
        result = next(iter(reversed(graph.nodes))).args[0]
        has_cells = any(cell_of(self.root, node) is not None for node in graph.nodes)
        outputs, rest = output_names(self.net, result, inputs, has_cells)
        self.net.reserved = set(outputs)
        for node in graph.nodes:
            if node.op == "placeholder":
                name, shape = str(node.target), inputs[str(node.target)]
                self.net.nodes[name] = nir.Input({"input": np.array(shape)})
                self.net.versions[name] = 0
                self.values[node] = Signal(Counter({(name, 0): 1}), shape)
                if name in spiking:
                    self.net.mark_spikes(self.values[node])
            elif node.op != "output":
                self.values[node] = self.translate(node)
        connect_outputs(self.net, outputs, rest, self.values, self.where)
        self.net.drop_unused_scales()

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        return (self.shapes.get(node) or (BATCH,))[1:]

    def where(self, node: fx.Node) -> str:
        path = path_of(node)
        if node.op == "call_module":
            kind = type(self.root.get_submodule(str(node.target))).__name__
            return f"{path} ({kind})" if path else f"the model ({kind})"
        name = getattr(node.target, "__name__", str(node.target))
        return f"{path}: {name}()" if path else f"{name}()"

    def refuse(self, node: fx.Node, name: str) -> Signal:
        reason, remedy = hint(name)
        what = f"{self.where(node)} is not supported: {reason}"
        return self.net.refuse(self.where(node), what, remedy, self.shape(node))

    def translate(self, node: fx.Node) -> Any:
        inputs = [self.values[source] for source in node.all_input_nodes]
        name = getattr(node.target, "__name__", str(node.target))
        first = inputs[0] if inputs else None
        if node.op == "get_attr":
            what = f"{node.target}: a parameter or constant outside of a layer is not read"
            place, remedy = str(node.target), "put it into a layer's weight or bias"
            return self.net.refuse(place, what, remedy, self.shape(node))
        if not inputs:
            return self.refuse(node, name)
        if all(isinstance(value, _Constant) for value in inputs):
            return _Constant()
        if node.target is operator.getitem and isinstance(first, CellOutput):
            return first.signal if node.args[1] == 0 else State(first.path)
        if fields_of(node) is not None:
            return _Fields()
        states = [value for value in inputs if isinstance(value, State | CellOutput)]
        if states:
            return self.net.refuse(
                self.where(node),
                f"{name} uses the inner state or the whole result of {states[0].path}",
                "use only the cell's output, its first value",
                self.shape(node),
            )
        if node.op == "call_module":
            return self.module(node, first)
        if name in ("size", "dim") or (node.target is getattr and node.args[1] == "shape"):
            return _Constant()
        if node.target in ADDITIONS:
            return self.addition(node)
        if node.target in CONCATENATIONS:
            return self.concatenation(node)
        if node.target in FUNCTIONS and isinstance(first, Signal):
            handler, names = FUNCTIONS[node.target]
            arguments = {**dict(zip(names, node.args[1:], strict=False)), **node.kwargs}
            if isinstance(arguments.get("training"), bool) and arguments["training"]:
                return self.refuse(node, name)
            return handler(self.net, self.call(node, first, None, node.name, arguments))
        return self.refuse(node, name)

    def call(
        self, node: fx.Node, source: Signal, module: Any, name: str, arguments: Any
    ) -> Call:
        given = self.shape(node.all_input_nodes[0])
        wanted = self.shape(node)
        return Call(
            where=self.where(node),
            name=name,
            module=module,
            source=source,
            given=given,
            wanted=wanted,
            arguments=arguments,
            scales=self.scales,
            dt=self.dt,
            node=node.name,
        )

    def module(self, node: fx.Node, source: Any) -> Any:
        module = self.root.get_submodule(str(node.target))
        path = path_of(node) or type(module).__name__.lower()
        handler = module_handler(module)
        if cell_of(self.root, node) is not None:
            return CellOutput(self.cell(node, module, source), path)
        if handler is not None:
            shape = self.shapes.get(node)
            if shape is not None and shape[:1] != (BATCH,):
                return self.net.refuse(
                    self.where(node),
                    f"it changes the batch axis: {BATCH} samples become shape {shape}",
                    "keep axis 0 for the batch, e.g. nn.Flatten(start_dim=1)",
                    self.shape(node),
                )
            return handler(self.net, self.call(node, source, module, path, {}))
        name = norse_class(module)
        if name is not None:
            cells = "use LIFBoxCell, LIFCell, LIBoxCell or LICell"
            reason, remedy = REFUSED.get(name, ("no equivalent in NIR is known here", cells))
            what = f"{self.where(node)} is not supported: {reason}"
            signal = self.net.refuse(self.where(node), what, remedy, self.shape(node))
            return signal if self.shapes.get(node) is not None else CellOutput(signal, path)
        return self.refuse(node, type(module).__name__)

    def cell(self, node: fx.Node, module: nn.Module, source: Signal) -> Signal:
        shape = self.shape(node.all_input_nodes[0])
        try:
            cell = read_cell(module, shape, self.dt)
        except CellError as error:
            return self.net.refuse(
                self.where(node), str(error), "train with parameters that NIR can state", shape
            )
        for name, values in cell.parameters.items():
            self.net.finite(self.where(node), name, values)
        if cell.rests_at_leak:
            self.metadata["initial_voltage"] = "v_leak"
        neuron = getattr(nir, cell.kind)(**cell.parameters, metadata=dict(cell.metadata))
        path = path_of(node) or type(module).__name__.lower()
        signal = self.net.add(path, neuron, source, shape)
        return self.net.mark_spikes(signal) if cell.kind in SPIKING else signal

    def addition(self, node: fx.Node) -> Signal:
        operands: list[Any] = [
            self.values[a] if isinstance(a, fx.Node) else a for a in node.args
        ]
        shapes = [self.shape(a) for a in node.args if isinstance(a, fx.Node)]
        shape = self.shape(node)
        alpha = node.kwargs.get("alpha", 1)
        if len(operands) != 2 or not all(isinstance(o, Signal) for o in operands) or alpha != 1:
            what = f"{self.where(node)} adds something else than two signals"
            return self.net.refuse(
                self.where(node), what, "put constants into a layer's bias or weights", shape
            )
        if shapes[0] != shapes[-1]:
            what = f"{self.where(node)} adds different shapes: {shapes[0]} and {shapes[-1]}"
            return self.net.refuse(self.where(node), what, "make both branches alike", shape)
        left, right = operands
        return Signal(left.terms + right.terms, shape)

    def concatenation(self, node: fx.Node) -> Signal:
        arguments: dict[str, Any] = dict(zip(("tensors", "dim"), node.args, strict=False))
        arguments |= node.kwargs
        tensors = arguments["tensors"]
        axis = arguments.get("dim", arguments.get("axis", 0))
        shape, where = self.shape(node), self.where(node)
        listed = tensors if isinstance(tensors, tuple | list) else []
        branches: list[Any] = [(self.values.get(t), self.shape(t)) for t in listed]
        if not branches or any(not isinstance(signal, Signal) for signal, _ in branches):
            what = f"{where} concatenates something else than signals"
            return self.net.refuse(
                where,
                what,
                "list the tensors that layers made: torch.cat([a, b], dim=1)",
                shape,
            )
        channel = isinstance(axis, int) and axis % (len(shape) + 1) == 1
        if not channel or len(shape) > 3:
            what = (
                f"{where} concatenates along axis {axis} of {('batch', *shape)}: NIR has no "
                "concatenation, and only channels or features can be put in place by weights"
            )
            remedy = (
                "concatenate (batch, channels, ...) along axis 1: torch.cat(tensors, dim=1)"
            )
            return self.net.refuse(where, what, remedy, shape)
        if not all(signal.terms for signal, _ in branches):  # refused before
            return Signal(Counter(), shape)
        return place(self.net, node.name, branches, shape)
