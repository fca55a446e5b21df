"""Placements side by side: ours, Lava's splitter, METIS: `make bench-placement`.

Prints a table and writes benchmarks/placement.json. Loads, messages and hops are means per
inference at the rates of a few samples, run on the engine.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
from slipway.deploy.engine import execute
from slipway.deploy.placement import Placement, naive, place
from slipway.deploy.placement.assign import traffic_of
from slipway.deploy.placement.geometry import tile_of
from slipway.deploy.placement.incidence import core_indices, incidence
from slipway.deploy.placement.load import full_rates
from slipway.deploy.placement.metrics import metrics
from slipway.deploy.profile import observed
from slipway.deploy.program import Program
from slipway.deploy.targets import Target, load_target
from slipway.errors import CapacityExceeded
from slipway.files import make_folder, write_text

from .large import million
from .metis import metis
from .networks import NETWORKS

Array = npt.NDArray[Any]

HERE = Path(__file__).parent
WORK = Path("out/benchmarks")
TARGETS = ("loihi1", "loihi2")
SAMPLES = 4
LARGEST_QAP = 160
"""Cores up to which SciPy's quadratic assignment is tried beside our annealing."""
Method = Callable[[Program, Target, Mapping[str, Array]], Placement]
METHODS: dict[str, Method] = {
    "naive": lambda program, target, rates: naive(program, target),
    "metis": metis,
    "place": lambda program, target, rates: place(program, target, rates=rates),
}
FIGURES = ("cores", "chips", "hops", "busiest_core", "messages", "other_chip", "imbalance")


def main() -> int:
    """Measure and print; 1 if a bar is not met."""
    parser = argparse.ArgumentParser(prog="python -m slipway.benchmarks.placement")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--no-million", action="store_true", help="leave out the largest one")
    given = parser.parse_args()
    make_folder(WORK)
    rows = []
    for key in given.networks.split(","):
        network = NETWORKS[key](WORK)
        program, left_out = fitting(network.program)
        stimulus = network.stimulus(SAMPLES, network.alone_steps)
        rates = observed(program, stimulus, execute(program, stimulus, record=True)).rates
        for target in TARGETS:
            rows.append(measured(key, network.title, program, target, rates, left_out))
            show(rows[-1])
    large = [] if given.no_million else [largest(target) for target in TARGETS]
    means = {name: summary(rows, name) for name in ("place", "metis")}
    result = {"format": 1, "rows": rows, "means": means, "million": large}
    write_text(HERE / "placement.json", json.dumps(result, indent=2) + "\n")
    for name, mean in means.items():
        print(
            f"{name} / naive, geometric means: cores {mean['cores']:.2f}, busiest core "
            f"{mean['busiest_core']:.2f} ({mean['rows']} rows), hops {mean['hops']:.2f} "
            f"({mean['rows_with_hops']} rows where the naive placement has any)"
        )
    ours = means["place"]
    return int(max(ours["busiest_core"], ours["hops"]) > 0.75 or ours["most_cores"] > 1)


def fitting(program: Program) -> tuple[Program, str]:
    """The Program without a readout that no core of any target can hold, and its name."""
    try:
        for target in TARGETS:
            naive(program, load_target(target))
    except CapacityExceeded:
        last = program.populations[-1].name
        kept = tuple(p for p in program.populations if p.name != last)
        projections = tuple(p for p in program.projections if last not in (p.source, p.target))
        output = replace(program.outputs[0], population=kept[-1].name)
        smaller = replace(program, populations=kept, projections=projections, outputs=(output,))
        return smaller, last
    return program, ""


def measured(
    key: str,
    title: str,
    program: Program,
    target: str,
    rates: Mapping[str, Array],
    left_out: str,
) -> dict[str, Any]:
    """All methods on one network and target."""
    chip = load_target(target)
    row: dict[str, Any] = {"network": key, "title": title, "target": target}
    row["left_out"] = left_out
    row["neurons"] = sum(p.size for p in program.populations)
    for name, method in METHODS.items():
        begun = time.process_time()
        try:
            found = method(program, chip, rates)
        except CapacityExceeded as error:
            row[name] = {"refused": str(error.problems[0].what)}
            continue
        seconds = time.process_time() - begun
        figures = asdict(metrics(program, found, chip, rates))
        row[name] = {figure: figures[figure] for figure in FIGURES} | {"seconds": seconds}
        if name == "place" and 4 < found.cores.size <= LARGEST_QAP:
            row["quadratic_assignment_hops"] = quadratic_assignment(program, chip, found, rates)
    return row


def quadratic_assignment(
    program: Program, chip: Target, found: Placement, rates: Mapping[str, Array]
) -> float:
    """Hops of our parts on our tiles, put there by SciPy's FAQ and then its 2-opt."""
    cores = found.cores
    index = core_indices(found.core_of, cores)
    moved = traffic_of(program, incidence(program, found), index, full_rates(program, rates))
    per_tile = chip.mesh.cores_per_tile
    tiles = np.unique(cores // per_tile)
    slots = (tiles[:, None] * per_tile + np.arange(per_tile)).reshape(-1)
    x, y = tile_of(chip.mesh, slots)
    distance = np.abs(x[:, None] - x) + np.abs(y[:, None] - y)
    flow = np.zeros((slots.size, slots.size))
    flow[moved.sender, moved.receiver] = moved.messages
    begun = scipy.optimize.quadratic_assignment(
        flow, distance, options={"rng": np.random.default_rng(0)}
    )
    guess = np.stack([np.arange(slots.size), begun.col_ind], axis=1)
    options = {"rng": np.random.default_rng(0), "partial_guess": guess}
    done = scipy.optimize.quadratic_assignment(flow, distance, "2opt", options=options)
    return float(min(begun.fun, done.fun))


def largest(target: str) -> dict[str, Any]:
    """Ours on a million neurons: seconds and peak memory."""
    program, chip = million(), load_target(target)
    before, worked = peak(), time.process_time()
    found = place(program, chip)
    worked = time.process_time() - worked
    figures = asdict(metrics(program, found, chip))
    result = {figure: figures[figure] for figure in FIGURES} | {
        "target": target,
        "neurons": sum(p.size for p in program.populations),
        "synapses": sum(
            int(p.synapse.fan_out(nonzero=False).sum()) for p in program.projections
        ),
        "seconds": found.seconds,
        "processor_seconds": worked,
        "peak_bytes_before": before,
        "peak_bytes": peak(),
    }
    print(
        f"{result['neurons']:,} neurons, {result['synapses']:,} synapses on {target}: "
        f"{result['cores']} cores, {result['chips']} chips, {result['seconds']:.1f} s "
        f"({result['processor_seconds']:.1f} s of the processor), "
        f"peak {result['peak_bytes'] / 2**30:.2f} GiB"
    )
    return result


def peak() -> int:
    """Most bytes that the process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def show(row: Mapping[str, Any]) -> None:
    """One row of the table for each method."""
    left = f", without {row['left_out']}, which no core can hold" if row["left_out"] else ""
    print(f"{row['network']} on {row['target']}: {row['title']}{left}")
    for name in METHODS:
        found = row[name]
        if "refused" in found:
            print(f"  {name:6} {found['refused']}")
            continue
        print(
            f"  {name:6} {found['cores']:5} cores {found['chips']:3} chips  "
            f"hops {found['hops']:12,.0f}  busiest core {found['busiest_core']:11,.0f}  "
            f"imbalance {found['imbalance']:5.2f}  messages {found['messages']:11,.0f}  "
            f"{found['seconds']:6.1f} s"
        )
    if "quadratic_assignment_hops" in row:
        hops = row["quadratic_assignment_hops"]
        print(f"  our parts by SciPy's quadratic assignment: hops {hops:,.0f}")
    sys.stdout.flush()


def summary(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Geometric means of a method over the naive splitter."""
    both = [row for row in rows if "refused" not in row[name] and "refused" not in row["naive"]]
    moving = [row for row in both if row["naive"]["hops"] > 0]

    def mean(some: list[dict[str, Any]], figure: str) -> float:
        ratios = [max(row[name][figure], 1e-9) / row["naive"][figure] for row in some]
        return float(np.exp(np.mean(np.log(ratios)))) if ratios else float("nan")

    return {
        "rows": len(both),
        "rows_with_hops": len(moving),
        "cores": mean(both, "cores"),
        "most_cores": max((r[name]["cores"] / r["naive"]["cores"] for r in both), default=0.0),
        "busiest_core": mean(both, "busiest_core"),
        "hops": mean(moving, "hops"),
    }


if __name__ == "__main__":
    raise SystemExit(main())
