"""Rounding weights so that the currents they cause stay right, not each weight by itself.

Nearest rounding makes independent errors that add up over a fan-in. Going through the weights
one by one and letting the remaining ones make up for the error so far, in the metric
``H = E[x x^T]`` of the messages x seen on calibration data, keeps ``W x`` closest.
Source of the method: Frantar et al., "GPTQ", arXiv 2210.17323, section 3; Hassibi and Stork,
"Optimal Brain Surgeon", 1993.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from .formats import IntegerFormat
from .program import Program, Projection, Synapse
from .synapses.conv2d import Conv2d
from .synapses.sparse import Sparse
from .trace import Stimulus, Trace
from .weights import per_weight

Array = npt.NDArray[Any]

ROWS = 20_000
"""Messages or patches sampled for the second moment of one projection."""
FAN_IN_LIMIT = 4096
"""Largest fan-in that is treated; H has this many rows and columns."""
DAMPING = 0.01
"""Share of the mean second moment added to the diagonal, so that rare inputs stay finite."""


def compensated(scaled: Array, moment: Array, mantissa: IntegerFormat) -> Array:
    """Integers near `scaled` (rows, fan_in) that keep ``scaled @ x`` for x of that moment.

    Args:
        scaled: weights in units of the mantissa.
        moment: H, (fan_in, fan_in).
        mantissa: what a mantissa can be.

    Returns:
        Mantissas as float64; a weight that is exactly zero stays zero.
    """
    size = scaled.shape[1]
    order = np.argsort(-np.diag(moment), kind="stable")
    damping = DAMPING * float(np.mean(np.diag(moment))) or 1.0
    inverse = np.linalg.inv(moment[np.ix_(order, order)] + damping * np.eye(size))
    factor = np.linalg.cholesky(inverse).T
    left = scaled[:, order].copy()
    absent = left == 0
    result = np.zeros_like(left)
    for i in range(size):
        result[:, i] = np.where(absent[:, i], 0.0, mantissa.round(left[:, i]))
        error = np.where(absent[:, i], 0.0, left[:, i] - result[:, i]) / factor[i, i]
        left[:, i + 1 :] -= np.outer(error, factor[i, i + 1 :])
    restored = np.empty_like(result)
    restored[:, order] = result
    return restored


def moments(
    program: Program, projection: Projection, stimulus: Stimulus, trace: Trace
) -> list[Array] | None:
    """Second moment of what each weight row sees, one matrix a group.

    None where the source is silent or the fan-in too large.

    Args:
        program: float Program that ran.
        projection: whose source is looked at.
        stimulus: its samples.
        trace: its result, with rasters.
    """
    synapse = projection.synapse
    if not _treated(synapse):
        return None
    if program.is_input(projection.source):
        values = stimulus.values[projection.source]
        seen = values if values.ndim == 2 else values.reshape(-1, values.shape[-1])
    else:
        raster = trace.rasters[projection.source].s
        seen = raster.reshape(-1, raster.shape[-1])
    seen = seen[seen.any(axis=1)]
    if not len(seen):
        return None
    generator = np.random.default_rng(0)
    if isinstance(synapse, Conv2d):
        rows = _patches(synapse, seen, generator)
    else:
        rows = [seen[generator.permutation(len(seen))[:ROWS]].astype(np.float64)]
    return [part.T @ part / len(part) for part in rows]


def _patches(synapse: Conv2d, seen: Array, generator: np.random.Generator) -> list[Array]:
    """Random receptive fields, one array (rows, C_in / groups * K_h * K_w) a group."""
    channels, height, width = synapse.input_shape
    _, out_h, out_w = synapse.output_shape
    pad_h, pad_w = synapse.padding
    count = min(ROWS, len(seen) * out_h * out_w)
    frames = generator.integers(0, len(seen), count)
    y = generator.integers(0, out_h, count) * synapse.stride[0]
    x = generator.integers(0, out_w, count) * synapse.stride[1]
    padded = np.zeros((len(seen), channels, height + 2 * pad_h, width + 2 * pad_w), np.float32)
    padded[:, :, pad_h : pad_h + height, pad_w : pad_w + width] = seen.reshape(
        -1, channels, height, width
    )
    taps_y = y[:, None] + synapse.dilation[0] * np.arange(synapse.weight.shape[2])
    taps_x = x[:, None] + synapse.dilation[1] * np.arange(synapse.weight.shape[3])
    per_group = channels // synapse.groups
    fields = []
    for g in range(synapse.groups):
        block = padded[:, g * per_group : (g + 1) * per_group]
        field = block[
            frames[:, None, None, None],
            np.arange(per_group)[None, :, None, None],
            taps_y[:, None, :, None],
            taps_x[:, None, None, :],
        ]
        fields.append(field.reshape(count, -1).astype(np.float64))
    return fields


def _treated(synapse: Synapse) -> bool:
    """Whether the fan-in is small enough and no synapse has a delay of its own."""
    if isinstance(synapse, Sparse):
        return synapse.delay is None and synapse.in_size <= FAN_IN_LIMIT
    return prod(synapse.weight.shape[1:]) <= FAN_IN_LIMIT


def _rows(synapse: Synapse, weight: Array) -> Array:
    """Weights of each target neuron or channel, (rows, fan_in)."""
    if isinstance(synapse, Sparse):
        matrix = np.zeros(synapse.shape)
        matrix[synapse.row, synapse.column] = weight
        return matrix
    return weight.reshape(weight.shape[0], -1)


def importance(synapse: Synapse, seen: list[Array] | None) -> Array:
    """Mean square of the message that each weight sees, in a shape that multiplies them."""
    if seen is None:
        return np.ones(1)
    diagonals = np.stack([np.diag(moment) for moment in seen])
    if isinstance(synapse, Sparse):
        by_column: Array = diagonals[0][synapse.column]
        return by_column
    rows = np.repeat(diagonals, synapse.weight.shape[0] // len(seen), axis=0)
    return rows.reshape(synapse.weight.shape)


def round_to_currents(
    projection: Projection, source: Projection, scale: Array, seen: list[Array]
) -> Array:
    """Mantissas of a quantised projection, rounded anew for the messages it sees.

    Args:
        projection: quantised by nearest rounding; gives the format.
        source: the same in floating point.
        scale: integer current units per unit of current and message, (1,) or (n_out,).
        seen: from `moments`.
    """
    synapse, layout = projection.synapse, projection.synapse.format
    assert layout is not None
    scaled = source.synapse.weight * per_weight(synapse, scale) / 2.0**layout.exponent
    parts = np.split(_rows(synapse, scaled), len(seen))
    rounded = [compensated(p, h, layout.mantissa) for p, h in zip(parts, seen, strict=True)]
    mantissa = np.concatenate(rounded).astype(np.int16)
    if isinstance(synapse, Sparse):
        return mantissa[synapse.row, synapse.column]
    return mantissa.reshape(synapse.weight.shape)


def current_error(source: Projection, got: Array, seen: list[Array]) -> float:
    """Root mean square error of the currents over their root mean square.

    Args:
        source: the projection in floating point.
        got: what the mantissas stand for (`weights.meant`).
        seen: from `moments`.
    """
    error = current_power(source, source.synapse.weight - got, seen)
    size = current_power(source, source.synapse.weight, seen)
    return float(np.sqrt(max(error, 0.0) / size)) if size > 0 else 0.0


def current_power(source: Projection, weight: Array, seen: list[Array]) -> float:
    """Mean square of the currents that such weights would cause, summed over the rows."""
    parts = np.split(_rows(source.synapse, weight), len(seen))
    return sum(
        float(np.einsum("ri,ij,rj->", part, moment, part, optimize=True))
        for part, moment in zip(parts, seen, strict=True)
    )
