"""A trained torch module -> a canonical NIR graph.

One time step is traced with torch.fx. What slipway can say in NIR becomes nodes: everything
else is named, with its path in the model, in one error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy.typing as npt

from ..errors import (
    GraphError,
    MissingDependency,
    ModelError,
    UnsupportedNode,
    UsageError,
)
from . import metadata
from .checkpoint import INSTALL_TORCH
from .metadata import ENCODINGS, READOUTS
from .model_inputs import SampleShape, input_shapes

if TYPE_CHECKING:
    import nir
    import torch

DEFAULT_DT = 1e-3
DEFAULT_STEPS = 32
PERCENTILE = 99.9
Choice: TypeAlias = "str | Mapping[str, str]"
"""One value for all inputs or outputs, or values by their names."""


def export(
    model: torch.nn.Module,
    sample_shape: SampleShape,
    *,
    steps: int | None = None,
    dt: float | None = None,
    readout: Choice | None = None,
    input_encoding: Choice | None = None,
    calibration: npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]] | None = None,
    percentile: float = PERCENTILE,
) -> nir.NIRGraph:
    """Export one time step of a model.

    Args:
        model: `forward(x)` of a ReLU network, or `forward(x, state=None)` that returns
            `(output, state)` of a network of norse cells. Several tensors may come in, and the
            output may be a tuple, list or dict of tensors. Not changed.
        sample_shape: shape of one time step of one sample, without batch axis. Of several
            inputs a tuple of shapes in the order of forward's arguments, or a mapping from
            their names to shapes; the Inputs then have the arguments' names.
        steps: time steps a frame is presented; else `model.time_steps`, else 32.
        dt: seconds a step; else the dt of the norse cells, else 1e-3.
        readout: "count", "last" or "mean"; else `model.readout`, else "count" for a spiking
            output and "last" for any other.
        input_encoding: "current" or "spikes"; else `model.input_encoding`, else "current".
        calibration: frames (N, *sample_shape) that give each ReLU its activation scale; of
            several inputs a mapping from their names to frames.
        percentile: of a ReLU's output over the calibration data; becomes the threshold.

    Raises:
        UnsupportedNode: all layers and functions that have no NIR equivalent.
        ModelError: the model cannot be traced as one time step.
        DataError: sample shape or calibration data do not fit.
        GraphError: weights that are not finite.
        UsageError: an option makes no sense.
        MissingDependency: torch is not installed.
    """
    if not 0 < percentile <= 100:
        raise UsageError(f"percentile must lie in (0, 100], it is {percentile}")
    try:
        import torch
    except ImportError as error:
        raise MissingDependency(
            "export needs torch, which is not installed", remedy=INSTALL_TORCH
        ) from error
    from .torch_graph import build

    if not isinstance(model, torch.nn.Module):
        raise ModelError(f"expected a torch.nn.Module, got {type(model).__name__}")
    inputs = input_shapes(model, sample_shape)
    steps, steps_from = _steps(model, steps)
    readout = _choice(model, "readout", readout, READOUTS)
    encoding = _choice(model, "input_encoding", input_encoding, ENCODINGS) or "current"
    spiking = {name for name in inputs if _of(encoding, name) == "spikes"}
    traced = build(model, inputs, spiking, dt, calibration, percentile)
    network = traced.network
    if network.unsupported:
        raise UnsupportedNode(*dict.fromkeys(network.unsupported))
    if network.invalid:
        raise GraphError(*network.invalid)

    import nir

    known: dict[str, str | int | float] = {
        "slipway_format": 1,
        "dt": traced.dt,
        "reset": "zero",
        "dialect": "nir",
        "source": "torch",
        "steps": steps,
        "steps_from": steps_from,
        **traced.metadata,
    }
    graph = nir.NIRGraph(network.nodes, network.edges, metadata=known)
    _state(graph, "input_encoding", encoding, list(inputs))
    graph.metadata.setdefault("input_encoding", "current")
    outputs = metadata.outputs(graph)
    if readout is not None:
        _state(graph, "readout", readout, outputs)
    metadata.complete_readouts(graph)
    for name in outputs:
        where = "readout" if len(outputs) == 1 else f"readout of {name}"
        kinds = metadata.output_kinds(graph, name)
        metadata.check_readout(metadata.readout(graph, name), kinds, where)
    if len(outputs) == 1 and "output_scale" in graph.nodes[outputs[0]].metadata:
        graph.metadata["output_scale"] = graph.nodes[outputs[0]].metadata.pop("output_scale")
    return graph


def _steps(model: Any, steps: int | None) -> tuple[int, str]:
    """Time steps of a sample, and where they were found."""
    if steps is not None:
        found, origin = steps, "argument"
    elif isinstance(getattr(model, "time_steps", None), int):
        found, origin = model.time_steps, "model"
    else:
        found, origin = DEFAULT_STEPS, "default"
    if isinstance(found, bool) or found < 1 or int(found) != found:
        raise UsageError(
            f"steps must be a whole number from 1 on, it is {found}",
            where=f"steps, from {origin}",
            remedy="give --steps, e.g. --steps 32",
        )
    return found, origin


def _choice(
    model: Any, name: str, value: Choice | None, allowed: tuple[str, ...]
) -> Choice | None:
    """The argument, or else the model's own attribute, after a look at its values."""
    if value is None:
        own = getattr(model, name, None)  # may well be a layer of that name
        value = own if isinstance(own, str | Mapping) else None
    for one in value.values() if isinstance(value, Mapping) else [value]:
        if one is not None and one not in allowed:
            raise UsageError(
                f"{name} must be one of {', '.join(allowed)}, it is {one!r}",
                where=name,
                remedy=f"give --{name.replace('_', '-')} {allowed[0]}",
            )
    return value


def _of(choice: Choice, name: str) -> str | None:
    return choice if isinstance(choice, str) else choice.get(name)


def _state(graph: nir.NIRGraph, key: str, choice: Choice, names: list[str]) -> None:
    """Write a choice into the graph's metadata, or into those of the nodes it names."""
    if isinstance(choice, str):
        graph.metadata[key] = choice
        return
    unknown = [name for name in choice if name not in names]
    if unknown:
        raise UsageError(
            f"{key} is given for {', '.join(unknown)}; the model has {', '.join(names)}",
            where=key,
            remedy="use the names of the graph's inputs and outputs",
        )
    for name, value in choice.items():
        graph.nodes[name].metadata[key] = value
