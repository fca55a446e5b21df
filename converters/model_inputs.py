"""Which tensors a model takes: shapes of one sample, by the names of forward's arguments."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import UsageError

if TYPE_CHECKING:
    import torch

Shape: TypeAlias = tuple[int, ...]
SampleShape: TypeAlias = "Shape | tuple[Shape, ...] | Mapping[str, Shape]"
INPUT = "input"
"""Name of the Input of a model with one sample shape."""


def input_shapes(model: torch.nn.Module, sample_shape: Any) -> dict[str, Shape]:
    """Shapes without batch axis, by input name, in the order of forward's arguments.

    Args:
        model: the user's module.
        sample_shape: one shape; several in the order of forward's arguments; or a mapping from
            argument names to shapes.

    Raises:
        UsageError: no shapes, or others than forward takes.
    """
    if isinstance(sample_shape, Mapping):
        given = {str(name): _checked(shape) for name, shape in sample_shape.items()}
        return _ordered(_arguments(model), given)
    shapes = tuple(sample_shape)
    if not shapes or not all(isinstance(shape, tuple | list) for shape in shapes):
        shapes = (_checked(shapes),)
    checked = [_checked(shape) for shape in shapes]
    names = _arguments(model)
    if names is not None and len(checked) > len(names):
        raise _misfit(names, f"{len(checked)} sample shapes are given")
    if names is None:  # forward(*x)
        names = {f"{INPUT}_{place}": False for place in range(len(checked))}
    return _ordered(names, dict(zip(names, checked, strict=False)), only=len(checked) == 1)


def _arguments(model: torch.nn.Module) -> dict[str, bool] | None:
    """Positional arguments of forward and whether each is needed; None where it takes any."""
    names: dict[str, bool] = {}
    for parameter in inspect.signature(model.forward).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return None
        if parameter.kind is not parameter.VAR_KEYWORD:
            names[parameter.name] = parameter.default is parameter.empty
    return names


def _ordered(
    names: dict[str, bool] | None, given: dict[str, Shape], only: bool = False
) -> dict[str, Shape]:
    """The shapes in forward's order; the only one is called "input"."""
    if names is None:
        return given
    unknown = [name for name in given if name not in names]
    missing = [name for name, needed in names.items() if needed and name not in given]
    if unknown or not given:
        listed = ", ".join(unknown) or "nothing"
        raise _misfit(names, f"sample shapes are given for {listed}")
    if missing:
        raise _misfit(names, f"no sample shape is given for {', '.join(missing)}")
    if list(names)[: len(given)] != [name for name in names if name in given]:
        raise _misfit(names, "the inputs must be its first arguments")
    if only:
        return {INPUT: next(iter(given.values()))}
    return {name: given[name] for name in names if name in given}


def _misfit(names: dict[str, bool], what: str) -> UsageError:
    listed = ", ".join(n if needed else f"{n} (optional)" for n, needed in names.items())
    return UsageError(
        f"forward takes {listed or 'nothing'}, but {what}",
        where="sample shape",
        remedy="give one shape per tensor, in the order of forward's arguments: --sample-shape "
        "1,28,28 --sample-shape 12; a state needs a default: state=None",
    )


def _checked(sample_shape: Any) -> Shape:
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
