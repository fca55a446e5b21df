"""Graphs as other frameworks write them, without these frameworks: their exporters' equations.

Each follows the source of an exporter: snnTorch 1.0.0 (export_nir.py), SpikingJelly 2.0.0
(nir_exchange/to_nir.py), sinabs 3.1.3 (nir.py), rockpool 3.1.0 (nn/modules/torch/nir.py), norse
1.1.0 (utils/export_nir.py), all through nirtorch 2.6 and nir 1.0.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import nir
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
DT = 1e-4
"""What snnTorch and SpikingJelly write as the step, whatever the network was trained with."""


def given(*shape: int) -> Any:
    """An Input of that shape."""
    return nir.Input({"input": np.array(shape)})


def read(*shape: int) -> Any:
    """An Output of that shape."""
    return nir.Output({"output": np.array(shape)})


def graph(nodes: dict[str, Any], edges: Sequence[tuple[str, str]] = ()) -> Any:
    """A graph of these nodes, one behind the other where no edges are given."""
    names = list(nodes)
    return nir.NIRGraph(nodes, list(edges) or list(pairwise(names)), type_check=False)


def affine(generator: np.random.Generator, n_in: int, n_out: int, gain: float = 1.0) -> Any:
    """A torch Linear with bias, as every exporter writes it."""
    bound = gain / np.sqrt(n_in)
    weight = generator.uniform(-bound, bound, (n_out, n_in)).astype(np.float32)
    return nir.Affine(weight, generator.uniform(-bound, bound, n_out).astype(np.float32))


def leaky(beta: Array, threshold: Array) -> Any:
    """snnTorch's Leaky: v <- beta v + x; its reset is not in the file."""
    tau = DT / (1 - beta)
    zeros = np.zeros_like(beta)
    return nir.LIF(tau, tau / DT, zeros, threshold, np.zeros_like(threshold))


def synaptic(alpha: Array, beta: Array, threshold: Array) -> Any:
    """snnTorch's Synaptic: i <- alpha i + x; v <- beta v + i."""
    synapse, membrane = DT / (1 - alpha), DT / (1 - beta)
    return nir.CubaLIF(
        synapse,
        membrane,
        membrane / DT,
        np.zeros_like(beta),
        threshold,
        np.zeros_like(threshold),
        synapse / DT,
    )


def recurrent(neuron: Any, weight: Any, n: int) -> Any:
    """snnTorch's RLeaky and RSynaptic: a graph in the graph."""
    nodes = {"input": given(n), "lif": neuron, "w_rec": weight, "output": read(n)}
    edges = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    return graph(nodes, edges)


def jelly_lif(shape: tuple[int, ...], tau: float, decay_input: bool, reset: float = 0.0) -> Any:
    """SpikingJelly's LIFNode; tau in steps."""
    return nir.LIF(
        np.full(shape, tau * DT),
        np.full(shape, 1.0 if decay_input else tau),
        np.full(shape, reset),
        np.full(shape, 0.3),
        np.full(shape, reset),
    )


def jelly_if(shape: tuple[int, ...], threshold: float = 0.3) -> Any:
    """SpikingJelly's IFNode."""
    return nir.IF(np.full(shape, 1 / DT), np.full(shape, threshold), np.zeros(shape))


def jelly_conv1d(
    generator: np.random.Generator,
    channels: tuple[int, int],
    kernel: int,
    length: int,
    **how: Any,
) -> Any:
    """SpikingJelly's Conv1d, whose padding may be 'same'."""
    how = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **how}
    n_in, n_out = channels[0] // how["groups"], channels[1]
    bound = 1.5 / np.sqrt(n_in * kernel)
    weight = generator.uniform(-bound, bound, (n_out, n_in, kernel)).astype(np.float32)
    return nir.Conv1d(length, weight, bias=np.zeros(n_out, np.float32), **how)


def sinabs_if(shape: tuple[int, ...], threshold: float = 0.5) -> Any:
    """sinabs's IAF: r = 1 and no time constant, so that one step is the unit of time."""
    return nir.IF(np.ones(shape), np.full(shape, threshold))


def conv2d(
    generator: np.random.Generator, channels: tuple[int, int], size: tuple[int, int]
) -> Any:
    """A torch Conv2d of kernel 3 and padding 1."""
    bound = 1.5 / np.sqrt(9 * channels[0])
    weight = generator.uniform(-bound, bound, (channels[1], channels[0], 3, 3))
    bias = np.zeros(channels[1], np.float32)
    return nir.Conv2d(size, weight.astype(np.float32), (1, 1), (1, 1), (1, 1), 1, bias)


def flatten(*shape: int) -> Any:
    """A torch Flatten behind the batch axis."""
    return nir.Flatten({"input": np.array(shape)}, 0, -1)


def norse_lif(dt: float = 1e-3, threshold: float = 0.1) -> Any:
    """norse's LIFBoxCell of tau_mem_inv = 100 / s: one neuron's parameters, tau times dt."""
    one = np.ones(1, np.float32)
    return nir.LIF(dt / (100 * one), one, 0 * one, threshold * one, 0 * one)


def rockpool_lif(n: int, tau: Array, dt: float) -> Any:
    """rockpool's LIFTorch: exponential decays, and a w_in that is left at 1."""
    zeros = np.zeros(n)
    gain = tau * np.exp(-dt / tau) / dt
    return nir.CubaLIF(np.full(n, 0.01), tau, gain, zeros, np.ones(n), zeros, np.ones(n))
