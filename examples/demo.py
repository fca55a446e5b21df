"""From nothing to a verified, priced student network, by the commands that a user types.

Run by `make demo` (digits) and `make faces` (FER2013); needs nothing but an installed slipway
with torch and Lava. Everything lands in out/demo or out/faces. Stops at the first command that
fails, with its exit code.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.profiles.figures import quantity, span


@dataclass(frozen=True)
class Demo:
    """What differs from student to student.

    Attributes:
        shape: of one sample, for --sample-shape.
        norm: engine for the NIR graph in floating point.
        lava_samples: samples that run on Lava.
        verified: samples that all engines compare, spike by spike.
    """

    shape: str
    norm: str
    lava_samples: int
    verified: int


DEMOS = {
    "digits": Demo("1,8,8", "reference", 20, 20),
    # 35,168 neurons: NumPy and Lava take a good part of a second for each sample.
    "mini_resemotenet": Demo("1,48,48", "fast", 200, 2),
}


def call(command: str) -> None:
    """Print a command and run it; leave with its exit code if it fails."""
    print(f"\n$ {command}", flush=True)
    name, *arguments = shlex.split(command)
    beside = Path(sys.executable).parent / name
    code = subprocess.run([beside if beside.exists() else name, *arguments]).returncode
    if code:
        print(f"demo: stopped, the command above left with exit code {code}", file=sys.stderr)
        raise SystemExit(code)


def read(path: Path) -> dict[str, Any]:
    """A JSON file of the demo."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def main(student: str, out: Path) -> None:
    """All steps, then the figures side by side."""
    started = time.perf_counter()
    demo = DEMOS[student]
    out.mkdir(parents=True, exist_ok=True)
    data, fixed, floating = f"--data {out}/test.npz", f"{out}/student.slip", f"{out}/float.slip"
    call(f"slipway train {student} -o {out}")
    call(
        f"nirexport {out}/student.pt --model slipway.models.students.{student}:Student "
        f"--sample-shape {demo.shape} -o {out}/student.nir"
    )
    call(f"slipway check {out}/student.nir --target loihi2")
    call(
        f"slipway compile {out}/student.nir --target loihi2 "
        f"--calibrate {out}/calibrate.npz -o {fixed}"
    )
    call(f"slipway compile {out}/student.nir --precision float -o {floating}")
    call(f"slipway run {floating} {data} --engine {demo.norm} -o {out}/nir.json")
    call(f"slipway run {fixed} {data} -o {out}/run.json")
    call(
        f"slipway run {fixed} {data} --engine lava --samples {demo.lava_samples} "
        f"-o {out}/lava.json"
    )
    call(
        f"slipway verify {fixed} {data} --engines reference,fast,lava "
        f"--samples {demo.verified} -o {out}/verify.json"
    )
    call(f"slipway report {out}/run.json -q -o {out}/report.json")
    call(f"slipway report {out}/run.json {out}/nir.json {out}/lava.json -o {out}/report.html")
    summary(student, out)
    print(f"\nThe report: {out}/report.html   ({time.perf_counter() - started:.0f} s in all)")


def summary(student: str, out: Path) -> None:
    """Accuracies side by side, mismatches, operations and energy."""
    names = ("metrics.json", "nir.json", "run.json", "lava.json", "verify.json", "report.json")
    trained, nir, run, lava, verified, report = (read(out / name) for name in names)
    few = lava["samples"]
    rows = [
        ("checkpoint, torch", trained["samples_test"], trained["accuracy"]),
        (f"NIR graph in floating point, {nir['engine']}", nir["samples"], nir["accuracy"]),
        ("Loihi-style integers, fast engine", run["samples"], run["accuracy"]),
        ("the same, fast engine, first samples", few, _accuracy(run, few)),
        ("the same, Lava's simulator", few, lava["accuracy"]),
    ]
    print(f"\n{student:42}{'samples':>8}{'accuracy':>11}")
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
            energy[f"{end}_joule_per_inference"] for end in ("low", "nominal", "high")
        )
        band = f"{quantity(nominal, 'J')} ({span(low, high, 'J')})"
        print(f"energy per inference, {model}: {band}, estimate")


def _accuracy(run: dict[str, Any], samples: int) -> float:
    pairs = list(zip(run["predictions"], run["labels"], strict=True))[:samples]
    return float(sum(answer == label for answer, label in pairs)) / samples


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("student", nargs="?", default="digits", choices=sorted(DEMOS))
    parser.add_argument("-o", "--out", type=Path, default=Path("out/demo"))
    arguments = parser.parse_args()
    main(arguments.student, arguments.out)
