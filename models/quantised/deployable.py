"""A ReLU network as it deploys: batch norm and gates folded, each ReLU with its scale."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn.utils import fusion

from ...errors import DataError, ModelError, Problem, UsageError
from ..blocks.squeeze import FrozenGate, SqueezeExcitation
from ..teachers.resemotenet import ResEmoteNet, fold_gates, freeze_gates
from .grid import PERCENTILE


def is_scaled(module: nn.Module) -> bool:
    """Whether that is a ReLU which knows its activation scale: export then measures none."""
    return isinstance(module, nn.ReLU) and hasattr(module, "activation_scale")


def deployable(network: nn.Module, pictures: Iterable[Tensor] = ()) -> nn.Module:
    """A copy without batch norm and gates, in which each ReLU has a buffer activation_scale.

    Args:
        network: a ReLU network; its batch norms have their running statistics.
        pictures: batches for the mean of gates that depend on the input; without any the
            copy has the right layers and shapes only, for weights to be loaded into.

    Raises:
        ModelError: a layer is used twice, or a batch norm does not follow a layer.
    """
    made = _without_gates(copy.deepcopy(network).eval(), list(pictures))
    _fold_norms(made)
    for module in made.modules():
        if isinstance(module, nn.ReLU):
            module.register_buffer("activation_scale", torch.ones(()))
    return made


def _without_gates(network: nn.Module, pictures: list[Tensor]) -> nn.Module:
    gate = getattr(network, "se", None)
    if not isinstance(gate, SqueezeExcitation | FrozenGate):
        return network
    model = cast(ResEmoteNet, network)
    if isinstance(gate, SqueezeExcitation):
        if pictures:
            model = freeze_gates(model, pictures)
        else:
            last = gate.fc[2]
            assert isinstance(last, nn.Linear)
            model.se = FrozenGate(last.out_features)
    return fold_gates(model)


def _fold_norms(network: nn.Module) -> None:
    """W <- g W, b <- g (b - mean) + beta, with g = gamma / sqrt(var + eps), in place."""
    graph = fx.symbolic_trace(network).graph
    for node in graph.nodes:
        norm = _module(network, node)
        if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            continue
        before = node.args[0]
        layer = _module(network, before)
        if not isinstance(layer, nn.Conv2d | nn.Linear) or len(before.users) > 1:
            told = "this batch norm does not come right after a convolution or linear layer"
            remedy = "put it between such a layer and the ReLU or addition that follows"
            raise ModelError(Problem(told, str(node.target), remedy))
        fuse: Any = (
            fusion.fuse_linear_bn_eval
            if isinstance(layer, nn.Linear)
            else fusion.fuse_conv_bn_eval
        )
        network.set_submodule(before.target, fuse(layer, norm))
        network.set_submodule(node.target, nn.Identity())


def _module(network: nn.Module, node: Any) -> nn.Module | None:
    called = isinstance(node, fx.Node) and node.op == "call_module"
    return network.get_submodule(str(node.target)) if called else None


@torch.no_grad()
def measure_scales(network: nn.Module, pictures: Tensor) -> None:
    """Give each ReLU the percentile of its output over these pictures.

    Where so few neurons are active that the percentile is 0, the largest value is taken.

    Raises:
        DataError: ReLUs that are never active.
        UsageError: there are no pictures.
    """
    if not len(pictures):
        raise UsageError("there are no pictures to measure activations of")
    relus = {n: m for n, m in network.named_modules() if is_scaled(m)}
    seen: dict[str, list[Tensor]] = {name: [] for name in relus}

    def keep(name: str) -> Any:
        return lambda module, given, output: seen[name].append(output.detach().cpu())

    hooks = [relu.register_forward_hook(keep(name)) for name, relu in relus.items()]
    try:
        for start in range(0, len(pictures), 64):
            network(pictures[start : start + 64])
    finally:
        for hook in hooks:
            hook.remove()
    problems = []
    for name, relu in relus.items():
        if not seen[name]:
            continue  # a layer that forward does not call
        values = torch.cat([each.flatten() for each in seen.pop(name)]).numpy()
        found = float(np.percentile(values, PERCENTILE)) or float(values.max())
        if not 0 < found < np.inf:
            told = f"the output of this ReLU reaches {values.max()} on all pictures"
            problems.append(Problem(told, name, "train the network before it is quantised"))
        cast(Tensor, relu.activation_scale).fill_(found)
    if problems:
        raise DataError(*problems)
