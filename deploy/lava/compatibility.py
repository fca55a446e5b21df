"""The only import of Lava, and what makes lava-nc 0.10.0 run on Python >= 3.11 and numpy 2.

Four repairs, none of which touches an equation:

P1. Python >= 3.11 refuses dataclass defaults that are not hashable; Lava has nine of them.
    `dataclasses._get_field` is wrapped while Lava is imported, for classes of `lava.*` only.
P2. numpy >= 2.4 has no `np.reshape(newshape=...)`; two methods of Lava's ReshapePort use it.
P3. numpy >= 2 does not mix int8 arrays with larger Python ints; Lava keeps the geometry of a
    convolution in int8 arrays. They become Python ints before they are used.
P4. Lava looks for the ProcessModels of each Process by running every file beside it, again in
    each network: a quarter of the time that a small network takes. It looks once for each type.

On Python 3.10 with numpy 1 nothing is changed.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...errors import LavaError
from ..program import Precision
from .environment import LAVA_VERSION, lava_command, require_lava, version_of

# Every module that slipway or Lava's own compiler needs later: all are imported at once, so
# that nothing of Lava is imported after the repairs are gone.
_MODULES = (
    "lava.magma.compiler.compiler",
    "lava.magma.compiler.var_model",
    "lava.magma.runtime.runtime",
)

_OWN = f"{__package__}.own.neurons"

_NAMES = {
    "RingBuffer": "lava.proc.io.source",
    "Dense": "lava.proc.dense.process",
    "Sparse": "lava.proc.sparse.process",
    "DelaySparse": "lava.proc.sparse.process",
    "Conv": "lava.proc.conv.process",
    "LIF": "lava.proc.lif.process",
    "LIFReset": "lava.proc.lif.process",
    "LIFRefractory": "lava.proc.lif.process",
    "TernaryLIF": "lava.proc.lif.process",
    "ATRLIF": "lava.proc.atrlif.process",
    "RF": "lava.proc.rf.process",
    "RF_IZ": "lava.proc.rf_iz.process",
    "Delta": "lava.proc.sdn.process",
    "SigmaDelta": "lava.proc.sdn.process",
    "ActivationMode": "lava.proc.sdn.process",
    "GeneralLIF": _OWN,
    "GeneralSigmaDelta": _OWN,
    "FirstSpike": _OWN,
    "SignMode": "lava.utils.weightutils",
    "RunSteps": "lava.magma.core.run_conditions",
    "Loihi2SimCfg": "lava.magma.core.run_configs",
}

# Process -> (module, ProcessModel at `float`, ProcessModel at `fixed`); "" where there is none
_MODELS = {
    "RingBuffer": ("lava.proc.io.source", "PySendModelFloat", "PySendModelFixed"),
    "Dense": ("lava.proc.dense.models", "PyDenseModelFloat", "PyDenseModelBitAcc"),
    "Sparse": ("lava.proc.sparse.models", "PySparseModelFloat", "PySparseModelBitAcc"),
    "DelaySparse": (
        "lava.proc.sparse.models",
        "PyDelaySparseModelFloat",
        "PyDelaySparseModelBitAcc",
    ),
    "Conv": ("lava.proc.conv.models", "PyConvModelFloat", "PyConvModelFixed"),
    "LIF": ("lava.proc.lif.models", "PyLifModelFloat", "PyLifModelBitAcc"),
    "LIFReset": ("lava.proc.lif.models", "PyLifResetModelFloat", "PyLifResetModelBitAcc"),
    "LIFRefractory": ("lava.proc.lif.models", "PyLifRefractoryModelFloat", ""),
    "TernaryLIF": ("lava.proc.lif.models", "PyTernLifModelFloat", "PyTernLifModelFixed"),
    "ATRLIF": ("lava.proc.atrlif.models", "PyATRLIFModelFloat", "PyATRLIFModelFixed"),
    "RF": ("lava.proc.rf.models", "PyRFModelFloat", "PyRFModelFixed"),
    "RF_IZ": ("lava.proc.rf_iz.models", "PyRF_IZModelFloat", "PyRF_IZModelFixed"),
    "Delta": ("lava.proc.sdn.models", "PyDeltaModelFloat", "PyDeltaModelFixed"),
    "SigmaDelta": ("lava.proc.sdn.models", "PySigmaDeltaModelFloat", "PySigmaDeltaModelFixed"),
    "GeneralLIF": (_OWN, "PyGeneralLIFModelFloat", "PyGeneralLIFModelFixed"),
    "GeneralSigmaDelta": (
        _OWN,
        "PyGeneralSigmaDeltaModelFloat",
        "PyGeneralSigmaDeltaModelFixed",
    ),
    "FirstSpike": (_OWN, "PyFirstSpikeModelFloat", "PyFirstSpikeModelFixed"),
}


PROCESS_NAMES: dict[Precision, tuple[str, ...]] = {
    "float": tuple(name for name, row in _MODELS.items() if row[1]),
    "fixed": tuple(name for name, row in _MODELS.items() if row[2]),
}
"""Processes that have a model of a precision."""


@contextmanager
def _hashable_defaults() -> Iterator[None]:
    """P1: while inside, an unhashable default of a Lava dataclass becomes a factory."""
    original = dataclasses._get_field  # type: ignore[attr-defined]

    @functools.wraps(original)
    def get_field(cls: type, name: str, *rest: Any) -> Any:
        default = getattr(cls, name, dataclasses.MISSING)
        if (
            cls.__module__.partition(".")[0] == "lava"
            and type(default).__hash__ is None
            and not isinstance(default, list | dict | set)
        ):
            # The one shared instance, as on Python 3.10.
            setattr(cls, name, dataclasses.field(default_factory=lambda: default))
        return original(cls, name, *rest)

    dataclasses._get_field = get_field  # type: ignore[attr-defined]
    try:
        yield
    finally:
        dataclasses._get_field = original  # type: ignore[attr-defined]


def _repair_reshape() -> None:
    """P2: positional shape, which every numpy knows."""
    ports: Any = importlib.import_module("lava.magma.core.process.ports.ports")

    def forward(self: Any) -> Any:
        return functools.partial(_reshape, shape=self.shape)

    def backward(self: Any) -> Any:
        return functools.partial(_reshape, shape=self.old_shape)

    ports.ReshapePort.get_transform_func_fwd = forward
    ports.ReshapePort.get_transform_func_bwd = backward


def _reshape(data: Any, shape: tuple[int, ...]) -> Any:
    return np.reshape(data, shape)


def _repair_convolution() -> None:
    """P3: the geometry in Python ints."""
    utils: Any = importlib.import_module("lava.proc.conv.utils")
    original = utils.conv

    @functools.wraps(original)
    def conv(data: Any, weight: Any, *geometry: Any) -> Any:
        *pairs, groups = geometry
        return original(data, weight, *([int(n) for n in pair] for pair in pairs), int(groups))

    utils.conv = conv


def _remember_models() -> None:
    """P4: what a type of Process has found stays known."""
    graphs: Any = importlib.import_module("lava.magma.compiler.compiler_graphs")
    original = graphs.ProcGroupDiGraphs._find_proc_models
    known: dict[type, Any] = {}

    def find(proc: Any) -> Any:
        if type(proc) not in known:
            known[type(proc)] = original(proc)
        return list(known[type(proc)])

    graphs.ProcGroupDiGraphs._find_proc_models = staticmethod(find)


def _check_version() -> None:
    installed = version_of("lava-nc")
    if installed != LAVA_VERSION:
        raise LavaError(
            f"lava-nc {installed} is installed; the repairs were written for {LAVA_VERSION}",
            where="deploy/lava/compatibility.py",
            remedy=lava_command(),
        )


@functools.cache
def import_lava() -> SimpleNamespace:
    """Import Lava, repaired where this Python or numpy needs it.

    Returns:
        The processes, Lava's and slipway's, and the run settings that slipway uses, by their
        own names, and `models`: precision -> {Process: ProcessModel}.

    Raises:
        MissingDependency: Lava cannot run here.
    """
    require_lava()
    _check_version()
    modules = {*_MODULES, *_NAMES.values(), *(module for module, *_ in _MODELS.values())}
    if sys.version_info >= (3, 11):
        with _hashable_defaults():
            found = {name: importlib.import_module(name) for name in sorted(modules)}
        _remember_models()
    else:
        found = {name: importlib.import_module(name) for name in sorted(modules)}
    if int(np.__version__.partition(".")[0]) >= 2:
        _repair_reshape()
        _repair_convolution()
    values = {name: getattr(found[module], name) for name, module in _NAMES.items()}
    models = {
        precision: {
            values[process]: getattr(found[row[0]], row[column])
            for process, row in _MODELS.items()
            if row[column]
        }
        for column, precision in ((1, "float"), (2, "fixed"))
    }
    return SimpleNamespace(**values, models=models)
