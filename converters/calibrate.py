"""Activation scales: what a ReLU's output reaches on calibration data."""

from __future__ import annotations

from collections.abc import Mapping
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


def frames_of(calibration: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Calibration data as (N, *shape) for each input; a time axis becomes more samples.

    Args:
        calibration: an array; for several inputs a mapping from their names to arrays.
        shapes: shape of one time step of one sample, by input name.

    Raises:
        DataError: shape, emptiness, type, values that are not finite, arrays that are missing
            or of unequal length.
    """
    named = isinstance(calibration, Mapping)
    given: Mapping[str, Any] = calibration if named else {next(iter(shapes)): calibration}
    if set(given) != set(shapes):
        found = ", ".join(map(str, given)) if named else "one array"
        raise DataError(
            f"calibration data must hold {', '.join(shapes)}; they hold {found}",
            where="calibration",
            remedy="name an array per input: numpy.savez(path, "
            + ", ".join(f"{name}=..." for name in shapes)
            + ")",
        )
    problems = {name: _data_problem(name, given[name], shapes) for name in shapes}
    if any(problems.values()):
        remedy = "pass the x of the training data as trained on"
        raise DataError(*(Problem(p, "calibration", remedy) for p in problems.values() if p))
    frames = {
        name: np.asarray(given[name]).reshape(-1, *shape) for name, shape in shapes.items()
    }
    if len({len(x) for x in frames.values()}) > 1:
        listed = ", ".join(f"{name} {len(x)}" for name, x in frames.items())
        raise DataError(
            f"calibration data have unequal numbers of frames: {listed}",
            where="calibration",
            remedy="give every input the same samples, and the same steps of them",
        )
    return frames


def _data_problem(name: str, data: Any, shapes: Mapping[str, tuple[int, ...]]) -> str:
    x, shape = np.asarray(data), shapes[name]
    rank = len(shape)
    of = "" if len(shapes) == 1 else f" of {name}"
    if x.dtype.kind not in "fiub":
        return f"calibration data{of} are {x.dtype}, numbers are needed"
    if x.ndim not in (rank + 1, rank + 2) or x.shape[x.ndim - rank :] != shape:
        return (
            f"calibration data{of} have shape {x.shape}, expected (N, *{shape}) or "
            f"(N, T, *{shape})"
        )
    if x.size == 0:
        return f"calibration data{of} are empty: shape {x.shape}"
    if not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        return f"calibration data{of} are not finite, first at {list(first)}: {x[first]}"
    return ""


def activation_scales(
    root: nn.Module,
    graph: fx.Graph,
    relus: list[fx.Node],
    frames: Mapping[str, Array],
    percentile: float,
) -> dict[str, float]:
    """Percentile of each ReLU's output over the frames, by node name.

    Where so few neurons are active that the percentile is 0, the largest value is taken.

    Raises:
        DataError: a ReLU that is never active.
    """
    tops: dict[fx.Node, TopValues] = {}
    total = len(next(iter(frames.values())))

    def observe(node: fx.Node, value: Any) -> None:
        if node in relus:
            array = value.detach().cpu().double().numpy()
            count = array[0].size * total
            tops.setdefault(node, TopValues(count, percentile)).add(array)

    for start in range(0, total, BATCH):
        batch = {
            name: like_model(root, torch.from_numpy(np.array(x[start : start + BATCH], float)))
            for name, x in frames.items()
        }
        evaluate(root, graph, batch, observe)
    dead = [node for node, top in tops.items() if not 0 < top.largest() < np.inf]
    if dead:
        raise DataError(
            *(
                Problem(
                    f"the output of this ReLU reaches {tops[node].largest()} on all "
                    f"{total} calibration frames, so it has no scale",
                    where=path_of(node) or node.name,
                    remedy="calibrate with more, and properly scaled, frames",
                )
                for node in dead
            )
        )
    return {node.name: top.result() or top.largest() for node, top in tops.items()}
