"""Folding a batch norm into the convolution or linear layer before it."""

from __future__ import annotations

from collections import Counter

import nir
import numpy as np

from .network import Array, Network, Signal


def fold(net: Network, where: str, source: Signal, factor: Array, shift: Array) -> Signal:
    """Fold ``y = factor * x + shift`` (one value a channel) into the node that makes x.

    With x = W s + b: W <- factor * W, b <- factor * b + shift, in float64, then back to the
    weight's precision. Only legal where that node feeds nothing else.
    """
    if not source.terms:
        return source
    (name, version), times = next(iter(source.terms.items()))
    node = net.nodes[name]
    linear = isinstance(node, nir.Affine | nir.Linear | nir.Conv1d | nir.Conv2d)
    if len(source.terms) > 1 or times > 1 or not linear:
        return net.refuse(
            where,
            "this batch norm does not come right after a convolution or linear layer",
            "put it between such a layer and the neuron or addition that follows",
            source.shape,
        )
    if version != net.versions[name] or any(start == name for start, _ in net.edges):
        return net.refuse(
            where,
            f"this batch norm cannot be folded: {name} is also used without it",
            "give the batch norm a convolution or linear layer of its own",
            source.shape,
        )
    kind = node.weight.dtype
    bias = 0.0 if isinstance(node, nir.Linear) else node.bias.astype(np.float64)
    weight = node.weight * factor.reshape(-1, *(1,) * (node.weight.ndim - 1))
    new_bias = (bias * factor + shift).astype(kind)
    if isinstance(node, nir.Linear):
        net.nodes[name] = nir.Affine(weight.astype(kind), new_bias)
    else:
        node.weight, node.bias = weight.astype(kind), new_bias
    net.versions[name] += 1
    net.folded[name] = where
    return Signal(Counter({(name, version + 1): 1}), source.shape)
