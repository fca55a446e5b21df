"""Shapes of a synapse as JSON values, as a memory model needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .conv2d import Conv2d
from .dense import Dense
from .sparse import Sparse


def geometry(synapse: Dense | Sparse | Conv2d) -> dict[str, Any]:
    """Type, input and output shape; of a convolution its kernel and how it moves."""
    return _GEOMETRY[type(synapse)](synapse)


def _flat(kind: str) -> Callable[[Any], dict[str, Any]]:
    return lambda synapse: {
        "type": kind,
        "input_shape": [synapse.in_size],
        "output_shape": [synapse.out_size],
    }


def _convolution(synapse: Conv2d) -> dict[str, Any]:
    return {
        "type": "convolution",
        "input_shape": list(synapse.input_shape),
        "output_shape": list(synapse.output_shape),
        "kernel": list(synapse.weight.shape[2:]),
        "stride": list(synapse.stride),
        "padding": list(synapse.padding),
        "dilation": list(synapse.dilation),
        "groups": synapse.groups,
    }


_GEOMETRY: dict[type, Callable[[Any], dict[str, Any]]] = {
    Dense: _flat("dense"),
    Sparse: _flat("sparse"),
    Conv2d: _convolution,
}
