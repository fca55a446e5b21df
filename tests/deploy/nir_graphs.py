"""Random NIR graphs with every node that the compiler takes; reproducible from one integer."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

DT = 1e-3
Rng = np.random.Generator


class Builder:
    """Grows a chain of nodes, with side branches and loops."""

    def __init__(self, rng: Rng, shape: tuple[int, ...], rich: bool = False) -> None:
        self.rng, self.rich = rng, rich  # rich: neurons that NIR cannot say
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
        elif kind == "I":
            node = nir.I(np.full(shape, rng.uniform(0.3, 1.0) / DT))
        elif kind == "LI":
            node = nir.LI(tau, np.ones(shape), leak)
        else:
            syn, w_in = per_neuron(DT, 4 * DT), np.full(shape, rng.uniform(1.0, 3.0))
            node = (
                nir.CubaLIF(syn, tau, np.ones(shape), leak, threshold, w_in=w_in)
                if kind == "CubaLIF"
                else nir.CubaLI(syn, tau, np.ones(shape), leak, w_in=w_in)
            )
        node.metadata = self.wishes(kind, node) if self.rich and kind.endswith("IF") else {}
        return self.add(kind.lower(), node, shape)

    def wishes(self, kind: str, node: Any) -> dict[str, Any]:
        """What NIR cannot say, as metadata; changes the node where a model needs one value."""
        rng = self.rng
        choice = rng.random()
        if choice < 0.5:
            return {}
        if choice < 0.6:
            node.v_reset = np.full(self.shape, rng.uniform(-0.3, 0.15))
            return {}
        if choice < 0.7:
            return {"reset": "subtract"}
        if choice < 0.8:
            return {
                "refractory": int(rng.integers(1, 4)) * DT,
                "reset": rng_choice(rng, ("zero", "subtract")),
            }
        if np.any(getattr(node, "v_leak", 0)) and kind == "CubaLIF":
            return {}
        if choice < 0.85:
            return {"reset_interval": int(rng.integers(1, 6)), "reset_offset": 2}
        one = {
            f: getattr(node, f)
            for f in ("tau", "tau_mem", "tau_syn", "v_threshold")
            if hasattr(node, f)
        }
        for field, values in one.items():
            setattr(node, field, np.full(self.shape, values.ravel()[0]))
        if choice < 0.9:
            return {"negative_threshold": -float(rng.uniform(0.1, 0.8))}
        if choice < 0.95 or kind != "LIF":
            return {
                "threshold_step": float(rng.uniform(0.0, 0.5)),
                "threshold_tau": float(rng.uniform(1.5, 8)) * DT,
                "refractory_tau": float(rng.uniform(1.5, 8)) * DT,
            }
        return {
            "resonator_period": float(rng.uniform(3, 9)) * DT,
            "resonator_reset": rng_choice(rng, ("none", "izhikevich")),
        }

    def delay(self) -> None:
        steps = self.rng.integers(0, 6, self.shape)
        self.add("delay", nir.Delay(steps * DT), self.shape)

    def comparator(self) -> None:
        threshold = nir.Threshold(self.rng.uniform(0.1, 0.6, self.shape))
        self.add("threshold", threshold, self.shape)

    def loop(self, neuron: str) -> None:
        """A recurrent matrix on a flat population."""
        size = self.shape[0]
        name = f"rec{len(self.nodes)}"
        self.nodes[name] = nir.Linear(self.normal(size, size) * 0.4 / np.sqrt(size))
        self.edges += [(neuron, name), (name, neuron)]
        self.feedback.add((neuron, name))

    def leave(self, name: str) -> None:
        """An output that reads the end of the chain."""
        self.nodes[name] = nir.Output({"output": np.array(self.shape)})
        self.edges.append((self.end, name))

    def graph(self, metadata: dict[str, Any]) -> Any:
        self.leave("output")
        return nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=False)


def rng_choice(rng: Rng, values: tuple[str, ...]) -> str:
    return values[int(rng.integers(len(values)))]


def random_graph(
    seed: int,
) -> tuple[Any, set[tuple[str, str]], dict[str, np.ndarray[Any, Any]]]:
    """A graph, its feedback edges, and one sample over time (T, *shape) for each input."""
    rng = np.random.default_rng(seed)
    image = rng.random() < 0.7
    shape = (int(rng.integers(1, 3)), int(rng.integers(4, 8)), int(rng.integers(4, 8)))
    build = Builder(rng, shape if image else (int(rng.integers(2, 8)),), rich=True)
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
    if rng.random() < 0.3:
        build.delay()
    build.affine(int(rng.integers(2, 7)))
    if rng.random() < 0.2:
        build.delay()
    if rng.random() < 0.2:
        build.comparator()
        build.affine(int(rng.integers(2, 7)))
    if rng.random() < 0.3:  # a second input joins here
        name = f"input{len(build.nodes)}"
        build.nodes[name] = nir.Input({"input": np.array(build.shape)})
        half = f"{len(build.nodes)}"
        build.nodes[half] = nir.Scale(np.full(build.shape, 0.5))
        build.edges.append((name, half))
        last = build.neuron(neurons)
        build.edges.append((half, last))
    else:
        last = build.neuron(neurons)
    if rng.random() < 0.3:  # and a second output leaves
        build.leave("spikes")
    if rng.random() < 0.5:
        build.loop(last)
    if rng.random() < 0.8:
        build.affine(int(rng.integers(2, 5)))
        if rng.random() < 0.7:
            build.neuron(("LI", "CubaLI", "LIF", "I"))
    steps = int(rng.integers(4, 10))
    metadata = {"dt": DT, "steps": steps, "input_encoding": "spikes" if spikes else "current"}
    if rng.random() < 0.2:
        metadata["reset"] = "subtract"
        for node in build.nodes.values():
            if np.any(getattr(node, "v_reset", 0)):
                node.v_reset = np.zeros_like(node.v_reset)
            if "negative_threshold" in node.metadata:
                node.metadata["reset"] = "zero"
    x = {
        name: rng.random((steps, *node.input_type["input"]))
        for name, node in build.nodes.items()
        if isinstance(node, nir.Input)
    }
    if spikes:
        x = {name: (values < 0.4).astype(float) for name, values in x.items()}
    return build.graph(metadata), build.feedback, x
