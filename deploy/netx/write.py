"""A Program as a .net file that lava-dl 0.6.0's netx loads and runs spike by spike."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import Problem, UnsupportedNode
from ..program import Population, Program, Projection
from ..synapses.conv2d import Conv2d
from ..synapses.dense import Dense
from ..synapses.sparse import Sparse
from ..weights import is_low
from .file import write_file
from .layers import LARGEST_MATRIX
from .loading import Loading, arguments_of, notes_of
from .weights import OffGrid, exact_format, netx_problem
from .write_neurons import Written, write_neuron

Array = npt.NDArray[Any]

_STACK = "a .net file is one stack of layers: keep the Program, or deploy such a part of it"


@dataclass(slots=True)
class _File:
    """The file while it grows."""

    layers: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    shape: tuple[int, ...] = ()

    def refuse(self, where: str, what: str, remedy: str = _STACK) -> None:
        self.problems.append(Problem(what, where, remedy))


def write_net(program: Program, path: Path | str) -> Loading:
    """Write a Program for netx.

    Returns:
        What netx's Network must be called with.

    Raises:
        UnsupportedNode: everything that the file, or netx, cannot say, all at once.
        FileError: the file cannot be written.
    """
    file = _File()
    if program.precision != "fixed":
        file.refuse("program", "a Program in floating point", "compile it in fixed point")
        raise UnsupportedNode(*file.problems)
    _check_ends(program, file)
    source, first = program.inputs[0], program.populations[0] if program.populations else None
    entry = first is not None and _is_entry(program, first)
    file.shape = source.shape
    if not entry:
        file.layers.append({"type": "input", "shape": _sizes(source.shape)})
    before = source.name
    for population in program.populations:
        takes_samples = entry and population is first
        _add(program, file, population, before, takes_samples)
        before = before if population.kind == "bias" else population.name
    arguments, clashes = arguments_of(program, file.written, entry)
    file.problems += clashes
    if file.problems:
        raise UnsupportedNode(*file.problems)
    unit = program.dt * 1000
    simulation = {"Ts": unit, "tSample": program.steps * unit}
    write_file(file.layers, simulation, Path(path))
    return Loading(arguments, notes_of(program, entry, arguments))


def _check_ends(program: Program, file: _File) -> None:
    for title, nodes in (("inputs", program.inputs), ("outputs", program.outputs)):
        if len(nodes) != 1:
            names = ", ".join(node.name for node in nodes)
            file.refuse("program", f"{len(nodes)} {title} ({names}); a .net file has one")
    if not program.populations:
        file.refuse("program", "no population")
    elif program.outputs[0].population != program.populations[-1].name:
        name = program.outputs[0].population
        file.refuse(f"output {program.outputs[0].name}", f"{name} is read, and is not the last")


def _is_entry(program: Program, population: Population) -> bool:
    """Whether that population takes the samples one to one: netx's input layer."""
    into = program.into(population.name)
    if len(into) != 1 or not program.inputs[0].graded or into[0].delay:
        return False
    synapse = into[0].synapse
    return (
        into[0].source == program.inputs[0].name
        and isinstance(synapse, Sparse)
        and synapse.delay is None
        and np.array_equal(synapse.row, np.arange(population.size))
        and np.array_equal(synapse.row, synapse.column)
        and synapse.in_size == population.size
        and bool(np.all(synapse.weight * 2.0 ** into[0].exponent == 1))
    )


def _sizes(shape: tuple[int, ...]) -> Array:
    """A shape as netx takes it: (n,) or (C, H, W)."""
    return np.array(shape if len(shape) in (1, 3) else (prod(shape),), np.int64)


def _add(
    program: Program, file: _File, population: Population, before: str, takes_samples: bool
) -> None:
    where = f"population {population.name}"
    if population.kind == "bias":
        file.refuse(
            where,
            "an added neuron that carries a bias as a current",
            "train without a bias in front of this layer, or with a weaker one",
        )
        return
    written = write_neuron(population, first=takes_samples)
    file.written.append(written)
    for what, remedy in written.problems:
        file.refuse(where, what, remedy)
    fields: dict[str, Any] = {"type": "input", "shape": _sizes(population.shape)}
    if takes_samples:
        scale = program.inputs[0].scale
        if scale != int(scale):
            file.refuse(
                f"input {program.inputs[0].name}",
                f"samples scaled by {scale:g}; netx cuts it off to {int(scale)}",
                "use a scale that is a whole number",
            )
        fields["weight"] = np.full(1, scale, np.float32)
        fields["bias"] = np.zeros(1, np.float32)
    else:
        fields = _synapses(program, file, population, before)
    own = dict(written.fields)
    if takes_samples and "bias" in own:
        values = np.unique(own["bias"])
        if values.size > 1:
            file.refuse(where, "an input layer with a bias for each neuron", "use one bias")
        own["bias"] = values[:1]
    file.layers.append({**fields, **own, "name": population.name})
    file.shape = population.shape


def _synapses(
    program: Program, file: _File, population: Population, before: str
) -> dict[str, Any]:
    """Fields of what arrives at a population; a flatten layer in front where it is needed."""
    where = f"population {population.name}"
    into = program.into(population.name)
    biases = {p.name for p in program.populations if p.kind == "bias"}  # refused already
    into = tuple(p for p in into if p.source not in biases)
    for part in (p for p in into if is_low(p)):
        file.refuse(
            f"projection {part.name}",
            "the low part of weights in two parts; a .net file holds 8 bits",
            "compile with --target loihi2-netx",
        )
    into = tuple(p for p in into if not is_low(p))
    wrong = sorted({p.source for p in into} - {before, population.name})
    if wrong:
        file.refuse(
            where, f"it reads {', '.join(wrong)}; netx would connect {before} to it, alone"
        )
    forward = [p for p in into if p.source == before]
    loops = [p for p in into if p.source == population.name]
    ports = sorted(p.port for p in forward)
    if ports not in ([""], ["imaginary", "real"]) or len(loops) > 1:
        told = ", ".join(p.name for p in into) or "none"
        file.refuse(
            where,
            f"{len(into)} projections ({told}); netx has one, one from the layer to itself, "
            "or a real and an imaginary one",
        )
        return {}
    if ports != [""]:
        return _complex(file, population, forward, loops)
    if isinstance(forward[0].synapse, Conv2d):
        return _conv(file, population, forward[0], loops)
    return _dense(file, population, forward[0], loops)


def _effective(file: _File, projection: Projection, values: Array) -> Array:
    """Weights as the file states them: whole numbers, without an exponent."""
    exponent = projection.exponent
    whole = values.astype(np.int64)
    if exponent >= 0:
        return whole << exponent
    lost = whole % (1 << -exponent) != 0
    if lost.any():
        file.refuse(
            f"projection {projection.name}",
            f"{np.count_nonzero(lost)} of {whole.size} weights are no whole numbers, such as "
            f"{whole[lost].flat[0]} * 2**{exponent}; a .net file has no exponent",
            "compile with --target loihi2-netx",
        )
    return whole >> -exponent


def _matrices(file: _File, projection: Projection) -> tuple[Array, Array]:
    """Weights (n_out, n_in) and delays, () for all alike."""
    synapse = projection.synapse
    if isinstance(synapse, Dense):
        return _effective(file, projection, synapse.weight), np.asarray(projection.delay)
    assert isinstance(synapse, Sparse)
    if prod(synapse.shape) > LARGEST_MATRIX:
        file.refuse(
            f"projection {projection.name}",
            f"a matrix of {prod(synapse.shape)} weights; the limit is {LARGEST_MATRIX}",
        )
        return np.ones((1, 1), np.int64), np.asarray(0)
    weight = np.zeros(synapse.shape, np.int64)
    weight[synapse.row, synapse.column] = _effective(file, projection, synapse.weight)
    if synapse.delay is None:
        return weight, np.asarray(projection.delay)
    delay = np.zeros(synapse.shape, np.int64)
    delay[synapse.row, synapse.column] = synapse.delay.astype(np.int64) + projection.delay
    return weight, delay


def _flatten(file: _File) -> None:
    if len(file.shape) == 3:
        file.layers.append({"type": "flatten", "shape": np.array([prod(file.shape)])})


def _check(file: _File, projection: Projection, problem: str) -> None:
    where = f"projection {projection.name}"
    if problem and not any(known.where == where for known in file.problems):
        file.refuse(
            where,
            problem,
            "a .net file has no weight exponent, so that weights lie in -256 to 254: compile "
            "with --target loihi2-netx",
        )


def _dense(
    file: _File, population: Population, projection: Projection, loops: list[Projection]
) -> dict[str, Any]:
    _flatten(file)
    if len(population.shape) == 3 and prod(population.shape[1:]) > 1:
        file.refuse(
            f"population {population.name}",
            f"an image of shape {population.shape} behind a matrix; netx flattens it",
            "use a convolution, or a flat layer",
        )
    weight, delay = _matrices(file, projection)
    recurrent = None
    fields: dict[str, Any] = {
        "type": "dense",
        "shape": np.array([population.size]),
        "inFeatures": weight.shape[1],
        "outFeatures": population.size,
        "weight": weight.astype(np.float32),
    }
    if delay.any():
        fields["delay"] = delay
    if loops:
        recurrent, late = _matrices(file, loops[0])
        if delay.any() or late.any():
            file.refuse(
                f"population {population.name}",
                "a recurrent layer with delays, which netx gives to both of its matrices",
                "train without delays in recurrent layers",
            )
        fields |= {"type": "dense_rec", "weight_rec": recurrent.astype(np.float32)}
    _check(file, projection, netx_problem(weight, recurrent))
    return fields


def _complex(
    file: _File, population: Population, forward: list[Projection], loops: list[Projection]
) -> dict[str, Any]:
    _flatten(file)
    if loops:
        file.refuse(f"population {population.name}", "a recurrent layer of resonators")
    fields: dict[str, Any] = {"type": "dense", "shape": np.array([population.size])}
    for projection in sorted(forward, key=lambda p: p.port, reverse=True):
        if isinstance(projection.synapse, Conv2d):
            file.refuse(
                f"projection {projection.name}",
                "a convolution into resonators",
                "use a dense layer",
            )
            continue
        weight, delay = _matrices(file, projection)
        if delay.any():
            file.refuse(
                f"projection {projection.name}",
                "delays into resonators, which netx drops",
                "train without delays in front of resonators",
            )
        _check(file, projection, netx_problem(weight))
        key = "weight/real" if projection.port == "real" else "weight/imag"
        fields[key] = weight.astype(np.float32)
    return fields


def _conv(
    file: _File, population: Population, projection: Projection, loops: list[Projection]
) -> dict[str, Any]:
    conv, where = projection.synapse, f"projection {projection.name}"
    assert isinstance(conv, Conv2d)
    if loops:
        file.refuse(f"population {population.name}", "a recurrent convolution")
    if projection.delay:
        file.refuse(
            where,
            f"a delay of {projection.delay} steps at a convolution, which netx ignores",
            "train without delays at convolutions",
        )
    if file.shape != conv.input_shape:
        file.refuse(
            where,
            f"a convolution over {conv.input_shape} of what has the shape {file.shape}",
            "netx has no way from a flat layer to an image",
        )
    weight = _effective(file, projection, conv.weight)
    made = exact_format(weight, fill=False)
    if isinstance(made, OffGrid) or made[1].exponent:
        file.refuse(
            where,
            "weights of a convolution that need an exponent: netx has none there, and its "
            "simulation would keep what the chip cannot",
            "compile with --target loihi2-netx",
        )
    return {
        "type": "conv",
        "shape": _sizes(conv.output_shape),
        "inChannels": conv.input_shape[0],
        "outChannels": conv.output_shape[0],
        "kernelSize": np.array(conv.weight.shape[2:]),
        "stride": np.array(conv.stride),
        "padding": np.array(conv.padding),
        "dilation": np.array(conv.dilation),
        "groups": conv.groups,
        "weight": weight.astype(np.float32),
    }
