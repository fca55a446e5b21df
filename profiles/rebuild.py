"""Published networks of which the trained weights are public: built anew, run and counted.

A chain of dense layers of current-based LIF neurons on Loihi 1, as deployed by hand: per layer
one scale, integers by truncation, bias by a neuron that spikes, states that are kept from one
inference to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..deploy.formats import WeightFormat
from ..deploy.neurons.cuba_lif import CubaLif
from ..deploy.program import Input, Output, Population, Program, Projection
from ..deploy.run import run
from ..deploy.synapses.dense import Dense
from ..errors import FileError

Array = npt.NDArray[Any]

LARGEST = 255
DECAY_UNITY = 4096


@dataclass(frozen=True, slots=True)
class Chain:
    """What a row says of such a network.

    Attributes:
        weights, biases: float arrays (out, in) and (out,) of each layer.
        threshold: of v, in the units of the weights.
        current_decay, voltage_decay: of 4096; what is lost at each step.
        steps: with input and bias spikes; then `drain` steps without.
        rate: input spike probability of every channel; None: uniform in [0, 1], drawn for
            each channel and inference, rounded to 1 %.
        pairs: channels of which only one is not zero.
        inferences: in a row, without reset, of each of `episodes` that begin at rest.
        seed: of all draws.
        schedule: "chip" or "float".
        destination_cores: of a spike of the input and of each layer but the last.
        bias_destination_cores: of a bias spike of each layer.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    threshold: float
    current_decay: int
    voltage_decay: int
    steps: int
    drain: int
    rate: float | None
    pairs: tuple[tuple[int, int], ...]
    inferences: int
    episodes: int
    seed: int
    schedule: str
    destination_cores: tuple[int, ...]
    bias_destination_cores: tuple[int, ...]

    @property
    def executed(self) -> int:
        """Steps of one inference."""
        return self.steps + self.drain

    @property
    def names(self) -> list[str]:
        """Of the layers."""
        hidden = [f"hidden{n}" for n in range(1, len(self.weights))]
        return [*hidden, "output"]


def read_arrays(path: Path, names: Sequence[str]) -> list[Array]:
    """Arrays of an .npz file. Raises FileError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return [np.asarray(file[name], np.float64) for name in names]
    except (OSError, ValueError, KeyError) as error:
        raise FileError(
            f"cannot read the weights: {error}",
            where=str(path),
            remedy=f"it must be an .npz file with the arrays {', '.join(names)}",
        ) from error


def counted(chain: Chain) -> dict[str, Any]:
    """Counts of the network as a run.json that can be priced."""
    return _on_chip(chain) if chain.schedule == "chip" else _in_float(chain)


def _on_chip(chain: Chain) -> dict[str, Any]:
    """The published chip set-up, step by step on our engine."""
    program = _program(chain)
    result = run(program, _stimulus(chain)).as_json()
    inferences = chain.inferences * chain.episodes
    steps = chain.executed
    # A sample of the engine is an episode; a sample of the row is an inference.
    found = {**result, "samples": inferences, "steps": chain.steps, "executed_steps": steps}
    found["target"] = "loihi1"
    populations, traffic = {}, {}
    cores = {"input": chain.destination_cores[0]}
    cores |= dict(zip(chain.names, (*chain.destination_cores[1:], 0), strict=True))
    for n, count in enumerate(chain.bias_destination_cores):
        cores[f"bias{n}"] = count
    for name in (*result["inputs"], *result["populations"]):
        entry = result["inputs"].get(name) or result["populations"][name]
        neurons = entry["neurons"]
        spikes = entry.get("spikes", entry.get("messages"))
        populations[name] = {
            "kind": "CubaLIF",
            "neurons": neurons,
            "spikes": spikes,
            "neuron_updates": neurons * steps * inferences,
        }
        traffic[name] = {"messages": spikes * cores[name]}
    found["populations"] = populations
    # Input and bias are neurons on a core here, no host.
    found["inputs"] = {}
    found["traffic"] = {"sources": traffic}
    return found


def _integers(chain: Chain) -> list[tuple[Array, Array, int]]:
    """Weights, biases and threshold of each layer, truncated towards zero."""
    found = []
    for weight, bias in zip(chain.weights, chain.biases, strict=True):
        scale = LARGEST / max(np.abs(weight).max(), np.abs(bias).max())
        whole = (np.trunc(values * scale).astype(np.int16) for values in (weight, bias))
        found.append((*whole, int(chain.threshold * scale)))
    return found


def _program(chain: Chain) -> Program:
    inputs = [_spikes("input", chain.weights[0].shape[1])]
    populations, projections = [], []
    source = "input"
    for n, (name, (weight, bias, threshold)) in enumerate(
        zip(chain.names, _integers(chain), strict=True)
    ):
        inputs.append(_spikes(f"bias{n}", 1))
        zero = np.zeros(1, np.int64)
        neuron = CubaLif(
            # Lava's current decay loses one part in 4096 more than its parameter says.
            current_decay=np.array([chain.current_decay - 1]),
            voltage_decay=np.array([chain.voltage_decay]),
            bias_mantissa=zero,
            threshold=np.array([threshold]),
            initial_voltage=zero,
        )
        # Of depth 0: as many steps are executed as are asked for.
        populations.append(Population(name, "CubaLIF", (len(weight),), neuron, 0))
        projections += _signed(source, name, weight) + _signed(f"bias{n}", name, bias[:, None])
        source = name
    return Program(
        precision="fixed",
        dt=0.001,
        steps=chain.executed * chain.inferences,
        inputs=tuple(inputs),
        populations=tuple(populations),
        projections=tuple(projections),
        outputs=(Output("output", source, "count"),),
        target="loihi1",
    )


def _spikes(name: str, size: int) -> Input:
    return Input(name, (size,), graded=False, scale=1.0, minimum=0, maximum=1)


def _signed(source: str, target: str, weight: Array) -> list[Projection]:
    """An excitatory and an inhibitory projection, so that odd weights stay what they are."""
    found = []
    for mode, part in (
        ("excitatory", np.maximum(weight, 0)),
        ("inhibitory", np.minimum(weight, 0)),
    ):
        synapse = Dense(part, WeightFormat(sign_mode=mode))  # type: ignore[arg-type]
        found.append(Projection(f"{source}->{target} {mode}", source, target, synapse))
    return found


def _probabilities(chain: Chain, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Of a spike of each channel, for each inference; (..., channels)."""
    p = rng.random(shape) if chain.rate is None else np.full(shape, chain.rate)
    p = np.round(p, 2)
    for pair in chain.pairs:
        silent = rng.integers(0, 2, shape[:-1]).astype(bool)
        p[..., pair[0]] = np.where(silent, 0.0, p[..., pair[0]])
        p[..., pair[1]] = np.where(silent, p[..., pair[1]], 0.0)
    return p


def _drawn(chain: Chain) -> Array:
    """Input spikes, bool (episodes, inferences, steps, channels)."""
    rng = np.random.default_rng(chain.seed)
    channels = chain.weights[0].shape[1]
    p = _probabilities(chain, rng, (chain.episodes, chain.inferences, channels))
    shape = (chain.episodes, chain.inferences, chain.steps, channels)
    return np.asarray(rng.random(shape) < p[:, :, None])


def _stimulus(chain: Chain) -> Mapping[str, Array]:
    """Input spikes on the first steps of an inference; bias spikes of layer l after l steps."""
    spikes = np.zeros(
        (chain.episodes, chain.inferences, chain.executed, chain.weights[0].shape[1]), np.uint8
    )
    spikes[:, :, : chain.steps] = _drawn(chain)
    length = chain.inferences * chain.executed
    found = {"input": spikes.reshape(chain.episodes, length, -1)}
    for layer in range(len(chain.weights)):
        bias = np.zeros((chain.inferences, chain.executed), np.uint8)
        bias[:, layer : layer + chain.steps] = 1
        found[f"bias{layer}"] = np.tile(bias.reshape(1, -1, 1), (chain.episodes, 1, 1))
    return found


def _in_float(chain: Chain) -> dict[str, Any]:
    """The forward pass of the training code: states at zero, every weight, no delays."""
    spikes = _drawn(chain).reshape(-1, chain.steps, chain.weights[0].shape[1])
    samples = len(spikes)
    u = [np.zeros((samples, len(w))) for w in chain.weights]
    v = [np.zeros_like(values) for values in u]
    s = [np.zeros_like(values) for values in u]
    sent = np.zeros(len(u), np.int64)
    keep_u, keep_v = (
        1 - decay / DECAY_UNITY for decay in (chain.current_decay, chain.voltage_decay)
    )
    for t in range(chain.steps):
        x = spikes[:, t].astype(np.float64)
        for n, (weight, bias) in enumerate(zip(chain.weights, chain.biases, strict=True)):
            u[n] = keep_u * u[n] + x @ weight.T + bias
            v[n] = keep_v * v[n] * (1 - s[n]) + u[n]
            s[n] = (v[n] > chain.threshold).astype(np.float64)
            sent[n] += int(s[n].sum())
            x = s[n]
    names = ["input", *chain.names]
    totals = dict(zip(names, [int(spikes.sum()), *map(int, sent)], strict=True))
    sizes = dict(zip(names, [spikes.shape[2], *map(len, chain.weights)], strict=True))
    projections, source = {}, "input"
    for name, weight in zip(chain.names, chain.weights, strict=True):
        synops = totals[source] * len(weight)
        projections[f"{source}->{name}"] = {
            **{"source": source, "target": name, "kind": "Dense", "graded": False},
            **{"synapses": weight.size, "synapses_all": weight.size},
            **{"synops": synops, "synops_all": synops},
        }
        source = name
    cores = dict(zip([*sizes], (*chain.destination_cores, 0), strict=True))
    return {
        "samples": samples,
        "executed_steps": chain.steps,
        "populations": {
            name: {
                "kind": "CubaLIF",
                "neurons": size,
                "spikes": totals[name],
                "neuron_updates": size * chain.steps * samples,
            }
            for name, size in sizes.items()
        },
        "projections": projections,
        "traffic": {
            "sources": {name: {"messages": totals[name] * cores[name]} for name in sizes}
        },
    }
