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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import Program
from ..storage import load_program, save_program
from ..trace import Raster, Stimulus, Trace

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A file of results: `field` of the input or population `owner`."""

    owner: str
    field: str
    file: str
    shape: tuple[int, ...]
    dtype: type


def list_records(program: Program, stimulus: Stimulus, record: bool) -> list[Record]:
    """The result files of a network."""
    samples, steps = stimulus.samples, program.run_steps(stimulus.steps)
    fixed = program.precision == "fixed"
    wide, state = (np.int64, np.int32) if fixed else (np.float64, np.float64)
    made: list[Record] = []

    def add(owner: str, field: str, index: int, shape: tuple[int, ...], dtype: type) -> None:
        made.append(Record(owner, field, f"{field}.{index}.npy", shape, dtype))

    add(program.input.name, "messages", 0, (samples, program.input.size), np.int64)
    add(program.input.name, "progress", 0, (1,), np.int64)
    for index, population in enumerate(program.populations, start=1):
        name, size = population.name, population.size
        add(name, "messages", index, (samples, size), np.int64)
        add(name, "saturated", index, (samples,), np.int64)
        if name == program.output.population:
            add(name, "outputs", index, (samples, size), wide)
        if record:
            add(name, "s", index, (samples, steps, size), np.bool_)
            add(name, "u", index, (samples, steps, size), state)
            add(name, "v", index, (samples, steps, size), state)
    return made


def save_network(folder: Path, program: Program, stimulus: Stimulus, record: bool) -> None:
    """Write one network, its input, and its result files full of zeros.

    They take their room on the disk now: a model that writes to a file mapped into memory
    would be killed where the disk is full. Raises OSError.
    """
    folder.mkdir()
    save_program(program, folder / "program.slip")
    (folder / "steps").write_text(str(stimulus.steps))
    np.save(folder / "stimulus.npy", stimulus.values)
    for made in list_records(program, stimulus, record):
        path = folder / made.file
        np.lib.format.open_memmap(path, mode="w+", dtype=made.dtype, shape=made.shape)
        if hasattr(os, "posix_fallocate"):
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def load_network(folder: Path) -> tuple[Program, Stimulus]:
    """Read what `save_network` wrote; the stimulus stays on disk."""
    stimulus = np.load(folder / "stimulus.npy", mmap_mode="r")
    steps = int((folder / "steps").read_text())
    return load_program(folder / "program.slip"), Stimulus(stimulus, steps)


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
