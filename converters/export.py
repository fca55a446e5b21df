"""A trained torch module -> a canonical NIR graph.

One time step is traced with torch.fx. What slipway can say in NIR becomes nodes: everything
else is named, with its path in the model, in one error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import GraphError, MissingDependency, UnsupportedNode, UsageError
from .checkpoint import INSTALL_TORCH
from .metadata import ENCODINGS, READOUTS, check_readout, default_readout, output_kinds

if TYPE_CHECKING:
    import nir
    import torch

DEFAULT_DT = 1e-3
DEFAULT_STEPS = 32
PERCENTILE = 99.9


def export(
    model: torch.nn.Module,
    sample_shape: tuple[int, ...],
    *,
    steps: int | None = None,
    dt: float | None = None,
    readout: str | None = None,
    input_encoding: str | None = None,
    calibration: npt.NDArray[Any] | None = None,
    percentile: float = PERCENTILE,
) -> nir.NIRGraph:
    """Export one time step of a model.

    Args:
        model: `forward(x)` of a ReLU network, or `forward(x, state=None)` that returns
            `(output, state)` of a network of norse cells. Not changed.
        sample_shape: shape of one time step of one sample, without batch axis.
        steps: time steps a frame is presented; else `model.time_steps`, else 32.
        dt: seconds a step; else the dt of the norse cells, else 1e-3.
        readout: "count", "last" or "mean"; else `model.readout`, else "count" for a spiking
            output and "last" for any other.
        input_encoding: "current" or "spikes"; else `model.input_encoding`, else "current".
        calibration: frames (N, *sample_shape) that give each ReLU its activation scale.
        percentile: of a ReLU's output over the calibration data; becomes the threshold.

    Raises:
        UnsupportedNode: all layers and functions that have no NIR equivalent.
        ModelError: the model cannot be traced as one time step.
        DataError: sample shape or calibration data do not fit.
        GraphError: weights that are not finite.
        UsageError: an option makes no sense.
        MissingDependency: torch is not installed.
    """
    shape = _checked_shape(sample_shape)
    if not 0 < percentile <= 100:
        raise UsageError(f"percentile must lie in (0, 100], it is {percentile}")
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            "export needs torch, which is not installed", remedy=INSTALL_TORCH
        ) from error
    from .torch_graph import build

    options = _Options(model, steps, readout, input_encoding)
    traced = build(model, shape, dt, calibration, percentile)
    network = traced.network
    if network.unsupported:
        raise UnsupportedNode(*dict.fromkeys(network.unsupported))
    if network.invalid:
        raise GraphError(*network.invalid)

    import nir

    metadata: dict[str, str | int | float] = {
        "slipway_format": 1,
        "dt": traced.dt,
        "reset": "zero",
        "dialect": "nir",
        "source": "torch",
        "input_encoding": options.input_encoding,
        "steps": options.steps,
        "steps_from": options.steps_from,
        **traced.metadata,
    }
    graph = nir.NIRGraph(network.nodes, network.edges, metadata=metadata)
    kinds = output_kinds(graph)
    chosen = options.readout or default_readout(kinds)
    check_readout(chosen, kinds)
    graph.metadata["readout"] = chosen
    return graph


class _Options:
    """Options after the model's own attributes and the defaults have been asked."""

    def __init__(
        self, model: Any, steps: int | None, readout: str | None, input_encoding: str | None
    ) -> None:
        if steps is not None:
            self.steps, self.steps_from = steps, "argument"
        elif isinstance(getattr(model, "time_steps", None), int):
            self.steps, self.steps_from = model.time_steps, "model"
        else:
            self.steps, self.steps_from = DEFAULT_STEPS, "default"
        if isinstance(self.steps, bool) or self.steps < 1 or int(self.steps) != self.steps:
            raise UsageError(
                f"steps must be a whole number from 1 on, it is {self.steps}",
                where=f"steps, from {self.steps_from}",
                remedy="give --steps, e.g. --steps 32",
            )
        self.readout = readout or _text(model, "readout")
        self.input_encoding = input_encoding or _text(model, "input_encoding") or "current"
        _one_of("readout", self.readout, READOUTS)
        _one_of("input_encoding", self.input_encoding, ENCODINGS)


def _text(model: Any, name: str) -> str | None:
    value = getattr(model, name, None)  # may well be a layer of that name
    return value if isinstance(value, str) else None


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise UsageError(
            f"{name} must be one of {', '.join(allowed)}, it is {value!r}",
            where=name,
            remedy=f"give --{name.replace('_', '-')} {allowed[0]}",
        )


def _checked_shape(sample_shape: Any) -> tuple[int, ...]:
    shape = tuple(sample_shape)
    sound = all(isinstance(n, int | np.integer) and n > 0 for n in shape)
    if not shape or not sound or math.prod(shape) > 2**31:
        raise UsageError(
            f"the sample shape {shape} is not a list of positive whole numbers",
            where="sample shape",
            remedy="give the shape of one time step without batch axis, e.g. "
            "--sample-shape 1,28,28",
        )
    return tuple(int(n) for n in shape)
