"""The engine on a GPU and on the CPU, side by side on networks b and c: a table, and JSON.

Both are handed the whole stimulus in the host's memory and give back what `slipway run` asks
for: all copies to and from the GPU are part of its time. Run as
`python -m slipway.benchmarks.gpu`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from slipway.deploy import reference
from slipway.deploy.counts import fan_outs
from slipway.deploy.engine import Engine
from slipway.deploy.gpu import GpuEngine
from slipway.files import make_folder, write_text

from .equality import compare
from .networks import NETWORKS, rates
from .timing import in_turns

WORK = Path("out/benchmarks")
CHECKED = 2
"""Samples that are compared with the reference; all are compared with the CPU's engine."""


def main() -> int:
    """Measure and print; 1 if bits differ anywhere."""
    parser = argparse.ArgumentParser(
        prog="python -m slipway.benchmarks.gpu", description=__doc__
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--networks", default="b,c", help="letters of benchmarks/networks.py")
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--steps", type=int, help="instead of the network's own number")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    given = parser.parse_args()
    make_folder(WORK)
    found = {
        key: measure(key, given.device, given.samples, given.steps, given.repetitions)
        for key in given.networks.split(",")
    }
    print(f"{'':4}{'steps':>6}{'CPU us':>10}{'GPU us':>10}{'ratio':>8}{'GPU MiB':>9}  equal")
    for key, row in found.items():
        print(
            f"{key:4}{row['steps']:6}{row['cpu_microseconds']:10.3f}"
            f"{row['gpu_microseconds']:10.3f}{row['ratio']:8.1f}"
            f"{row['gpu_peak_bytes'] / 2**20:9.0f}  {row['equal_bits']}"
        )
    if given.json:
        figures = {"device": _title(given.device), "networks": found}
        write_text(given.json, json.dumps(figures, indent=2) + "\n")
    return int(not all(row["equal_bits"] for row in found.values()))


def measure(
    key: str, device: str, samples: int, steps: int | None, repetitions: int
) -> dict[str, Any]:
    """Figures of one network; microseconds for a step of a sample."""
    import torch

    network = NETWORKS[key](WORK)
    presented = steps or network.steps
    stimulus = network.stimulus(samples, presented)
    on_cpu, on_gpu = Engine(network.program), GpuEngine(network.program, device)
    trace, expected = on_gpu.run(stimulus), on_cpu.run(stimulus)
    first = stimulus.part(0, CHECKED)
    norm = reference.execute(network.program, first, record=True)
    compared = (
        compare(trace, expected),
        compare(on_gpu.run(first, record=True), norm),
    )
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
    del expected
    fans = fan_outs(network.program)
    times = in_turns(
        {
            "cpu": lambda: _run(on_cpu, stimulus, fans),
            "gpu": lambda: _run(on_gpu, stimulus, fans),
        },
        repetitions,
    )
    sample_steps = samples * trace.executed_steps
    return {
        "samples": samples,
        "steps": presented,
        "rates": rates(network.program, trace, presented),
        "cpu_microseconds": 1e6 * times["cpu"].seconds / sample_steps,
        "gpu_microseconds": 1e6 * times["gpu"].seconds / sample_steps,
        "gpu_spread": times["gpu"].spread,
        "ratio": times["cpu"].seconds / times["gpu"].seconds,
        "gpu_peak_bytes": 0 if device == "cpu" else torch.cuda.max_memory_allocated(device),
        "kernels": {name: dict(served) for name, served in trace.kernels.items()},
        "equal_bits": not any(each["mismatches"] for each in compared),
    }


def _run(engine: Engine | GpuEngine, stimulus: Any, fans: Any) -> None:
    """With all counts, and nothing of it kept."""
    engine.run(stimulus, fans=fans)


def _title(device: str) -> str:
    import torch

    return device if device == "cpu" else torch.cuda.get_device_name(device)


if __name__ == "__main__":
    sys.exit(main())
