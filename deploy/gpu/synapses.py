"""Projections on the device: messages (frames, n_in), channels last -> sums (frames, n_out).

A frame is one step of one sample. A convolution is a product, too: of its unfolded images, with
all groups side by side in one matrix, which costs zeros and saves kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import pad

from ..program import Program, Projection
from ..synapses.conv2d import Conv2d
from ..synapses.dense import Dense
from ..synapses.sparse import Sparse
from .plan import channels_last
from .products import ROWS, Matrix, Tensor, digits

Array = npt.NDArray[Any]

MATRIX = 2**26
"""Listed synapses with at most that many places become a matrix: reading zeros is far cheaper
than adding one synapse at a time."""
WORD = 8
"""Bytes that are copied at once where a pixel's channels allow it."""


@dataclass(frozen=True, slots=True)
class Synapses:
    """What one projection sums up for one delay.

    Attributes:
        projection: its name.
        source, target, port: where it begins and ends.
        delay: steps from sending to arriving, at least 1.
        shift: left, or where negative right, that the sums still need.
        kind: "int8" and "float64" products, or "listed".
        sums: messages (frames, n_in), bytes to spare -> int32 (frames, n_out).
    """

    projection: str
    source: str
    target: str
    port: str
    delay: int
    shift: int
    kind: str
    sums: Callable[[Tensor, int], Tensor]

    def shifted(self, messages: Tensor, scratch: int) -> Tensor:
        """The sums after their shift."""
        return apply_shift(self.sums(messages, scratch), self.shift)


def apply_shift(sums: Tensor, shift: int) -> Tensor:
    """Shift in place, left or, where negative, right with a floor."""
    if shift > 0:
        return sums.mul_(1 << shift)
    return sums.bitwise_right_shift_(-shift) if shift else sums


def prepare(program: Program, projection: Projection, device: torch.device) -> list[Synapses]:
    """One for each delay that occurs, earliest first."""
    synapse = projection.synapse
    parts = synapse.bins() if isinstance(synapse, Sparse) else [(0, synapse)]
    source, target = (program.source(n) for n in (projection.source, projection.target))
    orders = channels_last(source.shape), channels_last(target.shape)
    found = []
    for own, part in parts:
        make = _MAKE[type(part)]
        sums, shift, kind = make(part, *orders, device, f"projection {projection.name}")
        found.append(
            Synapses(
                projection.name,
                projection.source,
                projection.target,
                projection.port,
                1 + projection.delay + own,
                shift + projection.exponent,
                kind,
                sums,
            )
        )
    return found


Made = tuple[Callable[[Tensor, int], Tensor], int, str]


def _dense(synapse: Dense, source: Array, target: Array, device: Any, where: str) -> Made:
    return _product(synapse.weight[target][:, source], device, where)


def _product(weight: Array, device: Any, where: str) -> Made:
    matrix = Matrix(weight, device, where)

    def sums(messages: Tensor, scratch: int) -> Tensor:
        at_once = max(1, min(ROWS, scratch // matrix.width))
        total = messages.new_empty((len(messages), matrix.columns), dtype=torch.int32)
        for start in range(0, len(messages), at_once):
            part = [_filled(d, matrix) for d in digits(messages[start : start + at_once])]
            matrix.times(part, total[start : start + at_once])
        return total

    return sums, matrix.shift, matrix.kind


def _filled(messages: Tensor, matrix: Matrix) -> Tensor:
    missing = matrix.width - messages.shape[1]
    return pad(messages, (0, missing)) if missing else messages


def _sparse(synapse: Sparse, source: Array, target: Array, device: Any, where: str) -> Made:
    row, column = np.argsort(target)[synapse.row], np.argsort(source)[synapse.column]
    n_out, n_in = synapse.shape
    if n_out * n_in <= MATRIX:
        weight = np.zeros(synapse.shape, np.int64)
        np.add.at(weight, (row, column), synapse.weight.astype(np.int64))
        return _product(weight, device, where)
    rows, columns, weights = (
        torch.from_numpy(np.ascontiguousarray(values, kind)).to(device)
        for values, kind in (
            (row, np.int64),
            (column, np.int64),
            (synapse.weight, np.int32),
        )
    )

    def sums(messages: Tensor, scratch: int) -> Tensor:
        total = messages.new_zeros((len(messages), n_out), dtype=torch.int32)
        frames = max(1, scratch // (16 * max(len(weights), 1)))
        synapses = max(1, scratch // 16)
        for start in range(0, len(messages), frames):
            some, into = messages[start : start + frames], total[start : start + frames]
            for first in range(0, len(weights), synapses):
                these = slice(first, first + synapses)
                carried = some.index_select(1, columns[these]) * weights[these]
                into.index_add_(1, rows[these], carried)
        return total

    return sums, 0, "listed"


def _conv2d(synapse: Conv2d, source: Array, target: Array, device: Any, where: str) -> Made:
    matrix = Matrix(_ungrouped(synapse), device, where)
    channels, height, width = synapse.input_shape
    out, out_h, out_w = synapse.output_shape
    (p_h, p_w), positions = synapse.padding, out_h * out_w
    kernel = synapse.weight.shape[2:]
    taken = _seen_as(source, synapse.input_shape, device)
    given = _seen_as(channels_last(synapse.output_shape), target, device)
    bytes_ = positions * matrix.width + channels * (height + 2 * p_h) * (width + 2 * p_w)

    def unfolded(digit: Tensor) -> Tensor:
        """(frames * positions, matrix.width); what a pixel's taps see, channels innermost."""
        images = digit.view(-1, height, width, channels)
        if p_h or p_w:
            images = pad(images, (0, 0, p_w, p_w, p_h, p_h))
        rows = digit.new_empty((len(images) * positions, matrix.width))
        word = next(w for w in (WORD, 4, 2, 1) if channels % w == 0)
        images, seen = (x.view(_WORDS[word]) for x in (images, rows))
        frame, line, pixel, _ = images.stride()
        (s_h, s_w), (d_h, d_w) = synapse.stride, synapse.dilation
        windows = images.as_strided(
            (len(images), out_h, out_w, *kernel, channels // word),
            (frame, s_h * line, s_w * pixel, d_h * line, d_w * pixel, 1),
        )
        taps = windows[0, 0, 0].numel()
        seen[:, :taps].view(windows.shape).copy_(windows)
        return rows

    def sums(messages: Tensor, scratch: int) -> Tensor:
        at_once = max(1, min(ROWS // positions, scratch // bytes_))
        total = messages.new_empty((len(messages), positions * out), dtype=torch.int32)
        for start in range(0, len(messages), at_once):
            some = messages[start : start + at_once]
            seen = some if taken is None else some.index_select(1, taken)
            factors = [unfolded(digit.contiguous()) for digit in digits(seen)]
            matrix.times(factors, total[start : start + at_once].view(-1, out))
        return total if given is None else total.index_select(1, given)

    return sums, matrix.shift, matrix.kind


_WORDS = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.int8}


def _ungrouped(synapse: Conv2d) -> Array:
    """(C_out, K_h * K_w * C_in), with zeros between the groups."""
    out, per_group, *kernel = synapse.weight.shape
    full = np.zeros((out, synapse.input_shape[0], *kernel), np.int64)
    per_out = out // synapse.groups
    for g in range(synapse.groups):
        rows = slice(g * per_out, (g + 1) * per_out)
        full[rows, g * per_group : (g + 1) * per_group] = synapse.weight[rows]
    return full.transpose(0, 2, 3, 1).reshape(out, -1)


def _seen_as(have: Array, want: Any, device: Any) -> Tensor | None:
    """Where what is wanted stands in what is there; None: both orders are the same.

    Behind a Flatten, or with a factor for each element, a convolution sees a source, or a
    target, in another shape than its own.
    """
    order = channels_last(want) if isinstance(want, tuple) else want
    places = np.argsort(have)[order]
    if np.array_equal(places, np.arange(len(places))):
        return None
    return torch.from_numpy(places).to(device)


_MAKE: dict[type, Callable[..., Made]] = {Dense: _dense, Sparse: _sparse, Conv2d: _conv2d}
"""Synapse, order of source and of target, device, place -> sums, shift, kind."""
