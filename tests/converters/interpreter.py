"""A plain reading of a NIR graph in float64: Euler, every node of a step sees that step.

Recurrent edges deliver what was sent one step before. Written apart from slipway's own
executors, so that the exporter is checked against the format and not against itself.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def window(x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Yield (tap index, strided view) of a padded (C, H, W) array."""
    (k_h, k_w), (s_h, s_w), (p_h, p_w), (d_h, d_w) = kernel, stride, padding, dilation
    padded = np.pad(x, ((0, 0), (p_h, p_h), (p_w, p_w)))
    out_h = (padded.shape[1] - d_h * (k_h - 1) - 1) // s_h + 1
    out_w = (padded.shape[2] - d_w * (k_w - 1) - 1) // s_w + 1
    for i in range(k_h):
        for j in range(k_w):
            y, z = i * d_h, j * d_w
            yield (
                (i, j),
                padded[
                    :, y : y + s_h * (out_h - 1) + 1 : s_h, z : z + s_w * (out_w - 1) + 1 : s_w
                ],
            )


def pair(value: Any) -> tuple[int, int]:
    flat = np.ravel(value)
    return int(flat[0]), int(flat[-1])


def conv2d(node: Any, x: Array) -> Array:
    groups, weight = int(node.groups), node.weight.astype(np.float64)
    per_in, per_out = weight.shape[1], len(weight) // groups
    parts = []
    for g in range(groups):
        rows = weight[g * per_out : (g + 1) * per_out]
        source = x[g * per_in : (g + 1) * per_in]
        taps = window(
            source, rows.shape[2:], pair(node.stride), pair(node.padding), pair(node.dilation)
        )
        parts.append(sum(np.einsum("oc,cyx->oyx", rows[:, :, i, j], v) for (i, j), v in taps))
    return np.asarray(np.concatenate(parts) + node.bias[:, None, None])


def conv1d(node: Any, x: Array) -> Array:
    wide = nir.Conv2d(
        None,
        node.weight[:, :, None, :],
        (1, int(node.stride)),
        (0, int(node.padding)),
        (1, int(node.dilation)),
        int(node.groups),
        node.bias,
    )
    return np.asarray(conv2d(wide, x[:, None, :])[:, 0])


def pool(node: Any, x: Array) -> Array:
    kernel = pair(node.kernel_size)
    total = sum(v for _, v in window(x, kernel, pair(node.stride), pair(node.padding), (1, 1)))
    size = kernel[0] * kernel[1] if isinstance(node, nir.AvgPool2d) else 1
    return np.asarray(total / size)


def flatten(node: Any, x: Array) -> Array:
    first, last = int(node.start_dim) % x.ndim, int(node.end_dim) % x.ndim
    return x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])


STATELESS = {
    nir.Affine: lambda n, x: n.weight @ x + n.bias,
    nir.Linear: lambda n, x: n.weight @ x,
    nir.Scale: lambda n, x: n.scale * x,
    nir.Conv1d: conv1d,
    nir.Conv2d: conv2d,
    nir.AvgPool2d: pool,
    nir.SumPool2d: pool,
    nir.Flatten: flatten,
    nir.Output: lambda n, x: x,
}


class Interpreter:
    """State of one graph; `rates=True` reads each IF node as its ideal, relu(x) / threshold."""

    def __init__(self, graph: nir.NIRGraph, *, rates: bool = False) -> None:
        self.graph, self.rates = graph, rates
        self.dt = float(graph.metadata["dt"])
        at_rest = graph.metadata.get("initial_voltage") == "v_leak"
        self.v: dict[str, Any] = {
            name: getattr(node, "v_leak", 0.0) if at_rest else 0.0
            for name, node in graph.nodes.items()
        }
        self.i: dict[str, Any] = dict.fromkeys(graph.nodes, 0.0)
        self.sent: dict[str, Array] = {}

    def neuron(self, name: str, node: Any, x: Array) -> Array:
        if self.rates and node.metadata.get("pooling") == "max":
            raise ValueError("the sum of rates is not their maximum")
        if self.rates and isinstance(node, nir.IF):
            return np.asarray(np.maximum(x, 0) / node.v_threshold)
        dt, v = self.dt, self.v[name]
        if isinstance(node, nir.CubaLIF | nir.CubaLI):
            self.i[name] = x = self.i[name] * (1 - dt / node.tau_syn) + (
                node.w_in * dt / node.tau_syn * x
            )
        if isinstance(node, nir.IF):
            v = v + dt * node.r * x
        else:
            tau = getattr(node, "tau", None)
            tau = node.tau_mem if tau is None else tau
            v = v + dt / tau * (node.v_leak - v + node.r * x)
        if not hasattr(node, "v_threshold"):
            self.v[name] = v
            return np.asarray(v)
        spikes = v > node.v_threshold
        reset = node.metadata.get("reset", self.graph.metadata.get("reset", "zero"))
        after = v - node.v_threshold if reset == "subtract" else node.v_reset
        self.v[name] = np.where(spikes, after, v)
        return np.asarray(spikes, np.float64)

    def step(self, x: Any) -> Any:
        """One step; returns what arrives at the Output, by name where there are several.

        `x` is an array, or arrays by the names of the Inputs.
        """
        fresh: dict[str, Array] = {}
        waiting = list(self.graph.nodes)
        sources = {n: [a for a, b in self.graph.edges if b == n] for n in waiting}
        while waiting:
            ready = [n for n in waiting if all(s in fresh for s in sources[n])]
            if not ready:  # a cycle: its neuron hears the former step
                ready = [n for n in waiting if hasattr(self.graph.nodes[n], "r")][:1]
            for name in ready:
                node = self.graph.nodes[name]
                waiting.remove(name)
                if isinstance(node, nir.Input):
                    own = x[name] if isinstance(x, dict) else x
                    fresh[name] = np.asarray(own, np.float64)
                    continue
                total: Any = sum(fresh.get(s, self.sent.get(s, 0.0)) for s in sources[name])
                handler: Any = STATELESS.get(type(node))
                fresh[name] = (
                    handler(node, total) if handler else self.neuron(name, node, total)
                )
        self.sent = fresh
        outputs = [n for n, node in self.graph.nodes.items() if isinstance(node, nir.Output)]
        if len(outputs) == 1:
            return fresh[outputs[0]]
        return {name: fresh[name] for name in outputs}
