"""The folder through which supervisor and worker talk: arrays as .npy, the rest as JSON.

JOB/settings.json          record, convolution, number of networks
JOB/0/program.slip         first network
JOB/0/stimulus.npy, steps  its messages, and for how many steps they are presented
JOB/0/<field>.<i>.npy      its results, written by the ProcessModels
JOB/failure.json           the first failure, with the model's own traceback
JOB/segments               names of all shared memory of the run, noted before it is made
"""

from __future__ import annotations

import importlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Program
from ..storage import load_program, save_program
from ..trace import Raster, Stimulus, Trace

Array = npt.NDArray[Any]


def save_network(folder: Path, program: Program, stimulus: Stimulus) -> None:
    """Write one network and its input."""
    folder.mkdir()
    save_program(program, folder / "program.slip")
    (folder / "steps").write_text(str(stimulus.steps))
    np.save(folder / "stimulus.npy", stimulus.values)


def load_network(folder: Path) -> tuple[Program, Stimulus]:
    """Read what `save_network` wrote; the stimulus stays on disk."""
    stimulus = np.load(folder / "stimulus.npy", mmap_mode="r")
    steps = int((folder / "steps").read_text())
    return load_program(folder / "program.slip"), Stimulus(stimulus, steps)


def make_records(
    folder: Path, program: Program, stimulus: Stimulus, record: bool
) -> dict[str, dict[str, str]]:
    """Create the result files: name of input or population -> field -> file name."""
    samples, steps = stimulus.samples, program.run_steps(stimulus.steps)
    fixed = program.precision == "fixed"
    wide, state = (np.int64, np.int32) if fixed else (np.float64, np.float64)
    made: dict[str, dict[str, str]] = {}

    def create(owner: str, field: str, index: int, shape: tuple[int, ...], dtype: Any) -> None:
        name = f"{field}.{index}.npy"
        np.lib.format.open_memmap(folder / name, mode="w+", dtype=dtype, shape=shape)
        made.setdefault(owner, {})[field] = name

    create(program.input.name, "messages", 0, (samples, program.input.size), np.int64)
    create(program.input.name, "progress", 0, (1,), np.int64)
    made[program.input.name]["stimulus"] = "stimulus.npy"
    for index, population in enumerate(program.populations, start=1):
        name, size = population.name, population.size
        create(name, "messages", index, (samples, size), np.int64)
        create(name, "saturated", index, (samples,), np.int64)
        if name == program.output.population:
            create(name, "outputs", index, (samples, size), wide)
        if record:
            create(name, "s", index, (samples, steps, size), np.bool_)
            create(name, "u", index, (samples, steps, size), state)
            create(name, "v", index, (samples, steps, size), state)
    return made


def read_trace(folder: Path, program: Program, stimulus: Stimulus, record: bool) -> Trace:
    """The results as a Trace, in memory."""

    def load(field: str, index: int) -> Array:
        values: Array = np.load(folder / f"{field}.{index}.npy", allow_pickle=False)
        return values

    numbered = list(enumerate(program.populations, start=1))
    last = next(i for i, p in numbered if p.name == program.output.population)
    outputs = load("outputs", last)
    if program.output.readout == "mean" and program.precision == "float":
        outputs = outputs / stimulus.steps
    messages = {program.input.name: load("messages", 0)}
    messages |= {p.name: load("messages", i) for i, p in numbered}
    saturated = {p.name: load("saturated", i) for i, p in numbered}
    rasters = {
        p.name: Raster(*(load(field, i) for field in "suv")) for i, p in numbered if record
    }
    return Trace(outputs, messages, saturated, program.run_steps(stimulus.steps), rasters)


def report_failure(folder: Path, status: int, process: str, text: str) -> None:
    """Note a failure, announce it to the supervisor; the first one of a run counts."""
    draft = folder.parent / f"failure.{os.getpid()}"
    draft.write_text(json.dumps({"network": folder.name, "process": process, "text": text}))
    with suppress(FileExistsError):
        os.link(draft, folder.parent / "failure.json")
    os.write(status, b"failed\n")


def note_segment(folder: Path, name: str) -> None:
    """Note the name of a shared memory segment that is about to be made."""
    with open(folder / "segments", "a") as file:
        file.write(f"{name}\n")


def unlink_segments(folder: Path) -> None:
    """Remove every noted shared memory segment that is still there."""
    posix = importlib.import_module("_posixshmem")
    with suppress(FileNotFoundError):
        for name in (folder / "segments").read_text().split():
            with suppress(FileNotFoundError):
                posix.shm_unlink(name)
