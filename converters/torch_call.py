"""One call of the traced step, as the layers' translations see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from .network import Network, Signal

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the traced step.

    Attributes:
        where: "path (Type)", for messages.
        name: module path or function name, from which the node name is made.
        module: the module, for a module's call.
        source: the signal that comes in. given, wanted: shapes in and out.
        arguments: further arguments of a function, by torch's names.
        scales: activation scale of each ReLU by node name. dt: seconds a step.
        node: name of the traced node.
    """

    where: str
    name: str
    module: Any
    source: Signal
    given: Shape
    wanted: Shape
    arguments: Mapping[str, Any]
    scales: Mapping[str, float]
    dt: float
    node: str


Handler: TypeAlias = Callable[[Network, Call], Signal]
