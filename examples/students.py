"""Each student through the whole tool, by the commands that a user types, into one table.

    python examples/students.py                             all of them: make students
    python examples/students.py c-rate                      one: make student STUDENT=c-rate

Weights that come with slipway are taken; `--train` trains them anew. A folder that holds a
training already is used as it is. What is found is kept in benchmarks/students.json, and the
README's table is written from it.
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

from slipway.benchmarks import student_table
from slipway.converters.factory import build_model
from slipway.models import shipped
from slipway.models.counting import parameters_of


@dataclass(frozen=True)
class Student:
    """How one student goes through the tool.

    Attributes:
        title: in the table.
        recipe: of `slipway train`.
        shape: of one sample.
        training: further options of its training.
        compiling: further options of `slipway compile`: the code of a ReLU network.
        model: who builds it.
        few: samples that run on Lava.
        verified: samples of which reference, engine and Lava are compared in every value.
    """

    title: str
    recipe: str
    shape: str
    training: str = "--seed 0 --set baseline=false"
    compiling: str = ""
    model: str = "student:build"
    few: int = 20
    verified: int = 2

    @property
    def relu(self) -> bool:
        """Whether its thresholds come from calibration."""
        return bool(self.compiling)


_SECONDS = (
    "--seed 0 --set baseline=false --set training.epochs=15 --set teacher.training.epochs=10"
)
_C = "mini-resemotenet-c-cpu"
STUDENTS = {
    "digits": Student(
        "digits, spiking",
        "digits",
        "1,8,8",
        training="",
        model="slipway.models.students.digits:Student",
        verified=20,
    ),
    "c-sigma-delta": Student(
        "Mini-ResEmoteNet C, sigma-delta", _C, "1,48,48", compiling="--code sigma-delta"
    ),
    "c-rate": Student(
        "Mini-ResEmoteNet C, rate, T = 64",
        _C,
        "1,48,48",
        compiling="--code rate --reset subtract --steps 64",
    ),
    "mskd": Student(
        "MSKD's student, tiny", "mskd-student-small", "1,24,24", _SECONDS, verified=20
    ),
    "mskd-eyes": Student("MSKD's student, small", "mskd-student-simulated", "1,48,48"),
    "ckd-vgg": Student(
        "CKD's VGG-SNN, 1/32 wide", "ckd-vgg-snn-small", "2,16,16", _SECONDS, verified=20
    ),
    "ckd-resnet18": Student(
        "CKD's spiking ResNet-18 (post), 1/8 wide",
        "ckd-resnet18-snn-small",
        "2,16,16",
        _SECONDS,
        verified=20,
    ),
}


def main(key: str, out: Path, *, train: bool) -> None:
    """Train or unpack, export, check, compile, run, verify, report; then its row."""
    student, started = STUDENTS[key], time.perf_counter()
    folder = out / student.recipe
    comes_trained = student.recipe in shipped.names() and not train
    how = "shipped" if comes_trained else "trained here"
    option = "--shipped" if comes_trained else student.training
    if (folder / "metrics.json").exists():
        print(f"\n# {folder} holds a training: it is used as it is", flush=True)
    else:
        call(f"slipway train {student.recipe} {option} -o {folder}")
    # The rest is typed in that folder, which holds student.py.
    print(f"\n$ cd {folder}", flush=True)
    calibrated = "--calibrate calibrate.npz"
    call(
        f"nirexport student.pt --model {student.model} --sample-shape {student.shape} "
        f"{calibrated if student.relu else ''} -o student.nir",
        folder,
    )
    call("slipway check student.nir --target loihi2", folder)
    call(f"slipway compile student.nir {student.compiling} {calibrated} -o {key}.slip", folder)
    call(f"slipway run {key}.slip --data test.npz -o {key}-run.json", folder)
    few = f"--samples {student.few}"
    call(
        f"slipway run {key}.slip --data test.npz --engine lava {few} -o {key}-lava.json", folder
    )
    call(
        f"slipway verify {key}.slip --data test.npz --engines reference,fast,lava "
        f"--samples {student.verified} -o {key}-verify.json",
        folder,
    )
    call(f"slipway report {key}-run.json -q -o {key}-report.json", folder)
    call(f"slipway report {key}-run.json {key}-lava.json -o {key}-report.html", folder)
    command = f"make student STUDENT={key}{'' if comes_trained else ' TRAIN=1'}"
    parameters = _parameters(student, folder)
    row = student_table.row_of(folder, key, student.title, how, command, parameters)
    student_table.save(key, row)
    print(f"\n{student_table.markdown({key: row})}")
    seconds = time.perf_counter() - started
    print(f"The report: {folder}/{key}-report.html   ({seconds:.0f} s in all)")


def _parameters(student: Student, folder: Path) -> int:
    """Numbers that were trained; the metrics of the demo's students do not say."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics.get("parameters") or parameters_of(build_model(student.model))


def call(command: str, folder: Path | None = None) -> None:
    """Print a command and run it; leave with its exit code if it fails."""
    command = " ".join(command.split())
    print(f"\n$ {command}", flush=True)
    name, *arguments = shlex.split(command)
    beside = Path(sys.executable).parent / name
    started = [beside if beside.exists() else name, *arguments]
    code = subprocess.run(started, cwd=folder).returncode
    if code:
        told = f"students: stopped, the command above left with exit code {code}"
        print(told, file=sys.stderr)
        raise SystemExit(code)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("students", nargs="*", help=f"some of {', '.join(STUDENTS)}")
    parser.add_argument("--train", action="store_true", help="also what comes trained")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/students"))
    arguments = parser.parse_args()
    if unknown := [key for key in arguments.students if key not in STUDENTS]:
        parser.error(f"no student {', '.join(unknown)}; there are {', '.join(STUDENTS)}")
    for each in arguments.students or STUDENTS:
        main(each, arguments.out, train=arguments.train)
