"""Random NIR graphs with every node that the compiler takes; reproducible from one integer."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

DT = 1e-3
Rng = np.random.Generator


class Builder:
    """Grows a chain of nodes, with side branches and loops."""

    def __init__(self, rng: Rng, shape: tuple[int, ...]) -> None:
        self.rng = rng
        self.nodes: dict[str, Any] = {"input": nir.Input({"input": np.array(shape)})}
        self.edges: list[tuple[str, str]] = []
        self.feedback: set[tuple[str, str]] = set()
        self.end, self.shape = "input", shape

    def add(
        self, kind: str, node: Any, shape: tuple[int, ...], source: str | None = None
    ) -> str:
        name = f"{kind}{len(self.nodes)}"
        self.nodes[name] = node
        self.edges.append((source or self.end, name))
        self.end, self.shape = name, shape
        return name

    def normal(self, *shape: int) -> np.ndarray[Any, Any]:
        return self.rng.normal(size=shape)

    def affine(self, size: int) -> None:
        weight = self.normal(size, self.shape[0]) / np.sqrt(self.shape[0])
        if self.rng.random() < 0.5:
            self.add("affine", nir.Affine(weight, self.normal(size) * 0.3), (size,))
        else:
            self.add("linear", nir.Linear(weight), (size,))

    def conv(self, filters: int, kernel: int, padding: int, stride: int = 1) -> None:
        c, h, w = self.shape
        weight = self.normal(filters, c, kernel, kernel) / np.sqrt(c * kernel * kernel)
        bias = self.normal(filters) * (0.3 if self.rng.random() < 0.5 else 0.0)
        out = [(n + 2 * padding - kernel) // stride + 1 for n in (h, w)]
        node = nir.Conv2d((h, w), weight, stride, padding, 1, 1, bias)
        self.add("conv", node, (filters, *out))

    def pool(self) -> None:
        kind = nir.AvgPool2d if self.rng.random() < 0.6 else nir.SumPool2d
        size = int(self.rng.integers(2, 4))
        c, h, w = self.shape
        if min(h, w) < size:
            return
        out = [(n - size) // size + 1 for n in (h, w)]
        node = kind(np.array([size, size]), np.array([size, size]), np.array([0, 0]))
        self.add("pool", node, (c, *out))

    def flatten(self) -> None:
        node = nir.Flatten({"input": np.array(self.shape)}, 0, -1)
        self.add("flatten", node, (int(np.prod(self.shape)),))

    def scale(self) -> None:
        per_channel = self.rng.uniform(
            0.5, 2.0, (self.shape[0],) + (1,) * (len(self.shape) - 1)
        )
        self.add(
            "scale", nir.Scale(np.broadcast_to(per_channel, self.shape).copy()), self.shape
        )

    def neuron(self, kinds: tuple[str, ...]) -> str:
        kind, shape, rng = str(rng_choice(self.rng, kinds)), self.shape, self.rng

        def per_neuron(low: float, high: float) -> np.ndarray[Any, Any]:
            return (
                rng.uniform(low, high, shape)
                if rng.random() < 0.3
                else np.full(shape, rng.uniform(low, high))
            )

        leak = np.full(shape, rng.uniform(-0.2, 0.2) if rng.random() < 0.3 else 0.0)
        threshold = per_neuron(0.2, 0.8)
        tau = per_neuron(DT, 8 * DT)
        if kind == "IF":
            node: Any = nir.IF(np.full(shape, rng.uniform(0.3, 1.0) / DT), threshold)
        elif kind == "LIF":
            node = nir.LIF(tau, per_neuron(0.5, 2.0), leak, threshold)
        elif kind == "LI":
            node = nir.LI(tau, np.ones(shape), leak)
        else:
            syn, w_in = per_neuron(DT, 4 * DT), np.full(shape, rng.uniform(1.0, 3.0))
            node = (
                nir.CubaLIF(syn, tau, np.ones(shape), leak, threshold, w_in=w_in)
                if kind == "CubaLIF"
                else nir.CubaLI(syn, tau, np.ones(shape), leak, w_in=w_in)
            )
        return self.add(kind.lower(), node, shape)

    def loop(self, neuron: str) -> None:
        """A recurrent matrix on a flat population."""
        size = self.shape[0]
        name = f"rec{len(self.nodes)}"
        self.nodes[name] = nir.Linear(self.normal(size, size) * 0.4 / np.sqrt(size))
        self.edges += [(neuron, name), (name, neuron)]
        self.feedback.add((neuron, name))

    def graph(self, metadata: dict[str, Any]) -> Any:
        self.nodes["output"] = nir.Output({"output": np.array(self.shape)})
        self.edges.append((self.end, "output"))
        return nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=False)


def rng_choice(rng: Rng, values: tuple[str, ...]) -> str:
    return values[int(rng.integers(len(values)))]


def random_graph(seed: int) -> tuple[Any, set[tuple[str, str]], np.ndarray[Any, Any]]:
    """A graph, its feedback edges, and one sample over time (T, *shape)."""
    rng = np.random.default_rng(seed)
    image = rng.random() < 0.7
    shape = (int(rng.integers(1, 3)), int(rng.integers(4, 8)), int(rng.integers(4, 8)))
    build = Builder(rng, shape if image else (int(rng.integers(2, 8)),))
    spikes = rng.random() < 0.5
    neurons = ("IF", "LIF", "CubaLIF")
    if image:
        build.conv(int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(0, 2)))
        build.neuron(neurons)
        if rng.random() < 0.4:
            build.scale()
        if rng.random() < 0.6:
            build.pool()
        if rng.random() < 0.5 and min(build.shape[1:]) >= 3:
            trunk, before = build.end, build.shape
            build.conv(before[0], 3, 1)
            build.neuron(neurons)
            build.conv(before[0], 3, 1)
            summed = build.end
            joined = build.neuron(neurons)  # residual: the trunk joins one hop early
            build.edges.append((trunk, joined))
            assert summed != trunk
        build.flatten()
    build.affine(int(rng.integers(2, 7)))
    last = build.neuron(neurons)
    if rng.random() < 0.5:
        build.loop(last)
    if rng.random() < 0.8:
        build.affine(int(rng.integers(2, 5)))
        if rng.random() < 0.7:
            build.neuron(("LI", "CubaLI", "LIF"))
    steps = int(rng.integers(4, 10))
    metadata = {"dt": DT, "steps": steps, "input_encoding": "spikes" if spikes else "current"}
    x = rng.random((steps, *build.nodes["input"].input_type["input"]))
    return build.graph(metadata), build.feedback, (x < 0.4).astype(float) if spikes else x
