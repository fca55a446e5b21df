"""An independent reading of NIR: forward Euler, every layer in the same step, plain loops.

Feedback edges carry the spikes of the step before. Written from the equations of the NIR paper
and shares nothing with slipway's lowering.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

Array = np.ndarray[Any, Any]


def simulate(
    graph: Any, x: Array, dt: float, feedback: set[tuple[str, str]]
) -> dict[str, Array]:
    """Outputs of every node, each (T, *shape), for one sample x (T, *shape)."""
    order = _order(graph, feedback)
    states: dict[str, dict[str, Array]] = {}
    before: dict[str, Array] = {}
    history: dict[str, list[Array]] = {name: [] for name in graph.nodes}
    for frame in x:
        now: dict[str, Array] = {}
        for name in order:
            node = graph.nodes[name]
            arriving = [
                before.get(a, np.zeros(np.shape(getattr(graph.nodes[a], "r", 0))))
                if (a, b) in feedback
                else now[a]
                for a, b in graph.edges
                if b == name
            ]
            value = frame if isinstance(node, nir.Input) else sum(arriving)
            now[name] = _apply(node, value, states.setdefault(name, {}), dt)
        before = now
        for name, value in now.items():
            history[name].append(np.asarray(value))
    return {name: np.stack(values) for name, values in history.items()}


def _order(graph: Any, feedback: set[tuple[str, str]]) -> list[str]:
    edges = [e for e in graph.edges if e not in feedback]
    done: list[str] = []
    while len(done) < len(graph.nodes):
        for name in graph.nodes:
            if name not in done and all(a in done for a, b in edges if b == name):
                done.append(name)
    return done


def _apply(node: Any, x: Any, state: dict[str, Array], dt: float) -> Any:
    kind = type(node)
    if kind in (nir.Input, nir.Output):
        return x
    if kind is nir.Affine:
        return node.weight.astype(float) @ x + node.bias
    if kind is nir.Linear:
        return node.weight.astype(float) @ x
    if kind is nir.Scale:
        return node.scale * x
    if kind is nir.Flatten:
        return np.reshape(x, -1)
    if kind is nir.Conv2d:
        return _conv(
            x, node.weight, node.bias, node.stride, node.padding, node.dilation, node.groups
        )
    if kind in (nir.SumPool2d, nir.AvgPool2d):
        ones = np.ones((x.shape[0], 1, *np.ravel(node.kernel_size)))
        if kind is nir.AvgPool2d:
            ones /= np.prod(node.kernel_size)
        return _conv(x, ones, None, node.stride, node.padding, 1, x.shape[0])
    return _neuron(node, x, state, dt)


def _neuron(node: Any, x: Any, state: dict[str, Array], dt: float) -> Any:
    kind = type(node)
    shape = np.shape(node.r)
    v = state.get("v", np.zeros(shape))
    drive = x
    if kind in (nir.CubaLIF, nir.CubaLI):
        i = state.get("i", np.zeros(shape))
        i = i + dt / node.tau_syn * (-i + node.w_in * x)
        state["i"], drive = i, i
    if kind is nir.IF:
        v = v + dt * node.r * drive
    else:
        tau = node.tau_mem if kind in (nir.CubaLIF, nir.CubaLI) else node.tau
        v = v + dt / tau * (node.v_leak - v + node.r * drive)
    if kind in (nir.LI, nir.CubaLI):
        state["v"] = v
        return v
    spikes = v > node.v_threshold
    state["v"] = np.where(spikes, 0.0, v)
    return spikes.astype(float)


def _conv(
    x: Array, w: Array, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Array:
    s, p, d = (np.broadcast_to(np.ravel(a), 2).astype(int) for a in (stride, padding, dilation))
    x = np.pad(x, ((0, 0), (p[0], p[0]), (p[1], p[1])))
    out, per, kh, kw = w.shape
    oh = (x.shape[1] - d[0] * (kh - 1) - 1) // s[0] + 1
    ow = (x.shape[2] - d[1] * (kw - 1) - 1) // s[1] + 1
    y = np.zeros((out, oh, ow))
    for o in range(out):
        first = o // (out // groups) * per
        for r in range(oh):
            for c in range(ow):
                rows = r * s[0] + d[0] * np.arange(kh)
                columns = c * s[1] + d[1] * np.arange(kw)
                patch = x[first : first + per][:, rows][:, :, columns]
                y[o, r, c] = np.sum(patch * w[o])
        if bias is not None:
            y[o] += bias[o]
    return y
