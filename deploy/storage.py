"""A Program as one `.slip` file: safetensors with a JSON header. Loading it runs no code."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..errors import FileError
from ..files import write_bytes
from .formats import WeightFormat
from .neurons.models import MODELS, model_of
from .program import Input, Output, Population, Program, Projection
from .synapses.conv2d import Conv2d
from .synapses.dense import Dense
from .synapses.sparse import Sparse

FORMAT = 2
_TYPES: dict[str, type] = {
    t.__name__: t
    for t in (
        *MODELS,
        Conv2d,
        Dense,
        Sparse,
        WeightFormat,
        Input,
        Output,
        Population,
        Program,
        Projection,
    )
}


def save_program(program: Program, path: Path) -> None:
    """Write atomically. Raises FileError."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    header = {"format": FORMAT, "program": _describe(program, "program", arrays)}
    text = {"slipway": json.dumps(header, allow_nan=True)}
    content = save(arrays, metadata=text)  # in memory: only then a full disk is an OSError
    write_bytes(path, content)


def load_program(path: Path) -> Program:
    """Read a Program.

    Raises:
        FileError: missing, truncated, not a slipway Program, or of an unknown version.
    """
    remedy = "compile the graph again: slipway compile GRAPH.nir -o PROGRAM.slip"
    if not path.is_file():
        raise FileError(f"there is no file {path}", remedy=remedy)
    try:
        with safe_open(path, framework="numpy") as stream:
            text = (stream.metadata() or {}).get("slipway")
            arrays = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise FileError(
            f"{path} is no slipway Program, or it is truncated: {error}", remedy=remedy
        ) from error
    if text is None:
        raise FileError(f"{path} holds tensors but no slipway Program", remedy=remedy)
    header = json.loads(text)
    if header.get("format") != FORMAT:
        raise FileError(
            f"{path} has format {header.get('format')}; this slipway reads format {FORMAT}",
            remedy=remedy,
        )
    try:
        program = _rebuild(header["program"], arrays)
    except (KeyError, TypeError) as error:
        raise FileError(f"{path} is damaged: {error!r}", remedy=remedy) from error
    assert isinstance(program, Program)
    return program


def _describe(value: Any, key: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """JSON for a value; arrays go into `arrays` under their path."""
    if is_dataclass(value) and not isinstance(value, type):
        body = {
            f.name: _describe(getattr(value, f.name), f"{key}.{f.name}", arrays)
            for f in fields(value)
        }
        return {"type": type(value).__name__, **body}
    if isinstance(value, np.ndarray):
        arrays[key] = np.ascontiguousarray(value)
        return {"array": key}
    if isinstance(value, tuple) and any(is_dataclass(item) for item in value):
        return {
            "items": [_describe(item, f"{key}.{i}", arrays) for i, item in enumerate(value)]
        }
    if isinstance(value, tuple):
        return {"tuple": list(value)}
    return value


def _rebuild(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value and len(value) == 1:
        array = arrays[value["array"]]
        array.setflags(write=False)
        return array
    if "items" in value and len(value) == 1:
        return tuple(_rebuild(item, arrays) for item in value["items"])
    if "tuple" in value and len(value) == 1:
        return tuple(value["tuple"])
    if value.get("type") in _TYPES:
        body = {name: _rebuild(item, arrays) for name, item in value.items() if name != "type"}
        return _TYPES[value["type"]](**body)
    return value


def as_json(program: Program) -> dict[str, Any]:
    """The Program without its arrays, for `slipway inspect --json`."""
    return {
        "precision": program.precision,
        "target": program.target,
        "dt_second": program.dt,
        "steps": program.steps,
        "latency_steps": program.latency,
        "inputs": {i.name: asdict(i) for i in program.inputs},
        "outputs": {o.name: asdict(o) for o in program.outputs},
        "populations": {
            p.name: {
                "kind": p.kind,
                "shape": list(p.shape),
                "neurons": p.size,
                "depth": p.depth,
                "neuron": type(p.neuron).__name__,
                "model": model_of(p.neuron).title,
                "scale": [float(p.scale.min()), float(p.scale.max())],
            }
            for p in program.populations
        },
        "projections": {
            p.name: {
                "source": p.source,
                "target": p.target,
                "kind": type(p.synapse).__name__,
                "weight_shape": list(p.synapse.weight.shape),
                "format": asdict(p.synapse.format) if p.synapse.format else None,
                "delay": p.delay,
                "longest_delay": p.longest_delay,
                "folded": list(p.folded),
            }
            for p in program.projections
        },
        "provenance": dict(program.provenance),
        "report": dict(program.report),
    }
