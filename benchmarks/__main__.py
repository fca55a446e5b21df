"""Measure everything: tables to stdout, benchmarks/results.json and benchmarks/scaling.svg."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from slipway import __version__
from slipway.files import make_folder, write_text

from . import limits, measure, plot, scaling
from .networks import INPUT_RATE, NETWORKS
from .table import print_results

HERE = Path(__file__).parent
WORK = Path("out/benchmarks")
"""For a student that has to be trained first."""
_PACKAGES = ("numpy", "numba", "torch", *measure.FLOATS, "lava-nc", "scipy")
_SCALED = "a"
"""The network whose scaling is measured, if it is measured itself."""


def main() -> int:
    """Measure and print; 1 if bits differ anywhere."""
    parser = argparse.ArgumentParser(prog="python -m slipway.benchmarks", description=__doc__)
    parser.add_argument(
        "--networks",
        type=_keys,
        default=list(NETWORKS),
        help=f"some of {','.join(NETWORKS)}; the results then hold these alone",
    )
    results = run(parser.parse_args().networks)
    write_text(HERE / "results.json", json.dumps(results, indent=2) + "\n")
    if results["scaling"]:
        write_text(HERE / "scaling.svg", plot.scaling(results["scaling"]))
    print_results(results)
    return int(not all(each["equal_bits"] for each in results["networks"].values()))


def _keys(text: str) -> list[str]:
    keys = text.split(",")
    if unknown := [key for key in keys if key not in NETWORKS]:
        raise argparse.ArgumentTypeError(
            f"no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}"
        )
    return keys


def run(keys: Sequence[str]) -> dict[str, Any]:
    """All figures as JSON values."""
    os.environ.setdefault("TORCH_LOGS", "-all")  # it would tell that there is no Triton
    make_folder(WORK)
    _say("limits of the machine")
    found = machine()
    networks = {}
    for key in keys:
        _say(f"{key}: building")
        network = NETWORKS[key](WORK)
        networks[key] = measure.measure(
            network, found["integer_adds_per_second"], progress=_say
        )
    grown = scaling.measure(scaling.sweeps(), progress=_say) if _SCALED in keys else {}
    return {"format": 1, "machine": found, "networks": networks, "scaling": grown}


def machine() -> dict[str, Any]:
    """What was measured on, and its own limits."""
    return {
        "cpu": _cpu(),
        "cores": limits.cores(),
        "memory_bytes_per_second": limits.memory_bandwidth(),
        "integer_adds_per_second": limits.integer_adds(),
        "input_rate": INPUT_RATE,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "platform": platform.platform(terse=True),
        "versions": {
            "slipway": __version__,
            "python": platform.python_version(),
            **_versions(),
        },
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _cpu() -> str:
    """Its name, as Linux tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
