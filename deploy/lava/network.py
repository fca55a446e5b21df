"""A Program as a network of Lava processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..neurons.models import model_of
from ..program import Input, Population, Program, Projection
from ..synapses.conv2d import Conv2d
from ..synapses.dense import Dense
from ..synapses.sparse import Sparse
from .builders import neuron_process
from .geometry import conv_is_faster, conv_weight, fits_conv, unroll
from .models import to_lava

Array = npt.NDArray[Any]
Convolution: TypeAlias = Literal["auto", "conv", "sparse"]
Shape: TypeAlias = tuple[int, ...]

_MESSAGE_BITS = 24
"""Any number above 0 makes Lava keep the value of a message; it is not used otherwise."""


def largest_message(program: Program, source: str) -> float | None:
    """Magnitude of the largest message of an input or population; None if nothing bounds it."""
    found = program.source(source)
    if isinstance(found, Input):
        return max(abs(found.minimum), abs(found.maximum)) if found.graded else 1.0
    return None if model_of(found.neuron).message == "graded" else 1.0


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
        largest = largest_message(program, p.source)
        if convolution == "sparse" or not fits_conv(p, largest, program.precision == "fixed"):
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


def synapse_process(projection: Projection, convs: Mapping[str, Conv2d]) -> str:
    """Name of the projection's Lava process; `convs` as `choose_convs` returned them."""
    if projection.name in convs:
        return "Conv"
    if projection.longest_delay:
        return "DelaySparse"
    return "Dense" if isinstance(projection.synapse, Dense) else "Sparse"


def lava_shapes(program: Program, convs: Mapping[str, Conv2d]) -> dict[str, Shape]:
    """Shape of each input and population in Lava: (W, H, C) next to a Conv, else (n,)."""
    shapes: dict[str, Shape] = {s.name: (s.size,) for s in _sources(program)}
    for p in program.projections:
        if p.name in convs:
            shapes[p.source] = convs[p.name].input_shape[::-1]
            shapes[p.target] = convs[p.name].output_shape[::-1]
    return shapes


def _sources(program: Program) -> tuple[Input | Population, ...]:
    return (*program.inputs, *program.populations)


def _order(shape: Shape) -> Array:
    """Index in C, H, W order of each element in Lava's order."""
    return to_lava(np.arange(prod(shape)), shape).reshape(-1)


def _entries(projection: Projection) -> tuple[Array, Array, Array, Array]:
    """Row, column, weight and delay of every synapse, flat in C, H, W order."""
    synapse = projection.synapse
    if isinstance(synapse, Conv2d):
        rows, columns, weights = unroll(synapse)
    elif isinstance(synapse, Sparse):
        rows, columns, weights = synapse.row, synapse.column, synapse.weight
    else:
        rows, columns = np.nonzero(synapse.weight)
        weights = synapse.weight[rows, columns]
    delays = np.full(len(weights), projection.delay, np.int64)
    if isinstance(synapse, Sparse) and synapse.delay is not None:
        delays += synapse.delay
    return rows, columns, weights, delays


def _sparse(
    lava: SimpleNamespace,
    process: str,
    projection: Projection,
    source: Shape,
    target: Shape,
    arguments: Mapping[str, Any],
) -> Any:
    """Sparse, or DelaySparse where anything is delayed; rows and columns in Lava's order."""
    from scipy.sparse import csr_matrix

    rows, columns, weights, delays = _entries(projection)
    places = (np.argsort(_order(target))[rows], np.argsort(_order(source))[columns])
    shape = (prod(target), prod(source))
    wide = np.float64 if weights.dtype.kind == "f" else np.int32
    matrix = csr_matrix((weights.astype(wide), places), shape=shape)
    if process == "Sparse":
        return lava.Sparse(weights=matrix, **arguments)
    steps = csr_matrix((delays, places), shape=shape)
    return lava.DelaySparse(weights=matrix, delays=steps, **arguments)


def _synapse(
    lava: SimpleNamespace,
    projection: Projection,
    source: Shape,
    target: Shape,
    message_bits: int,
    convs: Mapping[str, Conv2d],
) -> tuple[Any, Shape, Shape]:
    """The process, and the shapes of its ports."""
    name = synapse_process(projection, convs)
    arguments: dict[str, Any] = {"name": projection.name, "num_message_bits": message_bits}
    if name == "Conv":
        conv = convs[projection.name]
        process = lava.Conv(
            weight=conv_weight(conv),
            input_shape=source,
            stride=conv.stride[::-1],
            padding=conv.padding[::-1],
            dilation=conv.dilation[::-1],
            groups=conv.groups,
            **arguments,
        )
        return process, source, target
    synapse = projection.synapse
    if synapse.format is not None:
        arguments |= {
            "weight_exp": synapse.format.exponent,
            "num_weight_bits": synapse.format.bits,
            "sign_mode": lava.SignMode[synapse.format.sign_mode.upper()],
        }
    if name == "Dense":
        wide = np.int32 if synapse.format else np.float64
        ordered = synapse.weight[_order(target)][:, _order(source)].astype(wide)
        process = lava.Dense(weights=ordered, **arguments)
    else:
        process = _sparse(lava, name, projection, source, target, arguments)
    return process, (prod(source),), (prod(target),)


def _tie(lava: SimpleNamespace, n_in: int, n_out: int, dtype: Any) -> tuple[Any, Shape, Shape]:
    """No synapses at all: Lava runs only what is linked to the process it is told to run."""
    from scipy.sparse import csr_matrix

    matrix = csr_matrix((n_out, n_in), dtype=dtype)
    return lava.Sparse(weights=matrix, sign_mode=lava.SignMode.MIXED), (n_in,), (n_out,)


# Port of a population's neurons -> InPort of its process.
_PORTS = {"": "a_in", "real": "a_real_in", "imaginary": "a_imag_in"}


def _connect(
    source: Any, synapse: Any, target: Any, port: str, shapes: Sequence[Shape]
) -> None:
    """Link source, synapse and target; `shapes` are those of the synapse, in and out."""
    spikes, current, entry = source.s_out, synapse.a_out, getattr(target, _PORTS[port])
    if shapes[0] != spikes.shape:
        spikes = spikes.reshape(shapes[0])
    spikes.connect(synapse.s_in)
    if shapes[1] != entry.shape:
        current = current.reshape(entry.shape)
    current.connect(entry)


def _strays(program: Program) -> list[str]:
    """One source of each part that no projection links to the first population's part."""
    links = [{p.source, p.target} for p in program.projections]
    names = [program.populations[0].name, *(s.name for s in _sources(program))]
    found, strays = {names[0]}, []
    for name in names:
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
        The RingBuffer of the first input; running it runs everything.
    """
    fixed = program.precision == "fixed"
    convs = choose_convs(program, convolution)
    shapes = lava_shapes(program, convs)
    dtype: Any = np.int32 if fixed else np.float64
    nodes = {}
    for source in program.inputs:
        data = np.zeros((*shapes[source.name], period), dtype)
        nodes[source.name] = lava.RingBuffer(data=data)
        annotate(nodes[source.name], source.name)
    for population in program.populations:
        node = neuron_process(lava, population, shapes[population.name], period, fixed)
        annotate(node, population.name)
        nodes[population.name] = node

    for p in program.projections:
        process, *ends = _synapse(
            lava,
            p,
            shapes[p.source],
            shapes[p.target],
            0 if _binary(program, p.source) else _MESSAGE_BITS,
            convs,
        )
        annotate(process, p.name)
        _connect(nodes[p.source], process, nodes[p.target], p.port, ends)
    first = program.populations[0]
    port = model_of(first.neuron).ports[0]
    for name in _strays(program):
        process, *ends = _tie(lava, prod(shapes[name]), first.size, dtype)
        annotate(process, f"tie to {name}")
        _connect(nodes[name], process, nodes[first.name], port, ends)
    return nodes[program.inputs[0].name]


def _binary(program: Program, source: str) -> bool:
    """Whether it sends spikes of 1 and nothing else."""
    found = program.source(source)
    if isinstance(found, Input):
        return not found.graded
    return model_of(found.neuron).message == "spike"
