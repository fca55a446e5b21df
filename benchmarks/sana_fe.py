"""Our profile and SANA-FE's, on the same network, spikes, mapping and constants.

``python -m slipway.benchmarks.sana_fe`` (or `make bench-sana-fe`, which makes the environment
that SANA-FE lives in). SANA-FE is under the GPL, so it runs as a process of its own; the two
exchange files. Integrate-and-fire neurons driven by bias currents have the same integers in
both, so that every spike is equal; this is checked before anything is compared.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from slipway.deploy.counts import fan_outs, reduce
from slipway.deploy.engine import Engine
from slipway.deploy.formats import THRESHOLD, WeightFormat
from slipway.deploy.neurons.cuba_lif import NO_MEMORY, CubaLif
from slipway.deploy.placement import Placement, place
from slipway.deploy.placement.geometry import tile_of
from slipway.deploy.profile import observed, profile_of
from slipway.deploy.program import Input, Output, Population, Program, Projection, Synapse
from slipway.deploy.routes import routes_of
from slipway.deploy.run import Run, run
from slipway.deploy.synapses.conv2d import Conv2d
from slipway.deploy.synapses.dense import Dense
from slipway.deploy.targets import load_target
from slipway.deploy.trace import Stimulus
from slipway.profiles.costs import load_cost_model
from slipway.profiles.estimate import estimate
from slipway.profiles.run_file import check_run

Array = npt.NDArray[Any]

TARGET, MODEL = "loihi1", "loihi1_sanafe"
RATE = 0.06
"""Share of a layer's neurons that its threshold is set to let spike in a step."""
STEPS = 100
TURNS = 5
SANAFE_ROWS = 4
"""Tiles in a column of SANA-FE's Loihi: it numbers them down the columns, we along the rows."""


@dataclass(frozen=True, slots=True)
class Case:
    """A network without input: its first population is driven by bias currents."""

    title: str
    shape: tuple[int, ...]
    layers: tuple[Synapse, ...]


def _weights(rng: np.random.Generator, *shape: int) -> Array:
    return (2 * rng.integers(-32, 34, shape)).astype(np.int16)


def _mlp() -> Case:
    rng = np.random.default_rng(0)
    sizes = (784, 512, 512, 10)
    layers = [Dense(_weights(rng, n, m), WeightFormat()) for m, n in pairwise(sizes)]
    return Case("MLP 784-512-512-10", (784,), tuple(layers))


def _conv() -> Case:
    rng = np.random.default_rng(0)
    first = Conv2d(
        _weights(rng, 16, 2, 3, 3), (2, 34, 34), (2, 2), (1, 1), format=WeightFormat()
    )
    second = Conv2d(
        _weights(rng, 32, 16, 3, 3), first.output_shape, (2, 2), (1, 1), format=WeightFormat()
    )
    last = Dense(_weights(rng, 10, second.out_size), WeightFormat())
    return Case("conv 2x34x34, 16-32-10", (2, 34, 34), (first, second, last))


CASES: dict[str, Callable[[], Case]] = {"mlp": _mlp, "conv": _conv}


def _neuron(size: int, threshold: int, bias: Array | None = None) -> CubaLif:
    nothing = np.zeros(1, np.int64)
    current = np.zeros(size, np.int64) if bias is None else bias
    return CubaLif(np.array([NO_MEMORY]), nothing, current, np.array([threshold]), nothing)


def _shape(synapse: Synapse) -> tuple[int, ...]:
    return synapse.output_shape if isinstance(synapse, Conv2d) else (synapse.out_size,)


def network(case: Case) -> Program:
    """The case as a Program whose layers each spike at about RATE."""
    rng = np.random.default_rng(1)
    size = prod(case.shape)
    threshold = 1000
    # A constant bias b fires every (threshold << 6) / b steps; 0 for half of the neurons.
    bias = rng.integers(0, int(2 * RATE * 64 * threshold), size) * (rng.random(size) < 0.5)
    populations = [Population("p0", "IF", case.shape, _neuron(size, threshold, bias), 1)]
    projections: list[Projection] = []
    for k, synapse in enumerate(case.layers, 1):
        name, before = f"p{k}", f"p{k - 1}"
        projections.append(Projection(f"{before}->{name}", before, name, synapse))
        low, high = 0, THRESHOLD.maximum
        while high - low > 1:
            middle = (low + high) // 2
            layer = Population(
                name, "IF", _shape(synapse), _neuron(synapse.out_size, middle), 1
            )
            trace = _execute(_program([*populations, layer], projections))
            fired = trace.messages[name].mean() / STEPS
            low, high = (middle, high) if fired >= RATE else (low, middle)
        neuron = _neuron(synapse.out_size, low)
        populations.append(Population(name, "IF", _shape(synapse), neuron, 1))
    return _program(populations, projections)


def _program(populations: Sequence[Population], projections: Sequence[Projection]) -> Program:
    silent = Input("input", (1,), False, 1.0, 0, 1)
    output = Output("output", populations[-1].name, "count")
    # Depth 0: run for exactly STEPS, as SANA-FE does.
    flat = tuple(Population(p.name, p.kind, p.shape, p.neuron, 0) for p in populations)
    return Program(
        "fixed", 1e-3, STEPS, (silent,), flat, tuple(projections), (output,), target=TARGET
    )


def _stimulus(samples: int = 1) -> Stimulus:
    return Stimulus({"input": np.zeros((samples, 1), np.uint8)}, STEPS)


def _execute(program: Program, record: bool = False) -> Any:
    return Engine(program).run(_stimulus(), record=record)


def pairs(synapse: Synapse) -> tuple[Array, Array]:
    """(source, target) of every synapse with a non-zero weight (k, 2), and the weights (k,)."""
    matrix = synapse.accumulate(np.eye(synapse.in_size, dtype=np.float32))
    source, target = np.nonzero(matrix)
    return np.stack([source, target], axis=1), matrix[source, target]


def write_job(program: Program, placement: Placement, path: Path) -> None:
    """What the other process needs, as arrays."""
    mesh = load_target(TARGET).mesh
    job: dict[str, Any] = {
        "steps": STEPS,
        "populations": np.array([p.name for p in program.populations]),
        "projections": np.array([p.name for p in program.projections]),
    }
    for population in program.populations:
        name, cores = population.name, placement.core_of[population.name]
        if cores.max() >= mesh.cores_per_chip:
            raise SystemExit(f"{name} lies on several chips; SANA-FE's Loihi is one chip")
        x, y = tile_of(mesh, cores)
        neuron: Any = population.neuron
        job[f"tile/{name}"] = x * SANAFE_ROWS + y
        job[f"core/{name}"] = cores % mesh.cores_per_tile
        job[f"bias/{name}"] = neuron.bias_mantissa.astype(float)
        job[f"threshold/{name}"] = float(neuron.threshold[0] * 64)
    for projection in program.projections:
        ends, weights = pairs(projection.synapse)
        name = projection.name
        job[f"ends/{name}"] = np.array([projection.source, projection.target])
        job[f"pairs/{name}"], job[f"weights/{name}"] = ends, weights.astype(float) * 64
        job[f"kind/{name}"] = (
            "convolution" if isinstance(projection.synapse, Conv2d) else "dense"
        )
    np.savez(path, **job)


def sanafe(program: Program, placement: Placement, python: Path) -> dict[str, Any]:
    """What SANA-FE says of the placed network; the fastest of TURNS simulations."""
    with tempfile.TemporaryDirectory() as folder:
        job, result = Path(folder) / "job.npz", Path(folder) / "result.json"
        write_job(program, placement, job)
        worker = Path(__file__).with_name("sana_fe_worker.py")
        found = []
        for _ in range(TURNS):
            command = [str(python), str(worker), str(job), str(result)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            found.append(json.loads(result.read_text(encoding="utf-8")))
    return min(found, key=lambda each: each["seconds"])


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of a sample: prepared once, and with all preparation."""

    prepared: float
    whole: float


def ours(program: Program, placement: Placement, samples: int) -> tuple[Any, Any, Timed]:
    """The run's JSON, its price, and the time of a sample: engine, counts, JSON, price."""
    trace = _execute(program, record=True)
    routes = routes_of(program, placement)
    profile = profile_of(routes, observed(program, _stimulus(), trace))
    model, x = load_cost_model(MODEL), np.zeros((samples, 1), np.uint8)
    engine, fans, stimulus = Engine(program), fan_outs(program, routes), _stimulus(samples)
    clipped = np.zeros(samples, np.int64)

    def priced(done: Run) -> tuple[Any, Any]:
        facts = done.as_json()
        return facts, estimate(check_run(facts, where="run"), model)

    def again() -> tuple[Any, Any]:
        counts = reduce(program, fans, engine.run(stimulus, fans=fans), clipped, 1.0)
        found = Run(program, "fast", STEPS, counts, None, routes=routes, profile=profile)
        return priced(found)

    def whole() -> tuple[Any, Any]:
        return priced(run(program, x, routes=routes, profile=profile))

    facts, price = whole()
    return facts, price, Timed(_fastest(again) / samples, _fastest(whole) / samples)


def _fastest(call: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(TURNS + 1):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def compare(key: str, python: Path) -> dict[str, Any]:
    """One network, both profiles; stops where a count differs."""
    program = network(CASES[key]())
    placement = place(program)
    theirs = sanafe(program, placement, python)
    facts, price, alone = ours(program, placement, 1)
    _, _, batched = ours(program, placement, 64)
    traffic = facts["traffic"]
    equal = {
        "spikes": (sum(p["spikes"] for p in facts["populations"].values()), theirs["fired"]),
        "synops": (sum(p["synops"] for p in facts["projections"].values()), theirs["synops"]),
        "messages": (traffic["messages"], theirs["messages"]),
        "hops": (traffic["hops"], theirs["hops"]),
    }
    for name, (mine, other) in equal.items():
        if mine != other:
            raise SystemExit(f"{key}: {name} differ: {mine} here, {other} in SANA-FE")
    mine = {
        "synapse": _nominal(price, "synapse"),
        "soma": _nominal(price, "neuron"),
        "network": _nominal(price, "axon_out") + _nominal(price, "noc"),
        "total": price.dynamic.nominal,
    }
    return {
        "network": CASES[key]().title,
        "cores": len(placement.cores),
        "steps": STEPS,
        "equal": {name: pair[0] for name, pair in equal.items()},
        "joule": mine,
        "sanafe_joule": {name: theirs["energy"][name] for name in mine},
        "ratio": {name: mine[name] / theirs["energy"][name] for name in mine},
        "sanafe_seconds": {"simulation": theirs["seconds"], "loading": theirs["loading"]},
        "seconds": {"alone": asdict(alone), "batch of 64": asdict(batched)},
        # Their simulation of the loaded chip against our prepared run, and all against all.
        "speed": {
            "alone": theirs["seconds"] / alone.prepared,
            "batch of 64": theirs["seconds"] / batched.prepared,
            "alone, with loading": (theirs["seconds"] + theirs["loading"]) / alone.whole,
        },
    }


def _nominal(price: Any, term: str) -> float:
    energy = price.terms[term].energy
    if energy is None:
        raise SystemExit(f"{MODEL} does not price {term}: {price.terms[term].reason}")
    return float(energy.nominal)


def main() -> None:
    """Compare, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=Path(".venv-sana-fe/bin/python"))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if not options.python.exists():
        sys.exit(f"there is no {options.python}: make bench-sana-fe makes it")
    found = {key: compare(key, options.python) for key in CASES}
    for row in found.values():
        print(f"\n{row['network']}, {row['cores']} cores, {row['steps']} steps")
        print("  equal: " + ", ".join(f"{n} {v:,}" for n, v in row["equal"].items()))
        for name, value in row["joule"].items():
            other = row["sanafe_joule"][name]
            print(f"  {name:8} {value:.4e} J, SANA-FE {other:.4e} J, ratio {value / other:.4f}")
        for name, speed in row["speed"].items():
            print(f"  {name}: {speed:,.0f} times as fast as SANA-FE")
    if options.output:
        options.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
