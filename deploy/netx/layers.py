"""The layers of a .net file: type -> synapses from one population to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats import DELAY, IntegerFormat
from ..lava.geometry import unroll
from ..program import Synapse
from ..synapses.conv2d import Conv2d
from ..synapses.dense import Dense
from ..synapses.sparse import Sparse, from_matrix
from .fields import Fields
from .weights import OffGrid, exact_format

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

_EXTENT = IntegerFormat("size", 1, 2**20)
_PADDING = IntegerFormat("padding", 0, 2**20)
LARGEST_MATRIX = 2**28
"""Synapses of one unrolled layer: beyond it the memory of a workstation is gone."""


@dataclass(frozen=True, slots=True)
class Part:
    """Synapses of a layer.

    Attributes:
        synapse: from the layer before, or from the layer itself.
        delay: common to all of them.
        port: "" or, into resonators, "real", "imaginary".
        recurrent: from the layer itself.
    """

    synapse: Synapse
    delay: int = 0
    port: str = ""
    recurrent: bool = False


@dataclass(frozen=True, slots=True)
class Linear:
    """What a layer does before its neurons."""

    shape: Shape
    parts: tuple[Part, ...]


def read_layer(fields: Fields, kind: str, source: Shape | None) -> Linear | None:
    """Shape and synapses of a layer that computes, or None where a problem was noted.

    Args:
        fields: of the layer; problems go there.
        kind: its type.
        source: shape of what it reads, None if the file does not say.
    """
    return LAYERS[kind](fields, source)


def file_shape(fields: Fields) -> Shape | None:
    """The field `shape`: (n,) or (channels, height, width)."""
    sizes = fields.integers("shape", _EXTENT)
    if sizes is None:
        if "shape" not in fields:
            fields.refuse("shape", "the field is missing", "write the file again")
        return None
    shape = tuple(int(n) for n in sizes.reshape(-1))
    if len(shape) not in (1, 3):
        fields.refuse(
            "shape",
            f"{shape}: one size, or channels, height and width are legal",
            "write the file again",
        )
        return None
    return shape


def _weight(fields: Fields, key: str, shape: Shape | None) -> Array | None:
    """Integer weights of that shape; a trailing axis of 1 (slayer's time) is dropped."""
    weight = fields.integers(key)
    if weight is None:
        if key not in fields:
            fields.refuse(key, "the field is missing", "write the file again")
        return None
    if shape is not None and weight.size == prod(shape):
        return weight.reshape(shape)
    if weight.ndim == 5 and weight.shape[4] == 1:
        weight = weight[..., 0]
    if shape is not None:
        fields.refuse(
            key,
            f"weights of shape {weight.shape}; wanted is {shape}",
            "the layers do not fit each other: export the network again",
        )
        return None
    return weight


def _on_grid(fields: Fields, key: str, weight: Array, *, fill: bool) -> Any:
    """(mantissas, format), or None with a problem."""
    made = exact_format(weight, fill=fill)
    if isinstance(made, OffGrid):
        fields.refuse(
            key,
            made.what,
            "quantise the weights before the export (slayer's pre_hook_fx=quantize, 8 bits)",
        )
        return None
    return made


def _delays(fields: Fields, rows: int, columns: int) -> Array | None:
    """0 to 62 steps: () for all alike, else a matrix (rows, columns); None if refused.

    netx clamps what is larger. Values for each output come first, as in netx.
    """
    if "delay" not in fields:
        return np.zeros((), np.int64)
    delay = fields.integers("delay", DELAY)
    if delay is None:
        return None
    if delay.size and np.all(delay == delay.flat[0]):
        return np.asarray(delay.flat[0])
    for shape in ((rows, 1), (1, columns), (rows, columns)):
        if delay.size == prod(shape) and (delay.ndim == 1 or shape == (rows, columns)):
            return np.array(np.broadcast_to(delay.reshape(shape), (rows, columns)))
    fields.refuse(
        "delay",
        f"delays of shape {delay.shape} for weights from {columns} to {rows}",
        "give one delay, one per output, one per input, or one per weight",
    )
    return None


def _matrix(weight: Any, delay: Array, port: str = "") -> Part:
    """Dense with one delay for all, else Sparse with a delay for each synapse."""
    mantissa, layout = weight
    if delay.ndim == 0:
        return Part(Dense(mantissa, layout), int(delay), port)
    return Part(from_matrix(mantissa, layout, delay), 0, port)


def _dense(fields: Fields, source: Shape | None) -> Linear | None:
    shape = file_shape(fields)
    if shape is None:
        return None
    if source is not None and len(source) == 3 and prod(source[1:]) > 1:
        fields.refuse(
            "type",
            f"a dense layer behind an image of shape {source}",
            "put a flatten layer between them",
        )
    rows, columns = prod(shape), prod(source) if source is not None else -1
    keys = ("weight/real", "weight/imag") if _is_complex(fields) else ("weight",)
    ports = ("real", "imaginary") if _is_complex(fields) else ("",)
    parts = []
    for key, port in zip(keys, ports, strict=True):
        weight = _dense_weight(fields, key, rows, columns)
        made = None if weight is None else _on_grid(fields, key, weight, fill=True)
        delay = None if made is None else _delays(fields, *made[0].shape)
        if delay is not None:
            parts.append(_matrix(made, delay, port))
    return Linear((rows,), tuple(parts)) if len(parts) == len(keys) else None


def _is_complex(fields: Fields) -> bool:
    return isinstance(fields.find("weight"), dict)


def _dense_weight(fields: Fields, key: str, rows: int, columns: int) -> Array | None:
    if columns < 0:  # the first layer: its weights say how many inputs there are
        found = fields.find(key)
        size = int(np.size(found)) if found is not None else 0
        columns = size // rows if size and size % rows == 0 else -1
    return _weight(fields, key, (rows, columns) if columns > 0 else (rows, 1))


def _recurrent(fields: Fields, source: Shape | None) -> Linear | None:
    linear = _dense(fields, source)
    rows = linear.shape[0] if linear else 0
    if _is_complex(fields):
        fields.refuse("weight", "complex weights in a recurrent layer", "use real weights")
        return None
    weight = _weight(fields, "weight_rec", (rows, rows)) if linear else None
    made = None if weight is None else _on_grid(fields, "weight_rec", weight, fill=True)
    if linear is None or made is None:
        return None
    if any(part.synapse.__class__ is Sparse for part in linear.parts):
        fields.refuse(
            "delay",
            "a recurrent layer whose delays differ: lava-dl delays what it sends on and not "
            "what it sends to itself, netx delays both by the delays of the input",
            "use one delay for the layer, or none",
        )
        return None
    own = Part(Dense(*made), recurrent=True)
    return replace(linear, parts=(*linear.parts, own))


def _pair(fields: Fields, key: str, limits: IntegerFormat, default: int) -> tuple[int, int]:
    values = fields.integers(key, limits)
    if values is None:
        return default, default
    if values.size not in (1, 2):
        fields.refuse(key, f"{values.size} values; one or two are legal", "write it again")
        return default, default
    flat = values.reshape(-1)
    return int(flat[0]), int(flat[-1])


def _geometry(fields: Fields) -> dict[str, Any]:
    return {
        "stride": _pair(fields, "stride", _EXTENT, 1),
        "padding": _pair(fields, "padding", _PADDING, 0),
        "dilation": _pair(fields, "dilation", _EXTENT, 1),
    }


def _image(fields: Fields, source: Shape | None) -> tuple[int, int, int] | None:
    if source is None or len(source) != 3:
        what = "nothing states the shape of what the layer reads"
        if source is not None:
            what = f"the layer reads {source}, which is no image"
        fields.refuse(
            "type",
            what,
            "begin the file with an input layer that states its shape (C, H, W)",
        )
        return None
    return source[0], source[1], source[2]


def _conv(fields: Fields, source: Shape | None) -> Linear | None:
    shape, image = file_shape(fields), _image(fields, source)
    groups = fields.integers("groups", _EXTENT)
    count = int(groups.flat[0]) if groups is not None and groups.size else 1
    geometry = _geometry(fields)
    if _is_complex(fields):
        fields.refuse("weight", "complex weights in a convolution", "use real weights")
        return None
    weight = _weight(fields, "weight", None)
    if weight is None or image is None or shape is None:
        return None
    wanted = (weight.shape[0], image[0] // count)
    if weight.ndim != 4 or weight.shape[:2] != wanted or image[0] % count or wanted[0] % count:
        fields.refuse(
            "weight",
            f"a kernel of shape {weight.shape} for {image[0]} channels in {count} groups",
            "wanted is (channels out, channels in / groups, height, width)",
        )
        return None
    made = _on_grid(fields, "weight", weight, fill=False)
    if made is None:
        return None
    synapse = Conv2d(made[0], image, **geometry, groups=count, format=made[1])
    return _image_layer(fields, synapse, shape)


def _pool(fields: Fields, source: Shape | None) -> Linear | None:
    """A sum over windows with one kernel for every channel."""
    shape, image = file_shape(fields), _image(fields, source)
    geometry = _geometry(fields)
    weight = _weight(fields, "weight", None)
    if weight is None or image is None or shape is None:
        return None
    if weight.ndim != 4 or weight.shape[1] != 1 or weight.shape[0] not in (1, image[0]):
        fields.refuse(
            "weight",
            f"a kernel of shape {weight.shape} for a pool over {image[0]} channels",
            "wanted is (1, 1, height, width)",
        )
        return None
    made = _on_grid(fields, "weight", weight, fill=False)
    if made is None:
        return None
    kernel = np.ascontiguousarray(np.broadcast_to(made[0], (image[0], *weight.shape[1:])))
    synapse = Conv2d(kernel, image, **geometry, groups=image[0], format=made[1])
    if synapse.output_shape == shape:
        return _image_layer(fields, synapse, shape)
    # slayer adds (size % kernel) rows and columns of zeros below and to the right.
    more = [n % k for n, k in zip(image[1:], weight.shape[2:], strict=True)]
    padded = (image[0], image[1] + more[0], image[2] + more[1])
    wide = replace(synapse, input_shape=padded)
    if wide.output_shape != shape:
        return _image_layer(fields, synapse, shape)
    if not _small(fields, wide):
        return None
    row, column, values = unroll(wide)
    c, y, x = np.unravel_index(column, padded)
    inside = (y < image[1]) & (x < image[2])
    column = np.ravel_multi_index((c[inside], y[inside], x[inside]), image)
    sparse = _sorted(row[inside], column, values[inside], (prod(shape), prod(image)))
    return Linear(shape, (Part(replace(sparse, format=made[1])),))


def _image_layer(fields: Fields, synapse: Conv2d, shape: Shape) -> Linear | None:
    """Check the stated shape, and add delays: one for all, or one per output."""
    if synapse.output_shape != shape:
        fields.refuse(
            "shape",
            f"{shape}, but kernel, stride, padding and dilation make {synapse.output_shape}",
            "export the network again",
        )
        return None
    if "delay" not in fields:
        return Linear(shape, (Part(synapse),))
    delay = fields.integers("delay", DELAY)
    if delay is None:
        return None
    size = prod(shape)
    if np.all(delay == delay.flat[0]):
        return Linear(shape, (Part(synapse, int(delay.flat[0])),))
    if delay.size not in (shape[0], size):
        fields.refuse(
            "delay",
            f"{delay.size} delays for {size} neurons in {shape[0]} channels",
            "give one delay, one per channel, or one per neuron",
        )
        return None
    if not _small(fields, synapse):
        return None
    per_row = np.repeat(delay.reshape(-1), size // delay.size)
    row, column, values = unroll(synapse)
    sparse = _sorted(row, column, values, (size, synapse.in_size))
    own = per_row[sparse.row].astype(np.uint8)
    return Linear(shape, (Part(replace(sparse, format=synapse.format, delay=own)),))


def _small(fields: Fields, synapse: Conv2d) -> bool:
    synapses = int(synapse.fan_out(False).sum())
    if synapses > LARGEST_MATRIX:
        fields.refuse(
            "type",
            f"{synapses} synapses once the layer is unrolled; the limit is {LARGEST_MATRIX}",
            "use one delay for the layer, or sizes that the kernel divides",
        )
    return synapses <= LARGEST_MATRIX


def _sorted(row: Array, column: Array, weight: Array, shape: tuple[int, int]) -> Sparse:
    order = np.lexsort((column, row))
    return Sparse(
        weight[order], row[order].astype(np.int32), column[order].astype(np.int32), shape
    )


LAYERS: dict[str, Callable[[Fields, Shape | None], Linear | None]] = {
    "dense": _dense,
    "dense_comp": _dense,
    "dense_rec": _recurrent,
    "conv": _conv,
    "pool": _pool,
}
"""Layers that compute; input, flatten and average stand in read.py."""

REFUSED: dict[str, tuple[str, str]] = {
    "convT": (
        "a transposed convolution has no Lava process, and netx stops at it too",
        "train with a convolution, or write the layer as a dense one",
    ),
    "unpool": (
        "unpooling has no Lava process, and netx stops at it too",
        "train without it, or write the layer as a dense one",
    ),
    "concat": (
        "a .net file is a list and does not say what is joined; netx stops at it too",
        "export the network as NIR, which states its edges",
    ),
}
