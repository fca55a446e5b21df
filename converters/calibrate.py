"""Activation scales: what a ReLU's output reaches on calibration data."""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import fx, nn

from ..errors import DataError, Problem
from .torch_trace import evaluate, like_model, path_of

Array = npt.NDArray[Any]
BATCH = 64


class TopValues:
    """Exact percentile of a stream whose length is known, keeping only its upper end."""

    def __init__(self, count: int, percentile: float) -> None:
        self.position = percentile / 100 * (count - 1)
        self.keep = count - floor(self.position)
        self.values: Array = np.empty(0)

    def add(self, values: Array) -> None:
        """Take in some more values."""
        merged = np.concatenate([self.values, values.ravel()])
        if len(merged) > self.keep:
            merged = np.partition(merged, len(merged) - self.keep)[-self.keep :]
        self.values = merged

    def result(self) -> float:
        """The percentile, linearly interpolated as numpy does."""
        ordered = np.sort(self.values)
        part = self.position - floor(self.position)
        upper = ordered[min(1, len(ordered) - 1)]
        return float(ordered[0] + part * (upper - ordered[0]))

    def largest(self) -> float:
        """The largest value."""
        return float(self.values.max())


def frames_of(calibration: Array, sample_shape: tuple[int, ...]) -> Array:
    """Calibration data as (N, *sample_shape); a time axis becomes more samples.

    Raises:
        DataError: shape, emptiness, type, values that are not finite.
    """
    x = np.asarray(calibration)
    rank = len(sample_shape)
    problem = ""
    if x.dtype.kind not in "fiub":
        problem = f"calibration data are {x.dtype}, numbers are needed"
    elif x.ndim not in (rank + 1, rank + 2) or x.shape[x.ndim - rank :] != sample_shape:
        problem = (
            f"calibration data have shape {x.shape}, expected (N, *{sample_shape}) or "
            f"(N, T, *{sample_shape})"
        )
    elif x.size == 0:
        problem = f"calibration data are empty: shape {x.shape}"
    elif not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        problem = f"calibration data are not finite, first at {list(first)}: {x[first]}"
    if problem:
        raise DataError(
            problem, where="calibration", remedy="pass the x of the training data as trained on"
        )
    return x.reshape(-1, *sample_shape)


def activation_scales(
    root: nn.Module, graph: fx.Graph, relus: list[fx.Node], frames: Array, percentile: float
) -> dict[str, float]:
    """Percentile of each ReLU's output over the frames, by node name.

    Where so few neurons are active that the percentile is 0, the largest value is taken.

    Raises:
        DataError: a ReLU that is never active.
    """
    tops: dict[fx.Node, TopValues] = {}

    def observe(node: fx.Node, value: Any) -> None:
        if node in relus:
            array = value.detach().cpu().double().numpy()
            count = array[0].size * len(frames)
            tops.setdefault(node, TopValues(count, percentile)).add(array)

    for start in range(0, len(frames), BATCH):
        batch = torch.from_numpy(np.array(frames[start : start + BATCH], np.float64))
        evaluate(root, graph, like_model(root, batch), observe)
    dead = [node for node, top in tops.items() if not 0 < top.largest() < np.inf]
    if dead:
        raise DataError(
            *(
                Problem(
                    f"the output of this ReLU reaches {tops[node].largest()} on all "
                    f"{len(frames)} calibration frames, so it has no scale",
                    where=path_of(node) or node.name,
                    remedy="calibrate with more, and properly scaled, frames",
                )
                for node in dead
            )
        )
    return {node.name: top.result() or top.largest() for node, top in tops.items()}
