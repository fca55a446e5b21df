"""An independent reading of NIR: forward Euler, every layer in the same step, plain loops.

Feedback edges carry the spikes of the step before. Written from the equations of the NIR paper
and shares nothing with slipway's lowering.
"""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

Array = np.ndarray[Any, Any]


def simulate(graph: Any, x: Any, dt: float, feedback: set[tuple[str, str]]) -> dict[str, Array]:
    """Outputs of every node, each (T, *shape), for one sample x (T, *shape) of each input."""
    inputs = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    given = x if isinstance(x, dict) else {inputs[0]: x}
    reset = graph.metadata.get("reset", "zero")
    order = _order(graph, feedback)
    states: dict[str, dict[str, Any]] = {}
    before: dict[str, Array] = {}
    history: dict[str, list[Array]] = {name: [] for name in graph.nodes}
    for t in range(len(given[inputs[0]])):
        now: dict[str, Array] = {}
        for name in order:
            node = graph.nodes[name]
            arriving = [
                before.get(a, _silence(graph.nodes[a])) if (a, b) in feedback else now[a]
                for a, b in graph.edges
                if b == name
            ]
            value = given[name][t] if isinstance(node, nir.Input) else sum(arriving)
            state = states.setdefault(name, {"t": t + 1, "reset": reset})
            state["t"] = t + 1
            now[name] = _apply(node, value, state, dt)
        before = now
        for name, value in now.items():
            history[name].append(np.asarray(value))
    return {name: np.stack(values) for name, values in history.items()}


def _silence(node: Any) -> Array:
    """What a neuron sends before it has run."""
    return np.zeros(np.shape(getattr(node, "r", getattr(node, "threshold", 0))))


def _order(graph: Any, feedback: set[tuple[str, str]]) -> list[str]:
    edges = [e for e in graph.edges if e not in feedback]
    done: list[str] = []
    while len(done) < len(graph.nodes):
        for name in graph.nodes:
            if name not in done and all(a in done for a, b in edges if b == name):
                done.append(name)
    return done


def _apply(node: Any, x: Any, state: dict[str, Any], dt: float) -> Any:
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
    if kind is nir.Threshold:
        return (x > node.threshold).astype(float)
    if kind is nir.Delay:
        line = state.setdefault("line", [])
        line.append(x)
        steps = np.rint(node.delay / dt).astype(int)
        value = np.zeros_like(np.asarray(x, float))
        for index in np.ndindex(*steps.shape):
            if len(line) > steps[index]:
                value[index] = line[-1 - steps[index]][index]
        return value
    if "resonator_period" in node.metadata:
        return _resonator(node, x, state, dt)
    return _neuron(node, x, state, dt)


def _resonator(node: Any, x: Any, state: dict[str, Any], dt: float) -> Any:
    z = state.get("z", np.zeros(np.shape(node.r), complex))
    turn = np.exp(2j * np.pi * dt / node.metadata["resonator_period"])
    after = z * (1 - dt / node.tau) * turn + dt / node.tau * node.r * x
    if node.metadata.get("resonator_reset") == "izhikevich":
        spikes = after.imag >= node.v_threshold
        after = np.where(spikes, 1j * (node.v_threshold - 1e-5), after)
    else:
        spikes = (after.real >= node.v_threshold) & (after.imag >= 0) & (z.imag < 0)
    state["z"] = after
    return spikes.astype(float)


def _neuron(node: Any, x: Any, state: dict[str, Any], dt: float) -> Any:
    kind = type(node)
    shape = np.shape(node.r)
    wishes = node.metadata
    interval = wishes.get("reset_interval", 0)
    if interval and (state["t"] - wishes.get("reset_offset", 0)) % interval == 0:
        state.pop("v", None)
        state.pop("i", None)
    v = state.get("v", np.zeros(shape))
    before, drive = v, x
    if kind in (nir.CubaLIF, nir.CubaLI):
        i = state.get("i", np.zeros(shape))
        i = i + dt / node.tau_syn * (-i + node.w_in * x)
        state["i"], drive = i, i
    if kind in (nir.IF, nir.I):
        v = v + dt * node.r * drive
    else:
        tau = node.tau_mem if kind in (nir.CubaLIF, nir.CubaLI) else node.tau
        v = v + dt / tau * (node.v_leak - v + node.r * drive)
    if kind in (nir.LI, nir.CubaLI, nir.I):
        state["v"] = v
        return v
    if "threshold_step" in wishes:
        return _adaptive(node, v, state, dt)
    if "negative_threshold" in wishes:
        signed = (v > node.v_threshold).astype(float) - (v < wishes["negative_threshold"])
        state["v"] = np.where(signed != 0, 0.0, v)
        return signed
    held = state.get("held", np.zeros(shape))
    v = np.where(held > 0, before, v)
    spikes = (v > node.v_threshold) & (held == 0)
    soft = wishes.get("reset", state["reset"]) == "subtract"
    after = v - node.v_threshold if soft else node.v_reset
    state["v"] = np.where(spikes, after, v)
    steps = round(wishes.get("refractory", 0.0) / dt)
    state["held"] = np.where(spikes, steps, np.maximum(held - 1, 0))
    return spikes.astype(float)


def _adaptive(node: Any, v: Any, state: dict[str, Any], dt: float) -> Any:
    wishes, rest = node.metadata, node.v_threshold
    theta = rest + (1 - dt / wishes["threshold_tau"]) * (state.get("theta", rest) - rest)
    r = (1 - dt / wishes["refractory_tau"]) * state.get("r", 0 * rest)
    spikes = v - r >= theta
    state["v"] = v
    state["r"] = np.where(spikes, r + 2 * theta, r)
    state["theta"] = np.where(spikes, theta + wishes["threshold_step"], theta)
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
