"""norse's neuron cells as NIR neurons.

Source: norse 1.1.0, `norse/torch/functional/{lif,lif_box,leaky_integrator,
leaky_integrator_box,iaf}.py`. Its step functions are forward Euler with the rates
`tau_*_inv` (1/s) and dt (s)::

    LIFBox:  v <- v + dt * tau_mem_inv * (v_leak - v + x) ;  z = v > v_th ;  v <- v_reset
    LIF:     i <- i + x ;  v <- v + dt * tau_mem_inv * (v_leak - v + i) ;  z, reset as above ;
             i <- i - dt * tau_syn_inv * i

so tau = 1 / tau_inv in seconds. The current of LIF jumps by x, and its decay comes after v has
seen it: a CubaLIF with w_in = tau_syn / dt. (norse 1.1.0's own export writes tau = dt / tau_inv
and no w_in.) With `reset_method=reset_subtract` a spike of LIFBox does v <- v - v_th instead.
norse itself is not imported here: its classes are known by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_TRANSPARENT = ("SequentialState",)

REFUSED = {
    "Lift": ("it runs a layer over time", "export one time step: use the layer without Lift"),
    "RecurrentSequential": ("it is recurrent", "keep a feed-forward network of norse cells"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A NIR neuron read from a norse cell.

    Attributes:
        kind: NIR node type.
        parameters: NIR field -> array of the full neuron shape, float64.
        rests_at_leak: norse starts the membrane at v_leak, and v_leak is not zero.
        metadata: reset "subtract" where a spike takes v_th off v.
    """

    kind: str
    parameters: dict[str, Array]
    rests_at_leak: bool
    metadata: dict[str, str]


class CellError(ValueError):
    """A parameter of a cell that has no NIR equivalent."""


def norse_class(module: object) -> str | None:
    """Name of norse's class that this object is, or derives from without own forward."""
    for base in type(module).__mro__:
        if base.__module__.startswith("norse."):
            forward = getattr(base, "forward", None)
            return base.__name__ if getattr(type(module), "forward", None) is forward else None
    return None


def is_leaf(module: object) -> bool:
    """Tell whether this is a module of norse that is taken as a whole."""
    name = norse_class(module)
    return name is not None and name not in _TRANSPARENT


def is_cell(module: object) -> bool:
    """Tell whether this is a neuron cell that :func:`read_cell` can read."""
    return norse_class(module) in CELLS


def _array(value: Any) -> Array:
    detached = value.detach().cpu().double().numpy() if hasattr(value, "detach") else value
    return np.asarray(detached, np.float64)


def _full(p: Any, name: str, shape: tuple[int, ...]) -> Array:
    """One parameter, one value per neuron."""
    value = _array(getattr(p, name))
    if value.ndim == len(shape) + 1 and value.shape[0] == 1:
        value = value[0]  # a batch axis of length 1
    try:
        return np.broadcast_to(value, shape).copy()
    except ValueError:
        raise CellError(
            f"{name} of shape {value.shape} does not fit the neurons {shape}"
        ) from None


def _tau(p: Any, name: str, shape: tuple[int, ...]) -> Array:
    rate = _full(p, f"{name}_inv", shape)
    if not (np.isfinite(rate) & (rate > 0)).all():
        worst = float(rate[~(np.isfinite(rate) & (rate > 0))][0])
        raise CellError(f"{name}_inv must be positive and finite, it is {worst}")
    return np.asarray(1.0 / rate)


def _leak(p: Any, shape: tuple[int, ...]) -> dict[str, Array]:
    return {"r": np.ones(shape), "v_leak": _full(p, "v_leak", shape)}


def _synapse(p: Any, shape: tuple[int, ...], dt: float) -> dict[str, Array]:
    tau_syn = _tau(p, "tau_syn", shape)
    return {"tau_syn": tau_syn, "w_in": tau_syn / dt}


def _spike(p: Any, shape: tuple[int, ...]) -> dict[str, Array]:
    if getattr(p, "method", "super") == "logistic":
        raise CellError("its spikes are random (method 'logistic'); NIR's are not")
    threshold = _full(p, "v_th", shape)
    if _reset_method(p) == "reset_subtract":  # takes v_th off, whatever v_reset is
        return {"v_threshold": threshold, "v_reset": np.zeros(shape)}
    return {"v_threshold": threshold, "v_reset": _full(p, "v_reset", shape)}


def _reset_method(p: Any) -> str:
    """Name of norse's reset function; cells without the choice reset to v_reset."""
    reset = getattr(p, "reset_method", None)
    name = "reset_value" if reset is None else getattr(reset, "__name__", repr(reset))
    known = name in ("reset_value", "reset_subtract")
    if not known or (reset is not None and not reset.__module__.startswith("norse.")):
        raise CellError(
            f"its reset {name} cannot be written in NIR: known are norse's reset_value and "
            "reset_subtract"
        )
    return name


def _lif_box(p: Any, shape: tuple[int, ...], dt: float) -> tuple[str, dict[str, Array]]:
    return "LIF", {"tau": _tau(p, "tau_mem", shape), **_leak(p, shape), **_spike(p, shape)}


def _lif(p: Any, shape: tuple[int, ...], dt: float) -> tuple[str, dict[str, Array]]:
    tau_mem = _tau(p, "tau_mem", shape)
    fields = {"tau_mem": tau_mem, **_leak(p, shape), **_spike(p, shape)}
    return "CubaLIF", {**fields, **_synapse(p, shape, dt)}


def _li_box(p: Any, shape: tuple[int, ...], dt: float) -> tuple[str, dict[str, Array]]:
    return "LI", {"tau": _tau(p, "tau_mem", shape), **_leak(p, shape)}


def _li(p: Any, shape: tuple[int, ...], dt: float) -> tuple[str, dict[str, Array]]:
    tau_mem = _tau(p, "tau_mem", shape)
    return "CubaLI", {"tau_mem": tau_mem, **_leak(p, shape), **_synapse(p, shape, dt)}


CELLS: dict[str | None, Callable[..., tuple[str, dict[str, Array]]]] = {
    "LIFBoxCell": _lif_box,
    "LIFCell": _lif,
    "LIBoxCell": _li_box,
    "LICell": _li,
}


def read_cell(module: Any, shape: tuple[int, ...], dt: float) -> Cell:
    """Read a cell's parameters for neurons of that shape.

    Raises:
        CellError: a reset of one's own, random spikes, rates that are not positive, shapes.
    """
    kind, parameters = CELLS[norse_class(module)](module.p, shape, dt)
    soft = "v_threshold" in parameters and _reset_method(module.p) == "reset_subtract"
    metadata = {"reset": "subtract"} if soft else {}
    return Cell(kind, parameters, bool((parameters["v_leak"] != 0).any()), metadata)
