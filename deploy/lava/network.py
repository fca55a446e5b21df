"""A Program as a network of stock Lava processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..program import Population, Program, Projection
from ..synapses.conv2d import Conv2d
from .geometry import conv_is_faster, conv_weight, fits_conv, unroll
from .models import to_lava

Array = npt.NDArray[Any]
Convolution: TypeAlias = Literal["auto", "conv", "sparse"]
Shape: TypeAlias = tuple[int, ...]

_WEIGHT_BITS = 8
_MESSAGE_BITS = 24
"""Any number above 0 makes Lava keep the value of a message; it is not used otherwise."""


def choose_convs(program: Program, convolution: Convolution) -> dict[str, Conv2d]:
    """Which projections become Lava's Conv: name -> synapse. The others become Sparse.

    Args:
        program: the network.
        convolution: "auto" takes what is expected to be faster, "conv" every projection that
            Conv computes exactly, "sparse" none.
    """
    chosen: dict[str, Conv2d] = {}
    images: dict[str, Shape] = {}
    for p in program.projections:
        source = program.input if p.source == program.input.name else None
        if convolution == "sparse" or not fits_conv(p, source, program.precision == "fixed"):
            continue
        synapse = p.synapse
        assert isinstance(synapse, Conv2d)
        if convolution == "auto" and not conv_is_faster(synapse):
            continue
        wanted = {p.source: synapse.input_shape}
        # A recurrent convolution sees its population in one shape on both sides.
        if wanted.setdefault(p.target, synapse.output_shape) != synapse.output_shape:
            continue
        if any(images.get(name, shape) != shape for name, shape in wanted.items()):
            continue
        images.update(wanted)
        chosen[p.name] = synapse
    return chosen


def lava_shapes(program: Program, convs: Mapping[str, Conv2d]) -> dict[str, Shape]:
    """Shape of each input and population in Lava: (W, H, C) next to a Conv, else (n,)."""
    shapes: dict[str, Shape] = {program.input.name: (program.input.size,)}
    shapes |= {p.name: (p.size,) for p in program.populations}
    for p in program.projections:
        if p.name in convs:
            shapes[p.source] = convs[p.name].input_shape[::-1]
            shapes[p.target] = convs[p.name].output_shape[::-1]
    return shapes


def _order(shape: Shape) -> Array:
    """Index in C, H, W order of each element in Lava's order."""
    return to_lava(np.arange(prod(shape)), shape).reshape(-1)


def _matrix(projection: Projection, source: Shape, target: Shape) -> Any:
    """Weights as a csr matrix, rows and columns in Lava's order."""
    from scipy.sparse import csr_matrix

    synapse = projection.synapse
    wide = np.float64 if synapse.weight.dtype.kind == "f" else np.int32
    if isinstance(synapse, Conv2d):
        rows, columns, weights = unroll(synapse)
        matrix = csr_matrix(
            (weights.astype(wide), (rows, columns)), shape=(prod(target), prod(source))
        )
    else:
        matrix = csr_matrix(synapse.weight.astype(wide))
    return csr_matrix(matrix[_order(target)][:, _order(source)])


def _neuron(
    lava: SimpleNamespace, population: Population, shape: Shape, period: int, fixed: bool
) -> Any:
    neuron = population.neuron

    def value(parameter: Array) -> Any:
        if parameter.size == 1:
            return int(parameter.item()) if fixed else float(parameter.item())
        wide = np.int64 if fixed else np.float64
        return np.ascontiguousarray(to_lava(parameter.astype(wide), shape))

    arguments: dict[str, Any] = {
        "shape": shape,
        "u": 0,
        "v": value(neuron.initial_voltage),
        "du": value(neuron.current_decay),
        "dv": value(neuron.voltage_decay),
        "vth": value(neuron.threshold),
        "bias_mant": value(neuron.bias_mantissa),
        "bias_exp": neuron.bias_exponent,
        "name": population.name,
    }
    if not 1 <= neuron.onset <= period:
        return lava.LIF(**arguments)
    # Lava resets where time % interval == offset % interval: at step `onset` of each sample.
    return lava.LIFReset(**arguments, reset_interval=period, reset_offset=neuron.onset)


def _synapse(
    lava: SimpleNamespace,
    projection: Projection,
    source: Shape,
    target: Shape,
    message_bits: int,
    conv: Conv2d | None,
) -> tuple[Any, Shape, Shape]:
    """The process, and the shapes of its ports."""
    sign = {
        "mixed": lava.SignMode.MIXED,
        "excitatory": lava.SignMode.EXCITATORY,
        "inhibitory": lava.SignMode.INHIBITORY,
    }
    if conv is not None:
        process = lava.Conv(
            weight=conv_weight(conv),
            input_shape=source,
            stride=conv.stride[::-1],
            padding=conv.padding[::-1],
            dilation=conv.dilation[::-1],
            groups=conv.groups,
            num_message_bits=message_bits,
            name=projection.name,
        )
        return process, source, target
    arguments = {
        "name": projection.name,
        "num_message_bits": message_bits,
        "weight_exp": projection.synapse.exponent,
        "num_weight_bits": _WEIGHT_BITS,
        "sign_mode": sign[projection.synapse.sign_mode],
    }
    if isinstance(projection.synapse, Conv2d) or projection.delay:
        weights = _matrix(projection, source, target)
        if projection.delay:
            delays = weights.copy().astype(np.int64)
            delays.data[:] = projection.delay
            process = lava.DelaySparse(weights=weights, delays=delays, **arguments)
        else:
            process = lava.Sparse(weights=weights, **arguments)
    else:
        weight = projection.synapse.weight
        wide = np.float64 if weight.dtype.kind == "f" else np.int32
        ordered = weight[_order(target)][:, _order(source)].astype(wide)
        process = lava.Dense(weights=ordered, **arguments)
    return process, (prod(source),), (prod(target),)


def _tie(lava: SimpleNamespace, n_in: int, n_out: int, dtype: Any) -> tuple[Any, Shape, Shape]:
    """No synapses at all: Lava runs only what is linked to the process it is told to run."""
    from scipy.sparse import csr_matrix

    matrix = csr_matrix((n_out, n_in), dtype=dtype)
    return lava.Sparse(weights=matrix, sign_mode=lava.SignMode.MIXED), (n_in,), (n_out,)


def _connect(source: Any, synapse: Any, target: Any, ports: Sequence[Shape]) -> None:
    """Link source, synapse and target; `ports` are the synapse's shapes, in and out."""
    spikes, current = source.s_out, synapse.a_out
    if ports[0] != spikes.shape:
        spikes = spikes.reshape(ports[0])
    spikes.connect(synapse.s_in)
    if ports[1] != target.a_in.shape:
        current = current.reshape(target.a_in.shape)
    current.connect(target.a_in)


def _strays(program: Program) -> list[str]:
    """One population of each part that no projection links to the input's part."""
    links = [{p.source, p.target} for p in program.projections]
    found, strays = {program.input.name}, []
    for name in (program.input.name, *(p.name for p in program.populations)):
        if name not in found:
            strays.append(name)
            found.add(name)
        while grown := [link for link in links if link & found and not link <= found]:
            found = found.union(*grown)
    return strays


def build(
    lava: SimpleNamespace,
    program: Program,
    period: int,
    annotate: Callable[[Any, str], None],
    convolution: Convolution = "auto",
) -> Any:
    """Make and connect the processes.

    Args:
        lava: what `import_lava` returned.
        program: the network.
        period: executed steps of one sample.
        annotate: called with each process and the name of its part of the program.
        convolution: see `choose_convs`.

    Returns:
        The RingBuffer that feeds the network; running it runs everything.
    """
    fixed = program.precision == "fixed"
    convs = choose_convs(program, convolution)
    shapes = lava_shapes(program, convs)
    shape = shapes[program.input.name]
    data = np.zeros((*shape, period), np.int32 if fixed else np.float64)
    source = lava.RingBuffer(data=data)
    annotate(source, program.input.name)
    nodes = {program.input.name: source}
    for population in program.populations:
        node = _neuron(lava, population, shapes[population.name], period, fixed)
        annotate(node, population.name)
        nodes[population.name] = node

    for p in program.projections:
        graded = p.source == program.input.name and program.input.graded
        process, *ports = _synapse(
            lava,
            p,
            shapes[p.source],
            shapes[p.target],
            _MESSAGE_BITS if graded else 0,
            convs.get(p.name),
        )
        annotate(process, p.name)
        _connect(nodes[p.source], process, nodes[p.target], ports)
    for name in _strays(program):
        process, *ports = _tie(lava, prod(shape), prod(shapes[name]), data.dtype)
        annotate(process, f"tie to {name}")
        _connect(source, process, nodes[name], ports)
    return source
