"""One time step of a torch module as a flat list of calls (torch.fx), and its evaluation."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn

from ..errors import DataError, ModelError, Problem
from .norse_cells import is_cell, is_leaf
from .user_code import location, summary

PREFIX = "model"
BATCH = 2
"""Batch size of the trial run: 2 tells the batch axis from an axis of length 1."""


class OneStep(nn.Module):
    """The user's model under one root, called without state."""

    def __init__(self, model: nn.Module, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.inputs = model, inputs

    def forward(self, *x: Any) -> Any:
        """One step from the initial state."""
        return self.pair(self.model(*x))

    def pair(self, result: Any) -> Any:
        """Split what a model returns that just passes on its last cell's result."""
        whole = isinstance(result, fx.Proxy) and cell_of(self, result.node) is not None
        return (result[0], result[1]) if whole else result


class _TwoSteps(OneStep):
    def forward(self, *x: Any) -> Any:
        first = self.pair(self.model(*x))
        return first, self.pair(self.model(*x, first[1]))


class _StrayLayer(NameError):
    """A layer that is called but not registered in the model."""


class _Tracer(fx.Tracer):
    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Any, list[Any]]:
        """A placeholder per input, whatever forward's signature is."""
        assert isinstance(self.root, OneStep)
        inputs = [self.create_proxy("placeholder", name, (), {}) for name in self.root.inputs]
        return root_fn, [self.root, *inputs]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_leaf(m) or super().is_leaf_module(m, module_qualified_name)

    def path_of_module(self, mod: nn.Module) -> str:
        try:
            return super().path_of_module(mod)
        except NameError as error:
            raise _StrayLayer(type(mod).__name__) from error


def _trace(root: nn.Module) -> fx.Graph:
    try:
        return _Tracer().trace(root)
    except _StrayLayer as error:
        raise ModelError(
            f"forward calls a {error} that is no part of the model",
            where=location(error),
            remedy="create all layers in __init__",
        ) from error
    except Exception as error:
        raise ModelError(
            Problem(
                f"one time step of the model cannot be traced: {summary(error)}",
                where=location(error),
                remedy="forward(x) or forward(x, state=None), with one x or several, must run "
                "the same layers for every input: no if, loop or conversion to Python numbers "
                "that depends on values; make initial states by passing None to the cells",
            )
        ) from error


def trace(model: nn.Module, inputs: tuple[str, ...]) -> tuple[OneStep, fx.Graph]:
    """Trace one step; for a model with state make sure that every step is like the first.

    Args:
        model: the user's module.
        inputs: names of the tensors that forward takes first, in its order.

    Raises:
        ModelError: tracing fails, a state is lost between steps or feeds something else.
    """
    root = OneStep(model, inputs)
    graph = _trace(root)
    cells = [node for node in graph.nodes if cell_of(root, node) is not None]
    if cells:
        _check_second_step(root, graph, cells)
    return root, graph


def cell_of(root: nn.Module, node: fx.Node) -> nn.Module | None:
    """The neuron cell that this node calls, if it does."""
    if node.op != "call_module":
        return None
    module = root.get_submodule(str(node.target))
    return module if is_cell(module) else None


def path_of(node: fx.Node) -> str:
    """Path in the user's model of a called module, or of the module that a function is in."""
    if node.op == "call_module":
        target = str(node.target)
    else:
        stack = list(node.meta.get("nn_module_stack", {}))
        target = stack[-1] if stack else PREFIX
    return target.removeprefix(PREFIX).removeprefix(".")


def _state_of(node: fx.Node) -> Any:
    return node.args[1] if len(node.args) > 1 else node.kwargs.get("state")


def _check_second_step(root: OneStep, graph: fx.Graph, cells: list[fx.Node]) -> None:
    """Trace two steps and compare: a recurrent path would show only in the second one."""
    called = [path_of(node) for node in cells]
    twice = sorted({path for path in called if called.count(path) > 1})
    if twice:
        raise ModelError(
            *(
                Problem(
                    "this neuron is called more than once in one time step",
                    where=path,
                    remedy="use one cell per population; if forward loops over time, take the "
                    "loop out: forward(x, state=None) -> (output, state) is one step",
                )
                for path in twice
            )
        )
    result = next(iter(reversed(graph.nodes))).args[0]
    if not isinstance(result, tuple) or len(result) != 2:
        raise ModelError(
            "the model has neurons but its forward does not return (output, state)",
            where=type(root.model).__name__,
            remedy="write forward(x, state=None) -> (output, state), as norse's "
            "SequentialState does",
        )
    both = [
        n for n in _trace(_TwoSteps(root.model, root.inputs)).nodes if n.op.startswith("call")
    ]
    single = [n for n in graph.nodes if n.op.startswith("call")]
    first, second = both[: len(single)], both[len(single) :]
    known: dict[fx.Node, fx.Node] = dict(zip(single, second, strict=False))
    origin = dict(zip(single, first, strict=False))

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, fx.Node) and isinstance(b, fx.Node):
            return known[a] is b if a in known else (a.op, a.target) == (b.op, b.target)
        if isinstance(a, tuple | list) and isinstance(b, tuple | list):
            return len(a) == len(b) and all(map(same, a, b))
        return type(a) is type(b) and bool(a == b)

    for a, b in zip(single, second, strict=False):
        if (a.op, a.target) != (b.op, b.target):
            _refuse_difference(b)
        if a in cells:
            state = _state_of(b)
            handed = (
                isinstance(state, fx.Node)
                and state.target is operator.getitem
                and tuple(state.args) == (origin[a], 1)
            )
            if not handed or _state_of(a) is not None:
                raise ModelError(
                    "the state that this neuron returns is not what it gets in the next step",
                    where=path_of(a),
                    remedy="start with None and hand each cell the state it returned",
                )
            a_args: Any = a.args[:1]
            b_args: Any = b.args[:1]
        else:
            a_args, b_args = (a.args, list(a.kwargs.items())), (b.args, list(b.kwargs.items()))
        if not same(a_args, b_args):
            _refuse_difference(b)
    if len(second) != len(single):
        _refuse_difference((second if len(second) > len(single) else single)[-1])


def _refuse_difference(node: fx.Node) -> None:
    raise ModelError(
        f"the second time step computes something else than the first: {node.name}",
        where=path_of(node),
        remedy="recurrent connections and other uses of a state are not exported; keep a "
        "feed-forward network in which only the cells use their own state",
    )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside; the modules' own modes come back after."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on speed, of trial runs only
            yield
    finally:
        for module, training in modes:
            module.training = training


def _expected(module: nn.Module) -> str:
    """The input that a layer can take, without batch axis."""
    channels = getattr(module, "in_channels", getattr(module, "num_features", None))
    if isinstance(module, nn.Linear):
        return f"({module.in_features},)"
    if isinstance(module, nn.Conv1d):
        return f"({channels}, length)"
    if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
        return f"({channels}, height, width)"
    if isinstance(module, nn.BatchNorm1d):
        return f"({channels},) or ({channels}, length)"
    if isinstance(module, nn.AvgPool2d | nn.AdaptiveAvgPool2d | nn.MaxPool2d):
        return "(channels, height, width)"
    return ""


_RANKS: dict[type[nn.Module], int] = {
    nn.Conv1d: 3,
    nn.Conv2d: 4,
    nn.AvgPool2d: 4,
    nn.AdaptiveAvgPool2d: 4,
    nn.MaxPool2d: 4,
}


def _call(root: nn.Module, node: fx.Node, args: Any, kwargs: Any) -> Any:
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        rank = _RANKS.get(type(module))
        if rank is not None and args and args[0].ndim != rank:
            # torch would take a missing batch axis as leave to run unbatched
            raise ValueError(f"{args[0].ndim - 1} axes instead of {rank - 1}")
        if is_cell(module):
            try:
                return module(*args, **kwargs)
            except Exception:
                return args[0], None  # its parameters are at fault: read_cell says how
        return module(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    assert callable(node.target)
    return node.target(*args, **kwargs)


def _refuse_shape(
    root: nn.Module, node: fx.Node, args: Any, inputs: Mapping[str, torch.Tensor], error: Any
) -> None:
    given = tuple(args[0].shape[1:]) if args and isinstance(args[0], torch.Tensor) else None
    name, expected = node.name, ""
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        name = f"{path_of(node) or 'the model'} ({type(module).__name__})"
        expected = _expected(module)
    text = f"expected {expected}, given {given}" if expected else f"given {given}"
    shapes = {key: tuple(x.shape[1:]) for key, x in inputs.items()}
    sample = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
    sample = f"shape {next(iter(shapes.values()))}" if len(shapes) == 1 else f"shapes {sample}"
    leads = "leads" if len(shapes) == 1 else "lead"
    raise DataError(
        Problem(
            f"{name} cannot take what the sample {sample} {leads} to: {text}; {summary(error)}",
            where=path_of(node) or name,
            remedy="give --sample-shape as the network wants it, without batch and time axis, "
            "e.g. 1,28,28",
        )
    ) from error


def evaluate(
    root: nn.Module,
    graph: fx.Graph,
    inputs: Mapping[str, torch.Tensor],
    observe: Callable[[fx.Node, Any], None],
) -> None:
    """Run the traced step on a batch; `observe` sees each node with its value.

    Raises:
        DataError: a layer cannot take what it gets; the first one is named.
    """
    values: dict[fx.Node, Any] = {}
    waiting = {node: len(node.users) for node in graph.nodes}
    for node in graph.nodes:
        if node.op == "output":
            break
        if node.op == "placeholder":
            values[node] = inputs[str(node.target)]
        elif node.op == "get_attr":
            values[node] = operator.attrgetter(str(node.target))(root)
        else:
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
            try:
                values[node] = _call(root, node, args, kwargs)
            except Exception as error:
                _refuse_shape(root, node, args, inputs, error)
        observe(node, values[node])
        for source in node.all_input_nodes:
            waiting[source] -= 1
            if not waiting[source]:
                values.pop(source, None)


def like_model(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The tensor on the model's device and in its precision."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return x.to(device=parameter.device, dtype=parameter.dtype)
    return x.to(torch.float32)
