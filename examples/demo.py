"""From nothing to a verified, priced student network, by the commands that a user types.

Run by `make demo`; needs nothing but an installed slipway with torch and Lava. Everything
lands in out/demo. Stops at the first command that fails, with its exit code.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

OUT = Path("out/demo")
LAVA_SAMPLES = 20


def call(command: str) -> None:
    """Print a command and run it; leave with its exit code if it fails."""
    print(f"\n$ {command}", flush=True)
    name, *arguments = shlex.split(command)
    beside = Path(sys.executable).parent / name
    code = subprocess.run([beside if beside.exists() else name, *arguments]).returncode
    if code:
        print(f"demo: stopped, the command above left with exit code {code}", file=sys.stderr)
        raise SystemExit(code)


def read(name: str) -> dict[str, Any]:
    """A JSON file of the demo."""
    return dict(json.loads((OUT / name).read_text(encoding="utf-8")))


def main() -> None:
    """All steps, then the figures side by side."""
    started = time.perf_counter()
    OUT.mkdir(parents=True, exist_ok=True)
    data, fixed, floating = f"--data {OUT}/test.npz", f"{OUT}/student.slip", f"{OUT}/float.slip"
    call(f"slipway train digits -o {OUT}")
    call(
        f"nirexport {OUT}/student.pt --model slipway.models.students.digits:Student "
        f"--sample-shape 1,8,8 -o {OUT}/student.nir"
    )
    call(f"slipway check {OUT}/student.nir --target loihi2")
    call(
        f"slipway compile {OUT}/student.nir --target loihi2 "
        f"--calibrate {OUT}/calibrate.npz -o {fixed}"
    )
    call(f"slipway compile {OUT}/student.nir --precision float -o {floating}")
    call(f"slipway run {floating} {data} --engine reference -o {OUT}/nir.json")
    call(f"slipway run {fixed} {data} -o {OUT}/run.json")
    call(
        f"slipway run {fixed} {data} --engine lava --samples {LAVA_SAMPLES} -o {OUT}/lava.json"
    )
    call(
        f"slipway verify {fixed} {data} --engines reference,fast,lava "
        f"--samples {LAVA_SAMPLES} -o {OUT}/verify.json"
    )
    call(f"slipway report {OUT}/run.json -q -o {OUT}/report.json")
    call(f"slipway report {OUT}/run.json {OUT}/nir.json {OUT}/lava.json -o {OUT}/report.html")
    summary()
    print(f"\nThe report: {OUT}/report.html   ({time.perf_counter() - started:.0f} s in all)")


def summary() -> None:
    """Accuracies side by side, mismatches, operations and energy."""
    trained, nir, run, lava = map(read, ("metrics.json", "nir.json", "run.json", "lava.json"))
    verified, report = read("verify.json"), read("report.json")
    few = lava["samples"]
    rows = [
        ("checkpoint, torch", trained["samples_test"], trained["accuracy"]),
        ("NIR graph, NumPy in floating point", nir["samples"], nir["accuracy"]),
        ("Loihi-style integers, fast engine", run["samples"], run["accuracy"]),
        ("the same, fast engine, first samples", few, _accuracy(run, few)),
        ("the same, Lava's simulator", few, lava["accuracy"]),
    ]
    print(f"\n{'digits':42}{'samples':>8}{'accuracy':>11}")
    for name, samples, accuracy in rows:
        print(f"{name:42}{samples:8}{100 * accuracy:10.2f} %")
    print(
        f"\n{' = '.join(verified['engines'])}: {verified['compared']:,} values compared, "
        f"{verified['mismatches']} mismatches"
    )
    synops = sum(each["synops"] for each in run["projections"].values()) / run["samples"]
    print(f"synaptic operations per inference: {synops:,.0f}")
    for model, energy in report["energy"].items():
        low, nominal, high = (
            f"{energy[f'{end}_joule_per_inference'] * 1e6:.3g}"
            for end in ("low", "nominal", "high")
        )
        print(f"energy per inference, {model}: {nominal} uJ ({low} to {high}), estimate")


def _accuracy(run: dict[str, Any], samples: int) -> float:
    pairs = list(zip(run["predictions"], run["labels"], strict=True))[:samples]
    return float(sum(answer == label for answer, label in pairs)) / samples


if __name__ == "__main__":
    main()
