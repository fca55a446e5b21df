"""Folding a batch norm into the convolution or linear layer before it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import nir
import numpy as np

from .network import Array, Network, Signal


def fold(net: Network, where: str, source: Signal, factor: Array, shift: Array) -> Signal:
    """Fold ``y = factor * x + shift`` (one value a channel) into the node that makes x.

    With x = W s + b: W <- factor * W, b <- factor * b + shift, in float64, then back to the
    weight's precision. Only legal where that node feeds nothing else. Where x is a sum of such
    nodes, as a concatenation is, each is multiplied, and the shift goes into the first.
    """
    if not source.terms:
        return source
    nodes = {name: net.nodes[name] for name, _ in source.terms}
    linear = nir.Affine | nir.Linear | nir.Conv1d | nir.Conv2d
    if sum(source.terms.values()) > len(nodes) or not all(
        isinstance(node, linear) for node in nodes.values()
    ):
        return net.refuse(
            where,
            "this batch norm does not come right after a convolution or linear layer",
            "put it between such a layer and the neuron or addition that follows",
            source.shape,
        )
    for name, version in source.terms:
        if version != net.versions[name] or any(start == name for start, _ in net.edges):
            return net.refuse(
                where,
                f"this batch norm cannot be folded: {name} is also used without it",
                "give the batch norm a convolution or linear layer of its own",
                source.shape,
            )
    for place, (name, node) in enumerate(nodes.items()):
        net.nodes[name] = _scaled(node, factor, shift if place == 0 else 0.0 * shift)
        net.versions[name] += 1
        net.folded[name] = where
    terms = Counter({(name, version + 1): 1 for name, version in source.terms})
    return Signal(terms, source.shape)


def _scaled(node: Any, factor: Array, shift: Array) -> Any:
    kind = node.weight.dtype
    bias = 0.0 if isinstance(node, nir.Linear) else node.bias.astype(np.float64)
    weight = node.weight * factor.reshape(-1, *(1,) * (node.weight.ndim - 1))
    new_bias = (bias * factor + shift).astype(kind)
    if isinstance(node, nir.Linear):
        return nir.Affine(weight.astype(kind), new_bias)
    node.weight, node.bias = weight.astype(kind), new_bias
    return node
