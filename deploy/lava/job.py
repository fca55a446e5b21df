"""The folder through which supervisor and worker talk: arrays as .npy, the rest as JSON.

JOB/settings.json          record, convolution, number of networks
JOB/0/program.slip         first network
JOB/0/stimulus.<i>.npy     the messages of each input
JOB/0/steps                for how many steps they are presented
JOB/0/<field>.<i>.npy      its results, written by the ProcessModels; inputs count first
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

from ..neurons.models import model_of
from ..program import Input, Output, Population, Program
from ..reference import message_type
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
    dtype: Any


def _sources(program: Program) -> tuple[Input | Population, ...]:
    return (*program.inputs, *program.populations)


def _file(program: Program, owner: str, field: str) -> str:
    """Name of a file; numbers, because names of nodes may hold anything."""
    names = [source.name for source in _sources(program)]
    return f"{field}.{names.index(owner)}.npy"


def output_field(program: Program, output: Output) -> str:
    """Field of an output's file, which belongs to its population."""
    return f"output{program.outputs.index(output)}"


def list_records(program: Program, stimulus: Stimulus, record: bool) -> list[Record]:
    """The result files of a network."""
    samples, steps = stimulus.samples, program.run_steps(stimulus.steps)
    fixed = program.precision == "fixed"
    wide, real = (np.int64, np.int32) if fixed else (np.float64, np.float64)
    made: list[Record] = []

    def add(owner: str, field: str, shape: tuple[int, ...], dtype: Any) -> None:
        made.append(Record(owner, field, _file(program, owner, field), shape, dtype))

    for source in _sources(program):
        add(source.name, "messages", (samples, source.size), np.int64)
    add(program.inputs[0].name, "progress", (1,), np.int64)
    for population in program.populations:
        name, size = population.name, population.size
        add(name, "saturated", (samples,), np.int64)
        if record:
            model = model_of(population.neuron)
            add(name, "s", (samples, steps, size), message_type(program, model.message))
            for state in model.states(population.neuron):
                add(name, state, (samples, steps, size), real)
    for output in program.outputs:
        size = program.population(output.population).size
        add(output.population, output_field(program, output), (samples, size), wide)
    return made


def save_network(folder: Path, program: Program, stimulus: Stimulus, record: bool) -> None:
    """Write one network, its input, and its result files full of zeros.

    They take their room on the disk now: a model that writes to a file mapped into memory
    would be killed where the disk is full. Raises OSError.
    """
    folder.mkdir()
    save_program(program, folder / "program.slip")
    (folder / "steps").write_text(str(stimulus.steps))
    for source in program.inputs:
        path = folder / _file(program, source.name, "stimulus")
        np.save(path, stimulus.values[source.name])
    for made in list_records(program, stimulus, record):
        path = folder / made.file
        np.lib.format.open_memmap(path, mode="w+", dtype=made.dtype, shape=made.shape)
        if hasattr(os, "posix_fallocate"):
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def load_network(folder: Path) -> tuple[Program, Stimulus]:
    """Read what `save_network` wrote; the stimulus stays on disk."""
    program = load_program(folder / "program.slip")
    values = {
        i.name: np.load(folder / _file(program, i.name, "stimulus"), mmap_mode="r")
        for i in program.inputs
    }
    return program, Stimulus(values, int((folder / "steps").read_text()))


def files_of(program: Program, stimulus: Stimulus, record: bool) -> dict[str, dict[str, str]]:
    """Owner -> field -> file name, of the results and of what the inputs read."""
    files: dict[str, dict[str, str]] = {
        i.name: {"stimulus": _file(program, i.name, "stimulus")} for i in program.inputs
    }
    for made in list_records(program, stimulus, record):
        files.setdefault(made.owner, {})[made.field] = made.file
    return files


def read_trace(folder: Path, program: Program, stimulus: Stimulus, record: bool) -> Trace:
    """The results as a Trace, in memory."""

    def load(owner: str, field: str) -> Array:
        path = folder / _file(program, owner, field)
        values: Array = np.load(path, allow_pickle=False)
        return values

    outputs = {}
    for output in program.outputs:
        values = load(output.population, output_field(program, output))
        mean = output.readout == "mean" and program.precision == "float"
        outputs[output.name] = values / stimulus.steps if mean else values
    rasters = {
        p.name: Raster(
            load(p.name, "s"),
            {name: load(p.name, name) for name in model_of(p.neuron).states(p.neuron)},
        )
        for p in program.populations
        if record
    }
    return Trace(
        outputs,
        {source.name: load(source.name, "messages") for source in _sources(program)},
        {p.name: load(p.name, "saturated") for p in program.populations},
        program.run_steps(stimulus.steps),
        rasters,
    )


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
