"""A .net file to a fixed-point Program: the file's integers are the Program's integers."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import Problem, UnsupportedNode, UsageError
from ..formats import THRESHOLD, WeightFormat
from ..neurons.cuba_lif import NO_MEMORY, CubaLif
from ..neurons.models import Neuron
from ..neurons.sigma_delta import SigmaDelta
from ..onset import guard_onset
from ..program import Input, Output, Population, Program, Projection, Readout
from ..synapses.sparse import Sparse
from . import layers
from .fields import Fields
from .file import read_file
from .neurons import SPIKE_EXPONENT, UNIT, Setting, read_neuron
from .proofs import prove

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

INPUT, OUTPUT = "input", "output"
INPUT_RANGE = (-255, 255)
_COMPUTING = (*layers.LAYERS, "average")


@dataclass(slots=True)
class _Stack:
    """The Program while it grows layer by layer."""

    populations: list[Population] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    source: Input | None = None
    shape: Shape | None = None

    @property
    def last(self) -> str:
        """Name of what the next layer reads."""
        return self.populations[-1].name if self.populations else INPUT


def read_net(
    path: Path | str,
    *,
    steps: int | None = None,
    dt: float | None = None,
    reset_interval: int | None = None,
    readout: Readout | None = None,
    input_scale: float | None = None,
    input_range: tuple[int, int] = INPUT_RANGE,
    exact: bool = False,
    target: str = "loihi2",
    provenance: Mapping[str, Any] | None = None,
) -> Program:
    """Read a network of lava-dl.

    Args:
        path: the file. It is opened read-only and never followed to another file.
        steps: time steps of a sample; None takes the file's `simulation/tSample`.
        dt: seconds of a step; None takes the file's `simulation/Ts` in milliseconds, else 1e-3.
        reset_interval: u and v are cleared after so many steps again and again, each layer
            when the first input of the next sample reaches it.
        readout: what is read of the last layer; None counts the spikes of a layer that spikes
            and takes the last membrane of one that does not.
        input_scale: integer per unit of the samples where an input layer takes values; None
            takes the layer's own `weight`, 64 where it states none.
        input_range: smallest and largest integer there; what lies outside is clipped and
            counted at run time.
        exact: sigma-delta neurons of slipway instead of Lava's, which lose low bits.
        target: name of a target, see `slipway targets`.
        provenance: JSON values to store with the Program.

    Returns:
        The Program, precision "fixed"; its report holds what is not proven as warnings.

    Raises:
        FileError, UnsafeFileError: see :func:`.file.read_file`.
        UnsupportedNode: layers, neurons and values without equivalent, all at once.
        UsageError: steps are unknown, or options make no sense.
    """
    program, kinds = read_unproven(
        path,
        steps=steps,
        dt=dt,
        reset_interval=reset_interval,
        readout=readout,
        entry=(input_scale, input_range),
        exact=exact,
        target=target,
    )
    report, warnings = prove(program)
    facts = {
        **(provenance or {}),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "source_dialect": "lava-dl",
        "layers": kinds,
    }
    report["warnings"] = [*program.report["warnings"], *warnings]
    return replace(program, provenance=facts, report=report)


def read_unproven(
    path: Path | str,
    *,
    steps: int | None = None,
    dt: float | None = None,
    reset_interval: int | None = None,
    readout: Readout | None = None,
    entry: tuple[float | None, tuple[int, int]] = (None, INPUT_RANGE),
    exact: bool = False,
    target: str = "loihi2",
) -> tuple[Program, list[str]]:
    """The Program before its bounds are looked at, and the types of the layers.

    Arguments and errors as for `read_net`; `entry` is its input scale and range.
    """
    path = Path(path)
    raw, simulation = read_file(path)
    steps, step = _time(simulation, steps, dt, str(path))
    interval = _interval(reset_interval)
    stack, kinds = _Stack(), []
    for index, values in enumerate(raw):
        fields = Fields(f"{path}: layer {index}", values)
        kind = fields.text("type")
        fields.place += f" ({kind or 'no type'})"
        kinds.append(kind)
        last = not any(_type(later) in _COMPUTING for later in raw[index + 1 :])
        depth = len(stack.populations) + 1
        setting = Setting((), depth, index == 0, last, interval, exact)
        _add(stack, fields, index, kind, setting, entry)
        stack.problems += fields.problems
        unread = fields.unread()
        if unread and not fields.problems:
            stack.warnings.append(f"layer {index} ({kind}): not read: {', '.join(unread)}")
    if not stack.problems and not stack.populations:
        stack.problems.append(
            Problem("no layer computes anything", str(path), "export the network again")
        )
    if stack.problems:
        raise UnsupportedNode(*stack.problems)
    return _program(stack, readout, step, steps, target), kinds


def _type(values: Mapping[str, Any]) -> str:
    return Fields("", values).text("type")


def _time(
    simulation: Mapping[str, Any], steps: int | None, dt: float | None, where: str
) -> tuple[int, float]:
    fields = Fields(f"{where}: simulation", simulation)
    unit, length = fields.numbers("Ts"), fields.numbers("tSample")
    milliseconds = float(unit.flat[0]) if unit is not None and unit.size else 1.0
    if milliseconds <= 0:
        milliseconds = 1.0
    if steps is None and length is not None and length.size:
        steps = round(float(length.flat[0]) / milliseconds)
    if steps is None:
        raise UsageError(
            "the file does not say for how many time steps a sample lasts",
            where=where,
            remedy="state it, for instance --steps 32",
        )
    if steps < 1:
        raise UsageError(f"{steps} time steps are too few", remedy="use --steps 1 or more")
    return int(steps), dt if dt is not None else milliseconds * 1e-3


def _interval(reset_interval: int | None) -> int:
    if reset_interval is not None and reset_interval < 1:
        raise UsageError(
            f"a reset interval of {reset_interval} steps", remedy="use 1 or more, or none"
        )
    return reset_interval or 0


def _add(
    stack: _Stack,
    fields: Fields,
    index: int,
    kind: str,
    setting: Setting,
    entry: tuple[float | None, tuple[int, int]],
) -> None:
    """Extend the stack by one layer; problems go to `fields`."""
    name = fields.text("name") or f"{kind}{index}"
    if any(p.name == name for p in stack.populations) or name in (INPUT, OUTPUT):
        name = f"{kind}{index}"
    if kind == "input":
        _add_input(stack, fields, name, setting, entry)
    elif kind == "flatten":
        fields.find("shape")
        if stack.shape is not None:
            stack.shape = (prod(stack.shape),)
    elif kind == "average":
        _add_average(stack, fields, name, setting)
    elif kind in layers.LAYERS:
        _add_layer(stack, fields, name, kind, setting)
    else:
        known = ", ".join(("input", "flatten", "average", *layers.LAYERS))
        reason, remedy = layers.REFUSED.get(kind, ("is not known", f"use one of {known}"))
        fields.refuse("type", f"layers of type {kind!r}: {reason}", remedy)
        stack.shape = layers.file_shape(fields)  # so that the layers behind it are checked


def _add_input(
    stack: _Stack,
    fields: Fields,
    name: str,
    setting: Setting,
    entry: tuple[float | None, tuple[int, int]],
) -> None:
    if not setting.first:
        fields.refuse("type", "an input layer behind other layers", "make it the first layer")
        return
    shape = layers.file_shape(fields)
    if shape is None:
        return
    stack.shape = shape
    if "neuron" not in fields:
        stack.source = _spikes(shape)
        return
    given, (low, high) = entry
    weight = fields.integers("weight")
    scale = float(weight.flat[0]) if weight is not None and weight.size else float(UNIT)
    scale = scale if given is None else given
    if not scale > 0 or not low < high:
        fields.refuse(
            "weight",
            f"samples scaled by {scale:g} into {low} to {high}",
            "give an input scale above 0 and a range that is not empty",
        )
        return
    neuron, kind = read_neuron(fields, replace(setting, shape=shape))
    stack.source = Input(INPUT, shape, True, scale, float(low), float(high))
    each = np.arange(prod(shape), dtype=np.int32)
    identity = Sparse(
        np.ones(each.size, np.int16),
        each,
        each,
        (each.size, each.size),
        WeightFormat(sign_mode="excitatory"),
    )
    stack.projections.append(Projection(f"{INPUT}->{name}", INPUT, name, identity))
    stack.populations.append(_population(name, kind, shape, neuron, 1))


def _spikes(shape: Shape) -> Input:
    return Input(INPUT, shape, False, 1.0, 0.0, 1.0)


def _add_layer(stack: _Stack, fields: Fields, name: str, kind: str, setting: Setting) -> None:
    linear = layers.read_layer(fields, kind, stack.shape)
    shape = linear.shape if linear else layers.file_shape(fields)
    if shape is None:
        stack.shape = None
        return
    neuron, family = read_neuron(fields, replace(setting, shape=shape))
    source = stack.last
    stack.shape = shape
    if linear is None:
        stack.populations.append(_population(name, family, shape, neuron, setting.depth))
        return
    if stack.source is None:  # the file begins with a layer that computes
        stack.source = _spikes((linear.parts[0].synapse.in_size,))
    ports = {part.port for part in linear.parts}
    resonates = family.startswith("RF")
    if resonates != (ports == {"real", "imaginary"}):
        fields.refuse(
            "weight",
            f"{'real' if ports == {''} else 'complex'} weights into neurons of type {family}",
            "resonate-and-fire neurons take weight/real and weight/imag, the others one weight",
        )
    for part in linear.parts:
        begin = name if part.recurrent else source
        title = f"{begin}->{name}" + (f".{part.port}" if part.port else "")
        stack.projections.append(
            Projection(title, begin, name, part.synapse, part.delay, port=part.port)
        )
    stack.populations.append(_population(name, family, shape, neuron, setting.depth))


def _add_average(stack: _Stack, fields: Fields, name: str, setting: Setting) -> None:
    """Mean over groups of neurons that follow each other: summed up, scaled when it is read."""
    shape = layers.file_shape(fields)
    if shape is None or stack.shape is None:
        return
    outputs, inputs = prod(shape), prod(stack.shape)
    if not setting.last or not stack.populations or inputs % outputs:
        fields.refuse(
            "shape",
            f"an average of {inputs} neurons in {outputs} groups"
            + ("" if setting.last else ", and a layer follows it"),
            "the average must be the last layer, and its groups of equal size",
        )
        return
    group = inputs // outputs
    column = np.arange(inputs, dtype=np.int32)
    synapse = Sparse(
        np.ones(inputs, np.int16),
        (column // group).astype(np.int32),
        column,
        (outputs, inputs),
        WeightFormat(sign_mode="excitatory"),
    )
    zero = np.zeros(1, np.int64)
    neuron = CubaLif(
        np.array([NO_MEMORY]),
        zero,
        zero,
        np.array([THRESHOLD.maximum]),
        zero,
        onset=(setting.depth + 1) % setting.reset_interval if setting.reset_interval else 0,
        reset_interval=setting.reset_interval,
    )
    stack.projections.append(Projection(f"{stack.last}->{name}", stack.last, name, synapse))
    population = Population(
        name, "readout", (outputs,), neuron, setting.depth, np.full(1, float(group))
    )
    stack.populations.append(population)
    stack.shape = (outputs,)


def _population(name: str, kind: str, shape: Shape, neuron: Neuron, depth: int) -> Population:
    if isinstance(neuron, SigmaDelta):
        message = float(UNIT << SPIKE_EXPONENT)
        return Population(name, kind, shape, neuron, depth, np.full(1, float(UNIT)), message)
    return Population(name, kind, shape, neuron, depth, np.full(1, float(UNIT)))


def _program(
    stack: _Stack, readout: Readout | None, dt: float, steps: int, target: str
) -> Program:
    assert stack.source is not None
    populations, early = guard_onset(tuple(stack.populations), fixed=True)
    last = populations[-1]
    spiking = last.kind not in ("readout", "LI", "CubaLI", "sigma", "sigma-delta", "encoder")
    if readout == "count" and not spiking:
        raise UsageError(
            f"the last layer ({last.kind}) does not spike: there is nothing to count",
            remedy="use the readout last or mean",
        )
    return Program(
        precision="fixed",
        dt=dt,
        steps=steps,
        inputs=(stack.source,),
        populations=populations,
        projections=tuple(stack.projections),
        outputs=(Output(OUTPUT, last.name, readout or ("count" if spiking else "last")),),
        target=target,
        report={"warnings": [*stack.warnings, *early]},
    )
